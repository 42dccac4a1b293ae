"""`gold.customer_snapshots`: everyone as of each period opening, under the model in force then."""

from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from hypothesis import given

from bridgecart_assets.base.settings import Period
from bridgecart_assets_tests.sql import oracle
from bridgecart_assets_tests.sql.histories import busy_history, histories
from bridgecart_assets_tests.sql.history import (
    LARGE,
    SMALL,
    MemoryWarehouse,
    Order,
    Segment,
    compute_features,
    compute_snapshots,
    records,
    spend_model,
    store_model,
    store_orders,
    tiny_settings,
    warehouse_with,
)
from bridgecart_assets_tests.support.examples import examples

SHARED = (
    "s.net_sales, frequency, orders, first_purchased_on, last_purchased_on, log_purchase_rate, log_spend, "
    "coupon_share, segment_key, model_version, p_alive, churn_risk, predicted_clv"
)
SNAPSHOTS = f"select customer_id, {SHARED} from gold.customer_snapshots s where as_of = ? order by customer_id"
CURRENT = (
    f"select customer_id, {SHARED} from gold.customer_features f join gold.customer_segments s using (customer_id) "
    "order by customer_id"
)


def test_a_snapshot_holds_the_orders_before_its_midnight_and_nothing_after():
    warehouse = warehouse_with(
        [
            Order("A", "2025-01-31T23:59:59.999999", 300),
            Order("A", "2025-02-01T00:00:00", 40),
            Order("B", "2025-02-28", 20),
            Order("B", "2025-03-15", 30),
        ]
    )
    compute_snapshots(warehouse, tiny_settings())
    found = records(
        warehouse,
        "select as_of::varchar as as_of, customer_id, net_sales, segment_key, last_purchased_on "
        "from gold.customer_snapshots order by as_of, customer_id",
    )
    assert [tuple(row.values()) for row in found] == [
        ("2025-02-01", "A", Decimal("300.00"), "S01", date(2025, 1, 31)),
        # On 1 March: (300 + 40) / 2 = 170 an order.
        ("2025-03-01", "A", Decimal("340.00"), "S01", date(2025, 2, 1)),
        ("2025-03-01", "B", Decimal("20.00"), "S02", date(2025, 2, 28)),
        ("2025-03-16", "A", Decimal("340.00"), "S01", date(2025, 2, 1)),
        ("2025-03-16", "B", Decimal("50.00"), "S02", date(2025, 3, 15)),
    ]


@pytest.mark.parametrize(
    ("unit", "dates"),
    [
        ("day", ["2025-02-27", "2025-02-28", "2025-03-01", "2025-03-02", "2025-03-03", "2025-03-04"]),
        # 24 February 2025 is a Monday.
        ("week", ["2025-03-03", "2025-03-04"]),
        ("month", ["2025-03-01", "2025-03-04"]),
    ],
)
def test_snapshots_stand_at_every_opening_after_the_first_order_and_as_of_now(unit: Period, dates: list[str]):
    warehouse = warehouse_with([Order("A", "2025-02-26", 10), Order("A", "2025-03-03", 10)])
    compute_snapshots(warehouse, tiny_settings(kpi_period=unit))
    assert _dates(warehouse) == dates


def test_when_the_clock_stops_at_the_end_of_a_period_now_and_the_next_opening_are_one_snapshot():
    warehouse = warehouse_with([Order("A", "2025-01-31T23:59:59", 10)])
    compute_snapshots(warehouse, tiny_settings())
    assert _dates(warehouse) == ["2025-02-01"]


@given(history=histories)
@examples(15)
def test_the_snapshot_as_of_now_equals_features_and_current_segments(history: list[Order]):
    warehouse = warehouse_with(history)
    compute_features(warehouse, tiny_settings(kpi_period="week"))
    compute_snapshots(warehouse, tiny_settings(kpi_period="week"))
    (clock,) = records(warehouse, "select max(as_of) as now from gold.customer_features")
    now, current = records(warehouse, SNAPSHOTS, clock["now"]), records(warehouse, CURRENT)
    assert now == current


@pytest.mark.parametrize("as_of", ["2024-01-01", "2024-02-01", "2024-03-01"])
def test_a_past_snapshot_equals_the_features_as_of_its_date(as_of: str):
    warehouse = warehouse_with(busy_history(7))
    compute_snapshots(warehouse, tiny_settings())
    day = date.fromisoformat(as_of)
    past = records(warehouse, SNAPSHOTS, day)
    compute_features(warehouse, tiny_settings(as_of=day))
    assert past == records(warehouse, CURRENT)
    assert len(past) > 20


def test_segments_of_every_snapshot_are_those_of_the_independent_reimplementation():
    history = tuple(busy_history(11))
    warehouse = warehouse_with(history)
    compute_snapshots(warehouse, tiny_settings())
    for day in _dates(warehouse):
        stored = records(
            warehouse,
            "select customer_id, segment_key from gold.customer_snapshots where as_of = ?",
            date.fromisoformat(day),
        )
        expected = oracle.segments_as_of(history, date.fromisoformat(day), (LARGE, SMALL))
        assert {row["customer_id"]: row["segment_key"] for row in stored} == expected


def test_a_late_order_changes_every_snapshot_after_its_date_and_none_before():
    history = busy_history(2)
    warehouse = warehouse_with(history)
    compute_snapshots(warehouse, tiny_settings(kpi_period="week"))
    before = _snapshots_by_date(warehouse)
    late = Order("C1", "2024-02-10T12:00:00", 77)
    store_orders(warehouse, [late])
    compute_snapshots(warehouse, tiny_settings(kpi_period="week"))
    after = _snapshots_by_date(warehouse)
    changed = {day for day in after if after[day] != before[day]}
    assert changed == {day for day in after if day > late.day}
    assert changed != set(after)


def test_a_refit_does_not_relabel_the_snapshots_before_it():
    # Version 2 puts the border between large and small at 1,000 instead of 100.
    one = spend_model((LARGE, SMALL), as_of=date(2025, 2, 10))
    dearer = (Segment("S01", "large", 40_000.0), SMALL)
    two = spend_model(dearer, version=2, as_of=date(2025, 3, 1))
    warehouse = warehouse_with([Order("A", "2025-01-10", 300), Order("B", "2025-04-02", 20)], one)
    assert _labels(warehouse) == {
        "2025-02-01": ("S01", 1),  # before the first fit: the first version
        "2025-03-01": ("S01", 1),
        "2025-04-01": ("S01", 1),
        "2025-04-03": ("S01", 1),
    }
    store_model(warehouse, pd.concat([one, two], ignore_index=True))
    assert _labels(warehouse) == {
        "2025-02-01": ("S01", 1),
        "2025-03-01": ("S02", 2),  # fitted on the orders before that midnight: in force from it on
        "2025-04-01": ("S02", 2),
        "2025-04-03": ("S02", 2),
    }


def test_a_proposed_version_scores_nobody():
    one = spend_model((LARGE, SMALL), as_of=date(2025, 1, 1))
    two = spend_model((Segment("S09", "other", 300.0),), version=2, as_of=date(2025, 1, 15), status="proposed")
    warehouse = warehouse_with([Order("A", "2025-01-10", 300)], pd.concat([one, two], ignore_index=True))
    assert _labels(warehouse) == {"2025-01-11": ("S01", 1)}


def test_a_version_accepted_later_is_in_force_from_then_on_and_not_from_its_fit():
    one = spend_model((LARGE, SMALL), as_of=date(2025, 1, 15))
    two = spend_model((Segment("S09", "other", 300.0), SMALL), version=2, as_of=date(2025, 2, 15))
    two["in_force_from"] = pd.Timestamp(date(2025, 3, 15))
    warehouse = warehouse_with(
        [Order("A", "2025-01-10", 300), Order("B", "2025-04-02", 20)], pd.concat([one, two], ignore_index=True)
    )
    assert _labels(warehouse) == {
        "2025-02-01": ("S01", 1),
        "2025-03-01": ("S01", 1),
        "2025-04-01": ("S09", 2),
        "2025-04-03": ("S09", 2),
    }


def test_without_a_model_everyone_is_unassigned():
    warehouse = warehouse_with([Order("A", "2025-01-10", 300)], spend_model(status="proposed"))
    compute_snapshots(warehouse, tiny_settings())
    assert _labels(warehouse) == {"2025-01-11": ("unassigned", None)}


def _dates(warehouse: MemoryWarehouse) -> list[str]:
    return [
        str(row["as_of"]) for row in records(warehouse, "select distinct as_of from gold.customer_snapshots order by 1")
    ]


def _labels(warehouse: MemoryWarehouse) -> dict[str, tuple[Any, ...]]:
    """Segment and model version of customer A in each snapshot."""
    compute_snapshots(warehouse, tiny_settings())
    sql = "select as_of, segment_key, model_version from gold.customer_snapshots where customer_id = 'A' order by as_of"
    return {str(row["as_of"]): (row["segment_key"], row["model_version"]) for row in records(warehouse, sql)}


def _snapshots_by_date(warehouse: MemoryWarehouse) -> dict[date, list[dict[str, Any]]]:
    found: dict[date, list[dict[str, Any]]] = {}
    for row in records(warehouse, "select * from gold.customer_snapshots order by as_of, customer_id"):
        found.setdefault(row["as_of"], []).append(row)
    return found
