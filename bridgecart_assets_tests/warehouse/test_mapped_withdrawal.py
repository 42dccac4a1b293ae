"""Taking back an order whose states a mapping reads: all of them, whoever had the order."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.warehouse.duckdb_engine import DuckDBEngine
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.withdrawal import OrderName, UnknownOrder, restore, withdraw
from bridgecart_assets_tests.support.mapped import MAPPING, change, row
from bridgecart_assets_tests.support.pipeline import run_silver
from bridgecart_assets_tests.support.records import Record, store_batch
from bridgecart_assets_tests.support.state import digests, rows

KEYS = ("20300101T000000Z", "20300102T000000Z")
AT = datetime(2030, 1, 4, tzinfo=UTC)


@pytest.fixture
def mapped(settings: Settings, tmp_path: Path) -> Settings:
    (tmp_path / "mapping.toml").write_text(MAPPING)
    return settings.model_copy(update={"mapping": tmp_path / "mapping.toml"})


def take_in(warehouse: Warehouse, settings: Settings, *batches: list[bytes]) -> None:
    start = 0
    for key, batch in zip(KEYS, batches, strict=False):
        store_batch(warehouse, key, [Record(payload) for payload in batch], start=start)
        run_silver(warehouse, settings, key)
        start += len(batch)


def withdrawn(warehouse: Warehouse) -> list[int]:
    found = rows(warehouse, """select "offset" from silver.rejected_orders where reasons = ['withdrawn'] order by 1""")
    return [offset for (offset,) in found]


def test_an_order_that_changed_hands_goes_with_all_its_states_and_comes_back_whole(
    warehouse: Warehouse, mapped: Settings
):
    first = [change("c", 1, row(id=1, customer="guest")), change("c", 1, row(id=2, customer="guest"))]
    take_in(warehouse, mapped, first, [change("u", 2, row(id=1, customer="C1"))])
    before = digests(warehouse)
    assert withdraw(DuckDBEngine(warehouse), mapped, OrderName("1"), reason="a test", at=AT) == 2
    assert withdrawn(warehouse) == [0, 2]
    assert rows(warehouse, "select order_id from silver.orders") == [("2",)]
    assert restore(DuckDBEngine(warehouse), mapped, OrderName("1")) == 2
    assert digests(warehouse) == before


def test_a_later_deletion_of_an_order_that_was_withdrawn_is_withdrawn_with_it(warehouse: Warehouse, mapped: Settings):
    take_in(warehouse, mapped, [change("c", 1, row(id=1))])
    withdraw(DuckDBEngine(warehouse), mapped, OrderName("1"), reason="a test", at=AT)
    store_batch(warehouse, KEYS[1], [Record(change("d", 2, None, {"id": 1}))], start=1)
    run_silver(warehouse, mapped, KEYS[1])
    assert withdrawn(warehouse) == [0, 1]


def test_an_order_that_is_void_is_none_to_take_back(warehouse: Warehouse, mapped: Settings):
    take_in(warehouse, mapped, [change("c", 1, row(id=1)), change("d", 2, None, {"id": 1})])
    with pytest.raises(UnknownOrder):
        withdraw(DuckDBEngine(warehouse), mapped, OrderName("1"), reason="a test", at=AT)
