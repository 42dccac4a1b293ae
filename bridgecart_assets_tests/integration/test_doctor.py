"""`bridgecart doctor` after everything that can part ledger, registry, event log, group and topic."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from dagster._core.scheduler.instigation import InstigatorStatus
from dagster._core.test_utils import create_run_for_test

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings, load_settings
from bridgecart_assets.commands.doctor_findings import Finding, examine, repair
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.orchestration.partitions import BATCHES
from bridgecart_assets.processes.run_lock import CLI_LAUNCHER, LAUNCHER_TAG
from bridgecart_assets.sources.kafka.groups import commit_offsets, committed_offsets
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.warehouse.ingest.ledger import load_ledger
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.daemon import Daemon, asked_for, said
from bridgecart_assets_tests.integration.processes import ROOT
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.integration.test_forgetting import run_in_progress
from bridgecart_assets_tests.sources.kafka.fixtures import any_broker
from bridgecart_assets_tests.support.sensors import beat, switch
from bridgecart_assets_tests.support.state import digests, rows

NOTHING_NEW = "no new records: every record of the topic is in a batch"
BATCHES_OF_SHOP = 2


@pytest.fixture
def settings(shop: Shop, data_dir: object) -> Settings:
    """Those of the shop, not those before it."""
    return load_settings()


@pytest.fixture
def keys(settings: Settings, shop: Shop) -> list[str]:
    """A data directory into which three batches were taken by the sensor's runs."""
    with dagster_instance(settings) as instance:
        daemon = Daemon(instance, job="ingest_batch")
        for _ in range(BATCHES_OF_SHOP):
            shop.sell(100)
            daemon.tick()
        return list(daemon.keys())


def registered(settings: Settings) -> Sequence[str]:
    with dagster_instance(settings) as instance:
        return instance.get_dynamic_partitions(str(BATCHES.name))


def places(findings: Sequence[Finding]) -> list[str]:
    """Where something is wrong; notes apart."""
    return [finding.where for finding in findings if not finding.is_note]


def mend(settings: Settings) -> tuple[list[Finding], list[Finding]]:
    return repair(settings, progress=lambda _: None)


def heal(settings: Settings, *expected: str) -> None:
    """Exactly these sides disagree, all of it is mended, and then all agree."""
    assert places(examine(settings)) == list(expected)
    mended, left = mend(settings)
    assert places(mended) == list(expected)
    assert left == examine(settings)
    assert places(left) == []


@any_broker
def test_after_undisturbed_batches_everything_agrees(settings: Settings, keys: list[str]) -> None:
    assert examine(settings) == []
    assert mend(settings) == ([], [])


@any_broker
def test_before_the_first_batch_everything_agrees(settings: Settings) -> None:
    assert examine(settings) == []


@any_broker
def test_records_that_wait_while_the_sensor_is_off_or_the_daemon_silent_are_a_finding(
    settings: Settings, keys: list[str], shop: Shop
) -> None:
    with dagster_instance(settings) as instance:
        beat(instance, datetime.now(UTC))
        switch(instance, InstigatorStatus.STOPPED)
        assert examine(settings) == []
        shop.sell(50)
        (finding,) = examine(settings)
        assert (finding.where, "50 records wait" in finding.says) == ("sensor", True)
        switch(instance, InstigatorStatus.RUNNING)
        assert examine(settings) == []
        beat(instance, datetime.now(UTC) - timedelta(hours=3))
        (finding,) = examine(settings)
        assert (finding.where, "50 records wait" in finding.says) == ("daemon", True)
        # Who has gone over to `bridgecart run` needs no daemon.
        command = create_run_for_test(instance, status=DagsterRunStatus.STARTED, tags={LAUNCHER_TAG: CLI_LAUNCHER})
        instance.report_run_failed(command)
    assert examine(settings) == []


@any_broker
def test_a_lost_dagster_home_is_filled_again_from_the_ledger(
    settings: Settings, keys: list[str], shop: Shop, warehouse: Warehouse
) -> None:
    before = digests(warehouse, with_ledger=True)
    shutil.rmtree(settings.dagster_home)
    heal(settings, "registry", "event log")
    assert registered(settings) == keys
    with dagster_instance(settings) as instance:
        daemon = Daemon(instance, job="ingest_batch")
        # Dagster no longer knows that the newest batch was run; once more changes nothing.
        assert asked_for(daemon.tick()) == keys[-1]
        assert said(daemon.tick()) == NOTHING_NEW
        assert digests(warehouse, with_ledger=True) == before
        for table in ("raw/orders", "silver/orders"):
            assert instance.get_materialized_partitions(dg.AssetKey(table.split("/"))) == set(keys)
        shop.sell(50)
        assert asked_for(daemon.tick()) > keys[-1]
    assert examine(settings) == []


@any_broker
def test_batches_after_the_loss_stay_the_newest_when_older_ones_are_registered_again(
    settings: Settings, keys: list[str], shop: Shop
) -> None:
    shutil.rmtree(settings.dagster_home)
    with dagster_instance(settings) as instance:
        daemon = Daemon(instance, job="ingest_batch")
        shop.sell(50)
        newest = asked_for(daemon.tick())
        assert daemon.keys() == [newest]
    heal(settings, "registry", "event log")
    assert registered(settings) == [*keys, newest]
    with dagster_instance(settings) as instance:
        assert said(Daemon(instance).tick()) == NOTHING_NEW


@any_broker
@pytest.mark.story
def test_a_lost_warehouse_is_filled_again_and_the_keys_that_hold_nothing_are_removed(
    settings: Settings, keys: list[str], warehouse: Warehouse
) -> None:
    warehouse.path.unlink()
    heal(settings, "registry")
    assert registered(settings) == []
    with dagster_instance(settings) as instance:
        daemon = Daemon(instance, job="ingest_batch")
        asked_for(daemon.tick())
        assert said(daemon.tick()) == NOTHING_NEW
    assert rows(warehouse, "select count(*) from raw.orders") == [(200,)]
    assert examine(settings) == []


@any_broker
def test_a_warehouse_put_back_from_an_older_copy_is_caught_up(
    settings: Settings, keys: list[str], shop: Shop, warehouse: Warehouse
) -> None:
    copy = warehouse.path.read_bytes()
    with dagster_instance(settings) as instance:
        daemon = Daemon(instance, job="ingest_batch")
        shop.sell(100)
        daemon.tick()
        warehouse.path.write_bytes(copy)
        assert places(examine(settings)) == ["registry", "group"]
        asked_for(daemon.tick())
        assert said(daemon.tick()) == NOTHING_NEW
    assert rows(warehouse, "select count(*) from raw.orders") == [(300,)]
    heal(settings, "registry")


def test_a_group_that_was_reset_or_committed_by_others_is_set_to_the_ledgers_end(
    settings: Settings, keys: list[str], shop: Shop, warehouse: Warehouse
) -> None:
    ends = load_ledger(warehouse).committed(topic_state(shop.connection).topic_id)
    for foreign in (dict.fromkeys(ends, 0), dict.fromkeys(ends, 7)):
        commit_offsets(shop.connection, settings.kafka_group, foreign)
        (finding,) = examine(settings)
        assert "consumer group 'bridgecart' is not at the ledger's end" in finding.says
        heal(settings, "group")
        assert committed_offsets(shop.connection, settings.kafka_group) == ends


@any_broker
def test_a_cursor_that_was_reset_means_nothing(settings: Settings, keys: list[str]) -> None:
    with dagster_instance(settings) as instance:
        # The sensor keeps no cursor: every tick starts from ledger and topic.
        assert said(Daemon(instance).tick()) == NOTHING_NEW
    assert examine(settings) == []


@any_broker
def test_an_orphaned_run_is_reported_as_failed(settings: Settings, keys: list[str]) -> None:
    with dagster_instance(settings) as instance:
        tags = {LAUNCHER_TAG: CLI_LAUNCHER}
        create_run_for_test(instance, job_name="refresh", status=DagsterRunStatus.STARTED, tags=tags)
    heal(settings, "runs")


@any_broker
def test_rows_that_disagree_with_the_ledger_are_named_for_a_person_and_not_touched(
    settings: Settings, keys: list[str], warehouse: Warehouse
) -> None:
    with warehouse.transaction() as connection:
        connection.execute("delete from raw.orders where batch_key = ?", [keys[0]])
        connection.execute("delete from silver.orders where batch_key = ?", [keys[1]])
    before = digests(warehouse, with_ledger=True)
    mended, left = mend(settings)
    assert mended == []
    assert [finding.says for finding in left] == [
        f"raw.orders has other rows than the ledger says: {keys[0]}.",
        f"raw records that are in no silver table: {keys[1]}.",
    ]
    assert [finding.remedy.split(":")[0] for finding in left] == [
        "Materialize raw/orders of each again",
        "Materialize silver/orders of each again.",
    ]
    assert digests(warehouse, with_ledger=True) == before


def test_a_topic_created_anew_is_a_note_and_an_unreachable_one_a_finding(
    settings: Settings, keys: list[str], shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.reopen()
    (note,) = examine(settings)
    assert note.is_note
    assert note.says == f"no longer in the topic (retention, or it was created anew): {', '.join(keys)}."
    monkeypatch.setenv("BRIDGECART_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("BRIDGECART_KAFKA_TIMEOUT_SECONDS", "0.5")
    (finding,) = examine(load_settings())
    assert finding.where == "topic"
    assert "no answer from Kafka at 127.0.0.1:1" in finding.says


# Runs back to back, as under live orders: the next begins as soon as the sensor asks for it.
LIVE = """
import socket, sys, time
from dagster import DagsterRunStatus, SensorResult
from dagster._core.test_utils import create_run_for_test
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.orchestration.runs import GRPC_INFO_TAG
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets_tests.integration.daemon import Daemon, asked_for
import json

with socket.socket(socket.AF_UNIX) as server, dagster_instance(load_settings()) as instance:
    server.bind(sys.argv[1])
    server.listen()
    tags = {GRPC_INFO_TAG: json.dumps({"host": "localhost", "socket": sys.argv[1]})}
    while True:
        answer = Daemon(instance).evaluate()
        if not isinstance(answer, SensorResult):
            continue
        run = create_run_for_test(instance, "orders_batch", status=DagsterRunStatus.STARTED, tags=tags)
        print(run.run_id, flush=True)
        time.sleep(0.7)
        instance.report_run_failed(run, "made up")
"""


@any_broker
def test_under_live_orders_it_waits_for_the_gap_between_two_runs(
    settings: Settings, keys: list[str], shop: Shop, tmp_path: Path
) -> None:
    shutil.rmtree(settings.dagster_home)
    shop.sell(50)
    said_meanwhile: list[str] = []
    command = [sys.executable, "-c", LIVE, str(tmp_path / "socket")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as live:
        try:
            assert live.stdout is not None
            for _ in range(2):
                running = live.stdout.readline().strip()
            mended, _ = repair(settings, progress=said_meanwhile.append)
            assert places(mended) == ["registry", "event log"]
        finally:
            live.kill()
    assert said_meanwhile == [f"waiting up to 300 s for run {running}, which is queued or in progress"]


@any_broker
def test_a_run_that_does_not_end_is_waited_for_no_longer_than_the_setting_says(
    settings: Settings, keys: list[str], tmp_path: Path
) -> None:
    impatient = settings.model_copy(update={"run_wait_seconds": 0.5})
    with run_in_progress(settings, tmp_path) as run, pytest.raises(BridgeCartError, match=run.run_id):
        mend(impatient)
    with dagster_instance(settings) as instance:
        instance.report_run_failed(run, "over")
    assert mend(impatient) == ([], [])
