"""Dagster's side of the pipeline's health: the orders sensor, the daemon, the batch that waits, and what runs say."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import DagsterEventType, DagsterRunStatus, RunsFilter
from dagster_shared.error import SerializableErrorInfo

from bridgecart_assets.orchestration.batch_status import PARTITION_TAG, OpenBatch, open_batch
from bridgecart_assets.orchestration.failures import NOTHING_READ
from bridgecart_assets.orchestration.runs import DAEMON_SILENCE, FINISHED
from bridgecart_assets.orchestration.storage.dagster_internals import (
    InstigatorState,
    InstigatorTick,
    InstigatorType,
    SensorInstigatorData,
    TickStatus,
)
from bridgecart_assets.processes.run_lock import CLI_LAUNCHER, LAUNCHER_TAG
from bridgecart_assets.warehouse.storage.database import Warehouse

ORDERS_SENSOR = "orders_sensor"
SENSOR_DAEMON = "SENSOR"
# A broker that restarts is no cause for alarm.
FAILING_FOR = timedelta(minutes=5)
# Ticks come every five seconds, less often where each of them waits for a time-out.
_BETWEEN_TICKS = timedelta(minutes=1)
_TICKS_LOOKED_AT = 100
_LONGEST = 400


@dataclass(frozen=True)
class SensorState:
    """The orders sensor.

    Attributes:
        is_on: whether the daemon evaluates it; it is on until somebody switches it off.
        since: since when; of one that is off, its last tick. None before the first.
        last_tick_at: when it was last evaluated.
        failing: what its ticks fail with, if all of FAILING_FOR did; else None.

    """

    is_on: bool = True
    since: datetime | None = None
    last_tick_at: datetime | None = None
    failing: str | None = None


@dataclass(frozen=True)
class DaemonState:
    """Dagster's daemon, which evaluates sensors and launches runs; `last_heard_at` is None if there never was one."""

    is_alive: bool = False
    last_heard_at: datetime | None = None


@dataclass(frozen=True)
class WaitingBatch:
    """A batch whose runs failed; `is_stuck` when no other run is asked for."""

    key: str
    failures: int
    is_stuck: bool
    last_failed_at: datetime | None
    last_error: str


def read_sensor(instance: dg.DagsterInstance, now: datetime) -> SensorState:
    """The orders sensor, as Dagster's storage knows it: without a code location, without a daemon."""
    found = instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
    states = [state for state in found if state.instigator_name == ORDERS_SENSOR]
    if not states:
        return SensorState()
    # Another name of the code location leaves the states of the one before.
    state = max(states, key=lambda each: _data(each).last_tick_start_timestamp or 0.0)
    data = _data(state)
    last_tick_at = _instant(data.last_tick_start_timestamp)
    if not state.is_running:
        return SensorState(is_on=False, since=last_tick_at, last_tick_at=last_tick_at)
    since = _instant(data.last_sensor_start_timestamp)
    return SensorState(True, since, last_tick_at, _failing(instance, state, now))


def read_daemon(instance: dg.DagsterInstance, now: datetime) -> DaemonState:
    """The daemon by its heartbeat, which it gives every 30 seconds."""
    beat = instance.get_daemon_heartbeats().get(SENSOR_DAEMON)
    if beat is None:
        return DaemonState()
    heard = datetime.fromtimestamp(beat.timestamp, UTC)
    # In the future are those of a daemon that ran before the clock was set back.
    return DaemonState(is_alive=abs(now - heard) < DAEMON_SILENCE, last_heard_at=heard)


def read_last_command(instance: dg.DagsterInstance) -> datetime | None:
    """End of the last run of a command, which needs no daemon."""
    runs = instance.get_run_records(RunsFilter(tags={LAUNCHER_TAG: CLI_LAUNCHER}, statuses=list(FINISHED)), limit=1)
    return _instant(runs[0].end_time) if runs else None


def relies_on_daemon(daemon: DaemonState, last_command_at: datetime | None) -> bool:
    """True if a daemon takes in the orders, or did so last: who has gone over to `bridgecart run` needs none."""
    heard = daemon.last_heard_at
    return daemon.is_alive or (heard is not None and (last_command_at is None or last_command_at <= heard))


def read_waiting_batch(instance: dg.DagsterInstance, warehouse: Warehouse, max_attempts: int) -> WaitingBatch | None:
    """The batch that is to be run again, None where no run of the next one failed. Raises WarehouseError."""
    batch = open_batch(instance, warehouse)
    return None if batch is None or batch.failures == 0 else _waiting(instance, batch, max_attempts)


def error_line(error: SerializableErrorInfo) -> str:
    """The error that our code raised, on one line: Dagster wraps it in errors of its own."""
    while error.cause is not None and (error.cls_name or "").startswith(("Dagster", "Sensor", "RunStatusSensor")):
        error = error.cause
    said = " ".join(error.message.split())
    name, separator, rest = said.partition(": ")
    said = rest if separator and name.rpartition(".")[2] == error.cls_name else said
    return shortened(said or error.cls_name or "unknown error")


def run_error(instance: dg.DagsterInstance, run_id: str) -> SerializableErrorInfo | str:
    """The error of the first step of the run that failed; Dagster's own words where no step failed."""
    kinds = {DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE}
    said = "it says no more"
    for record in instance.get_records_for_run(run_id, of_type=kinds, limit=20).records:
        event = record.event_log_entry.dagster_event
        if event is not None and event.is_step_failure and event.step_failure_data.error is not None:
            return event.step_failure_data.error
        said = (event.message if event is not None else None) or said
    return shortened(" ".join(said.split()))


def shortened(text: str) -> str:
    """A text as long as a message may quote it."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _waiting(instance: dg.DagsterInstance, batch: OpenBatch, max_attempts: int) -> WaitingBatch:
    return WaitingBatch(
        key=batch.key,
        failures=batch.failures,
        is_stuck=batch.failures >= max_attempts,
        last_failed_at=batch.last_failed_at,
        last_error=_last_error(instance, batch.key),
    )


def _last_error(instance: dg.DagsterInstance, key: str) -> str:
    failed = RunsFilter(tags={PARTITION_TAG: key}, statuses=[DagsterRunStatus.FAILURE])
    runs: Sequence[dg.DagsterRun] = instance.get_runs(failed, limit=1)
    if not runs:
        return "it says no more"
    error = run_error(instance, runs[0].run_id)
    return error if isinstance(error, str) else error_line(error)


def _failing(instance: dg.DagsterInstance, state: InstigatorState, now: datetime) -> str | None:
    """The newest tick's message, if every tick of FAILING_FOR and somewhat more read nothing."""
    looked_at = now - FAILING_FOR - _BETWEEN_TICKS
    ticks = instance.get_ticks(
        state.instigator_origin_id,
        state.selector_id,
        after=looked_at.timestamp(),
        limit=_TICKS_LOOKED_AT,
        statuses=[TickStatus.SUCCESS, TickStatus.SKIPPED, TickStatus.FAILURE],
    )
    said = [_read_nothing(tick) for tick in ticks]
    if not ticks or None in said or ticks[-1].timestamp > (now - FAILING_FOR).timestamp():
        return None
    return said[0]


def _read_nothing(tick: InstigatorTick) -> str | None:
    """Message of a tick that failed, or skipped because the topic could not be read; None for any other."""
    if tick.status == TickStatus.FAILURE:
        return error_line(tick.error) if tick.error is not None else "unknown error"
    reason = tick.skip_reason or ""
    return shortened(reason) if reason.startswith(NOTHING_READ) else None


def _data(state: InstigatorState) -> SensorInstigatorData:
    data = state.instigator_data
    return data if isinstance(data, SensorInstigatorData) else SensorInstigatorData()


def _instant(timestamp: float | None) -> datetime | None:
    return None if timestamp is None else datetime.fromtimestamp(timestamp, UTC)
