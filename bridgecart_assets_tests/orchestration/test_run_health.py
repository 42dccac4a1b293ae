"""Sensor, daemon and waiting batch, as Dagster's records have them."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    TickData,
    TickStatus,
)
from dagster_shared.error import SerializableErrorInfo

from bridgecart_assets.orchestration.batch_status import PARTITION_TAG
from bridgecart_assets.orchestration.partitions import BATCHES
from bridgecart_assets.orchestration.run_health import error_line, read_daemon, read_sensor, read_waiting_batch
from bridgecart_assets.orchestration.runs import DAEMON_SILENCE
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.support.sensors import SWITCHED_ON, beat, sensor_state

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RAISED = SerializableErrorInfo(
    "bridgecart_assets.sources.kafka.errors.RecordsGone: Records 5 to 9 are gone.\n", [], "RecordsGone"
)
WRAPPED = SerializableErrorInfo(
    "dagster._core.errors.SensorExecutionError: Error occurred\n", [], "SensorExecutionError", RAISED
)


def ticked(
    instance: dg.DagsterInstance, state: InstigatorState, status: TickStatus, at: datetime, reason: str | None = None
) -> None:
    error = WRAPPED if status == TickStatus.FAILURE else None
    instance.create_tick(
        TickData(
            state.instigator_origin_id,
            "orders_sensor",
            InstigatorType.SENSOR,
            status,
            at.timestamp(),
            selector_id=state.selector_id,
            error=error,
            skip_reason=reason,
        )
    )


def test_the_sensor_is_on_until_somebody_switches_it_off(instance: dg.DagsterInstance):
    assert read_sensor(instance, NOW).is_on
    state = sensor_state(InstigatorStatus.DECLARED_IN_CODE, NOW - MINUTE)
    instance.add_instigator_state(state)
    sensor = read_sensor(instance, NOW)
    assert (sensor.is_on, sensor.since, sensor.last_tick_at) == (True, SWITCHED_ON, NOW - MINUTE)


def test_of_a_sensor_that_is_off_it_says_since_which_tick(instance: dg.DagsterInstance):
    instance.add_instigator_state(sensor_state(InstigatorStatus.STOPPED, NOW - 7 * MINUTE))
    sensor = read_sensor(instance, NOW)
    assert (sensor.is_on, sensor.since) == (False, NOW - 7 * MINUTE)


def test_the_state_under_an_earlier_name_of_the_code_location_does_not_count(instance: dg.DagsterInstance):
    instance.add_instigator_state(sensor_state(InstigatorStatus.STOPPED, NOW - MINUTE))
    earlier = sensor_state(InstigatorStatus.DECLARED_IN_CODE, NOW - 900 * MINUTE, location="bridgecart_assets")
    instance.add_instigator_state(earlier)
    assert not read_sensor(instance, NOW).is_on


FAILED, SKIPPED = TickStatus.FAILURE, TickStatus.SKIPPED


@pytest.mark.parametrize(
    ("ticks", "failing"),
    [
        ([(9, SKIPPED), (5.5, FAILED), (3, FAILED), (0, FAILED)], "Records 5 to 9 are gone."),
        ([(5.5, FAILED), (3, FAILED), (0, TickStatus.STARTED)], "Records 5 to 9 are gone."),
        ([(5.5, FAILED), (3, SKIPPED), (0, FAILED)], None),
        ([(5.5, FAILED), (3, FAILED), (0, SKIPPED)], None),
        ([(90, FAILED), (1, FAILED), (0, FAILED)], None),
        ([], None),
    ],
    ids=["for long", "and is at it again", "on and off", "until now", "since a restart", "never"],
)
def test_a_sensor_that_fails_at_every_tick_for_minutes_says_what_with(
    instance: dg.DagsterInstance, ticks: list[tuple[float, TickStatus]], failing: str | None
):
    state = sensor_state(InstigatorStatus.RUNNING, NOW)
    instance.add_instigator_state(state)
    for minutes_ago, status in ticks:
        ticked(instance, state, status, NOW - minutes_ago * MINUTE)
    assert read_sensor(instance, NOW).failing == failing


def test_ticks_that_skip_because_nothing_could_be_read_count_as_failing(instance: dg.DagsterInstance):
    state = sensor_state(InstigatorStatus.RUNNING, NOW)
    instance.add_instigator_state(state)
    for minutes_ago in (5.5, 3, 0):
        ticked(instance, state, SKIPPED, NOW - minutes_ago * MINUTE, "nothing was read: no answer from Kafka.")
    assert read_sensor(instance, NOW).failing == "nothing was read: no answer from Kafka."
    ticked(instance, state, SKIPPED, NOW + MINUTE / 60, "no new records")
    assert read_sensor(instance, NOW).failing is None


def test_a_daemon_is_alive_as_long_as_it_is_heard(instance: dg.DagsterInstance):
    assert (read_daemon(instance, NOW).is_alive, read_daemon(instance, NOW).last_heard_at) == (False, None)
    beat(instance, NOW)
    assert read_daemon(instance, NOW + DAEMON_SILENCE - MINUTE).is_alive
    late = read_daemon(instance, NOW + DAEMON_SILENCE)
    assert (late.is_alive, late.last_heard_at) == (False, NOW)
    # A clock that was set back by a day.
    assert not read_daemon(instance, NOW - timedelta(days=1)).is_alive


def test_a_batch_whose_runs_fail_says_how_often_and_why_and_when_it_is_stuck(
    instance: dg.DagsterInstance, warehouse: Warehouse
):
    instance.add_dynamic_partitions(str(BATCHES.name), ["20260301T115600Z"])
    assert read_waiting_batch(instance, warehouse, 2) is None
    for attempt in (1, 2):
        run = dg.DagsterRun("orders_batch", status=DagsterRunStatus.STARTED, tags={PARTITION_TAG: "20260301T115600Z"})
        instance.add_run(run)
        instance.report_run_failed(run, f"attempt {attempt} failed")
        waiting = read_waiting_batch(instance, warehouse, 2)
        assert waiting is not None
        assert (waiting.failures, waiting.is_stuck) == (attempt, attempt == 2)
        assert waiting.last_error == f"attempt {attempt} failed"
        assert waiting.last_failed_at is not None


def test_an_error_is_what_our_code_raised_on_one_short_line():
    assert error_line(WRAPPED) == "Records 5 to 9 are gone."
    assert error_line(SerializableErrorInfo("ValueError: a: b\nc\n", [], "ValueError")) == "a: b c"
    assert error_line(SerializableErrorInfo("ValueError: " + "x" * 900, [], "ValueError")).endswith("x...")
    assert error_line(SerializableErrorInfo("KeyError\n", [], "KeyError")) == "KeyError"
