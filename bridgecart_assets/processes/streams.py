"""Standard output and standard error of a command, which may be full, closed, or speak another character set."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from bridgecart_assets.base.errors import BridgeCartError

# What a shell says of a program that was ended by SIGPIPE.
_READER_GONE = 141


class OutputFailed(BridgeCartError):
    """Standard output cannot be written."""


class ReaderGone(OutputFailed):
    """Whoever read standard output has read enough, as `head` has: no reason to complain."""

    exit_code = _READER_GONE


class _Descriptor(io.FileIO):
    """A stream's descriptor. What failed once is not tried again: everything after it goes nowhere."""

    def __init__(self, number: int, *, must_arrive: bool) -> None:
        super().__init__(number, "w", closefd=False)
        self._must_arrive = must_arrive
        self._has_failed = False

    def write(self, data: Any, /) -> int:
        """Write the bytes. Raises OutputFailed."""
        if self._has_failed:
            return len(data)
        try:
            return super().write(data)
        except OSError as error:
            self._has_failed = True
            if self._must_arrive:
                raise _failure(error) from error
            return len(data)


@contextmanager
def standard_streams() -> Iterator[None]:
    """Streams that raise OutputFailed when standard output cannot be written, and nothing when standard error cannot.

    Standard output has to be flushed before the end. What a character set does not have is written as an escape.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _stream(sys.stdout, must_arrive=True), _stream(sys.stderr, must_arrive=False)
    try:
        yield
    finally:
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


def _stream(stream: TextIO | None, *, must_arrive: bool) -> TextIO:
    if stream is None:
        # Closed by who started us. A file that we open must not get the number of standard output.
        return Path(os.devnull).open("w", encoding="utf-8")
    try:
        number = stream.fileno()
    except io.UnsupportedOperation:
        return stream
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Descriptor(number, must_arrive=must_arrive)),
        encoding=stream.encoding,
        errors="backslashreplace" if stream.errors == "strict" else stream.errors,
        line_buffering=stream.isatty() or not must_arrive,
    )


def _failure(error: OSError) -> OutputFailed:
    if isinstance(error, BrokenPipeError):
        return ReaderGone("Nobody reads standard output any more.")
    return OutputFailed(f"Cannot write to standard output ({error.strerror}): make room there, or send it elsewhere.")
