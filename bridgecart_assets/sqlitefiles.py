"""Dagster's SQLite files while there is work: kept open, with one SQLAlchemy engine each.

For every event Dagster makes an engine, opens a connection and closes it. When the last connection to a file closes,
SQLite writes its log back and deletes it: on a disk, that is more than half of the time of a small run. One more
connection, idle, is enough for all processes of the machine. And an engine has its compiled statements with it: made
anew for every event, they are a third of the rest. And every commit would wait for the disk.
"""

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

_BUSY_SECONDS = 60.0
# Three files that all runs share, the run's own, and some to spare: every run has a file of its own, and a process
# may open few hundred.
_MOST_HELD = 8


class _Keeping:
    """Who asked for it in this process, and what is undone when the last of them has ended."""

    lock = Lock()
    users = 0
    undo = ExitStack()


@contextmanager
def kept_open() -> Iterator[None]:
    """Keep the engine of every SQLite file of Dagster's in this process, and a connection to it, until the end.

    Of many files those that were opened last: a run's file is of no use once the run has ended. A command, its runs
    and what they are made of may each ask for it: it lasts as long as the longest of them.
    """
    with _Keeping.lock:
        if _Keeping.users == 0:
            _Keeping.undo.enter_context(_kept_connections())
            _Keeping.undo.enter_context(_kept_engines())
        _Keeping.users += 1
    try:
        yield
    finally:
        with _Keeping.lock:
            _Keeping.users -= 1
            if _Keeping.users == 0:
                _Keeping.undo.close()


@contextmanager
def held_open(files: Iterable[Path]) -> Iterator[None]:
    """Hold a connection to those of these files that exist, on behalf of other processes."""
    with ExitStack() as stack:
        for file in files:
            if file.is_file():
                _read(stack.enter_context(closing(_connect(str(file)))))
        yield


@contextmanager
def _kept_connections() -> Iterator[None]:
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    with ExitStack() as stack:
        held: OrderedDict[str, sqlite3.Connection] = OrderedDict()
        stack.callback(_close_all_but, held, 0)

        def hold(opened: object, _record: object) -> None:
            if not isinstance(opened, sqlite3.Connection):
                return
            ((_, _, path),) = opened.execute("pragma database_list").fetchall()
            if not path:
                return
            _spare_the_disk(opened)
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
def _kept_engines() -> Iterator[None]:
    # Dagster has no setting for it. It ends each use of an engine with dispose(), which closes connections and leaves
    # the engine as it was.
    from dagster._core.storage.event_log.sqlite import sqlite_event_log
    from dagster._core.storage.runs.sqlite import sqlite_run_storage
    from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
    from sqlalchemy import create_engine

    engines: OrderedDict[str, Engine] = OrderedDict()
    lock = Lock()

    def engine_of(url: str, **options: Any) -> "Engine":
        with lock:
            if url not in engines:
                engines[url] = create_engine(url, **options)
            engines.move_to_end(url)
            while len(engines) > _MOST_HELD:
                engines.popitem(last=False)
            return engines[url]

    storages = (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage)
    makers = [storage.create_engine for storage in storages]
    for storage in storages:
        storage.create_engine = engine_of  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for storage, maker in zip(storages, makers, strict=True):
            storage.create_engine = maker  # type: ignore[attr-defined]


def _spare_the_disk(opened: sqlite3.Connection) -> None:
    """Let commits wait for the disk only when the log is written back: a run has some nine hundred of them.

    With a write-ahead log the file stays whole, whatever happens. When the power fails Dagster may not know the end of
    its last run any more; what was taken in is in the warehouse, and the sensor goes by that.
    """
    ((mode,),) = opened.execute("pragma journal_mode").fetchall()
    if mode == "wal":
        opened.execute("pragma synchronous = normal")


def _close_all_but(held: "OrderedDict[str, sqlite3.Connection]", most: int) -> None:
    """Close what was used least recently."""
    while len(held) > most:
        held.popitem(last=False)[1].close()


def _connect(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_BUSY_SECONDS, check_same_thread=False)


def _read(connection: sqlite3.Connection) -> None:
    connection.execute("select count(*) from sqlite_master").fetchall()
