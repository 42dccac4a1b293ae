import time

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from dagster._core.test_utils import create_run_for_test

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.orchestration.daemon_process import PromptSensorDaemon, Round, daemons
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.orchestration.storage.dagster_internals import QueuedRunCoordinatorDaemon


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds, which the test sets."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_the_next_round_of_ticks_is_due_when_a_run_has_ended_and_not_sooner_than_a_second_after_the_last(
    clock: list[float],
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        before = create_run_for_test(instance, "refresh", status=DagsterRunStatus.STARTED)
        this = Round(instance)
        instance.report_run_failed(before)
        clock[0] += 0.9
        assert not this.is_over()
        clock[0] += 0.2
        assert this.is_over()
        asked_for = create_run_for_test(instance, "refresh", status=DagsterRunStatus.NOT_STARTED)
        after = Round(instance)
        clock[0] += 3.0
        assert not after.is_over()
        instance.report_run_canceled(asked_for)
        assert after.is_over()


def test_a_run_that_a_round_itself_asked_for_is_seen_to_end(clock: list[float]) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        this = Round(instance)
        asked_for = create_run_for_test(instance, "refresh", status=DagsterRunStatus.STARTED)
        clock[0] += 2.0
        assert not this.is_over()
        instance.report_run_failed(asked_for)
        assert this.is_over()


def test_where_no_run_ends_sensors_are_evaluated_as_often_as_by_dagster_itself(clock: list[float]) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        this = Round(instance)
        clock[0] += 4.9
        assert not this.is_over()
        clock[0] += 0.2
        assert this.is_over()


def test_every_daemon_that_the_instance_requires_works_and_the_queue_is_looked_at_twice_a_second(
    settings: Settings,
) -> None:
    with dagster_instance(settings) as instance:
        found = list(daemons(instance))
        assert [daemon.daemon_type() for daemon in found] == list(instance.get_required_daemon_types())
    assert any(isinstance(daemon, PromptSensorDaemon) for daemon in found)
    (queue,) = [daemon for daemon in found if isinstance(daemon, QueuedRunCoordinatorDaemon)]
    assert queue.interval_seconds == 0.5
