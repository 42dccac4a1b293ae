"""Old runs leave Dagster's storage, in small portions: their records, logs and files.

What Dagster's pages of assets read stays: the latest materialization of every asset and of every registered batch, the
latest result of every check. A run goes after its events and before its files. Cut off anywhere, what is left is done
the next time: a run that is still listed is pruned again, a file without a run is removed. Works on every storage of
Dagster's that speaks SQL; only SQLite has files.
"""

import shutil
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import dagster as dg
from dagster import DagsterEventType, RunsFilter
from sqlalchemy import Connection, delete, func, select
from sqlalchemy.exc import SQLAlchemyError

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import TABLES
from bridgecart_assets.orchestration.asset_specs import KAFKA_ORDERS, asset_key
from bridgecart_assets.orchestration.batch_status import PARTITION_TAG
from bridgecart_assets.orchestration.partitions import BATCHES, newest_keys
from bridgecart_assets.orchestration.runs import FINISHED
from bridgecart_assets.orchestration.storage import run_logs
from bridgecart_assets.orchestration.storage.dagster_internals import (
    INDEX_SHARD_NAME,
    SqlEventLogStorage,
    SqliteEventLogStorage,
)
from bridgecart_assets.orchestration.storage.dagster_internals import AssetCheckExecutionsTable as Results
from bridgecart_assets.orchestration.storage.dagster_internals import AssetEventTagsTable as EventTags
from bridgecart_assets.orchestration.storage.dagster_internals import SqlEventLogStorageTable as Events
from bridgecart_assets.orchestration.storage.sqlite_files import shared_databases, shrink
from bridgecart_assets.orchestration.storage.sqlite_storage import EventLogStorage

# Each takes some 20 ms: a tick of the sensor is not held up.
RUNS_AT_ONCE = 10
EVENTS_AT_ONCE = 200
FILES_AT_ONCE = 2_000
# A process writes a line more when its run has ended.
SETTLED_SECONDS = 30.0
# Looking through the folders takes longer than everything else.
SWEEP_SECONDS = 600.0
TICK_LOG_SECONDS = 86_400.0
STRAY_SECONDS = 3_600.0
FREE_BYTES = 16 * 2**20
SHRINK_BYTES = 8 * 2**20

_MATERIALIZED = DagsterEventType.ASSET_MATERIALIZATION.value
_OBSERVED = DagsterEventType.ASSET_OBSERVATION.value
# Folder of what a run's process has printed.
_OF_A_RUN = "compute_logs"
_BATCH_ASSETS = [asset_key(contract).to_string() for contract in TABLES.values() if contract.partitioned]


def prune_or_warn(
    instance: dg.DagsterInstance, settings: Settings, warn: Callable[[str], object], *, runs: int = RUNS_AT_ONCE
) -> None:
    """As `prune`, for those whose work is done without it: a full disk or a busy file is a warning."""
    try:
        prune(instance, settings, runs=runs)
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        warn(f"Old runs were not pruned ({error}); the next time tries again.")


def prune(instance: dg.DagsterInstance, settings: Settings, *, runs: int = RUNS_AT_ONCE) -> int:
    """Prune at most so many finished runs beyond the newest `keep_runs`, and what belongs to none; how many runs.

    For a moment at which nothing is in progress.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        return 0
    old = _old_runs(instance, settings.keep_runs, runs)
    for run_id in old:
        _forget_events(storage, run_id, registered=_registered(instance, storage, run_id))
        instance.run_storage.delete_run(run_id)
        _remove_files(instance, storage, run_id)
    if old:
        _forget_expired(instance, storage)
        _forget_observations(storage, settings.keep_runs)
    if isinstance(storage, EventLogStorage):
        _pack_logs(instance, storage, runs)
    home = settings.dagster_home
    if isinstance(storage, SqliteEventLogStorage):
        for file in shared_databases(home):
            shrink(file, unless_free=FREE_BYTES, most=SHRINK_BYTES)
    if _is_time_to_sweep(home):
        _sweep(instance, storage, home)
    return len(old)


def _old_runs(instance: dg.DagsterInstance, keep: int, most: int) -> Sequence[str]:
    """The oldest finished runs beyond the newest; never one of the newest batch, which tell whether it is done."""
    finished = RunsFilter(statuses=list(FINISHED))
    excess = instance.get_runs_count(finished) - keep
    if excess <= 0:
        return []
    newest = newest_keys(instance, limit=1)
    records = instance.get_run_records(finished, limit=min(excess, most), order_by="id", ascending=True)
    return [run.dagster_run.run_id for run in records if run.dagster_run.tags.get(PARTITION_TAG) not in newest]


def _registered(instance: dg.DagsterInstance, storage: SqlEventLogStorage, run_id: str) -> Collection[str]:
    """The registered batches that a run has written to."""
    query = select(Events.c.partition).where(Events.c.run_id == run_id, Events.c.partition.is_not(None)).distinct()
    with storage.index_connection() as connection:
        keys = [str(key) for (key,) in connection.execute(query)]
    return instance.event_log_storage.get_existing_dynamic_partitions(str(BATCHES.name), keys)


def _forget_events(storage: SqlEventLogStorage, run_id: str, *, registered: Collection[str]) -> None:
    of_the_run = Events.c.run_id == run_id
    with storage.index_transaction() as connection:
        kept = list(_latest_materializations(connection, run_id, registered))
        gone = select(Events.c.id).where(of_the_run, Events.c.id.not_in(kept))
        connection.execute(delete(EventTags).where(EventTags.c.event_id.in_(gone)))
        connection.execute(delete(Events).where(of_the_run, Events.c.id.not_in(kept)))
        results = list(_latest_results(connection, run_id))
        connection.execute(delete(Results).where(Results.c.run_id == run_id, Results.c.id.not_in(results)))


def _latest_materializations(connection: Connection, run_id: str, registered: Collection[str]) -> Iterator[int]:
    query = select(Events.c.id, Events.c.asset_key, Events.c.partition).where(
        Events.c.run_id == run_id, Events.c.dagster_event_type == _MATERIALIZED
    )
    for event_id, asset, partition in connection.execute(query).fetchall():
        of_the_asset = (Events.c.asset_key == asset, Events.c.dagster_event_type == _MATERIALIZED)
        newest = select(func.max(Events.c.id)).where(*of_the_asset)
        if connection.execute(newest).scalar_one() == event_id:
            yield event_id
        elif partition in registered:
            of_the_batch = newest.where(Events.c.partition == partition)
            if connection.execute(of_the_batch).scalar_one() == event_id:
                yield event_id


def _latest_results(connection: Connection, run_id: str) -> Iterator[int]:
    columns = (Results.c.id, Results.c.asset_key, Results.c.check_name)
    for result_id, asset, check in connection.execute(select(*columns).where(Results.c.run_id == run_id)).fetchall():
        newer = select(Results.c.id).where(
            Results.c.asset_key == asset, Results.c.check_name == check, Results.c.id > result_id
        )
        if connection.execute(newer.limit(1)).first() is None:
            yield result_id


def _forget_expired(instance: dg.DagsterInstance, storage: SqlEventLogStorage) -> None:
    """Forget materializations of batches that Dagster lists no more, of runs that were pruned: the oldest are first."""
    for asset in _BATCH_ASSETS:
        of_the_asset = (Events.c.asset_key == asset, Events.c.dagster_event_type == _MATERIALIZED)
        oldest = select(Events.c.id, Events.c.run_id, Events.c.partition).where(*of_the_asset).order_by(Events.c.id)
        with storage.index_connection() as connection:
            rows = connection.execute(oldest.limit(EVENTS_AT_ONCE)).fetchall()
            newest = connection.execute(select(func.max(Events.c.id)).where(*of_the_asset)).scalar_one()
        keys = sorted({str(partition) for _, _, partition in rows if partition is not None})
        registered = set(instance.event_log_storage.get_existing_dynamic_partitions(str(BATCHES.name), keys))
        expired = [(event_id, run_id) for event_id, run_id, key in rows if key not in registered and event_id != newest]
        _forget_rows(storage, [event_id for event_id, run_id in expired if not instance.has_run(run_id)])


def _forget_observations(storage: SqlEventLogStorage, keep: int) -> None:
    """Forget what ticks observed of the topic, but for the newest: they belong to no run."""
    observed = select(Events.c.id).where(
        Events.c.asset_key == KAFKA_ORDERS.to_string(), Events.c.dagster_event_type == _OBSERVED
    )
    with storage.index_connection() as connection:
        rows = connection.execute(observed.order_by(Events.c.id.desc()).offset(keep).limit(EVENTS_AT_ONCE)).fetchall()
    _forget_rows(storage, [event_id for (event_id,) in rows])


def _forget_rows(storage: SqlEventLogStorage, event_ids: Sequence[int]) -> None:
    if event_ids:
        with storage.index_transaction() as connection:
            connection.execute(delete(EventTags).where(EventTags.c.event_id.in_(event_ids)))
            connection.execute(delete(Events).where(Events.c.id.in_(event_ids)))


def _remove_files(instance: dg.DagsterInstance, storage: SqlEventLogStorage, run_id: str) -> None:
    """The run's log and what its process has printed."""
    if isinstance(storage, SqliteEventLogStorage):
        run_logs.remove(Path(storage.path_for_shard(run_id)))
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    # The manager of a command knows no folder.
    shutil.rmtree(Path(instance.storage_directory()) / run_id, ignore_errors=True)


def _pack_logs(instance: dg.DagsterInstance, storage: EventLogStorage, most: int) -> None:
    settled = time.time() - SETTLED_SECONDS
    logs = {log.stem: log for log in _run_logs(storage) if log.suffix == ".db" and _is_settled(log, settled)}
    waiting = list(islice(logs, most))
    if waiting:
        for run in instance.get_runs(RunsFilter(run_ids=waiting, statuses=list(FINISHED))):
            run_logs.pack(logs[run.run_id])


def _run_logs(storage: SqliteEventLogStorage) -> Iterator[Path]:
    index = Path(storage.path_for_shard(INDEX_SHARD_NAME))
    # Events of no run have a file without a name.
    for file in index.parent.iterdir():
        if file.name != index.name and file.name.endswith((".db", run_logs.SUFFIX, ".partial")) and file.stem != ".db":
            yield file


def _is_settled(log: Path, before: float) -> bool:
    """True if nobody has written to a run's log since, be it to the file or to what waits beside it."""
    waiting = Path(f"{log}-wal")
    return _changed_before(log, before) and (not waiting.exists() or _changed_before(waiting, before))


def _changed_before(file: Path, instant: float) -> bool:
    try:
        return file.stat().st_mtime < instant
    except FileNotFoundError:
        return False


class _Swept:
    """Instant at which this process looked through the folders of an instance."""

    at: dict[Path, float] = {}  # noqa: RUF012


def _is_time_to_sweep(home: Path) -> bool:
    now = time.monotonic()
    if now - _Swept.at.get(home, -SWEEP_SECONDS) < SWEEP_SECONDS:
        return False
    _Swept.at[home] = now
    return True


def _sweep(instance: dg.DagsterInstance, storage: SqlEventLogStorage, home: Path) -> None:
    """Remove files of runs that are gone, as when a person deletes a run in the UI, and old logs of ticks."""
    now = time.time()
    strays: dict[str, list[Path]] = {}
    if isinstance(storage, SqliteEventLogStorage):
        for log in _run_logs(storage):
            if _changed_before(log, now - STRAY_SECONDS):
                strays.setdefault(log.name.split(".")[0], []).append(log)
    for printed in (home / "storage").glob(f"*/{_OF_A_RUN}"):
        if _changed_before(printed, now - STRAY_SECONDS):
            strays.setdefault(printed.parent.name, [])
    known = set(_known_runs(instance, list(strays)))
    for run_id, logs in strays.items():
        if run_id not in known:
            _remove_files(instance, storage, run_id)
            for log in logs:
                log.unlink(missing_ok=True)
    for file in islice(_old_tick_logs(home / "storage", now - TICK_LOG_SECONDS), FILES_AT_ONCE):
        file.unlink(missing_ok=True)


def _known_runs(instance: dg.DagsterInstance, run_ids: Sequence[str]) -> Iterable[str]:
    for start in range(0, len(run_ids), EVENTS_AT_ONCE):
        some = list(run_ids[start : start + EVENTS_AT_ONCE])
        yield from (run.run_id for run in instance.get_runs(RunsFilter(run_ids=some)))


def _old_tick_logs(folder: Path, before: float) -> Iterator[Path]:
    """Logs of ticks lie below the names of the repository and the sensor, those of runs below the id of the run."""
    for file in folder.glob("*/*/*"):
        if file.parent.name != _OF_A_RUN and _changed_before(file, before):
            yield file
