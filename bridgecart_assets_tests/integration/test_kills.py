"""`kill -9` of `bridgecart run` at spread points, then resumed: the same tables as undisturbed."""

import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from bridgecart_assets.partitions import BATCHES
from bridgecart_assets.runs import unfinished_runs
from bridgecart_assets.warehouse.database import Warehouse
from bridgecart_assets_tests.integration.killable import Killer
from bridgecart_assets_tests.integration.processes import bridgecart, command, environment
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.kafka.fixtures import TopicFactory
from bridgecart_assets_tests.support.state import digests, rows

ORDERS = 1_200
BATCHES_OF = "650"
KILLS = 20
FRESH_KILLS = 6


@pytest.fixture
def killer(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Killer]:
    monkeypatch.setenv("BRIDGECART_MAX_BATCH_RECORDS", BATCHES_OF)
    with Killer(tmp_path) as killer:
        yield killer


@pytest.fixture
def shop(shop: Shop) -> Shop:
    full = Shop(shop.connection, ORDERS)
    full.sell_the_rest()
    return full


def warehouse_in(folder: Path) -> Warehouse:
    return Warehouse(folder / "bridgecart.duckdb")


def assert_healed(folder: Path, undisturbed: dict[str, str], shop: Shop) -> None:
    warehouse = warehouse_in(folder)
    assert digests(warehouse) == undisturbed
    counts = 'select count(*), count(distinct ("partition", "offset")) from raw.orders'
    assert rows(warehouse, counts) == [(shop.sent, shop.sent)]
    assert rows(warehouse, "select sum(records) from raw.batches") == [(shop.sent,)]
    with dg.DagsterInstance.from_config(str(folder / "dagster_home")) as instance:
        assert unfinished_runs(instance) == []
        keys = instance.get_dynamic_partitions(str(BATCHES.name))
    assert {key for (key,) in rows(warehouse, "select batch_key from raw.batches")} == set(keys)


def test_killed_at_twenty_moments_and_resumed_the_tables_are_those_of_an_undisturbed_run(
    killer: Killer, shop: Shop, tmp_path: Path
) -> None:
    def run(folder: str, moment: int | None = None) -> bool:
        """Whether the run was killed; it must not fail otherwise."""
        ended = killer.run("run", moment=moment, BRIDGECART_DATA_DIR=str(tmp_path / folder))
        assert ended.was_killed or ended.code == 0, ended.output
        return ended.was_killed

    whole = killer.run("run", BRIDGECART_DATA_DIR=str(tmp_path / "undisturbed"))
    again = killer.run("run", BRIDGECART_DATA_DIR=str(tmp_path / "undisturbed"))
    assert (whole.code, again.code) == (0, 0), whole.output
    undisturbed = digests(warehouse_in(tmp_path / "undisturbed"))
    # Until the end is reached, each run has at least a refresh before it: up to there every kill hits.
    most = again.moments
    assert whole.moments > 1.5 * most > 300

    chained = [1 + most * kill // (KILLS - FRESH_KILLS) for kill in range(KILLS - FRESH_KILLS)]
    random.Random(2).shuffle(chained)
    assert [run("chain", moment) for moment in chained] == [True] * len(chained)
    assert run("chain") is False
    assert_healed(tmp_path / "chain", undisturbed, shop)

    for kill in range(FRESH_KILLS):
        assert run(f"fresh-{kill % 2}", 2 + most * kill // FRESH_KILLS) is True
    for folder in ("fresh-0", "fresh-1"):
        assert run(folder) is False
        assert_healed(tmp_path / folder, undisturbed, shop)


@pytest.mark.slow
def test_killed_at_any_time_from_outside_and_resumed_the_tables_are_those_of_an_undisturbed_run(
    topic: TopicFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(topic(3), 20_000)
    shop.sell_the_rest()
    monkeypatch.setenv("BRIDGECART_KAFKA_BOOTSTRAP_SERVERS", shop.connection.bootstrap_servers)
    monkeypatch.setenv("BRIDGECART_KAFKA_TOPIC", shop.connection.topic)
    monkeypatch.setenv("BRIDGECART_MAX_BATCH_RECORDS", "2500")
    started = time.monotonic()
    assert bridgecart("run", BRIDGECART_DATA_DIR=str(tmp_path / "undisturbed")).returncode == 0
    seconds = time.monotonic() - started
    undisturbed = digests(warehouse_in(tmp_path / "undisturbed"))
    generator = random.Random(7)
    kills = 0
    for folder in (tmp_path / f"folder-{number}" for number in range(10)):
        for _ in range(6):
            process = subprocess.Popen(
                command("run"),
                env=environment({"BRIDGECART_DATA_DIR": str(folder)}),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            try:
                process.wait(generator.uniform(0.5, seconds))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                kills += 1
            _, stderr = process.communicate(timeout=30)
            assert process.returncode in (0, -signal.SIGKILL), stderr
        done = bridgecart("run", BRIDGECART_DATA_DIR=str(folder))
        assert done.returncode == 0, done.stderr
        assert_healed(folder, undisturbed, shop)
    assert kills >= 20
