"""Dagster's SQLite files, kept open while there is work.

Dagster opens and closes a connection for every event. When the last connection to a file closes, SQLite writes its
log back and deletes it: on a disk, that is more than half of the time of a small run. One more connection, idle,
is enough for all processes of the machine.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.engine import Engine

_BUSY_SECONDS = 60.0


@contextmanager
def kept_open() -> Iterator[None]:
    """Hold a second connection to every SQLite file that this process opens through SQLAlchemy, until the end."""
    with ExitStack() as stack:
        held: dict[str, sqlite3.Connection] = {}

        def hold(opened: object, _record: object) -> None:
            if not isinstance(opened, sqlite3.Connection):
                return
            ((_, _, path),) = opened.execute("pragma database_list").fetchall()
            if path and path not in held:
                held[path] = stack.enter_context(_open(path))
            if path:
                # The log exists only after Dagster has set up the file: reading joins it from then on.
                _read(held[path])

        event.listen(Engine, "connect", hold)
        stack.callback(event.remove, Engine, "connect", hold)
        yield


@contextmanager
def held_open(files: Iterable[Path]) -> Iterator[None]:
    """Hold a connection to those of these files that exist, on behalf of other processes."""
    with ExitStack() as stack:
        for file in files:
            if file.is_file():
                _read(stack.enter_context(_open(str(file))))
        yield


def _open(path: str) -> "closing[sqlite3.Connection]":
    return closing(sqlite3.connect(path, timeout=_BUSY_SECONDS, check_same_thread=False))


def _read(connection: sqlite3.Connection) -> None:
    connection.execute("select count(*) from sqlite_master").fetchall()
