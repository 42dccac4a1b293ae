"""`bridgecart up`, the real thing, on its own broker: webserver, daemon, sensor, GraphQL API.

One server tells one story; its steps stand here in their order.
"""

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.sources.kafka.address import announced_broker
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.ingest.ledger import load_ledger
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.processes import bridgecart, processes_of, wait_until
from bridgecart_assets_tests.integration.served import (
    MATERIALIZATIONS,
    TICK_SECONDS,
    Served,
    is_open_to_others,
    listening,
    up,
)
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.support.state import digests, rows
from bridgecart_assets_tests.support.steps import tell

NOTHING_NEW = "no new records: every record of the topic is in a batch"
GONE_SECONDS = 10.0
STORY_SECONDS = 600


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up") / "data"


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
        with up(folder) as running:
            yield running


@pytest.fixture(scope="module")
def shop(served: Served) -> Shop:
    return Shop(served.kafka, orders=4_000)


@pytest.fixture
def data_dir(folder: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data directory of the server."""
    monkeypatch.setenv("BRIDGECART_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def warehouse(data_dir: Path) -> Warehouse:
    return warehouse_from_settings(load_settings())


def without_a_topic_the_sensor_skips_and_says_so(served: Served) -> None:
    served.skips(f"has no topic '{served.kafka.topic}'")
    assert served.partitions() == []


def new_orders_become_a_partition_by_themselves_and_later_ones_the_next(
    served: Served, shop: Shop, warehouse: Warehouse
) -> None:
    create_topic(served.kafka, 3)
    shop.sell(2_500)
    key = served.next_batch(after=0)
    (run,) = served.runs(tags=[{"key": "dagster/partition", "value": key}])
    assert run["jobName"] == "orders_batch"
    shop.sell(800)
    served.next_batch(after=1)
    # A batch may have been planned while records were still being sent: the rest is in the one after it.
    served.skips(NOTHING_NEW)
    assert rows(warehouse, "select count(*) from raw.orders") == [(3_300,)]
    assert rows(warehouse, "select count(*) > 0 from kpi.sales_contribution") == [(True,)]


def a_partition_materialized_from_the_ui_reads_exactly_its_offsets_again(served: Served, warehouse: Warehouse) -> None:
    key, keys = served.partitions()[0], served.partitions()
    before, ledger = digests(warehouse, with_ledger=True), load_ledger(warehouse)
    run_id = served.materialize(key)
    assert [run["status"] for run in served.runs(runIds=[run_id])] == ["SUCCESS"]
    asset = served.ask(MATERIALIZATIONS, key={"path": ["raw", "orders"]})["assetOrError"]
    (event,) = [event for event in asset["assetMaterializations"] if event["runId"] == run_id]
    (offsets,) = [entry["jsonString"] for entry in event["metadataEntries"] if entry["label"] == "offsets"]
    assert event["partition"] == key
    assert json.loads(offsets) == {
        str(partition): f"[{span.start}, {span.end})" for partition, span in ledger.plans[key].ranges.items()
    }
    assert digests(warehouse, with_ledger=True) == before
    assert load_ledger(warehouse) == ledger
    # The batch that was materialized last is not the last batch: the sensor must not take its end for the ledger's.
    served.skips(NOTHING_NEW)
    assert served.partitions() == keys


def other_commands_find_the_broker_of_up(served: Served) -> None:
    done = bridgecart("status", "--json")
    assert done.returncode == 0, done.stderr
    status = json.loads(done.stdout)
    assert status["lag"] == 0
    assert status["batches"] == len(served.partitions())
    assert status["rows"]["raw.orders"] == 3_300


def nothing_listens_beyond_the_loopback_address(served: Served, folder: Path) -> None:
    assert {host for host, _ in listening(folder)} == {"127.0.0.1"}
    assert not is_open_to_others(served.url)


def neither_a_second_up_nor_a_demo_works_under_the_feet_of_up(served: Served, warehouse: Warehouse) -> None:
    before = digests(warehouse)
    for arguments in (("up", "--port", "64999"), ("demo", "--orders", "100")):
        done = bridgecart(*arguments)
        assert done.returncode == 1, arguments
        assert done.stderr.startswith("bridgecart: Another `bridgecart up` works on ")
        assert done.stderr.count("\n") == 1
        assert served.process.poll() is None
        assert digests(warehouse) == before


def ctrl_c_stops_everything_and_leaves_no_process_behind(served: Served, folder: Path) -> None:
    family = processes_of(folder)
    assert len(family) >= 6
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(40) == 130
    assert served.output.read_text().splitlines()[-1] == "Stopped."
    wait_until(lambda: not processes_of(folder), GONE_SECONDS, f"all processes are gone, of {family}")
    assert announced_broker(folder) is None
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(served.url.rpartition(":")[2]))) != 0


def kill_9_in_the_middle_of_a_run_leaves_no_process_behind_and_old_rows_as_they_were(
    folder: Path, warehouse: Warehouse
) -> None:
    old = "select * from raw.orders where batch_key <= ? order by all"
    ((newest,),) = rows(warehouse, "select max(batch_key) from raw.orders")
    before = rows(warehouse, old, newest)
    with up(folder, rate=200) as served:
        wait_until(lambda: served.runs(statuses=["STARTED"]), TICK_SECONDS, "new orders start a run")
        family = processes_of(folder)
        assert any("generate" in process.cmdline() for process in family)
        served.process.kill()
        served.process.wait()
        wait_until(lambda: not processes_of(folder), GONE_SECONDS, f"all processes are gone, of {family}")
    assert rows(warehouse, old, newest) == before
    once = 'select count(*) = count(distinct (topic_id, "partition", "offset")) from raw.orders'
    assert rows(warehouse, once) == [(True,)]


@pytest.mark.story
@pytest.mark.timeout(STORY_SECONDS)
def test_up_takes_orders_in_by_itself_until_it_is_stopped_or_killed(
    served: Served, shop: Shop, folder: Path, warehouse: Warehouse
) -> None:
    tell(
        without_a_topic_the_sensor_skips_and_says_so,
        new_orders_become_a_partition_by_themselves_and_later_ones_the_next,
        a_partition_materialized_from_the_ui_reads_exactly_its_offsets_again,
        other_commands_find_the_broker_of_up,
        nothing_listens_beyond_the_loopback_address,
        neither_a_second_up_nor_a_demo_works_under_the_feet_of_up,
        ctrl_c_stops_everything_and_leaves_no_process_behind,
        kill_9_in_the_middle_of_a_run_leaves_no_process_behind_and_old_rows_as_they_were,
        served=served,
        shop=shop,
        folder=folder,
        warehouse=warehouse,
    )
