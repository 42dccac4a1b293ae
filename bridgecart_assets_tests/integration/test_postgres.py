"""Dagster's storage on PostgreSQL: the sensor's tests once more, the commands, and a whole `bridgecart up`."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.orchestration.instance import dagster_instance, prepare_home
from bridgecart_assets.orchestration.storage.sqlite_files import shared_databases
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration import test_sensor
from bridgecart_assets_tests.integration.faults import Faults
from bridgecart_assets_tests.integration.killable import Killer
from bridgecart_assets_tests.integration.market import Market
from bridgecart_assets_tests.integration.postgres import Postgres, postgres_server, storage_block
from bridgecart_assets_tests.integration.processes import processes_of, wait_until
from bridgecart_assets_tests.integration.served import up
from bridgecart_assets_tests.orchestration.test_pruning import counted, prune, runs_of, shown
from bridgecart_assets_tests.support.smalljob import make_run

NOTHING_NEW = "no new records: every record of the topic is in a batch"


@pytest.fixture(scope="session")
def broker_kind() -> str:
    """What Dagster stores is far from the broker."""
    return "embedded"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def url(postgres: Postgres, settings: Settings) -> str:
    """The database that this data directory's dagster.yaml names, as a user would write it there."""
    url = postgres.new_database()
    with (prepare_home(settings) / "dagster.yaml").open("a", encoding="utf-8") as config:
        config.write(storage_block(url))
    return url


@pytest.fixture
def instance(url: str, settings: Settings) -> Iterator[dg.DagsterInstance]:
    with dagster_instance(settings) as instance:
        yield instance


no_backoff = test_sensor.no_backoff

test_new_records = test_sensor.test_new_records_make_one_batch_and_one_run_then_silence_then_the_next_batch
test_lag = test_sensor.test_the_lag_is_observed_on_the_topic_asset
test_busy = test_sensor.test_while_a_run_is_queued_or_in_progress_the_sensor_skips_and_names_it
test_killed_early = test_sensor.test_a_daemon_killed_before_it_registered_the_key_plans_anew
test_killed_late = test_sensor.test_a_key_registered_without_a_run_is_asked_for_again_and_never_a_second_key
test_failed = test_sensor.test_a_failed_run_is_tried_again_under_its_own_key_after_a_while
test_stuck = test_sensor.test_a_batch_that_keeps_failing_stops_the_sensor_loudly_until_a_person_materializes_it
test_amnesia = test_sensor.test_when_dagster_lost_its_memory_the_warehouse_tells_where_to_go_on
test_orphan = test_sensor.test_a_run_whose_code_server_is_gone_is_reported_as_failed_and_does_not_block
test_killed_command = (
    test_sensor.test_a_run_of_a_killed_command_is_reported_as_failed_but_not_while_a_command_is_at_work
)


def test_a_whole_up_and_the_other_commands_keep_everything_of_dagster_there(
    killer: Killer,
    market: Market,
    faults: Faults,
    postgres: Postgres,
    url: str,
    settings: Settings,
    warehouse: Warehouse,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    market.configure(monkeypatch)
    with up(settings.data_dir) as served:
        key = served.next_batch(after=0)
        served.skips(NOTHING_NEW)
        (run,) = served.runs(tags=[{"key": "dagster/partition", "value": key}])
    wait_until(lambda: not processes_of(settings.data_dir), 10, "`up` is gone")
    assert postgres.rows(url, "select run_id, status from runs") == [(run["id"], "SUCCESS")]
    assert postgres.rows(url, "select count(*) > 0 from job_ticks") == [(True,)]
    done = killer.run("run")
    assert done.stdout.startswith("0 batch(es): 0 records"), done.stderr
    assert postgres.rows(url, "select count(*) from runs") == [(2,)]
    status = killer.run("status")
    assert f"Last batch     {key}, " in status.stdout
    market.settle(faults, "none; Dagster's storage on PostgreSQL", 0, warehouse)


def test_killed_runs_leave_nothing_open_there(
    killer: Killer,
    market: Market,
    faults: Faults,
    url: str,
    postgres: Postgres,
    warehouse: Warehouse,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    market.configure(monkeypatch)
    moments = (market.moments // 8, market.moments // 4, market.moments // 3)
    for moment in moments:
        assert killer.run_until(moment, "run").was_killed
    assert killer.run("run").returncode == 0
    assert postgres.rows(url, "select count(*) from runs where status not in ('SUCCESS', 'FAILURE')") == [(0,)]
    market.settle(faults, "kill -9 of the run, storage on PostgreSQL", len(moments), warehouse)


@pytest.mark.story
def test_old_runs_are_pruned_there_too(instance: dg.DagsterInstance, settings: Settings) -> None:
    runs = [make_run(instance, key) for key in "ABCD"]
    before = shown(instance)
    assert prune(instance, settings, 2) == 2
    assert runs_of(instance) == runs[2:]
    assert shown(instance) == before
    assert [counted(instance, run_id) for run_id in runs[:2]] == [(1, 0), (1, 0)]
    assert instance.get_records_for_run(runs[3]).records


def test_a_server_that_is_not_there_is_one_line_with_the_remedy(
    killer: Killer, market: Market, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.configure(monkeypatch)
    config = prepare_home(settings) / "dagster.yaml"
    with config.open("a", encoding="utf-8") as file:
        file.write(storage_block("postgresql+psycopg2://nobody@127.0.0.1:1/nothing"))
    for command in ("run", "status"):
        ended = killer.run(command)
        assert ended.returncode == 1
        last = ended.stderr.splitlines()[-1]
        assert last.startswith("bridgecart: Dagster's storage failed (")
        assert "Connection refused" in last
        assert str(config) in last
        assert "Traceback" not in ended.stderr


def test_the_files_of_the_data_directory_stay_as_they_were(
    killer: Killer, market: Market, url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.configure(monkeypatch)
    files: list[Path] = shared_databases(settings.dagster_home)
    before = [file.read_bytes() for file in files]
    assert killer.run("run").returncode == 0
    assert [file.read_bytes() for file in files] == before
