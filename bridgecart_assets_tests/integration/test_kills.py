"""`kill -9` of `bridgecart run` at spread points, then resumed: the same tables as undisturbed."""

import random
from pathlib import Path

import dagster as dg
import pytest

from bridgecart_assets.partitions import BATCHES
from bridgecart_assets.runs import unfinished_runs
from bridgecart_assets.warehouse.database import Warehouse
from bridgecart_assets_tests.integration.killable import Ended, Killer
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.support.state import digests, rows

ORDERS = 1_200
BATCH_RECORDS = "650"
KILLS_PER_FOLDER = 10
NEVER = 10**9
FOLDERS = ("first", "second")


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
    killer: Killer, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_MAX_BATCH_RECORDS", BATCH_RECORDS)

    def run(folder: str, moment: int = NEVER) -> Ended:
        ended = killer.run_until(moment, "run", settings={"BRIDGECART_DATA_DIR": str(tmp_path / folder)})
        assert ended.was_killed or ended.returncode == 0, ended.stderr
        return ended

    whole = run("undisturbed").moments
    undisturbed = digests(warehouse_in(tmp_path / "undisturbed"))
    assert whole > 600
    kills = len(FOLDERS) * KILLS_PER_FOLDER
    # As long as the end is not reached, a run has at least a refresh before it, and that is half of everything.
    moments = [2 + whole // 2 * kill // kills for kill in range(kills)]
    random.Random(2).shuffle(moments)
    for place, folder in enumerate(FOLDERS):
        mine = moments[place :: len(FOLDERS)]
        assert [moment for moment in mine if not run(folder, moment).was_killed] == []
        assert not run(folder).was_killed
        assert_healed(tmp_path / folder, undisturbed, shop)
