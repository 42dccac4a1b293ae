"""Telling: the book of what was told, beside the warehouse, and the messages that leave it.

One book for the daemon's sensor and for commands: a cause that one of them told, the other tells no more.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.orchestration.monitoring.causes import Book, Seen, is_due, noted, refused, taken
from bridgecart_assets.orchestration.monitoring.webhook import NotDelivered, post

# The daemon evaluates one sensor after the other: the one for orders waits meanwhile.
PATIENCE_SECONDS = 5.0
_LOCK_SECONDS = 10.0
_BOOK = TypeAdapter(Book)


@dataclass(frozen=True)
class Told:
    """Result of one look: messages posted, messages that wait, causes that last, and why some wait."""

    posted: int
    waiting: int
    lasting: int
    hindrance: str | None = None

    def __str__(self) -> str:
        why = f" {self.hindrance}" if self.hindrance else ""
        return f"{self.posted} message(s) posted, {self.waiting} wait; {self.lasting} cause(s) last.{why}"


class BookUnusable(BridgeCartError):
    """The book of alerts cannot be read or written."""


def book_path(settings: Settings) -> Path:
    """The file of what was told."""
    return settings.data_dir / "alerts.json"


def tell(settings: Settings, look: Callable[[Book], Seen], now: datetime) -> Told:
    """Look for causes, and post what is new. `look` gets the book as it was.

    What the webhook does not take stays in the book for the next time. Raises BookUnusable.
    """
    file = book_path(settings)
    try:
        with FileLock(file.with_suffix(".lock"), timeout=_LOCK_SECONDS):
            before = read_book(file)
            book = noted(before, look(before), now)
            # Before anything is posted: who cannot keep what was told would tell it again and again.
            _write(file, book)
            return _deliver(settings, file, book, now)
    except Timeout:
        return Told(0, 0, 0, "Another process is telling.")
    except OSError as error:
        raise BookUnusable(f"Cannot keep {file} ({error.strerror}): make its folder writable.") from error


def signed(settings: Settings, message: str) -> str:
    """A message with who sends it: one channel may be that of several shops."""
    return f"BridgeCart ({settings.kafka_topic}): {message}"


def read_book(file: Path) -> Book:
    """The book of alerts; an empty one where there is none. Raises BookUnusable."""
    try:
        return _BOOK.validate_json(file.read_bytes())
    except FileNotFoundError:
        return Book()
    except ValidationError:
        raise BookUnusable(f"{file} is no list of alerts: remove it, then causes that last are told again.") from None


def _deliver(settings: Settings, file: Path, book: Book, now: datetime) -> Told:
    webhook = settings.alert_webhook
    deadline = time.monotonic() + PATIENCE_SECONDS
    posted = 0
    while webhook is not None and is_due(book, now) and time.monotonic() < deadline:
        try:
            post(webhook, signed(settings, book.outbox[0]))
        except NotDelivered as error:
            _write(file, refused(book, now))
            return Told(posted, len(book.outbox), len(book.told), str(error))
        book = taken(book)
        _write(file, book)
        posted += 1
    return Told(posted, len(book.outbox), len(book.told))


def _write(file: Path, book: Book) -> None:
    partial = file.with_suffix(".partial")
    partial.write_bytes(_BOOK.dump_json(book, indent=1))
    partial.replace(file)
