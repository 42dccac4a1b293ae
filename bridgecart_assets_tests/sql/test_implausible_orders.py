"""The checks that name what is no error of a record, and no customer's doing either: guests, typing errors, cents."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import SILVER_CUSTOMERS
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.storage.database import rows_of
from bridgecart_assets.warehouse.storage.tables import prepare
from bridgecart_assets_tests.sql.history import (
    MemoryWarehouse,
    Order,
    compute_features,
    lines_of,
    tiny_settings,
    warehouse_with,
)
from bridgecart_assets_tests.sql.silver import BATCH, SilverWarehouse
from bridgecart_assets_tests.support.pipeline import run_silver
from bridgecart_assets_tests.support.records import Record, event, store_batch


@pytest.mark.parametrize("word", ["guest", "Guest", "NULL", "0", "-1", "n/a", "Unknown"])
def test_an_id_that_is_a_word_for_nobody_is_named_with_its_orders(word: str):
    orders = [*_shop(20), Order(word, "2025-01-05", 10), Order(word, "2025-01-06", 0), Order(word, "2025-01-07", -5)]
    (line,) = lines_of(_with_features(orders), "no_customer_stands_for_many")
    assert line["says"] == f"3 order(s) have the customer id '{word}'."


def test_an_id_that_only_begins_with_such_a_word_is_that_of_a_customer():
    orders = [Order(customer, "2025-01-05", 10) for customer in ("guest-1", "Nuller", "00", "testing", "10")]
    assert lines_of(_with_features(orders), "no_customer_stands_for_many") == []


@pytest.mark.parametrize(
    ("customers", "more", "says"),
    [(100, 11, ["12 of 111 orders have one customer id."]), (100, 10, []), (99, 50, [])],
    ids=["more than a tenth", "a tenth", "of too few customers"],
)
def test_a_customer_with_more_than_a_tenth_of_all_orders_is_named(customers: int, more: int, says: list[str]):
    orders = [*_shop(customers), *(Order("C000", "2025-01-06", 10) for _ in range(more))]
    lines = lines_of(_with_features(orders), "no_customer_stands_for_many")
    assert [line["says"] for line in lines] == says
    assert {line["customer_id"] for line in lines} <= {"C000"}


@pytest.mark.parametrize(
    ("spent", "customers"),
    [([], 0), ([20_000], 0), ([40_000], 1), ([40_000] * 3, 3), ([40_000] * 4, 0), ([9_000_000, 40_000], 2)],
    ids=["nobody", "not a hundred times", "one", "three", "not few", "far from each other, too"],
)
def test_few_customers_who_spent_a_hundred_times_as_much_as_all_others_are_named(spent: list[int], customers: int):
    orders = [*_shop(100, largest=300), *(Order(f"X{place}", "2025-02-01", net) for place, net in enumerate(spent))]
    lines = lines_of(_with_features(orders), "no_amount_is_lonely")
    assert [line["customers"] for line in lines] == ([customers] if customers else [])
    for line in lines:
        assert line["says"] == (
            f"{customers} customer(s) spent {min(spent)}.00 or more on a day, all others 300.00 at most."
        )


def test_of_a_handful_of_customers_none_is_lonely():
    assert lines_of(_with_features([*_shop(8), Order("X", "2025-02-01", 10**7)]), "no_amount_is_lonely") == []


@pytest.mark.parametrize("factor", ["100", "0.01"])
@pytest.mark.parametrize("day", [1, 15, 27])
def test_the_month_from_which_on_amounts_are_in_another_unit_is_named_once(factor: str, day: int):
    orders = [
        Order(f"C{number}", at, Decimal(1000) * (Decimal(factor) if at >= f"2025-03-{day:02d}" else 1))
        for number in range(2)
        for month in range(1, 7)
        for at in (f"2025-{month:02d}-{date:02d}" for date in range(1, 29))
    ]
    (line,) = lines_of(warehouse_with(orders), "amounts_keep_their_unit")
    assert line["before"] == 1000
    assert str(line["month"]) in ("2025-03-01", "2025-04-01")
    assert f"was {line['before']:.2f} before" in line["says"]


def test_amounts_that_grow_and_months_with_few_orders_are_not_called_another_unit():
    growing = [Order("C1", f"2025-{month:02d}-{day:02d}", 4**month) for month in range(1, 7) for day in range(1, 29)]
    few = [Order("C2", f"2025-{month:02d}-05", 10**month) for month in range(1, 7)]
    assert lines_of(warehouse_with([*growing, *growing]), "amounts_keep_their_unit") == []
    assert lines_of(warehouse_with(few), "amounts_keep_their_unit") == []


@pytest.mark.parametrize(
    ("ids", "says"),
    [
        (["a@x.org", "A@X.ORG", "b@x.org"], ["2 customer id(s) differ from another one by capital letters alone."]),
        (["Ab", "AB", "aB"], ["2 customer id(s) differ from another one by capital letters alone."]),
        (["0042", "42", "7"], ["1 customer id(s) differ from another one by leading zeros alone."]),
        (["A", "B", "0", "00", "10", "100", "a1"], []),
    ],
)
def test_ids_that_differ_by_capital_letters_or_leading_zeros_are_counted(ids: list[str], says: list[str]):
    warehouse = warehouse_with(Order(customer, "2025-01-05", 10) for customer in ids)
    with warehouse.transaction() as connection:
        prepare(connection, SILVER_CUSTOMERS)
        connection.execute(
            "insert into silver.customers by name select customer_id, customer_hash, purchased_at as first_seen_at, "
            "purchased_at as last_seen_at from silver.orders"
        )
    assert [line["says"] for line in lines_of(warehouse, "customer_ids_are_unmistakable")] == says


@pytest.mark.parametrize(
    ("at", "order_id", "is_told"),
    [
        ("2025-03-04", ..., True),
        ("2025-03-04T00:00:00Z", ..., True),
        ("2025-03-04T10:00:00", ..., False),
        ("2025-03-04", "A1", False),
    ],
    ids=["a day alone", "midnight UTC", "with a time", "with an order id"],
)
def test_duplicates_that_may_be_orders_of_their_own_are_counted_with_their_money(at: str, order_id: Any, is_told: bool):
    warehouse, settings = SilverWarehouse(naive_timezone="Asia/Kolkata"), Settings(naive_timezone="Asia/Kolkata")
    sent = event(purchase_date=at, order_id=order_id, purchase_amount=20)
    another = event(purchase_date=at, order_id=..., purchase_amount=30)
    store_batch(warehouse, BATCH, [Record(payload) for payload in (sent, another, sent, sent)])
    run_silver(warehouse, settings, BATCH)
    with warehouse.reading() as connection:
        columns, rows = rows_of(connection, read_sql("checks/silver_duplicates_are_copies"), {"batch_key": BATCH})
    told = [dict(zip(columns, row, strict=True)) for row in rows]
    assert [(line["events"], line["net_amount"]) for line in told] == ([(2, 40)] if is_told else [])


def _shop(customers: int, *, largest: int = 100) -> list[Order]:
    """An order of each customer, of one amount up to the largest."""
    return [Order(f"C{number:03d}", "2025-01-05", largest - number % 50) for number in range(customers)]


def _with_features(orders: Iterable[Order]) -> MemoryWarehouse:
    warehouse = warehouse_with(orders)
    compute_features(warehouse, tiny_settings())
    return warehouse
