"""`gold.audiences`: everyone as campaigns choose them."""

import hashlib
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bridgecart_assets.contracts.lifecycles import LIFECYCLES
from bridgecart_assets.sql import read_sql
from bridgecart_assets_tests.sql.history import (
    MemoryWarehouse,
    Order,
    compute_features,
    records,
    store_purchase_model,
    tiny_settings,
    warehouse_with,
)

TODAY = date(2025, 6, 30)
SAME = "customer_id, customer_hash, as_of, segment_key, segment, lifecycle, net_sales, predicted_clv"


def by_hand(*customers: tuple[str, str | None, int, float | None]) -> Mapping[str, Mapping[str, Any]]:
    """The rows of customers: id, lifecycle, net sales and predicted value."""
    warehouse = MemoryWarehouse()
    with warehouse.transaction() as connection:
        connection.execute("create schema gold")
        connection.execute(
            "create table gold.customer_segments (customer_id varchar, customer_hash bigint, as_of date, segment_key "
            "varchar, segment varchar, lifecycle varchar, net_sales decimal(18, 2), predicted_clv decimal(18, 2))"
        )
        for customer, lifecycle, net_sales, predicted in customers:
            connection.execute(
                "insert into gold.customer_segments values (?, 0, '2025-03-01', 'S01', 'any', ?, ?, ?)",
                [customer, lifecycle, net_sales, predicted],
            )
    return {row["customer_id"]: row for row in records(warehouse, read_sql("gold/audiences"))}


def test_at_risk_is_the_predicted_value_of_those_who_are_and_nothing_of_the_others():
    rows = by_hand(
        ("A", "at risk", 10, 80.5), ("B", "dormant", 10, 7), ("C", "at risk", 10, None), ("D", None, 0, None)
    )
    assert {customer: row["at_risk"] for customer, row in rows.items()} == {
        "A": True,
        "B": False,
        "C": True,
        "D": False,
    }
    assert {customer: row["value_at_risk"] for customer, row in rows.items()} == {
        "A": Decimal("80.50"),
        "B": 0,
        "C": None,
        "D": None,
    }


def test_the_rank_goes_by_predicted_value_then_by_id_and_without_one_by_net_sales_behind_all_others():
    rows = by_hand(
        ("A", "active", 1, 50),
        ("B", "active", 9_000, 50),
        ("C", "active", 1, 70),
        ("D", "active", 2, 0),
        ("E", "active", 800, None),
        ("F", "active", 900, None),
        ("G", None, 900, None),
        ("H", None, -5, None),
    )
    assert sorted(rows, key=lambda customer: rows[customer]["value_rank"]) == list("CABDFGEH")
    assert sorted(row["value_rank"] for row in rows.values()) == list(range(1, 9))


@pytest.mark.parametrize("customer", ["C1", "c1", "Ärzte-7", "0017", "a b"])
def test_the_hashed_id_is_the_sha_256_of_the_id_as_it_is(customer: str):
    (row,) = by_hand((customer, "new", 1, None)).values()
    assert row["hashed_id"] == hashlib.sha256(customer.encode()).hexdigest()


def test_everybody_is_in_it_with_what_the_segments_say():
    bought = {"A": [40, 20], "B": [40, 21], "C": [31], "D": [2], "E": [300, 29]}
    orders = [Order(who, (TODAY - timedelta(days=ago)).isoformat(), 50) for who, days in bought.items() for ago in days]
    warehouse = warehouse_with([*orders, Order("F", TODAY.isoformat(), -5)])
    store_purchase_model(warehouse)
    compute_features(warehouse, tiny_settings())
    audiences = records(warehouse, f"select {SAME} from gold.audiences order by customer_id")
    assert audiences == records(warehouse, f"select {SAME} from gold.customer_segments order by customer_id")
    assert [row["customer_id"] for row in audiences] == list("ABCDEF")
    assert len({row["lifecycle"] for row in audiences}) > 2
    assert {row["lifecycle"] for row in audiences} <= {*LIFECYCLES, None}
