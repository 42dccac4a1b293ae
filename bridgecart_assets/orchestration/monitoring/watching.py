"""Looking for causes: in Dagster's records and in the warehouse. What is a cause: `causes.py`."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.orchestration.batch_status import PARTITION_TAG, with_short_timeout
from bridgecart_assets.orchestration.health import read_checks
from bridgecart_assets.orchestration.monitoring.causes import (
    Book,
    Cause,
    Seen,
    batch_causes,
    check_causes,
    data_causes,
    sensor_causes,
)
from bridgecart_assets.orchestration.partitions import latest_batch
from bridgecart_assets.orchestration.run_health import error_line, read_sensor, read_waiting_batch, run_error
from bridgecart_assets.processes.run_lock import CLI_LAUNCHER, LAUNCHER_TAG
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.inventory import newest_with_records
from bridgecart_assets.warehouse.storage.database import WarehouseLocked

# The first look tells what has failed lately, not what ever did.
FIRST_LOOK = timedelta(hours=1)
# A run that ended while the last look was on may have been written after it.
_OVERLAP = timedelta(minutes=1)
_RUNS_LOOKED_AT = 50
# The daemon evaluates one sensor after the other: the one for orders waits meanwhile.
_PATIENCE_SECONDS = 0.2
_STOPPED_BY_CHECK = "DagsterAssetCheckFailedError"
_ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE]


def daemon_sees(instance: dg.DagsterInstance, settings: Settings, book: Book, now: datetime) -> Seen:
    """All causes that the daemon's sensor looks for. What a command failed with, the command tells."""
    return {
        **warehouse_sees(instance, settings, now),
        "check": check_causes(read_checks(instance)[1]),
        "run": failed_runs(instance, book, now),
    }


def warehouse_sees(instance: dg.DagsterInstance, settings: Settings, now: datetime) -> Seen:
    """Causes that only the warehouse shows, which a run may hold: then nobody waits for it."""
    warehouse = with_short_timeout(warehouse_from_settings(settings), _PATIENCE_SECONDS)
    sensor = read_sensor(instance, now)
    try:
        waiting = read_waiting_batch(instance, warehouse, settings.max_batch_attempts)
        latest = latest_batch(newest_with_records(warehouse))
    except WarehouseLocked:
        return {"sensor": None if sensor.is_on else sensor_causes(sensor, is_stuck=False), "batch": None, "data": None}
    return {
        "sensor": sensor_causes(sensor, is_stuck=waiting is not None and waiting.is_stuck),
        "batch": batch_causes(waiting),
        "data": data_causes(latest[1] if latest else None, settings.alert_no_data_hours, now),
    }


def failed_runs(instance: dg.DagsterInstance, book: Book, now: datetime) -> list[Cause]:
    """Batches and jobs whose latest run failed, and those of which one failed since the last look."""
    since = (book.looked_at or now - FIRST_LOOK).timestamp()
    told = [key for key in book.told if key.startswith("run/")]
    failed = RunsFilter(statuses=[DagsterRunStatus.FAILURE])
    records = [
        record
        for record in instance.get_run_records(failed, limit=_RUNS_LOOKED_AT)
        if (record.end_time or 0.0) >= since - _OVERLAP.total_seconds()
        and record.dagster_run.tags.get(LAUNCHER_TAG) != CLI_LAUNCHER
    ]
    newest_first = {_key(record.dagster_run): record for record in reversed(records)}
    causes = [
        _cause(instance, record.dagster_run)
        for key, record in newest_first.items()
        if key not in told and ((record.end_time or 0.0) >= since or _is_failing(instance, key))
    ]
    lasting = [Cause(key, says="", over=book.told[key]) for key in told if _is_failing(instance, key)]
    return [*lasting, *(cause for cause in causes if cause is not None)]


def _key(run: dg.DagsterRun) -> str:
    batch = run.tags.get(PARTITION_TAG)
    return f"run/batch/{batch}" if batch else f"run/job/{run.job_name}"


def _cause(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Cause | None:
    """None where a check stopped the run: the check is the cause, and told as one."""
    error = run_error(instance, run.run_id)
    if not isinstance(error, str) and error.cls_name == _STOPPED_BY_CHECK:
        return None
    batch = run.tags.get(PARTITION_TAG)
    what = f"batch {batch}" if batch else f"job {run.job_name}"
    says = f"A run of {what} failed: {error if isinstance(error, str) else error_line(error)}"
    return Cause(_key(run), says, f"{what} fails no longer.")


def _is_failing(instance: dg.DagsterInstance, key: str) -> bool:
    """True if the latest run of the batch or job that has ended failed."""
    _, kind, name = key.split("/", 2)
    of_batch = RunsFilter(tags={PARTITION_TAG: name}, statuses=_ENDED)
    of_job = RunsFilter(job_name=name, statuses=_ENDED)
    runs: Iterable[dg.DagsterRun] = instance.get_runs(of_batch if kind == "batch" else of_job, limit=1)
    return any(run.status == DagsterRunStatus.FAILURE for run in runs)
