"""Two runs at once, batches materialized while others are planned, a clock set back: the tables of an undisturbed run.

Kills are in `test_kills`, full disks in `test_faults_of_the_disk`.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import dagster as dg
import pytest

from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.orchestration import sensors
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.orchestration.partitions import BATCHES
from bridgecart_assets.warehouse.ingest.ledger import load_ledger
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.daemon import Daemon, asked_for, said
from bridgecart_assets_tests.integration.faults import Faults
from bridgecart_assets_tests.integration.killable import Killer
from bridgecart_assets_tests.integration.market import Market, open_market
from bridgecart_assets_tests.integration.processes import bridgecart
from bridgecart_assets_tests.integration.sensor_daemon import LAUNCH, QUEUE, TICK
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.sources.kafka.fixtures import any_broker

EARLIER, LATER = "20260101T000000Z", "20260101T000001Z"
NOTHING_NEW = "no new records: every record of the topic is in a batch"


class Yesterday(datetime):
    """A clock that was set back by a day."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Yesterday":
        """This instant, a day ago."""
        return super().now(tz) - timedelta(days=1)


def register(*keys: str) -> None:
    with dagster_instance(load_settings()) as instance:
        instance.add_dynamic_partitions(str(BATCHES.name), list(keys))


@any_broker
@pytest.mark.usefixtures("settings_of_the_market")
def test_of_commands_started_at_once_one_works_and_the_others_say_so(
    market: Market, faults: Faults, warehouse: Warehouse
) -> None:
    with ThreadPoolExecutor(3) as pool:
        ended = list(pool.map(lambda _: bridgecart("run"), range(3)))
    refused = [done for done in ended if done.returncode]
    assert len(refused) < 3
    assert all(done.stderr.startswith("bridgecart: Another bridgecart command works on ") for done in refused)
    assert all(done.stderr.count("\n") == 1 for done in refused)
    market.settle(faults, "three `bridgecart run` started at once", 2, warehouse)


@any_broker
@pytest.mark.usefixtures("settings_of_the_market")
@pytest.mark.parametrize(("slow", "quick"), [(EARLIER, LATER), (LATER, EARLIER)], ids=["the earlier", "the later"])
def test_of_two_runs_that_plan_the_same_offsets_for_two_batches_one_commits_them(
    killer: Killer, market: Market, faults: Faults, warehouse: Warehouse, slow: str, quick: str
) -> None:
    register(EARLIER, LATER)
    planned = killer.pause_at("before begin", LAUNCH, "orders_batch", slow)
    assert killer.run(LAUNCH, "orders_batch", quick).returncode == 0
    late = killer.resume(planned)
    assert late.returncode == 1
    assert f"Batch {slow} does not start at the end of the ledger" in late.stderr
    assert "another run was faster; run it again" in late.stderr
    # What the sensor makes of it: a batch that failed is asked for again, and then is empty.
    for step in (TICK, QUEUE):
        assert killer.run(step).returncode == 0
    assert load_ledger(warehouse).plans[quick].records == market.shop.sent
    market.settle(faults, "two runs planned the same offsets for two batches", 1, warehouse)


@any_broker
@pytest.mark.usefixtures("settings_of_the_market")
def test_a_command_and_a_run_from_the_ui_may_do_the_same_batch_at_once(
    killer: Killer, market: Market, faults: Faults, warehouse: Warehouse
) -> None:
    register(EARLIER)
    planned = killer.pause_at("before begin", "run")
    assert killer.run(LAUNCH, "orders_batch", EARLIER).returncode == 0
    assert killer.resume(planned).returncode == 0
    assert list(load_ledger(warehouse).plans) == [EARLIER]
    market.settle(faults, "`bridgecart run` and a run from the UI did the same batch at once", 1, warehouse)


@any_broker
@pytest.mark.parametrize("replayed", ["before it is registered", "before it is launched"])
def test_an_old_batch_materialized_again_while_the_sensor_plans_changes_nothing(
    killer: Killer, shop: Shop, faults: Faults, warehouse: Warehouse, tmp_path: Path, replayed: str
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        daemon = Daemon(instance, job="ingest_batch")
        shop.sell(900)
        old = asked_for(daemon.tick())
        shop.sell(300)
        answer = daemon.evaluate()
        assert isinstance(answer, dg.SensorResult)
        again = dg.SensorResult(run_requests=[dg.RunRequest(partition_key=old)])
        if replayed == "before it is registered":
            daemon.launch(again)
        daemon.register(answer)
        # An old batch that is newer in Dagster's event log than anything the sensor has seen.
        daemon.launch(again)
        daemon.launch(answer)
        assert said(daemon.tick()) == NOTHING_NEW
        daemon.launch(again)
        assert said(daemon.tick()) == NOTHING_NEW
        assert all(success for _, success in daemon.launched)
    market = open_market(shop, killer, tmp_path / "undisturbed")
    assert killer.run("run").returncode == 0
    market.settle(faults, f"an old batch materialized again {replayed}", 3, warehouse)


@any_broker
def test_a_tick_after_the_clock_was_set_back_asks_as_ever_and_no_table_changes(
    killer: Killer, shop: Shop, faults: Faults, warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        daemon = Daemon(instance, job="ingest_batch")
        shop.sell(900)
        first = asked_for(daemon.tick())
        shop.sell(300)
        answer = daemon.evaluate()
        second = asked_for(answer)
        assert isinstance(answer, dg.SensorResult)
        daemon.register(answer)
        kept = warehouse.path.read_bytes()
        warehouse.path.write_bytes(b"not a warehouse")
        daemon.launch(answer)
        assert said(daemon.tick()).startswith(f"batch {second} failed 1 times; next attempt after ")
        warehouse.path.write_bytes(kept)
        monkeypatch.setattr(sensors, "datetime", Yesterday)
        assert asked_for(daemon.tick()) == second
        shop.sell(100)
        third = asked_for(daemon.tick())
        assert daemon.launched == [(first, True), (second, False), (second, True), (third, True)]
        assert first < second < third
    market = open_market(shop, killer, tmp_path / "undisturbed")
    assert killer.run("run").returncode == 0
    market.settle(faults, "a clock set back by a day, after a failed run", 2, warehouse)
