"""What several events of an order come to under each setting, and what the check says of those that do not count."""

from decimal import Decimal
from typing import Any, get_args

import pytest

from bridgecart_assets.base.settings import OrderEvents, Settings
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.erasure import erase_customers
from bridgecart_assets.warehouse.storage.database import rows_of
from bridgecart_assets_tests.sql.silver import BATCH, Outcome, Row, SilverWarehouse, broken_rules, judge
from bridgecart_assets_tests.support.pipeline import run_silver
from bridgecart_assets_tests.support.records import Record, event, store_batch
from bridgecart_assets_tests.support.state import digests

SECOND = "20300101T000100Z"


def said(customer: str, amount: float, order: str, at: str = "2025-03-04T10:00:00Z", **fields: Any) -> bytes:
    """An event of an order without a category, unless it says one."""
    base = {"purchase_date": at, "product_category": None}
    return event(customer_id=customer, purchase_amount=amount, order_id=order, **{**base, **fields})


SHOP = (
    said("whole refund", 100, "O1"),
    said("whole refund", -100, "O1"),
    said("part refund", 200, "O2"),
    said("part refund", -50, "O2"),
    said("lines", 10, "O3", product_category="Books"),
    said("lines", 20, "O3", product_category="Toys"),
    said("lines", 30, "O3", product_category="Home"),
    said("edited", 80, "O4"),
    said("edited", 55, "O4"),
    said("sent twice", 70, "O5"),
    said("sent twice", 70, "O5", at="2025-03-04T10:00:00.123Z"),
    said("refund later", 90, "O6"),
    said("refund later", -90, "O6", at="2025-03-09T10:00:00Z"),
    said("one shop", 40, "1001"),
    said("another shop", 60, "1001"),
)


def net_by_customer(outcome: Outcome) -> dict[str, Decimal]:
    """Net sales of each customer."""
    net: dict[str, Decimal] = {}
    for row in outcome.orders.values():
        net[row["customer_id"]] = net.get(row["customer_id"], Decimal(0)) + row["net_amount"]
    return net


AS_ALL_SETTINGS_SAY = {
    "whole refund": 0,
    "part refund": 150,
    "sent twice": 70,
    "refund later": 0,
    "one shop": 40,
    "another shop": 60,
}


@pytest.mark.parametrize(
    ("order_events", "lines", "edited"),
    [("orders", 10, 80), ("lines", 60, 135), ("states", 30, 55)],
)
def test_the_setting_says_what_differing_events_of_an_order_are(
    order_events: OrderEvents, lines: int, edited: int
) -> None:
    outcome = judge(SHOP, order_events=order_events)
    assert net_by_customer(outcome) == AS_ALL_SETTINGS_SAY | {"lines": lines, "edited": edited}
    assert list(outcome.duplicates) == ([9] if order_events == "states" else [10])


def test_events_that_do_not_count_stand_beside_the_orders_by_setting() -> None:
    assert sorted(judge(SHOP, order_events="orders").conflicts) == [5, 6, 8]
    assert sorted(judge(SHOP, order_events="states").superseded) == [4, 5, 7]
    assert sorted(judge(SHOP, order_events="lines").lines) == [4, 5, 6, 7, 8]


def test_an_order_of_lines_is_their_sum_at_the_place_of_the_first_with_the_category_of_the_largest() -> None:
    lines = (
        said("C1", 50, "A1", discount_amount=5, coupon_used=None, product_category="Toys", payment_method="cod"),
        said("C1", 30, "A1", coupon_used=True, product_category="Books"),
        said("C1", 40, "A1", coupon_used=False, product_category="Books", payment_method="upi"),
        said("C1", 1, "A1", at="2025-03-05T10:00:00Z"),
    )
    (order,) = judge(lines, order_events="lines").orders.values()
    expected: Row = {
        "gross_amount": 121,
        "discount_amount": 5,
        "net_amount": 116,
        "coupon_used": True,
        "product_category": "Books",
        "payment_method": "COD",
        "lines": 4,
        "offset": 0,
    }
    assert expected.items() <= order.items()


def test_lines_that_differ_by_a_field_outside_the_contract_alone_are_two_and_a_line_sent_again_is_one() -> None:
    lines = (
        said("C1", 10, "A1", sku="red"),
        said("C1", 10, "A1", sku="blue"),
        said("C1", 10, "A1", sku="blue", at="2025-03-04T10:00:00.5Z"),
    )
    outcome = judge(lines, order_events="lines")
    (order,) = outcome.orders.values()
    assert (order["net_amount"], order["lines"], list(outcome.duplicates)) == (20, 2, [2])
    assert list(judge(lines, order_events="orders").duplicates) == [1, 2]


def test_of_categories_with_the_same_sum_the_first_by_name_is_the_order_s() -> None:
    lines = [said("C1", 10, "A1", product_category=category) for category in ("Toys", "Books", None)]
    (order,) = judge(lines, order_events="lines").orders.values()
    assert (order["product_category"], order["net_amount"]) == ("Books", 30)


@pytest.mark.parametrize(
    ("sent_again", "is_copy"),
    [
        ({"purchase_date": "2025-03-04T10:00:00.000001Z"}, True),
        ({"purchase_date": "2025-03-04T10:00:00.999999Z"}, True),
        ({"purchase_date": "2025-03-04T10:00:01Z"}, False),
        ({"purchase_date": "2025-03-04T09:59:59.999999Z"}, False),
        ({"name": "Ravi", "age": 20, "income": 1, "gender": "male", "mobile": "1"}, True),
        ({"payment_method": " u.p.i. ", "product_category": "BOOKS"}, True),
        ({"purchase_amount": 100.01}, False),
        ({"discount_amount": 1}, False),
        ({"purchase_amount": 101, "discount_amount": 1}, False),
        ({"coupon_used": True}, False),
        ({"coupon_used": None}, False),
        ({"payment_method": None}, False),
        ({"product_category": "Toys"}, False),
    ],
)
def test_an_event_that_says_the_same_of_the_order_to_the_second_is_a_copy(sent_again: Row, is_copy: bool) -> None:
    outcome = judge([event(), event(**sent_again)])
    assert (list(outcome.duplicates), list(outcome.conflicts)) == (([1], []) if is_copy else ([], [1]))


def test_a_refund_sent_again_with_milliseconds_is_a_copy_and_lines_of_a_refund_add_up() -> None:
    refund = said("C1", -10, "A1", at="2025-03-04T10:00:00Z", product_category="Books")
    again = said("C1", -10, "A1", at="2025-03-04T10:00:00.500Z", product_category="Books")
    other = said("C1", -10, "A1", product_category="Toys")
    (order,) = judge([refund, again, other], order_events="lines").orders.values()
    assert (order["order_kind"], order["net_amount"], order["lines"]) == ("refund", -20, 2)


@pytest.mark.parametrize("before", get_args(OrderEvents))
@pytest.mark.parametrize("after", get_args(OrderEvents))
def test_batches_that_are_materialized_again_under_another_setting_are_those_of_a_fresh_warehouse(
    before: OrderEvents, after: OrderEvents
) -> None:
    changed, fresh = SilverWarehouse(), SilverWarehouse()
    for warehouse, settings in ((changed, (before, after)), (fresh, (after,))):
        store_batch(warehouse, BATCH, [Record(payload) for payload in SHOP[::2]])
        store_batch(warehouse, SECOND, [Record(payload) for payload in SHOP[1::2]], start=len(SHOP[::2]))
        for order_events in settings:
            for batch_key in (BATCH, SECOND):
                run_silver(warehouse, Settings(order_events=order_events), batch_key)
    assert digests(changed) == digests(fresh)


# --- what the check says


def conflicts(*payloads: bytes, of: str = BATCH, later: tuple[bytes, ...] = ()) -> list[str]:
    """What the check says of a batch; `later` is one that arrived after it."""
    warehouse = SilverWarehouse()
    store_batch(warehouse, BATCH, [Record(payload) for payload in payloads])
    store_batch(warehouse, SECOND, [Record(payload) for payload in later], start=len(payloads))
    for batch_key in (BATCH, SECOND):
        run_silver(warehouse, Settings(), batch_key)
    with warehouse.reading() as connection:
        columns, rows = rows_of(connection, read_sql("checks/silver_orders_do_not_conflict"), {"batch_key": of})
    return [str(row[columns.index("says")]) for row in rows]


def test_ordinary_refunds_redeliveries_and_shared_order_ids_are_no_conflict() -> None:
    assert conflicts(*SHOP[:4], *SHOP[9:]) == []


def test_a_conflict_is_said_with_its_money_and_the_setting_that_counts_it() -> None:
    unclear, lines = conflicts(*SHOP)
    assert unclear == (
        "1 event(s) of 1 order(s), 55.00 net, are in no sum: BRIDGECART_ORDER_EVENTS=lines counts them if they are "
        "lines of their orders, =states if they are later states."
    )
    assert lines == (
        "2 event(s) of 1 order(s), 50.00 net, are in no sum: lines of their orders, which "
        "BRIDGECART_ORDER_EVENTS=lines counts."
    )


@pytest.mark.parametrize(
    ("changed", "setting"),
    [
        ({"product_category": "Toys", "purchase_amount": 7}, "lines of their orders"),
        ({"purchase_date": "2025-03-05T10:00:00Z", "purchase_amount": 7}, "later states"),
        ({"payment_method": "cod"}, "later states"),
        ({"purchase_amount": 7}, "=states if they are later states"),
        ({"purchase_date": "2025-03-05T10:00:00Z", "product_category": "Toys"}, "=states if they are later states"),
    ],
)
def test_the_setting_that_is_said_follows_from_how_the_events_differ(changed: Row, setting: str) -> None:
    (says,) = conflicts(event(), event(**changed))
    assert setting in says


def test_a_conflict_is_said_of_the_batch_that_made_it_also_where_an_older_event_lost() -> None:
    first, second = event(), event(purchase_amount=7)
    assert conflicts(first, of=SECOND, later=(second,)) != []
    warehouse = SilverWarehouse()
    for number, (batch_key, payload) in enumerate([(SECOND, second), (BATCH, first)]):
        store_batch(warehouse, batch_key, [Record(payload)], start=1 - number)
        run_silver(warehouse, Settings(), batch_key)
    with warehouse.reading() as connection:
        (row,) = rows_of(connection, read_sql("checks/silver_orders_do_not_conflict"), {"batch_key": BATCH})[1]
    assert "7.00 net" in str(row[-1])


# --- erasure


@pytest.mark.parametrize("order_events", get_args(OrderEvents))
def test_a_forgotten_customer_leaves_all_tables_beside_the_orders(order_events: OrderEvents) -> None:
    settings = Settings(order_events=order_events)
    warehouse = SilverWarehouse()
    mine = [said("C1", amount, "A1") for amount in (1, 2, 3, 3)]
    theirs = [said("C2", amount, "A1") for amount in (1, 2, 3, 3)]
    store_batch(warehouse, BATCH, [Record(payload) for payload in (*mine, *theirs)])
    run_silver(warehouse, settings, BATCH)
    before = net_of(warehouse, "C2")
    with warehouse.transaction() as connection:
        erasure = erase_customers(connection, settings, ["C1"])
    assert (erasure.records, erasure.duplicates) == (4, 1)
    assert erasure.orders + erasure.beside == 3
    assert (net_of(warehouse, "C1"), net_of(warehouse, "C2")) == ([], before)
    assert broken_rules(warehouse, BATCH) == []


def net_of(warehouse: SilverWarehouse, customer_id: str) -> list[tuple[Any, ...]]:
    """Where a customer's events stand, and with how much money."""
    names = ("orders", "duplicate_orders", "conflicting_orders", "superseded_orders", "order_lines")
    tables = " union all ".join(f"select '{name}', customer_id, net_amount from silver.{name}" for name in names)
    with warehouse.reading() as connection:
        return connection.execute(f"from ({tables}) where customer_id = ? order by all", [customer_id]).fetchall()
