"""Logs of the processes of `bridgecart up`: a file for each, of a bounded size, with a few older ones beside it."""

import os
import shutil
from pathlib import Path

MOST_BYTES = 10_000_000
# `code-server.log.1` is the youngest of the older ones.
OLDER_ONES = 3


def keep_small(folder: Path) -> None:
    """Put away what is in every log that has grown too large. To be called again and again.

    The file is copied and emptied, not renamed: its writers hold it open, and append. So nobody has to be told, and
    no writer waits for a reader. Lines that are written in the moment between both are lost.
    """
    for log in sorted(folder.glob("*.log")):
        if log.stat().st_size > MOST_BYTES:
            _make_room(log)
            _copy_end(log, _older(log, 1))
            os.truncate(log, 0)


def _make_room(log: Path) -> None:
    for number in range(OLDER_ONES, 1, -1):
        if _older(log, number - 1).exists():
            _older(log, number - 1).replace(_older(log, number))


def _copy_end(log: Path, target: Path) -> None:
    """The last MOST_BYTES: a log of an earlier version, or of a busy second, may be longer."""
    try:
        with log.open("rb") as source, target.open("wb") as copy:
            source.seek(max(0, log.stat().st_size - MOST_BYTES))
            shutil.copyfileobj(source, copy)
    except OSError:
        # A full disk: room is worth more than old lines.
        target.unlink(missing_ok=True)


def _older(log: Path, number: int) -> Path:
    return log.with_name(f"{log.name}.{number}")
