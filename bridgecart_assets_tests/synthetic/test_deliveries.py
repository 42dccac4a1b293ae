"""Lateness, redelivery and refunds, as a consumer sees them."""

from collections import defaultdict
from decimal import Decimal

import pytest

from bridgecart_assets.synthetic import Event, World, WorldConfig, simulate
from bridgecart_assets_tests.synthetic.conftest import flatten
from bridgecart_assets_tests.synthetic.strict import Record, read_strictly

DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def arrivals(small_history: list[Event]) -> dict[str, list[Record]]:
    """Accepted records by order id, each in arrival order."""
    found: dict[str, list[Record]] = defaultdict(list)
    for record in map(read_strictly, small_history):
        if isinstance(record, Record):
            found[record.order_id].append(record)
    return found


def test_an_order_is_redelivered_once_at_most_and_later_and_byte_for_byte(
    small: World, arrivals: dict[str, list[Record]]
) -> None:
    repeated = [records for records in arrivals.values() if len(records) > 1]
    assert len(repeated) == small.manifest().redelivered > 0
    for first, *again in repeated:
        assert len(again) == 1
        assert again[0].event.key == first.event.key
        assert again[0].event.value == first.event.value
        assert 1_000 <= again[0].event.timestamp_ms - first.event.timestamp_ms <= 6 * 3_600_000


def test_late_orders_arrive_within_three_weeks_and_all_others_within_seconds(
    small: World, arrivals: dict[str, list[Record]]
) -> None:
    delays = [records[0].event.timestamp_ms - records[0].purchased_ms for records in arrivals.values()]
    late = [delay for delay in delays if delay > DAY_MS]
    assert len(late) == small.manifest().late > 0
    assert max(late) < 20 * DAY_MS + 10_000
    assert all(0 < delay < 10_000 for delay in delays if delay <= DAY_MS)


def test_a_refund_returns_all_or_part_of_what_an_earlier_purchase_cost(
    small: World, arrivals: dict[str, list[Record]]
) -> None:
    refunds = [records[0] for order_id, records in arrivals.items() if order_id.startswith("R")]
    assert len(refunds) == small.manifest().refunds > 0
    parts = set()
    for refund in refunds:
        purchase = arrivals["O" + refund.order_id[1:]][0]
        paid = purchase.amount - purchase.discount
        assert refund.event.key == purchase.event.key
        assert DAY_MS <= refund.purchased_ms - purchase.purchased_ms < 30 * DAY_MS
        assert Decimal(0) < -refund.amount <= paid
        assert refund.discount == 0
        assert refund.document["coupon_used"] is False
        parts.add(-refund.amount == paid)
    assert parts == {True, False}


def test_refunds_of_history_that_come_later_are_live(small: World, small_live: list[Event]) -> None:
    live = [record for record in map(read_strictly, small_live) if isinstance(record, Record)]
    of_history = [record for record in live if record.is_refund and int(record.order_id[1:]) <= small.config.orders]
    assert of_history


def test_without_shares_every_event_is_a_purchase() -> None:
    world = simulate(WorldConfig(orders=500, share_redelivered=0, share_late=0, share_refunded=0, share_malformed=0))
    records = [read_strictly(event) for event in flatten(world.history())]
    assert len(records) == 500
    assert all(isinstance(record, Record) and not record.is_refund for record in records)
