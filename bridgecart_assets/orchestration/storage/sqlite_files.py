"""SQLite files of Dagster's, as files: held open on behalf of other processes, copied, and made small again."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

_BUSY_SECONDS = 60.0
_INCREMENTAL = 2


def shared_databases(home: Path) -> list[Path]:
    """The SQLite files of the instance that all its processes use; those of single runs apart."""
    return [home / "history" / "runs.db", home / "history" / "runs" / "index.db", home / "schedules" / "schedules.db"]


@contextmanager
def held_open(files: Iterable[Path]) -> Iterator[None]:
    """Hold a connection to those of these files that exist, on behalf of other processes.

    When the last connection to a file closes, SQLite writes its log back and deletes it. One more, idle, is enough for
    all processes of the machine.
    """
    with ExitStack() as stack:
        for file in files:
            if file.is_file():
                connection = stack.enter_context(closing(_connect(file)))
                # Reading joins the log.
                connection.execute("select count(*) from sqlite_master").fetchall()
        yield


def copy(file: Path, target: Path) -> None:
    """Copy a file as it is at one moment, whoever writes to it meanwhile. Raises FileNotFoundError."""
    try:
        # Else one that is not there would be made.
        opened = sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=_BUSY_SECONDS)
    except sqlite3.OperationalError as error:
        if file.exists():
            raise
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file)) from error
    with closing(opened) as source, closing(sqlite3.connect(target)) as copied:
        source.backup(copied)
    shutil.copymode(file, target)


def can_shrink(file: Path) -> None:
    """Let a file give back what is free in it, bit by bit; writes it anew once."""
    with closing(_connect(file)) as connection:
        connection.execute(f"pragma auto_vacuum = {_INCREMENTAL}")
        connection.execute("vacuum")


def shrink(file: Path, *, unless_free: int, most: int) -> None:
    """Give back to the disk what is free in a file beyond `unless_free` bytes, at most so many bytes at once.

    A file that cannot do it bit by bit is written anew, once, when most of it is free.
    """
    with closing(_connect(file)) as connection:
        page, pages, free, mode = (_pragma(connection, name) for name in _SIZES)
        if free * page <= unless_free:
            return
        if mode == _INCREMENTAL:
            connection.execute(f"pragma incremental_vacuum({most // page})").fetchall()
        elif free > pages / 2:
            connection.execute(f"pragma auto_vacuum = {_INCREMENTAL}")
            connection.execute("vacuum")


_SIZES = ("page_size", "page_count", "freelist_count", "auto_vacuum")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    ((value,),) = connection.execute(f"pragma {name}").fetchall()
    return int(value)


def _connect(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
