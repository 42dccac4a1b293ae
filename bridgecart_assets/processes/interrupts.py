"""Noticing Ctrl-C and SIGTERM, whoever handles them: Dagster and DuckDB turn them into errors of their own."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# What asks a program to end, and lets it end in order.
SIGNALS = (signal.SIGINT, signal.SIGTERM)
_NOBODY = -1


@contextmanager
def interrupts() -> Iterator[Callable[[], signal.Signals | None]]:
    """A function that gives the first of SIGNALS that has arrived since, or None.

    For the main thread. One within another: both know.
    """
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    seen: signal.Signals | None = None

    def interrupted_by() -> signal.Signals | None:
        nonlocal seen
        if seen is None:
            seen = next((signal.Signals(number) for number in _arrived(reading) if number in SIGNALS), None)
        return seen

    try:
        yield interrupted_by
    finally:
        signal.set_wakeup_fd(before)
        number = interrupted_by()
        if before != _NOBODY and number is not None:
            os.write(before, bytes([number]))
        os.close(reading)
        os.close(writing)


def _arrived(reading: int) -> bytes:
    try:
        return os.read(reading, 4096)
    except BlockingIOError:
        return b""


@contextmanager
def interrupt_on_signals() -> Iterator[None]:
    """SIGTERM ends us like Ctrl-C; and Ctrl-C works also where a shell script started us with it ignored.

    One handler for both: Dagster has SIGTERM do what SIGINT does, and would ignore it where that is ignored. Children
    inherit an ignored signal, but not a handler: without this, nothing but SIGKILL would stop Dagster.
    """

    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
