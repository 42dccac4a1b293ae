"""Noticing Ctrl-C, whoever handles it: Dagster and DuckDB turn it into errors of their own."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_NOBODY = -1


@contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """A function that tells whether SIGINT has arrived since. For the main thread; one within another tells both."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    seen = False

    def was_interrupted() -> bool:
        nonlocal seen
        try:
            seen = seen or signal.SIGINT in os.read(reading, 4096)
        except BlockingIOError:
            return seen
        return seen

    try:
        yield was_interrupted
    finally:
        signal.set_wakeup_fd(before)
        if before != _NOBODY and was_interrupted():
            os.write(before, bytes([signal.SIGINT]))
        os.close(reading)
        os.close(writing)


@contextmanager
def interrupt_on_signals() -> Iterator[None]:
    """SIGTERM ends us like Ctrl-C; and Ctrl-C works also where a shell script started us with it ignored.

    Children inherit an ignored signal, but not a handler: without this, nothing but SIGKILL would stop Dagster.
    """

    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
