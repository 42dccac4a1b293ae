"""Large slices without Spark: which of them workers read, and how they are divided; with Spark: integration."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.contracts import FORGOTTEN_CUSTOMERS, RAW_ORDERS
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.offsets import BatchPlan, OffsetRange
from bridgecart_assets.sources.registry import Registry, SchemaSource
from bridgecart_assets.warehouse.large_slices import OFFSETS_IN_PIECE, can_be_read_by_workers, pieces_of
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.storage.outputs import KafkaSlice
from bridgecart_assets.warehouse.storage.tables import prepare
from bridgecart_assets_tests.support.records import Record, store_batch

BATCH = "20260101T000000.000Z"
NOWHERE = KafkaConnection("127.0.0.1:9", "orders")
SCHEMAS = SchemaSource(Registry("http://127.0.0.1:9", {}), ("payload",))

spans = st.builds(
    lambda start, count: OffsetRange(start, start + count), st.integers(0, 2**60), st.integers(0, 5 * OFFSETS_IN_PIECE)
)


def planned(ranges: dict[int, OffsetRange], schemas: SchemaSource | None = None) -> KafkaSlice:
    plan = BatchPlan(BATCH, NOWHERE.topic, "T", ranges)
    return KafkaSlice(NOWHERE, plan, None, stall_seconds=1, schemas=schemas)


@given(st.dictionaries(st.integers(0, 100), spans, max_size=5))
def test_pieces_have_every_offset_once_and_none_too_many(ranges: dict[int, OffsetRange]) -> None:
    pieces = pieces_of(planned(ranges).plan)
    assert all(0 < end - start <= OFFSETS_IN_PIECE for _, start, end in pieces)
    for partition, span in ranges.items():
        bounds = [span.start, *(end for of, _, end in pieces if of == partition)]
        assert bounds[:-1] == [start for of, start, _ in pieces if of == partition]
        assert bounds[-1] == span.end


@pytest.mark.parametrize("schemas", [None, SCHEMAS], ids=["without a registry", "with one"])
@pytest.mark.parametrize("somebody_is_forgotten", [True, False])
def test_whom_records_are_of_has_to_be_known_before_workers_read_them(
    warehouse: Warehouse, schemas: SchemaSource | None, somebody_is_forgotten: bool
) -> None:
    with warehouse.transaction() as connection:
        prepare(connection, RAW_ORDERS)
        prepare(connection, FORGOTTEN_CUSTOMERS)
        if somebody_is_forgotten:
            connection.execute("insert into raw.forgotten_customers values ('hash', 'salt', '2026-01-01')")
        may = can_be_read_by_workers(connection, planned({0: OffsetRange(0, 9)}, schemas))
    assert may == (schemas is None or not somebody_is_forgotten)


def test_what_stands_already_is_read_again_here_where_it_is_compared(warehouse: Warehouse) -> None:
    store_batch(warehouse, BATCH, [Record(b"{}")])
    with warehouse.transaction() as connection:
        assert not can_be_read_by_workers(connection, planned({0: OffsetRange(0, 1)}))
