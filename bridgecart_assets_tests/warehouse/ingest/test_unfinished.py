from bridgecart_assets.base.settings import Settings
from bridgecart_assets.warehouse.ingest import unfinished
from bridgecart_assets.warehouse.ingest.unfinished import batches_without_silver
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.support.pipeline import run_silver
from bridgecart_assets_tests.support.records import Record, event, store_batch

FIRST, SECOND, THIRD = "20300101T000000Z", "20300101T000100Z", "20300101T000200Z"


def test_without_a_warehouse_nothing_is_unfinished(warehouse: Warehouse) -> None:
    assert batches_without_silver(warehouse) == []


def test_batches_of_which_silver_knows_no_record_are_named_oldest_first(
    warehouse: Warehouse, settings: Settings
) -> None:
    for start, key in enumerate((FIRST, SECOND, THIRD)):
        store_batch(warehouse, key, [Record(event(order_id=key))], start=start)
    assert batches_without_silver(warehouse) == [FIRST, SECOND, THIRD]
    run_silver(warehouse, settings, SECOND)
    assert batches_without_silver(warehouse) == [FIRST, THIRD]


def test_a_batch_is_in_silver_when_all_its_records_were_rejected_or_came_twice(
    warehouse: Warehouse, settings: Settings
) -> None:
    store_batch(warehouse, FIRST, [Record(event())])
    store_batch(warehouse, SECOND, [Record(b"no order")], start=1)
    store_batch(warehouse, THIRD, [Record(event())], start=2)
    for key in (FIRST, SECOND, THIRD):
        run_silver(warehouse, settings, key)
    assert batches_without_silver(warehouse) == []


def test_an_empty_batch_has_nothing_to_bring_to_silver(warehouse: Warehouse) -> None:
    store_batch(warehouse, FIRST, [])
    assert batches_without_silver(warehouse) == []


def test_only_recent_batches_are_looked_at(warehouse: Warehouse) -> None:
    keys = [f"20300101T{minute // 60:02}{minute % 60:02}00Z" for minute in range(unfinished.BATCHES_LOOKED_AT + 1)]
    for start, key in enumerate(keys):
        store_batch(warehouse, key, [Record(event())], start=start)
    assert batches_without_silver(warehouse) == keys[1:]
