"""Dagster's SQLite files, kept open while there is work.

Dagster opens and closes a connection for every event. When the last connection to a file closes, SQLite writes its
log back and deletes it: on a disk, that is more than half of the time of a small run. One more connection, idle,
is enough for all processes of the machine.
"""

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.engine import Engine

_BUSY_SECONDS = 60.0
# Three files that all runs share, the run's own, and some to spare: every run has a file of its own, and a process
# may open few hundred.
_MOST_HELD = 8


@contextmanager
def kept_open() -> Iterator[None]:
    """Hold a second connection to every SQLite file that this process opens through SQLAlchemy, until the end.

    Of many files those that were opened last: a run's file is of no use once the run has ended.
    """
    with ExitStack() as stack:
        held: OrderedDict[str, sqlite3.Connection] = OrderedDict()
        stack.callback(_close_all_but, held, 0)

        def hold(opened: object, _record: object) -> None:
            if not isinstance(opened, sqlite3.Connection):
                return
            ((_, _, path),) = opened.execute("pragma database_list").fetchall()
            if not path:
                return
            if path not in held:
                held[path] = _connect(path)
            # The log exists only after Dagster has set up the file: reading joins it from then on.
            _read(held[path])
            held.move_to_end(path)
            _close_all_but(held, _MOST_HELD)

        event.listen(Engine, "connect", hold)
        stack.callback(event.remove, Engine, "connect", hold)
        yield


@contextmanager
def held_open(files: Iterable[Path]) -> Iterator[None]:
    """Hold a connection to those of these files that exist, on behalf of other processes."""
    with ExitStack() as stack:
        for file in files:
            if file.is_file():
                _read(stack.enter_context(closing(_connect(str(file)))))
        yield


def _close_all_but(held: "OrderedDict[str, sqlite3.Connection]", most: int) -> None:
    """Close what was used least recently."""
    while len(held) > most:
        held.popitem(last=False)[1].close()


def _connect(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_BUSY_SECONDS, check_same_thread=False)


def _read(connection: sqlite3.Connection) -> None:
    connection.execute("select count(*) from sqlite_master").fetchall()
