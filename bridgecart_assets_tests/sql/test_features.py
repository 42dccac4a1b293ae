"""`gold.customer_features`: figures by hand, the edges, and an independent reimplementation."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from bridgecart_assets_tests.sql import oracle
from bridgecart_assets_tests.sql.histories import busy_history, histories
from bridgecart_assets_tests.sql.history import (
    MemoryWarehouse,
    Order,
    compute,
    compute_features,
    records,
    store_orders,
    tiny_settings,
    warehouse_with,
)
from bridgecart_assets_tests.support.examples import examples
from bridgecart_assets_tests.support.state import digests


def test_features_of_a_customer_with_three_purchase_days_are_these():
    warehouse = warehouse_with(
        [
            Order("A", "2025-01-10", 100, discount=25, coupon=True, category="Toys"),
            Order("A", "2025-01-10T18:00", 40, category="Books"),
            Order("A", "2025-01-16", 60, category="Books"),
            Order("A", "2025-01-30", 200, discount=75, category=None),
            Order("A", "2025-02-01", -50),
            Order("A", "2025-02-02", 0),
            Order("B", "2025-02-03T23:59:59", 10),
        ]
    )
    assert _features(warehouse)["A"] == {
        "as_of": date(2025, 2, 4),
        "first_purchased_on": date(2025, 1, 10),
        "last_purchased_on": date(2025, 1, 30),
        "recency_days": 4,
        "tenure_days": 24,
        "frequency": 3,
        "repeat_purchases": 2,
        "orders": 4,
        "zero_value_orders": 1,
        "refunds": 1,
        "net_sales": Decimal("350.00"),
        "average_order_value": 100.0,
        "mean_interpurchase_days": 10.0,
        "discount_rate": 0.2,
        "category_count": 2,
        "top_category": "Books",
        "coupon_orders": 1,
        # 140 on the first day, then 60 and 200: ln(140) + ln(60) + ln(200), and of the squares.
        "log_spend_sum": Decimal("14.334304352"),
        "log_spend_square_sum": Decimal("69.255654144"),
        "purchase_sales": Decimal("400.00"),
        "largest_spend": Decimal("200.00"),
    }


def test_two_orders_of_the_same_instant_are_two_orders_and_one_purchase_day():
    warehouse = warehouse_with([Order("A", "2025-01-10T08:00", 10), Order("A", "2025-01-10T08:00", 10)])
    row = _features(warehouse)["A"]
    assert (row["orders"], row["frequency"], row["repeat_purchases"]) == (2, 1, 0)
    assert row["mean_interpurchase_days"] is None


def test_a_customer_with_only_refunds_has_no_purchase_but_stands_in_net_sales_and_is_unassigned():
    warehouse = warehouse_with([Order("A", "2025-01-10", -30), Order("B", "2025-01-10", 50)])
    row = _features(warehouse)["A"]
    assert (row["frequency"], row["orders"], row["refunds"], row["net_sales"]) == (0, 0, 1, Decimal("-30.00"))
    empty = ("first_purchased_on", "recency_days", "tenure_days", "repeat_purchases", "average_order_value")
    assert [row[name] for name in (*empty, "discount_rate", "top_category")] == [None] * 7
    assert (row["log_spend_sum"], row["log_spend_square_sum"], row["coupon_orders"]) == (0, 0, 0)
    assert _segments(warehouse)["A"] == ("unassigned", "unassigned", None, None, None)


def test_a_refund_on_the_same_day_takes_the_money_away_but_neither_the_order_nor_the_purchase_day():
    warehouse = warehouse_with(
        [Order("A", "2025-01-10T08:00", 50), Order("A", "2025-01-10T20:00", -50), Order("B", "2025-01-20", 50)]
    )
    row = _features(warehouse)["A"]
    assert (row["frequency"], row["last_purchased_on"]) == (1, date(2025, 1, 10))
    assert (row["orders"], row["net_sales"]) == (1, Decimal(0))
    assert _segments(warehouse)["A"][0] == "S02"


def test_a_purchase_day_is_worth_its_purchases_whatever_was_refunded_on_it():
    warehouse = warehouse_with(
        [Order("A", "2025-01-10T08:00", 50), Order("A", "2025-01-10T20:00", "-49.99"), Order("A", "2025-01-10", 50)]
    )
    # ln(100)
    assert _features(warehouse)["A"]["log_spend_sum"] == Decimal("4.605170186")


def test_zero_value_orders_are_no_purchases():
    warehouse = warehouse_with([Order("A", "2025-01-10", 0, discount=20), Order("B", "2025-01-10", 5)])
    row = _features(warehouse)["A"]
    assert (row["zero_value_orders"], row["orders"], row["frequency"], row["net_sales"]) == (1, 0, 0, Decimal(0))
    assert (row["discount_rate"], row["category_count"]) == (None, 0)


def test_the_as_of_setting_cuts_off_everything_from_that_midnight_on():
    orders = [
        Order("A", "2025-01-31T23:59:59.999999", 10),
        Order("A", "2025-02-01T00:00", 90),
        Order("B", "2025-03-01", 5),
    ]
    warehouse = warehouse_with(orders)
    rows = _features(warehouse, as_of=date(2025, 2, 1))
    assert set(rows) == {"A"}
    assert (rows["A"]["as_of"], rows["A"]["net_sales"], rows["A"]["recency_days"]) == (date(2025, 2, 1), Decimal(10), 0)


def test_the_clock_is_the_end_of_the_day_of_the_latest_order_whatever_its_time():
    early = warehouse_with([Order("A", "2025-01-31T00:00:00", 10)])
    late = warehouse_with([Order("A", "2025-01-31T23:59:59.999999", 10)])
    assert _features(early) == _features(late)
    assert _features(early)["A"]["as_of"] == date(2025, 2, 1)


def test_of_equally_frequent_categories_the_first_by_name_is_the_top():
    warehouse = warehouse_with(
        [Order("A", "2025-01-10", 9, category="Toys"), Order("A", "2025-01-11", 9, category="Books")]
    )
    assert _features(warehouse)["A"]["top_category"] == "Books"


def test_sums_are_exact_where_floating_point_is_not():
    warehouse = warehouse_with([Order("A", f"2025-01-{day:02d}", "0.10") for day in range(1, 31)])
    assert _features(warehouse)["A"]["net_sales"] == Decimal("3.00")


def test_amounts_of_a_thousand_millions_add_up_to_the_cent():
    warehouse = warehouse_with([Order("A", f"2025-01-{day:02d}", "999999999.99") for day in range(1, 31)])
    assert _features(warehouse)["A"]["net_sales"] == Decimal("29999999999.70")


def test_without_any_order_the_tables_are_empty_and_nothing_fails():
    warehouse = warehouse_with([])
    compute(warehouse, tiny_settings())
    counts = records(
        warehouse,
        "select (select count(*) from gold.customer_features) as features, "
        "(select count(*) from gold.customer_segments) as segments, "
        "(select count(*) from gold.customer_snapshots) as snapshots",
    )
    assert counts == [{"features": 0, "segments": 0, "snapshots": 0}]


def test_one_order_makes_one_customer_in_one_segment():
    warehouse = warehouse_with([Order("A", "2025-01-10", 500)])
    row = _features(warehouse)["A"]
    assert (row["recency_days"], row["tenure_days"], row["frequency"], row["orders"]) == (0, 0, 1, 1)
    assert _segments(warehouse)["A"][:3] == ("S01", "large", 1)


def test_every_customer_is_in_exactly_one_segment_with_a_confidence_and_a_runner_up():
    warehouse = warehouse_with([Order("A", "2025-01-10", "399.12"), Order("B", "2025-01-10", "100.01")])
    compute_features(warehouse, tiny_settings())
    rows = _segments(warehouse)
    assert rows["A"] == ("S01", "large", 1, pytest.approx(1.0, abs=1e-5), "S02")
    key, _, _, confidence, runner_up = rows["B"]
    assert (key, runner_up) == ("S01", "S02")
    assert 0 < confidence < 0.001


@given(history=histories)
@examples(20)
def test_features_equal_an_independent_reimplementation(history: list[Order]):
    warehouse = warehouse_with(history)
    _assert_features_equal(warehouse, tuple(history), as_of=None)


@pytest.mark.parametrize("as_of", [None, date(2024, 3, 1)])
def test_features_of_a_busy_history_equal_an_independent_reimplementation(as_of: date | None):
    history = tuple(busy_history(5))
    _assert_features_equal(warehouse_with(history), history, as_of=as_of)


def test_features_do_not_depend_on_the_order_of_the_rows():
    history = busy_history(3)
    forward, backward = warehouse_with(history), warehouse_with([])
    for start in range(400, -1, -100):
        store_orders(backward, reversed(history[start : start + 100]))
    compute(forward, tiny_settings())
    compute(backward, tiny_settings())
    one, other = digests(forward), digests(backward)
    assert one.pop("silver.orders") != other.pop("silver.orders"), "order keys are random in these tests"
    assert one == other


def test_customers_chosen_by_hash_are_found_without_reading_the_totals_of_others():
    warehouse = warehouse_with([Order("C1", "2025-01-01", 10), Order("C2", "2025-01-02", 10)])
    compute_features(warehouse, tiny_settings())
    with warehouse.reading() as connection:
        ((largest,),) = connection.execute("select max(customer_hash) from gold.customer_totals").fetchall()
        chosen = f"select net_sales from gold.customer_features where customer_hash < {largest}"
        ((_, plan),) = connection.execute(f"explain {chosen}").fetchall()
    # What is filtered in the scan itself is no step of the plan.
    assert f"customer_hash < {largest}" in plan
    assert "Filter ─" not in plan


def _assert_features_equal(warehouse: MemoryWarehouse, history: tuple[Order, ...], *, as_of: date | None) -> None:
    clock = oracle.data_clock(history, as_of)
    expected = oracle.features(history, clock) if clock else {}
    stored = _features(warehouse, as_of=as_of)
    assert set(stored) == set(expected)
    segments = records(warehouse, "select customer_id from gold.customer_segments order by customer_id")
    assert [row["customer_id"] for row in segments] == sorted(expected), "exactly one segment each"
    for customer, row in expected.items():
        close = {
            name: pytest.approx(value, rel=1e-12) if isinstance(value, float) else value for name, value in row.items()
        }
        assert stored[customer] == close, customer


def _features(warehouse: MemoryWarehouse, *, as_of: date | None = None) -> dict[str, dict[str, Any]]:
    compute_features(warehouse, tiny_settings(as_of=as_of))
    facts = "select * exclude (customer_hash) from gold.customer_features"
    return {row.pop("customer_id"): row for row in records(warehouse, facts)}


def _segments(warehouse: MemoryWarehouse) -> dict[str, tuple[Any, ...]]:
    columns = ("segment_key", "segment", "model_version", "confidence", "runner_up_key")
    return {
        row["customer_id"]: tuple(row[column] for column in columns)
        for row in records(warehouse, "select * from gold.customer_segments")
    }
