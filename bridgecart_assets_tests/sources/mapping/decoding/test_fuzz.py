"""Damaged bytes among good records: each costs itself alone, whatever it claims to hold, and nothing takes long."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest

from bridgecart_assets.sources.mapping.decoding import Decoded, Decoder
from bridgecart_assets.sources.mapping.decoding.schemas import Schema
from bridgecart_assets_tests.sources.mapping.damage import check_each_alone
from bridgecart_assets_tests.sources.mapping.decoding.records import (
    Known,
    avro,
    debezium,
    framed,
    order_descriptors,
    record,
    written,
)
from bridgecart_assets_tests.sources.mapping.decoding.test_avro import DECIMAL, SHAPE
from bridgecart_assets_tests.sources.mapping.decoding.test_protobuf import INDEX, ORDER, REGISTERED, order
from bridgecart_assets_tests.sources.mapping.decoding.test_protobuf import SHAPE as ORDER_SHAPE

SEED = 17

LINE = record(("sku", "string"), ("price", DECIMAL), ("parent", ["null", "Line"]), name="Line")
MANY_KINDS = record(
    ("id", "long"),
    ("status", {"type": "enum", "name": "Status", "symbols": ["OPEN", "PAID"]}),
    ("at", {"type": "long", "logicalType": "timestamp-millis"}),
    ("either", ["null", "string", "long", DECIMAL]),
    ("lines", {"type": "array", "items": LINE}),
    ("extra", {"type": "map", "values": ["null", "double"]}),
    ("hash", {"type": "fixed", "name": "Hash", "size": 4}),
)
MANY_SHAPES = {
    **dict.fromkeys(("id", "status", "at", "either", "extra", "hash"), "VARCHAR"),
    "lines": [{"price": "VARCHAR", "parent": {"sku": "VARCHAR"}}],
}
A_LINE = {"sku": "a", "price": Decimal("1.50"), "parent": {"sku": "b", "price": Decimal("-0.01"), "parent": None}}
OF_MANY_KINDS = written(
    MANY_KINDS,
    {"id": 5, "status": "PAID", "at": 1_767_261_600_000, "either": "x", "lines": [A_LINE] * 3}
    | {"extra": {"a": 0.5, "b": None}, "hash": b"abcd"},
)


def values_of(decoded: Decoded) -> dict[int, Any]:
    return {
        place: value
        for group in decoded.groups
        for place, value in zip(group.places.to_pylist(), group.column.to_pylist(), strict=True)
    }


def avro_of(schema: Schema, shape: Any) -> Callable[[], Decoder]:
    return lambda: Decoder("avro-registry", shape, Known({1: schema}))


def protobuf() -> Decoder:
    held = order_descriptors().SerializeToString()
    return Decoder("protobuf-registry", ORDER_SHAPE, Known({1: REGISTERED}), descriptors=held, message=ORDER)


TABLE, CHANGES = debezium()
GOOD_CHANGES = [one for place, one in enumerate(CHANGES) if one is not None and place < 11]
GOOD_ORDERS = [
    framed(INDEX + order(number=f"10-{n}", total_cents=n * 1000, voucher="x", lines=[{"qty": n, "sku": "a"}] * n))
    for n in range(5)
]
KINDS = {
    "a table through Debezium": (avro_of(TABLE, SHAPE), GOOD_CHANGES),
    "many kinds of fields": (avro_of(avro(MANY_KINDS), MANY_SHAPES), [OF_MANY_KINDS]),
    "messages": (protobuf, GOOD_ORDERS),
}
OF_EACH = [pytest.param(*kind, id=name) for name, kind in KINDS.items()]


def check(decoder: Callable[[], Decoder], good: Sequence[bytes], count: int, seed: int) -> None:
    decoded = check_each_alone(lambda records: decoder().decoded(records), said, good, count, seed)
    values = values_of(decoded)
    assert values.keys() | decoded.unreadable.keys() == set(range(count))
    assert not values.keys() & decoded.unreadable.keys()


def said(decoded: Decoded, places: Sequence[int]) -> list[Any]:
    values = values_of(decoded)
    return [values[place] for place in places]


@pytest.mark.parametrize(("decoder", "good"), OF_EACH)
def test_damaged_records_cost_themselves_alone(decoder, good):
    check(decoder, good, 7_000, SEED)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize(("decoder", "good"), OF_EACH)
def test_a_million_records_half_of_them_damaged_cost_themselves_alone(decoder, good):
    for seed in range(20):
        check(decoder, good, 50_000, seed)
