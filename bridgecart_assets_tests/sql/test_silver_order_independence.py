"""Whatever the order, the number of times and the cut of the batches: the same orders, duplicates and rejects."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from operator import attrgetter
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.base.settings import OrderEvents, Settings
from bridgecart_assets.contracts import BESIDE_ORDERS, SILVER_ORDERS
from bridgecart_assets_tests.sql.order_events import Counted, Fates, Place, Said, fates, said
from bridgecart_assets_tests.sql.silver import (
    Placed,
    Row,
    SilverWarehouse,
    broken_rules,
    judge,
    place,
    run_customers,
    store_raw,
)
from bridgecart_assets_tests.support.examples import examples
from bridgecart_assets_tests.support.pipeline import run_silver
from bridgecart_assets_tests.support.records import Record, event
from bridgecart_assets_tests.support.state import digests

START = datetime(2030, 1, 1, tzinfo=UTC)
FIRST, SECOND, THIRD = "20300101T000000Z", "20300101T000100Z", "20300101T000200Z"


@cache
def _settings(order_events: OrderEvents = "orders") -> Settings:
    return Settings(order_events=order_events)


def _silver(warehouse: SilverWarehouse, *batch_keys: str, order_events: OrderEvents = "orders") -> None:
    for batch_key in batch_keys:
        run_silver(warehouse, _settings(order_events), batch_key)


def _rows(warehouse: SilverWarehouse, table: str) -> list[Row]:
    with warehouse.reading() as connection:
        cursor = connection.execute(f"select * from {table}")
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _place(row: Row, prefix: str = "") -> tuple[str, int, int]:
    return row[f"{prefix}topic_id"], row[f"{prefix}partition"], row[f"{prefix}offset"]


# --- random histories


@dataclass(frozen=True)
class Materialization:
    """Records in order of arrival, the batch of each (never falling), and the batches in order of materialization."""

    batch_of: tuple[int, ...]
    runs: tuple[int, ...]


EVENTS = st.builds(
    event,
    order_id=st.sampled_from(("A1", "A1", "A2", None)),
    customer_id=st.sampled_from(("C1", "C1", "C2")),
    purchase_date=st.sampled_from(
        ("2025-03-04T10:00:00Z", "2025-03-04T15:30:00+05:30", "2025-03-04T10:00:00.123Z", "2025-03-04", "2024-12-31")
    ),
    purchase_amount=st.sampled_from((100, -100, 0, "100.00", 60)),
    coupon_used=st.sampled_from((False, False, True, None)),
    payment_method=st.sampled_from(("UPI", "u.p.i.", "Lottery", None)),
    product_category=st.sampled_from(("Books", "Toys", None)),
    name=st.sampled_from(("Asha", "Ravi")),
    sku=st.sampled_from(("red", "red", "blue")),
)
NO_ORDERS = (None, b"{", event(purchase_amount="x"))
RECORDS = st.builds(
    Record,
    payload=st.one_of(EVENTS, EVENTS, EVENTS, st.sampled_from(NO_ORDERS)),
    kafka_timestamp=st.sampled_from((START, START, START + timedelta(seconds=1), START - timedelta(days=400), None)),
    partition=st.integers(0, 2),
)


@st.composite
def materializations(draw: st.DrawFn, records: int) -> Materialization:
    cuts = draw(st.lists(st.integers(0, records), max_size=3))
    batch_of = tuple(sum(cut <= number for cut in cuts) for number in range(records))
    batches = sorted(set(batch_of))
    runs = draw(st.permutations([*batches, *draw(st.lists(st.sampled_from(batches or [0]), max_size=2))]))
    return Materialization(batch_of, tuple(runs))


@st.composite
def _two_ways(draw: st.DrawFn) -> tuple[list[Record], Materialization, Materialization]:
    records = draw(st.lists(RECORDS, min_size=1, max_size=14))
    return records, draw(materializations(len(records))), draw(materializations(len(records)))


def _materialize(records: Sequence[Placed], way: Materialization, order_events: OrderEvents) -> SilverWarehouse:
    warehouse = SilverWarehouse()
    for batch in sorted(set(way.batch_of)):
        of_batch = [record for record, owner in zip(records, way.batch_of, strict=True) if owner == batch]
        store_raw(warehouse, f"batch-{batch}", of_batch)
    done: set[str] = set()
    for batch in way.runs:
        _silver(warehouse, f"batch-{batch}", order_events=order_events)
        done.add(f"batch-{batch}")
        assert [broken for batch_key in sorted(done) for broken in broken_rules(warehouse, batch_key)] == []
    run_customers(warehouse)
    return warehouse


@pytest.mark.parametrize("order_events", get_args(OrderEvents))
@examples(12)
@given(ways=_two_ways())
def test_neither_cut_nor_order_nor_repetition_of_batches_changes_a_table(
    order_events: OrderEvents,
    ways: tuple[list[Record], Materialization, Materialization],
) -> None:
    records, one_way, other_way = ways
    placed = place(records)
    one, other = (_materialize(placed, way, order_events) for way in (one_way, other_way))
    assert digests(one) == digests(other)
    said_in = zip(placed, one_way.batch_of, strict=True)
    _assert_every_event_stands_where_it_must(one, fates(_said(said_in), order_events))


def _said(records: Iterable[tuple[Placed, int]]) -> Iterator[Said]:
    for one, batch in records:
        if (payload := one.record.payload) is not None and payload not in NO_ORDERS:
            at = (one.topic_id, one.record.partition, one.offset)
            yield said(payload, at, one.record.kafka_timestamp, f"batch-{batch}")


def _assert_every_event_stands_where_it_must(warehouse: SilverWarehouse, expected: Fates) -> None:
    orders = _rows(warehouse, SILVER_ORDERS.full_name)
    stands = [(_place(row), "orders") for row in orders if row["lines"] == 1]
    winners: dict[Place, Place] = {}
    for table in BESIDE_ORDERS:
        rows = _rows(warehouse, table.full_name)
        stands += [(_place(row), table.name) for row in rows]
        winners |= {_place(row): _place(row, "winner_") for row in rows}
    assert sorted(stands) == sorted(expected.table.items())
    assert winners == expected.winner
    assert sorted(map(_counted, orders), key=attrgetter("place")) == sorted(expected.orders, key=attrgetter("place"))


def _counted(order: Row) -> Counted:
    assert order["gross_amount"] == order["net_amount"]
    return Counted(
        place=_place(order),
        at=order["purchased_at"].replace(tzinfo=UTC),
        kind=order["order_kind"],
        net=order["net_amount"],
        coupon=order["coupon_used"],
        category=order["product_category"],
        lines=order["lines"],
    )


# --- the rule of the winner


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(
            Placed(Record(event(), START, partition=1), 9),
            Placed(Record(event(), START + timedelta(milliseconds=1), partition=0), 0),
            id="the earlier Kafka timestamp",
        ),
        pytest.param(
            Placed(Record(event(), START, partition=0), 9),
            Placed(Record(event(), START, partition=1), 0),
            id="then the lower partition",
        ),
        pytest.param(
            Placed(Record(event(), START), 3),
            Placed(Record(event(), START), 4),
            id="then the lower offset",
        ),
        pytest.param(
            # As when a topic was created again and the source sent its history again.
            Placed(Record(event(), START), 3, topic_id="z"),
            Placed(Record(event(), START), 3, topic_id="0"),
            id="then the topic that was read first",
        ),
        pytest.param(
            Placed(Record(event(), START, partition=1), 9),
            Placed(Record(event(), None, partition=0), 0),
            id="a record without timestamp comes last",
        ),
    ],
)
@pytest.mark.parametrize("reverse", [False, True], ids=["in order", "in reverse"])
def test_of_two_equal_events_of_an_order_the_first_arrived_counts(first: Placed, second: Placed, reverse: bool) -> None:
    warehouse = SilverWarehouse()
    store_raw(warehouse, FIRST, [first])
    store_raw(warehouse, SECOND, [second])
    _silver(warehouse, *((SECOND, FIRST) if reverse else (FIRST, SECOND)))
    (order,) = _rows(warehouse, "silver.orders")
    (duplicate,) = _rows(warehouse, "silver.duplicate_orders")
    assert _place(order) == (first.topic_id, first.record.partition, first.offset)
    assert _place(duplicate) == (second.topic_id, second.record.partition, second.offset)
    assert _place(duplicate, "winner_") == _place(order)


def test_the_winner_of_a_batch_gives_way_to_an_earlier_event_in_a_later_batch() -> None:
    warehouse = SilverWarehouse()
    late, early = Placed(Record(event(name="late"), START + timedelta(hours=1)), 0), Placed(Record(event(), START), 1)
    store_raw(warehouse, FIRST, [late])
    store_raw(warehouse, SECOND, [early])
    _silver(warehouse, FIRST)
    assert [row["batch_key"] for row in _rows(warehouse, "silver.orders")] == [FIRST]
    _silver(warehouse, SECOND)
    assert [row["batch_key"] for row in _rows(warehouse, "silver.orders")] == [SECOND]
    assert [row["batch_key"] for row in _rows(warehouse, "silver.duplicate_orders")] == [FIRST]
    assert broken_rules(warehouse, FIRST) == []


# --- batches whose rows change


def test_when_the_winner_leaves_its_batch_the_former_duplicate_is_promoted() -> None:
    warehouse = SilverWarehouse()
    winner, other, last = (Placed(Record(event(), START + timedelta(seconds=n)), n) for n in range(3))
    for batch_key, record in zip((FIRST, SECOND, THIRD), (winner, other, last), strict=True):
        store_raw(warehouse, batch_key, [record])
    _silver(warehouse, FIRST, SECOND, THIRD)
    store_raw(warehouse, FIRST, [Placed(Record(b"{", START), 0)])
    _silver(warehouse, FIRST)
    assert [row["batch_key"] for row in _rows(warehouse, "silver.orders")] == [SECOND]
    (duplicate,) = _rows(warehouse, "silver.duplicate_orders")
    assert (duplicate["batch_key"], _place(duplicate, "winner_")) == (THIRD, ("topic-1", 0, 1))
    assert [broken_rules(warehouse, batch_key) for batch_key in (FIRST, SECOND, THIRD)] == [[], [], []]
    store_raw(warehouse, FIRST, [winner])
    _silver(warehouse, FIRST)
    assert [row["batch_key"] for row in _rows(warehouse, "silver.orders")] == [FIRST]
    assert {row["batch_key"] for row in _rows(warehouse, "silver.duplicate_orders")} == {SECOND, THIRD}


def test_a_batch_that_became_empty_leaves_nothing_behind() -> None:
    warehouse = SilverWarehouse()
    store_raw(warehouse, FIRST, [Placed(Record(event()), 0), Placed(Record(event()), 1), Placed(Record(None), 2)])
    _silver(warehouse, FIRST)
    store_raw(warehouse, FIRST, [])
    _silver(warehouse, FIRST)
    for table in ("silver.orders", "silver.duplicate_orders", "silver.rejected_orders"):
        assert _rows(warehouse, table) == []


def test_the_rows_of_other_batches_stay_as_they_are() -> None:
    warehouse = SilverWarehouse()
    store_raw(warehouse, FIRST, [Placed(Record(event(order_id="other")), 0), Placed(Record(b"["), 1)])
    _silver(warehouse, FIRST)
    before = digests(warehouse)
    store_raw(warehouse, SECOND, [Placed(Record(event(order_id="mine")), 2), Placed(Record(b"["), 3)])
    _silver(warehouse, SECOND)
    store_raw(warehouse, SECOND, [])
    _silver(warehouse, SECOND)
    assert digests(warehouse) == before


def test_two_incarnations_of_a_topic_may_have_the_same_offsets() -> None:
    warehouse = SilverWarehouse()
    store_raw(warehouse, FIRST, [Placed(Record(event(order_id="a")), 0, topic_id="old")])
    store_raw(warehouse, SECOND, [Placed(Record(event(order_id="b")), 0, topic_id="new")])
    _silver(warehouse, SECOND, FIRST)
    assert sorted(_place(row) for row in _rows(warehouse, "silver.orders")) == [("new", 0, 0), ("old", 0, 0)]


# --- what makes two events the same order


WITHOUT_ID: Row = {"order_id": None}


def _same_order(pairs: Mapping[str, tuple[Row, Row]]) -> list[str]:
    """The pairs whose two events are one order."""
    outcome = judge([event(**fields) for pair in pairs.values() for fields in pair])
    rows = outcome.orders | outcome.duplicates | outcome.conflicts
    return [name for n, name in enumerate(pairs) if rows[2 * n]["order_key"] == rows[2 * n + 1]["order_key"]]


def test_events_of_a_customer_with_the_same_order_id_are_one_order() -> None:
    changes: dict[str, Row] = {
        "nothing": {},
        "another time": {"purchase_date": "2026-03-04T15:30:00+05:30"},
        "everything else": {"purchase_amount": 7, "product_category": "Toys", "payment_method": None, "name": "Ravi"},
        "white space around the id": {"order_id": " A1\t"},
        "nothing left to pay": {"purchase_amount": 0},
    }
    pairs = {name: ({"order_id": "A1"}, {"order_id": "A1", **changed}) for name, changed in changes.items()}
    assert _same_order(pairs) == list(pairs)


REFUND: Row = {"order_id": "A1", "purchase_amount": -100}


def test_a_refund_is_the_same_when_order_second_and_amount_are() -> None:
    changes: dict[str, Row] = {
        "nothing": {},
        "the fraction of the second": {"purchase_date": "2025-03-04T10:00:00.999Z"},
        "another field": {"product_category": "Toys"},
    }
    pairs = {name: (REFUND, REFUND | changed) for name, changed in changes.items()}
    assert _same_order(pairs) == list(pairs)


def test_without_order_id_five_fields_make_the_order() -> None:
    changes: dict[str, Row] = {
        "the amount as text": {"purchase_amount": "100.00"},
        "the same instant in another time zone": {"purchase_date": "2025-03-04T15:30:00+05:30"},
        "another spelling": {"payment_method": " U.P.I. ", "product_category": "BOOKS"},
        "other fields": {"name": "Ravi", "age": 20, "coupon_used": True, "discount_amount": 5},
        "a blank order id": {"order_id": " "},
    }
    pairs = {name: (WITHOUT_ID, WITHOUT_ID | changed) for name, changed in changes.items()}
    assert _same_order(pairs) == list(pairs)


def test_events_that_differ_in_what_makes_an_order_are_two() -> None:
    pairs: dict[str, tuple[Row, Row]] = {
        "same id of another customer": ({}, {"customer_id": "C2"}),
        "its refund with the same id": ({}, REFUND),
        "another refund of it": (REFUND, REFUND | {"purchase_amount": -99}),
        "a refund a second later": (REFUND, REFUND | {"purchase_date": "2025-03-04T10:00:01Z"}),
        "without id at another time": (WITHOUT_ID, WITHOUT_ID | {"purchase_date": "2025-03-04T10:00:00.000001Z"}),
        "id in other case": ({"order_id": "A1"}, {"order_id": "a1"}),
        "with and without id": ({}, WITHOUT_ID),
        "another customer": (WITHOUT_ID, WITHOUT_ID | {"customer_id": "C2"}),
        "another amount": (WITHOUT_ID, WITHOUT_ID | {"purchase_amount": 100.01}),
        "its refund": (WITHOUT_ID, WITHOUT_ID | {"purchase_amount": -100}),
        "another payment method": (WITHOUT_ID, WITHOUT_ID | {"payment_method": "COD"}),
        "no payment method": (WITHOUT_ID, WITHOUT_ID | {"payment_method": None}),
        "another category": (WITHOUT_ID, WITHOUT_ID | {"product_category": "Toys"}),
        "fields that read the same when strung together": (
            WITHOUT_ID | {"payment_method": "a", "product_category": "b,c"},
            WITHOUT_ID | {"payment_method": "a,b", "product_category": "c"},
        ),
        "the word null is not a missing value": (
            WITHOUT_ID | {"payment_method": "null", "product_category": None},
            WITHOUT_ID | {"payment_method": None, "product_category": "null"},
        ),
    }
    assert _same_order(pairs) == []
