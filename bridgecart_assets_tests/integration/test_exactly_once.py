"""Whatever happens on the way, the tables end the same: kills, repetitions, other batch sizes, shuffled batches."""

import random
import shutil
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from bridgecart_assets.definitions import build_defs
from bridgecart_assets.kafka.connection import KafkaConnection
from bridgecart_assets.kafka.topics import create_topic
from bridgecart_assets.operations.home import dagster_instance
from bridgecart_assets.settings import load_settings
from bridgecart_assets.warehouse.database import Warehouse
from bridgecart_assets.warehouse.ledger import load_ledger
from bridgecart_assets_tests.integration.processes import bridgecart, command, environment, processes_of
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.support.state import digests, rows

KILLS = 20
# A run starts working about this long after its process did, and is over well before the second figure.
FIRST_KILL, LAST_KILL = 1.0, 6.5  # seconds


@dataclass(frozen=True)
class Market:
    """A topic with a whole history in it, and the tables that one undisturbed run makes of it."""

    settings: dict[str, str]
    records: int
    tables: dict[str, str]


@pytest.fixture(scope="module")
def market(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Market:
    shop = Shop(KafkaConnection(broker, topic=f"orders-{uuid.uuid4().hex[:12]}"), orders=3_000)
    create_topic(shop.connection, 3)
    shop.sell_the_rest()
    settings = {
        "BRIDGECART_KAFKA_BOOTSTRAP_SERVERS": broker,
        "BRIDGECART_KAFKA_TOPIC": shop.connection.topic,
    }
    elsewhere = tmp_path_factory.mktemp("undisturbed")
    done = bridgecart("run", BRIDGECART_DATA_DIR=str(elsewhere), **settings)
    assert done.returncode == 0, done.stderr
    return Market(settings, shop.sent, digests(Warehouse(elsewhere / "bridgecart.duckdb")))


@pytest.fixture(autouse=True)
def settings_of_the_market(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in market.settings.items():
        monkeypatch.setenv(name, value)


def complete(records: int) -> dict[str, str]:
    """Run to the end in batches of this size; the tables."""
    done = bridgecart("run", BRIDGECART_MAX_BATCH_RECORDS=str(records))
    assert done.returncode == 0, done.stderr
    return digests(Warehouse.from_settings(load_settings()))


@pytest.mark.timeout(600)
def test_runs_killed_at_twenty_points_and_resumed_end_with_the_tables_of_an_undisturbed_run(
    market: Market, data_dir: Path
) -> None:
    chance = random.Random(20)
    span = (LAST_KILL - FIRST_KILL) / KILLS
    moments = [FIRST_KILL + span * (place + chance.random()) for place in range(KILLS)]
    chance.shuffle(moments)
    kills = 0
    while kills < KILLS:
        if kill_after(moments[kills], data_dir):
            kills += 1
            continue
        # It was faster than the kill: compare, and begin again from nothing.
        assert digests(Warehouse.from_settings(load_settings())) == market.tables
        shutil.rmtree(data_dir)
        moments[kills] -= span
    assert complete(400) == market.tables
    assert_no_offset_is_lost_or_doubled(market)


def kill_after(seconds: float, data_dir: Path) -> bool:
    """Start a run and kill -9 it after so many seconds; False when it had ended by then."""
    process = subprocess.Popen(
        command("run"),
        env=environment({"BRIDGECART_MAX_BATCH_RECORDS": "400"}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        _, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        assert processes_of(data_dir) == []
        return True
    assert process.returncode == 0, errors.decode()
    return False


def assert_no_offset_is_lost_or_doubled(market: Market) -> None:
    warehouse = Warehouse.from_settings(load_settings())
    (counted,) = rows(warehouse, 'select count(*), count(distinct ("partition", "offset")) from raw.orders')
    assert counted == (market.records, market.records)


def test_running_it_twice_changes_nothing(market: Market) -> None:
    assert complete(100_000) == market.tables
    assert complete(100_000) == market.tables


def test_neither_batch_sizes_nor_materializing_batches_again_in_any_order_change_a_table(market: Market) -> None:
    assert complete(700) == market.tables
    warehouse = Warehouse.from_settings(load_settings())
    before = digests(warehouse, with_ledger=True)
    keys = list(load_ledger(warehouse).plans)
    assert len(keys) > 3
    random.Random(1).shuffle(keys)
    for key in keys:
        materialize_again("ingest_batch", key)
        assert digests(warehouse, with_ledger=True) == before
    materialize_again("orders_batch", keys[0])
    assert digests(warehouse, with_ledger=True) == before


def materialize_again(job: str, key: str) -> None:
    """Run a job of the definitions for a batch, as Dagster would."""
    with dagster_instance(load_settings()) as instance:
        assert build_defs().resolve_job_def(job).execute_in_process(instance=instance, partition_key=key).success
