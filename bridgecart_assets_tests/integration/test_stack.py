"""The services of docker-compose.yml, as processes, from the topic to the KPIs on Apache Kafka and PostgreSQL.

One story, whose steps stand here in their order.
"""

import json
import logging
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.faults import warehouse_in
from bridgecart_assets_tests.integration.postgres import postgres_server
from bridgecart_assets_tests.integration.processes import bridgecart, processes_of, wait_until
from bridgecart_assets_tests.integration.served import ASK_SECONDS
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.integration.stack import PASSWORD, Stack, running
from bridgecart_assets_tests.sources.kafka.fixtures import only_apache
from bridgecart_assets_tests.support.compose import services, size
from bridgecart_assets_tests.support.state import digests, rows
from bridgecart_assets_tests.support.steps import tell
from bridgecart_assets_tests.warehouse.test_outbox import followed, told

pytestmark = only_apache
logger = logging.getLogger(__name__)
START = """mutation ($selector: SensorSelector!) { startSensor(sensorSelector: $selector) { ... on Sensor {
  sensorState { status } } } }"""
RETRY_SECONDS = 90.0
STORY_SECONDS = 900


@pytest.fixture(scope="module")
def stack(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    with postgres_server() as postgres, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
        with running(Stack(folder / "data", broker, f"orders-{uuid.uuid4().hex[:12]}", postgres)) as services:
            yield services


@pytest.fixture(scope="module")
def shop(stack: Stack) -> Shop:
    connection = KafkaConnection(stack.kafka, stack.topic)
    create_topic(connection, 3)
    return Shop(connection, orders=3_000)


@pytest.fixture
def warehouse(stack: Stack, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    for name, value in stack.variables("code").items():
        monkeypatch.setenv(name, value)
    return warehouse_from_settings(load_settings())


def orders_in_kafka_become_kpis_by_themselves_and_every_health_check_passes_meanwhile(
    stack: Stack, shop: Shop, warehouse: Warehouse
) -> None:
    shop.sell(1_500)
    assert [service for service in stack.processes if not stack.is_healthy(service)] == []
    stack.served.next_batch(after=0)
    stack.served.skips("no new records")
    assert rows(warehouse, "select count(*) from raw.orders") == [(1_500,)]
    assert rows(warehouse, "select count(*) > 0 from kpi.sales_contribution") == [(True,)]


def dagsters_history_is_in_postgresql_and_nowhere_else(stack: Stack, warehouse: Warehouse) -> None:
    stored = stack.postgres.rows(stack.database, "select distinct status from runs")
    assert stored == [("SUCCESS",)]
    assert list((stack.data_dir / "dagster_home").rglob("*.db")) == []


def the_report_is_served_where_the_assets_link_to(stack: Stack, warehouse: Warehouse) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.ports['3001']}/", timeout=10) as answer:
        assert b"<h1>Customer segments</h1>" in answer.read()
    assert stack.variables("code")["BRIDGECART_REPORT_URL"] == f"http://127.0.0.1:{stack.ports['3001']}"


def a_run_that_dies_with_its_code_server_is_done_again_by_the_next_one_at_the_same_port(
    stack: Stack, shop: Shop, warehouse: Warehouse
) -> None:
    before = len(stack.served.partitions())
    shop.sell(700)
    (run,) = wait_until(
        lambda: stack.served.runs(statuses=["STARTED"]), RETRY_SECONDS, "a run starts", every=ASK_SECONDS
    )
    stack.kill("code")
    stack.start("code")
    wait_until(
        lambda: stack.served.runs(runIds=[run["id"]], statuses=["FAILURE"]),
        RETRY_SECONDS,
        "the dead run has failed",
        every=ASK_SECONDS,
    )
    stack.served.next_batch(after=before)
    stack.served.skips("no new records")
    once = 'select count(*), count(distinct ("partition", "offset")) from raw.orders'
    assert rows(warehouse, once) == [(2_200, 2_200)]


def switched_on_the_sensor_tells_every_change_of_a_segment_once(stack: Stack, shop: Shop, warehouse: Warehouse) -> None:
    selector = {**stack.served.repository(), "sensorName": "segment_changes_sensor"}
    assert stack.served.ask(START, selector=selector)["startSensor"]["sensorState"]["status"] == "RUNNING"
    changes = KafkaConnection(stack.kafka, load_settings().segment_changes_topic)
    for _ in range(2):
        shop.sell(300)
        stack.served.next_batch(after=len(stack.served.partitions()))
        stack.served.skips("no new records")

    def is_told() -> bool:
        current = dict(rows(warehouse, "select customer_id, segment_key from gold.customer_segments"))
        return bool(current) and followed(told(changes)) == current

    wait_until(is_told, RETRY_SECONDS, "the topic tells the segments as they are", every=ASK_SECONDS)
    assert len({change["number"] for change in told(changes)}) == len(told(changes))


def no_service_needs_the_memory_that_its_container_has(stack: Stack, warehouse: Warehouse) -> None:
    needed = {name: stack.memory(name) for name in stack.processes}
    logger.info("memory, MB: %s", {name: held // 2**20 for name, held in needed.items()})
    # Half of it, so that a larger shop has some left.
    assert [name for name, held in needed.items() if 2 * held > size(services()[name]["mem_limit"])] == []


def the_password_is_in_no_variable_no_log_and_no_backup(stack: Stack, tmp_path: Path) -> None:
    done = bridgecart("backup", str(tmp_path / "saved"), "--json", **stack.variables("code"))
    assert (done.returncode, json.loads(done.stdout)["has_records"]) == (0, False), done.stderr
    files = [*(tmp_path / "saved").rglob("*"), *stack.data_dir.rglob("*"), *stack.data_dir.parent.glob("*.log")]
    assert [str(file) for file in files if file.is_file() and PASSWORD.encode() in file.read_bytes()] == []
    for process in processes_of(stack.data_dir):
        assert PASSWORD not in process.environ().values()
        assert not any(PASSWORD in word for word in process.cmdline())


def a_backup_goes_on_elsewhere_without_dagsters_history(stack: Stack, tmp_path: Path, warehouse: Warehouse) -> None:
    there = {**stack.variables("code"), "BRIDGECART_DATA_DIR": str(tmp_path / "there")}
    here = str(tmp_path / "there" / "dagster_home")
    restored = bridgecart("restore", str(tmp_path / "saved"), **{**there, "DAGSTER_HOME": here})
    assert restored.returncode == 0, restored.stderr
    assert "Dagster's records are not those of the backup" in restored.stdout
    repaired = bridgecart("doctor", "--repair", **{**there, "DAGSTER_HOME": here})
    assert (repaired.returncode, "agree" in repaired.stdout) == (0, True), repaired.stdout
    assert digests(warehouse_in(tmp_path / "there")) == digests(warehouse)


def the_commands_work_beside_the_stack(stack: Stack, warehouse: Warehouse) -> None:
    done = bridgecart("doctor", **stack.variables("code"))
    assert done.returncode == 0, done.stdout
    assert "agree" in done.stdout


@pytest.mark.timeout(STORY_SECONDS)
def test_the_stack_takes_orders_to_kpis_and_tells_changes_of_segments(
    stack: Stack, shop: Shop, warehouse: Warehouse, tmp_path: Path
) -> None:
    tell(
        orders_in_kafka_become_kpis_by_themselves_and_every_health_check_passes_meanwhile,
        dagsters_history_is_in_postgresql_and_nowhere_else,
        the_report_is_served_where_the_assets_link_to,
        a_run_that_dies_with_its_code_server_is_done_again_by_the_next_one_at_the_same_port,
        switched_on_the_sensor_tells_every_change_of_a_segment_once,
        the_commands_work_beside_the_stack,
        no_service_needs_the_memory_that_its_container_has,
        the_password_is_in_no_variable_no_log_and_no_backup,
        a_backup_goes_on_elsewhere_without_dagsters_history,
        stack=stack,
        shop=shop,
        warehouse=warehouse,
        tmp_path=tmp_path,
    )
