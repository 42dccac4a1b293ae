import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from dagster._core.test_utils import create_run_for_test
from dagster._daemon.types import DaemonHeartbeat

from bridgecart_assets.orchestration.runs import (
    DAEMON_SILENCE,
    FINISHED,
    GRPC_INFO_TAG,
    SUBMISSION,
    UNFINISHED,
    cancel_abandoned,
    report_orphans,
    unfinished_runs,
)
from bridgecart_assets.processes.run_lock import CLI_LAUNCHER, LAUNCHER_TAG

NOW = datetime(2026, 1, 31, 7, 5, 10, tzinfo=UTC)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def run(instance: dg.DagsterInstance, status: str, **tags: str) -> str:
    return str(create_run_for_test(instance, "refresh", status=DagsterRunStatus[status], tags=tags).run_id)


def status_of(instance: dg.DagsterInstance, run_id: str) -> str:
    found = instance.get_run_by_id(run_id)
    assert found is not None
    return found.status.value


def launched_at(**place: object) -> dict[str, str]:
    return {GRPC_INFO_TAG: json.dumps({"host": "127.0.0.1", **place})}


def beat(instance: dg.DagsterInstance, age: timedelta) -> None:
    instance.add_daemon_heartbeat(DaemonHeartbeat((NOW - age).timestamp(), "SENSOR", "one", []))


def test_every_status_is_either_finished_or_unfinished(instance: dg.DagsterInstance) -> None:
    assert {*FINISHED, *UNFINISHED} == set(DagsterRunStatus)
    # QUEUED needs a daemon's origin; it is in the list like the others.
    open_runs = {run(instance, status) for status in ("NOT_STARTED", "STARTING", "STARTED", "CANCELING")}
    for status in ("SUCCESS", "FAILURE", "CANCELED"):
        run(instance, status)
    assert {found.run_id for found in unfinished_runs(instance)} == open_runs


@pytest.mark.parametrize("status", ["NOT_STARTED", "STARTING", "STARTED", "CANCELING"])
def test_runs_of_a_command_are_orphans_unless_a_command_is_at_work(instance: dg.DagsterInstance, status: str) -> None:
    mine = run(instance, status, **{LAUNCHER_TAG: CLI_LAUNCHER})
    assert report_orphans(instance, datetime.now(UTC), is_command_at_work=True) == []
    assert report_orphans(instance, datetime.now(UTC), is_command_at_work=False) == [mine]
    assert status_of(instance, mine) == "FAILURE"


@pytest.mark.parametrize(("killed", "names_memory"), [(0, False), (2, True)])
def test_an_orphans_record_names_memory_where_the_kernel_has_killed_for_want_of_it(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, killed: int, names_memory: bool
) -> None:
    monkeypatch.setattr("bridgecart_assets.orchestration.runs.kills", lambda: killed)
    mine = run(instance, "STARTED", **{LAUNCHER_TAG: CLI_LAUNCHER})
    report_orphans(instance, datetime.now(UTC), is_command_at_work=False)
    said = " ".join(entry.message for entry in instance.all_logs(mine))
    assert "Orphaned: the process that worked on this run is gone." in said
    assert ("the kernel has killed 2 process(es) here so far; the " in said) == names_memory


def test_a_run_whose_code_server_listens_is_no_orphan_and_one_whose_is_gone_is(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    with socket.socket() as closed, socket.socket() as there, socket.socket(socket.AF_UNIX) as local:
        closed.bind(("127.0.0.1", 0))
        there.bind(("127.0.0.1", 0))
        there.listen()
        local.bind(str(tmp_path / "there"))
        local.listen()
        places: list[dict[str, object]] = [
            {"port": closed.getsockname()[1]},
            {"socket": str(tmp_path / "gone")},
            {"port": there.getsockname()[1]},
            {"socket": str(tmp_path / "there")},
        ]
        runs = [run(instance, "STARTED", **launched_at(**place)) for place in places]
        assert set(report_orphans(instance, datetime.now(UTC), is_command_at_work=False)) == set(runs[:2])
    assert [status_of(instance, run_id) for run_id in runs] == ["FAILURE", "FAILURE", "STARTED", "STARTED"]


def test_a_run_that_nobody_marked_is_left_to_those_who_launched_it(instance: dg.DagsterInstance) -> None:
    run(instance, "STARTED")
    assert report_orphans(instance, datetime.now(UTC), is_command_at_work=False) == []


@pytest.mark.parametrize("clock", [timedelta(0), -3 * SUBMISSION], ids=["a while ago", "before the clock was set back"])
def test_a_run_whose_creator_died_before_it_was_queued_is_an_orphan_after_a_while(
    instance: dg.DagsterInstance, clock: timedelta
) -> None:
    created, queued = run(instance, "NOT_STARTED"), run(instance, "STARTING")
    now = datetime.now(UTC)
    assert report_orphans(instance, now, is_command_at_work=False) == []
    later = now + clock + SUBMISSION + timedelta(seconds=1)
    assert report_orphans(instance, later, is_command_at_work=False) == [created]
    assert (status_of(instance, created), status_of(instance, queued)) == ("FAILURE", "STARTING")


def test_a_sign_of_life_from_before_the_clock_was_set_back_is_none(instance: dg.DagsterInstance) -> None:
    waiting = run(instance, "NOT_STARTED")
    beat(instance, -DAEMON_SILENCE - timedelta(seconds=1))
    assert cancel_abandoned(instance, NOW) == [waiting]


def test_runs_that_wait_for_a_silent_daemon_are_cancelled(instance: dg.DagsterInstance) -> None:
    waiting = {run(instance, "NOT_STARTED"), run(instance, "STARTING")}
    at_work = {run(instance, "STARTED"), run(instance, "STARTING", **launched_at(port=1))}
    beat(instance, DAEMON_SILENCE + timedelta(seconds=1))
    assert set(cancel_abandoned(instance, NOW)) == waiting
    assert {found.run_id for found in unfinished_runs(instance)} == at_work


def test_runs_wait_for_a_daemon_that_gave_a_sign_of_life(instance: dg.DagsterInstance) -> None:
    waiting = run(instance, "NOT_STARTED")
    beat(instance, DAEMON_SILENCE - timedelta(seconds=1))
    assert cancel_abandoned(instance, NOW) == []
    assert status_of(instance, waiting) == "NOT_STARTED"


def test_without_any_daemon_waiting_runs_are_cancelled(instance: dg.DagsterInstance) -> None:
    waiting = run(instance, "NOT_STARTED")
    assert cancel_abandoned(instance, NOW) == [waiting]
    assert status_of(instance, waiting) == "CANCELED"
