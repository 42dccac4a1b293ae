"""`bridgecart run` on a real broker: what it prints, what it waits for, and how it goes on after an interruption."""

import json
import signal
import socket
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import dagster as dg
import orjson
import pytest
from dagster import DagsterRunStatus
from dagster._core.test_utils import create_run_for_test

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.definitions import defs
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.orchestration.partitions import BATCHES
from bridgecart_assets.orchestration.runs import GRPC_INFO_TAG
from bridgecart_assets.processes.run_lock import run_lock
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.synthetic import Event
from bridgecart_assets.synthetic.config import epoch_ms
from bridgecart_assets.warehouse.ingest.ledger import load_ledger
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.killable import Killer
from bridgecart_assets_tests.integration.processes import bridgecart
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.sources.kafka.fixtures import any_broker
from bridgecart_assets_tests.support.state import digests, rows

RAW_BATCH = [dg.AssetKey(["raw", "orders"]), dg.AssetKey(["raw", "batches"])]


@any_broker
@pytest.mark.story
def test_run_prints_a_summary_and_not_a_word_of_dagsters_log(killer: Killer, shop: Shop, warehouse: Warehouse) -> None:
    shop.sell(700)
    done = bridgecart("run")
    assert (done.returncode, done.stderr) == (0, "")
    ((orders, duplicates, rejected),) = rows(
        warehouse,
        "select (select count(*) from silver.orders), (select count(*) from silver.duplicate_orders), "
        "(select count(*) from silver.rejected_orders)",
    )
    first, model, checks = done.stdout.splitlines()
    assert first == (
        f"1 batch(es): 700 records = {orders:,} orders + {duplicates:,} duplicates + {rejected:,} rejected."
    )
    assert model.startswith("Segment model: ")
    assert checks.endswith(" checks passed.")

    summary = json.loads(killer.run("run", "--json").stdout)
    assert (summary["batches"], summary["records"], summary["is_good"], summary["failed_checks"]) == ([], 0, True, [])
    status = json.loads(killer.run("status", "--json").stdout)
    assert (status["lag"], status["batches"], status["failed_checks"]) == (0, 1, [])


def test_a_topic_without_records_makes_empty_tables_and_is_no_failure(
    killer: Killer, shop: Shop, warehouse: Warehouse
) -> None:
    ended = killer.run("run")
    assert ended.returncode == 0, ended.stderr
    assert rows(warehouse, "select count(*) from silver.orders") == [(0,)]
    assert len(load_ledger(warehouse).plans) == 1


def test_generated_orders_are_taken_in_to_the_last(killer: Killer, shop: Shop, warehouse: Warehouse) -> None:
    sent = killer.run("generate", "--orders", "300", "--seed", "5")
    assert sent.returncode == 0, sent.stderr
    count = int(sent.stdout.split(" events sent")[0])
    assert killer.run("run").returncode == 0
    assert rows(warehouse, "select count(*) from raw.orders") == [(count,)]
    assert rows(warehouse, "select count(*) from silver.orders where order_kind = 'purchase'") == [(300,)]


@any_broker
def test_a_second_run_at_the_same_time_is_refused_and_touches_nothing(
    killer: Killer, shop: Shop, data_dir: Path, warehouse: Warehouse
) -> None:
    shop.sell(50)
    data_dir.mkdir()
    with run_lock(data_dir):
        ended = killer.run("run")
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"bridgecart: Another bridgecart command works on {data_dir}: wait")
    assert ended.stderr.count("\n") == 1
    assert not warehouse.exists


@any_broker
def test_a_run_in_progress_under_a_daemon_is_named_and_not_disturbed(
    killer: Killer, shop: Shop, settings: Settings, warehouse: Warehouse, tmp_path: Path
) -> None:
    shop.sell(50)
    with socket.socket(socket.AF_UNIX) as code_server:
        code_server.bind(str(tmp_path / "socket"))
        code_server.listen()
        tags = {GRPC_INFO_TAG: json.dumps({"host": "localhost", "socket": str(tmp_path / "socket")})}
        with dagster_instance(settings) as instance:
            run = create_run_for_test(instance, "orders_batch", status=DagsterRunStatus.STARTED, tags=tags)
        ended = killer.run("run", BRIDGECART_RUN_WAIT_SECONDS="0.5")
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"bridgecart: Run {run.run_id} is queued or in progress: `bridgecart up` works")
    assert ended.stderr.count("\n") == 1
    assert not warehouse.exists


@any_broker
def test_a_blocking_check_that_fails_ends_the_run_with_3_and_one_line_which_its_summaries_have_too(
    killer: Killer, shop: Shop, warehouse: Warehouse, tmp_path: Path
) -> None:
    shop.sell(100)
    assert killer.run("run").returncode == 0
    with warehouse.transaction() as connection:
        # A batch that claims offsets which the first batch already has.
        connection.execute(
            "insert into raw.batches select * replace ('00000000T000000Z' as batch_key, 0 as records, "
            "[{'partition': 0, 'start': 0, 'end': 1}] as ranges) from raw.batches"
        )
    shop.sell(100)
    text, xml = tmp_path / "summary.md", tmp_path / "checks.xml"
    done = bridgecart("run", "--summary", str(text), "--summary", str(xml))
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith(
        "bridgecart: Check raw_offsets_are_contiguous of raw/batches failed and stopped the run: "
    )
    assert done.stderr.count("\n") == 1
    assert text.read_text().startswith("## BridgeCart: failed\n")
    assert "| ERROR | raw/batches |" in text.read_text()
    (suite,) = ElementTree.parse(xml).getroot()
    failed = {case.get("name") for case in suite if case.find("failure") is not None}
    assert "raw_offsets_are_contiguous" in failed
    assert suite.get("errors") == "1"


@any_broker
def test_a_warning_fails_a_run_that_is_told_to_fail_on_warnings(killer: Killer, shop: Shop, tmp_path: Path) -> None:
    order = {"customer_id": "C1", "purchase_date": "2025-03-01T10:00:00Z", "purchase_amount": 5, "order_id": "O1"}
    strange = orjson.dumps({**order, "payment_method": "sea shells"})
    produce(shop.connection, [Event(b"C1", strange, epoch_ms(datetime(2025, 3, 1, 11, tzinfo=UTC)))])
    text = tmp_path / "summary.md"
    assert killer.run("run", "--full", "--fail-on", "warn", "--summary", str(text)).returncode == 3
    assert text.read_text().startswith("## BridgeCart: good, with warnings\n")
    assert "| WARN | silver/orders | silver\\_spellings\\_are\\_known |" in text.read_text()
    assert killer.run("run").returncode == 0


@any_broker
def test_a_small_batch_makes_only_its_customers_anew_and_full_makes_all_to_the_same_bytes(
    killer: Killer, shop: Shop, warehouse: Warehouse
) -> None:
    full_rebuilds = "select full_rebuilds from gold.refreshes where table_name = 'silver.customers'"
    shop.sell(600)
    assert killer.run("run").returncode == 0
    shop.sell(5)
    assert killer.run("run").returncode == 0
    assert rows(warehouse, full_rebuilds) == [(1,)]
    followed = digests(warehouse)
    ended = killer.run("run", "--full")
    assert ended.returncode == 0, ended.stderr
    assert rows(warehouse, full_rebuilds) == [(2,)]
    assert digests(warehouse) == followed
    assert rows(warehouse, "select table_name from gold.refreshes where checked is distinct from revision") == []


@any_broker
def test_ctrl_c_and_sigterm_at_any_moment_are_one_word_and_the_next_run_goes_on(
    killer: Killer, shop: Shop, warehouse: Warehouse, settings: Settings
) -> None:
    shop.sell(300)
    for moment, how, code in (
        (2, signal.SIGTERM, 143),
        (40, signal.SIGINT, 130),
        (140, signal.SIGTERM, 143),
        (250, signal.SIGINT, 130),
    ):
        ended = killer.run_until(moment, "run", how=how)
        assert (ended.returncode, ended.stdout, ended.stderr.strip()) == (code, "", "Stopped."), moment
    ended = killer.run("run")
    assert ended.returncode == 0, ended.stderr
    counts = 'select count(*), count(distinct ("partition", "offset")) from raw.orders'
    assert rows(warehouse, counts) == [(300, 300)]
    with dagster_instance(settings) as instance:
        assert len(instance.get_dynamic_partitions(str(BATCHES.name))) == 1


@any_broker
def test_a_batch_cut_off_after_raw_whose_topic_is_gone_goes_on_from_its_raw_rows(
    killer: Killer, shop: Shop, warehouse: Warehouse, settings: Settings
) -> None:
    shop.sell(200)
    with dagster_instance(settings) as instance:
        instance.add_dynamic_partitions(str(BATCHES.name), ["20260101T000000Z"])
        defs.resolve_job_def("ingest_batch").execute_in_process(
            instance=instance, partition_key="20260101T000000Z", asset_selection=RAW_BATCH
        )
    shop.reopen()
    shop.sell(100)
    ended = killer.run("run")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("2 batch(es): 300 records = ")
    assert rows(warehouse, "select count(distinct batch_key) from silver.orders") == [(2,)]
