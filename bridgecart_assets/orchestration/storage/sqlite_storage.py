"""Dagster's storage in SQLite files, as `dagster.yaml` names it: that of Dagster, smaller and faster.

Dagster's own makes an engine for every event, opens a connection and closes it, and every commit waits for the disk:
half of the time of a small run. It stores what nobody reads, and keeps every run in a file of 27 tables and indexes.
Here a file has one engine while the storage is open, a run's file has one table, events are stored compressed, those of
a step in one transaction a file, and the log of a run that has ended may be packed (`run_logs.py`). Files and tables
are Dagster's otherwise, and what its own storage wrote is read; it cannot read what this one writes.
"""

import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from itertools import groupby
from pathlib import Path
from typing import Any, Self

from dagster import DagsterEventType, EventLogEntry, EventRecordsResult
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.dialects import registry
from sqlalchemy.pool import StaticPool
from sqlalchemy.schema import CreateTable

from bridgecart_assets.orchestration.storage import run_logs
from bridgecart_assets.orchestration.storage.dagster_internals import (
    ASSET_CHECK_EVENTS,
    ASSET_EVENTS,
    EVENT_TYPE_TO_PIPELINE_RUN_STATUS,
    FINISHED_STATUSES,
    INDEX_SHARD_NAME,
    ConfigurableClassData,
    DagsterSqliteStorage,
    EventHandlerFn,
    SqlEventLogStorageTable,
    SqliteEventLogStorage,
    SqliteRunStorage,
    SqliteScheduleStorage,
    SqlPollingEventWatcher,
    get_alembic_config,
    run_alembic_upgrade,
    sqlite_event_log,
)
from bridgecart_assets.orchestration.storage.packed_text import PackingDialect

_BUSY_SECONDS = 60.0
# Three files that all runs share have a storage of their own each; of runs, those that were looked at last.
_MOST_OPEN = 8
# Their content stands in the materialization, or nowhere of interest.
_READ_BY_NOBODY = frozenset(
    {DagsterEventType.STEP_INPUT, DagsterEventType.LOADED_INPUT, DagsterEventType.HANDLED_OUTPUT}
)
# In a run another event follows within the same step, or at once: they are written together with it.
_FOLLOWED = frozenset(
    {
        DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
        DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
        DagsterEventType.ASSET_CHECK_EVALUATION,
        DagsterEventType.ASSET_MATERIALIZATION,
        DagsterEventType.STEP_OUTPUT,
        DagsterEventType.STEP_SUCCESS,
    }
)
_CREATE_TABLE = str(CreateTable(SqlEventLogStorageTable).compile(dialect=PackingDialect()))
SCHEME = "sqlite+packing"
registry.register("sqlite.packing", PackingDialect.__module__, PackingDialect.__name__)
_CHECK_EVENTS = sorted(kind.value for kind in ASSET_CHECK_EVENTS)


class Engines:
    """One engine for every file, open until `close`: of many files, those that were used last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: OrderedDict[Path, tuple[int, Engine]] = OrderedDict()

    def of(self, file: Path) -> Engine:
        """The engine of the file as it is now: one that was removed and made again is another file."""
        with self._lock:
            inode = file.stat().st_ino
            found, engine = self._open.get(file, (None, None))
            if engine is None or found != inode:
                self._drop(file)
                engine = _engine(file)
                self._open[file] = (inode, engine)
            self._open.move_to_end(file)
            while len(self._open) > _MOST_OPEN:
                self._drop(next(iter(self._open)))
            return engine

    def close(self) -> None:
        """Close all connections; SQLite writes its logs back."""
        with self._lock:
            for file in list(self._open):
                self._drop(file)

    def _drop(self, file: Path) -> None:
        _, engine = self._open.pop(file, (None, None))
        if engine is not None:
            engine.dispose()


def _engine(file: Path) -> Engine:
    engine = create_engine(f"{SCHEME}:///{file}", connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False})
    event.listen(engine, "connect", _spare_the_disk)
    return engine


def _spare_the_disk(opened: sqlite3.Connection, _record: object) -> None:
    """Let commits wait for the disk only when the log is written back: a run has hundreds of them.

    With a write-ahead log the file stays whole, whatever happens. When the power fails Dagster may not know the end of
    its last run any more; what was taken in is in the warehouse, and the sensor goes by that.
    """
    ((mode,),) = opened.execute("pragma journal_mode").fetchall()
    if mode == "wal":
        opened.execute("pragma synchronous = normal")


class _OneFile:
    """Base of the storages of runs and of schedules: one file, one engine."""

    _conn_string: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._engines = Engines()

    @classmethod
    def of(cls, file: Path) -> Self:
        """The storage of a file, which is made where it is missing.

        One that is there is complete, as DAGSTER_HOME is made as a whole: Dagster's own reads all migrations to tell.
        """
        made: Self = cls(f"sqlite:///{file.absolute()}") if file.exists() else cls.from_local(str(file.parent))  # type: ignore[attr-defined]
        return made

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection with a transaction."""
        file = Path(str(make_url(self._conn_string).database))
        with self._engines.of(file).begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Close the file."""
        self._engines.close()


class RunStorage(_OneFile, SqliteRunStorage):
    """Runs in `history/runs.db`."""

    def has_execution_plan_snapshot(self, execution_plan_snapshot_id: str) -> bool:
        """True if the plan of a run is known; Dagster reads all of it to tell."""
        return self._has_snapshot_id(execution_plan_snapshot_id)


class ScheduleStorage(_OneFile, SqliteScheduleStorage):
    """Ticks in `schedules/schedules.db`."""


class EventLogStorage(SqliteEventLogStorage):
    """Events: of all runs in `history/runs/index.db`, of each run in a file of its own until it is packed."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines = Engines()
        self._found: set[str] = set()
        self._watcher = SqlPollingEventWatcher(self)
        # Reentrant: what Dagster does with an event that is being stored connects once more.
        self._lock = threading.RLock()
        self._waiting: list[EventLogEntry] = []
        self._seen_by_checks: dict[str, EventRecordsResult] = {}
        self._index_connection: Connection | None = None
        super().__init__(base_dir, inst_data)

    def store_event(self, event: EventLogEntry) -> None:
        """Store it in the run's log, and in the index where pages of assets and checks look; at once, or with the next.

        Who looks with this storage sees it in any case. A process that dies loses what waits: of the step it was in.
        """
        kind = _kind(event)
        if kind in _READ_BY_NOBODY:
            return
        with self._lock:
            self._waiting.append(_without_repetition(event))
            if kind not in _FOLLOWED or not event.run_id:
                self._store_waiting()

    def _store_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        rows = [(event, self._event_to_row(event)) for event in waiting]
        indexed = [(event, row) for event, row in rows if _is_indexed(event)]
        logged = [row for event, row in rows if event.run_id or not _is_indexed(event)]
        for run_id, of_run in groupby(logged, lambda row: str(row["run_id"])):
            with self._writing(run_id) as connection:
                connection.execute(SqlEventLogStorageTable.insert(), list(of_run))
        if indexed:
            with self._indexing() as connection:
                for event, row in indexed:
                    self._index(connection, event, row)

    @contextmanager
    def _indexing(self) -> Iterator[Connection]:
        """A transaction in the index in which Dagster's own ways of storing take part."""
        with self.index_connection() as connection:
            self._index_connection = connection
            try:
                yield connection
            finally:
                self._index_connection = None

    def _index(self, connection: Connection, event: EventLogEntry, row: Mapping[str, Any]) -> None:
        kind = _kind(event)
        # Results stand in the table of results: the row of a check only has its place in the order of events.
        indexed = {**row, "event": ""} if kind in ASSET_CHECK_EVENTS else row
        event_id: int = connection.execute(SqlEventLogStorageTable.insert(), indexed).lastrowid
        if kind in ASSET_EVENTS:
            self._store_asset_event_tags(connection, [event], [event_id])
            self._store_asset_event(connection, event, event_id)
        if kind in ASSET_CHECK_EVENTS:
            self.store_asset_check_event(event, event_id)
        if kind and EVENT_TYPE_TO_PIPELINE_RUN_STATUS.get(kind) in FINISHED_STATUSES:
            # Never the newest row of all, or SQLite would give its number once more.
            of_checks = SqlEventLogStorageTable.c.dagster_event_type.in_(_CHECK_EVENTS)
            of_the_run = SqlEventLogStorageTable.c.run_id == event.run_id
            connection.execute(SqlEventLogStorageTable.delete().where(of_the_run, of_checks))

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._lock:
            if shard == INDEX_SHARD_NAME and self._index_connection is not None:
                yield self._index_connection
                return
            if self._waiting:
                self._store_waiting()
            with self._reading(self.log_of(shard)) as connection:
                yield connection

    def fetch_materializations(self, *args: Any, **kwargs: Any) -> EventRecordsResult:
        """Materializations. For each result of a step of checks Dagster asks which one it is of: once is enough."""
        asked = repr((args, kwargs))
        with self._lock:
            if any(_kind(event) in ASSET_EVENTS for event in self._waiting):
                self._store_waiting()
            if not self._waiting:
                self._seen_by_checks.clear()
            if asked not in self._seen_by_checks:
                waiting, self._waiting = self._waiting, []
                try:
                    self._seen_by_checks[asked] = super().fetch_materializations(*args, **kwargs)
                finally:
                    self._waiting = waiting
            return self._seen_by_checks[asked]

    @contextmanager
    def _reading(self, log: Path) -> Iterator[Connection]:
        try:
            engine = self._engines.of(log)
        except FileNotFoundError:
            with _unpacked(log) as connection:
                yield connection
        else:
            with engine.begin() as connection:
                yield connection

    @contextmanager
    def _writing(self, run_id: str) -> Iterator[Connection]:
        log = self.log_of(run_id)
        if not log.exists():
            _make_log(log)
        with self._connect(run_id) as connection:
            yield connection

    def log_of(self, run_id: str) -> Path:
        """The file of a run's log while it is not packed."""
        return Path(self.path_for_shard(run_id))

    def has_table(self, table_name: str) -> bool:
        """True if the index has a table; tables stay."""
        if table_name not in self._found and super().has_table(table_name):
            self._found.add(table_name)
        return table_name in self._found

    def has_asset_key_col(self, column_name: str) -> bool:
        """True: Dagster asks for columns that came years before this storage did."""
        return True

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        return True

    def has_secondary_index(self, name: str) -> bool:
        """True if a migration was made; it stays so."""
        known = f"migration {name}"
        if known not in self._found and super().has_secondary_index(name):
            self._found.add(known)
        return known in self._found

    def delete_events(self, run_id: str) -> None:
        """Forget a run's events, with its files."""
        with self.index_connection() as connection:
            self.delete_events_for_run(connection, run_id)
        self.remove_log(run_id)
        if self.supports_global_concurrency_limits:
            self.free_concurrency_slots_for_run(run_id)

    def remove_log(self, run_id: str) -> None:
        """Remove the files of a run."""
        run_logs.remove(self.log_of(run_id))

    def wipe(self) -> None:
        """Forget everything."""
        super().wipe()
        for packed in self.log_of(INDEX_SHARD_NAME).parent.glob(f"*{run_logs.SUFFIX}"):
            packed.unlink(missing_ok=True)

    def upgrade(self) -> None:
        """Bring the index up to date; logs of runs have the one table that never changed."""
        with self.index_connection() as connection:
            run_alembic_upgrade(get_alembic_config(sqlite_event_log.__file__), connection, INDEX_SHARD_NAME)

    def watch(self, run_id: str, cursor: str | None, callback: EventHandlerFn) -> None:
        """Call back for every new event; Dagster watches the file's time, which tells nothing beside a log."""
        self._watcher.watch_run(run_id, cursor, callback)

    def end_watch(self, run_id: str, handler: EventHandlerFn) -> None:
        """Stop calling back."""
        self._watcher.unwatch_run(run_id, handler)

    def dispose(self) -> None:
        """Close all files."""
        with self._lock:
            self._store_waiting()
        self._watcher.close()
        self._engines.close()
        super().dispose()


class SqliteStorage(DagsterSqliteStorage):
    """The storage that `dagster.yaml` names: runs, events and ticks below `base_dir`, which is DAGSTER_HOME."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        home = Path(base_dir)
        self.base_dir = base_dir
        self._run_storage = RunStorage.of(home / "history" / "runs.db")
        self._event_log_storage = EventLogStorage(str(home / "history" / "runs"))
        self._schedule_storage = ScheduleStorage.of(home / "schedules" / "schedules.db")
        self._inst_data = inst_data

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """The storage of an instance."""
        return cls.from_local(inst_data=inst_data, **config_value)


def _kind(event: EventLogEntry) -> DagsterEventType | None:
    return event.dagster_event_type if event.is_dagster_event else None


def _is_indexed(event: EventLogEntry) -> bool:
    kind = _kind(event)
    return kind in ASSET_EVENTS or kind in ASSET_CHECK_EVENTS or kind in EVENT_TYPE_TO_PIPELINE_RUN_STATUS


def _without_repetition(event: EventLogEntry) -> EventLogEntry:
    """The event without what it says twice: tags that are its own fields, and the message of the event in it."""
    if event.dagster_event is None:
        return event
    inner = event.dagster_event._replace(logging_tags={})
    if inner.event_type == DagsterEventType.STEP_OUTPUT:
        # The materialization has it. The event itself stays: a run is taken up again after its outputs.
        inner = inner._replace(event_specific_data=inner.step_output_data._replace(metadata={}))
    said_twice = inner.message is not None and event.error_info is None
    return event._replace(dagster_event=inner, user_message="" if said_twice else event.user_message)


def _make_log(log: Path) -> None:
    """Make a run's file, from its packed form if it has one. Of two who do it at once one is first, and both go on."""
    made = log.with_name(f"{log.stem}.{os.getpid()}.{threading.get_ident()}.partial")
    with closing(sqlite3.connect(made)) as connection:
        # Waiting for the disk once is enough, before others see it.
        connection.execute("pragma synchronous = off")
        connection.execute("pragma journal_mode = wal")
        _fill(connection, log)
    with made.open("rb") as file:
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        os.link(made, log)
    made.unlink()


@contextmanager
def _unpacked(log: Path) -> Iterator[Connection]:
    """The packed log in memory; an empty one if there is none: looking at a run that is gone leaves no file."""
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as memory:
        _fill(memory, log)
        engine = create_engine(f"{SCHEME}://", creator=lambda: memory, poolclass=StaticPool)
        with engine.begin() as connection:
            yield connection


def _fill(connection: sqlite3.Connection, log: Path) -> None:
    connection.execute(_CREATE_TABLE)
    packed = run_logs.packed_path(log)
    with suppress(FileNotFoundError):
        run_logs.unpack_into(connection, packed)
