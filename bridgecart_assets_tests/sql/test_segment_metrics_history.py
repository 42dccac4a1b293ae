"""`kpi.segment_metrics_history`: the headline metrics of each segment, one row per interval of equal periods."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.base.settings import Period, Settings
from bridgecart_assets.contracts import KPI_TABLES, SEGMENT_METRICS_HISTORY
from bridgecart_assets_tests.sql import oracle
from bridgecart_assets_tests.sql.histories import busy_history, histories
from bridgecart_assets_tests.sql.history import (
    MemoryWarehouse,
    Order,
    broken_rules,
    compute_kpis,
    compute_snapshots,
    records,
    store_orders,
    tiny_settings,
    warehouse_with,
)
from bridgecart_assets_tests.support.examples import examples
from bridgecart_assets_tests.support.state import digest

UNITS: tuple[Period, ...] = ("day", "week", "month")
METRICS = {
    "clv_growth": ("customers", "clv_growth", "clv_growth_reason"),
    "churn_rate": ("churn_rate", "churn_rate_reason"),
    "average_order_value": ("average_order_value", "average_order_value_reason"),
    "sales_contribution": ("sales", "sales_contribution", "sales_contribution_reason"),
}
COLUMNS = tuple(column for columns in METRICS.values() for column in columns)

STEADY = [
    Order("A", "2025-01-10", 40),
    # Nobody buys from February to May: A is lost and worth the same at every opening.
    Order("B", "2025-06-20", 300),
]


def test_a_row_holds_the_headline_metrics_of_the_four_kpis():
    warehouse = _computed([Order("A", "2025-01-10", 40), Order("A", "2025-02-10", 20), Order("B", "2025-02-11", 300)])
    (row,) = _rows(warehouse, "S02", "2025-02-01")
    assert row == {
        "segment_key": "S02",
        "valid_from": date(2025, 2, 1),
        "valid_to": None,
        "is_current": True,
        "customers": 1,
        "clv_growth": 0.5,
        "clv_growth_reason": None,
        "churn_rate": None,
        "churn_rate_reason": "not_matured",
        "average_order_value": 20.0,
        "average_order_value_reason": None,
        "sales": Decimal("20.00"),
        "sales_contribution": Decimal("0.062500"),
        "sales_contribution_reason": None,
    }


def test_periods_with_the_same_figures_and_reasons_are_one_row():
    assert _spans(_computed(STEADY), "S02") == [
        ("2025-01-01", "2025-02-01"),  # no_baseline
        ("2025-02-01", "2025-03-01"),  # A was active before, and is lost
        ("2025-03-01", "2025-06-01"),  # nobody is active any more
        ("2025-06-01", None),  # others buy: the segment contributes nothing, the churn rate is not known yet
    ]


def test_another_reason_for_the_same_missing_figure_is_another_row():
    warehouse = _computed(STEADY)
    reasons = {str(row["valid_from"]): row["churn_rate_reason"] for row in _rows(warehouse, "S03")}
    assert reasons == {
        "2025-01-01": "no_baseline",
        "2025-02-01": "empty_segment",
        "2025-06-01": "not_matured",
    }
    assert {row["churn_rate"] for row in _rows(warehouse, "S03")} == {None}


def test_figures_that_come_back_are_a_row_of_their_own():
    warehouse = _computed(
        [
            Order("A", "2025-01-10", 40),
            Order("B", "2025-02-10", -1),
            Order("A", "2025-03-10", 40),
            Order("B", "2025-04-10", -1),
            # Nothing in May.
            Order("A", "2025-06-30", 40),
        ]
    )
    assert [(str(row["valid_from"]), row["sales_contribution_reason"]) for row in _rows(warehouse, "S03")] == [
        ("2025-01-01", None),
        ("2025-02-01", "total_sales_not_positive"),
        ("2025-03-01", None),
        ("2025-04-01", "total_sales_not_positive"),
        ("2025-06-01", None),
    ]


def test_a_segment_that_is_always_empty_has_a_history_too():
    spans = _spans(_computed(STEADY), "S03")
    assert (spans[0][0], spans[-1][1]) == ("2025-01-01", None)


def test_one_period_gives_one_current_row_per_segment():
    warehouse = _computed([Order("A", "2025-02-03", 10)])
    for key in ("S01", "S02", "S03", "new", "unassigned"):
        assert _spans(warehouse, key) == [("2025-02-01", None)]


@pytest.mark.parametrize(("unit", "now"), [("day", "2025-03-02"), ("week", "2025-02-24"), ("month", "2025-03-01")])
def test_the_current_row_begins_with_a_period_and_has_no_end(unit: Period, now: str):
    history = [Order("A", "2025-02-01", 10), Order("A", "2025-02-20", 30), Order("A", "2025-03-02", 20)]
    warehouse = _computed(history, tiny_settings(kpi_period=unit))
    assert _spans(warehouse, "S02")[-1] == (now, None)


@pytest.mark.parametrize("as_of", [None, date(2025, 1, 10)])
def test_without_orders_before_the_clock_there_is_no_history(as_of: date | None):
    orders = [Order("A", "2025-01-10", 20)] if as_of else []
    warehouse = _computed(orders, tiny_settings(as_of=as_of))
    assert records(warehouse, "select * from kpi.segment_metrics_history") == []
    assert broken_rules(warehouse, SEGMENT_METRICS_HISTORY) == []


def test_a_late_order_parts_the_interval_it_falls_into_as_if_it_had_been_there_from_the_start():
    warehouse = _computed(STEADY)
    late = Order("A", "2025-04-10", 5)
    store_orders(warehouse, [late])
    _compute(warehouse, tiny_settings())
    assert [start for start, _ in _spans(warehouse, "S02")] == [
        "2025-01-01",
        "2025-02-01",
        "2025-03-01",
        "2025-04-01",
        "2025-05-01",
        "2025-06-01",
    ]
    assert _digest(warehouse) == _digest(_computed([late, *STEADY]))


def test_a_churn_rate_that_matures_later_replaces_the_row_of_its_period():
    history = [Order("A", "2025-01-10", 40), Order("B", "2025-02-10", 1)]
    warehouse = _computed(history)
    (before,) = _rows(warehouse, "S02", "2025-02-01")
    assert (before["churn_rate_reason"], before["is_current"]) == ("not_matured", True)
    store_orders(warehouse, [Order("B", "2025-03-10", 1)])
    _compute(warehouse, tiny_settings())
    after, _ = _rows(warehouse, "S02", "2025-02-01")
    assert (after["churn_rate"], after["churn_rate_reason"], after["is_current"]) == (1.0, None, False)


@given(history=histories, unit=st.sampled_from(UNITS), as_of=st.sampled_from((None, date(2024, 2, 14))))
@examples(20)
def test_the_intervals_of_a_random_history_are_those_of_its_kpis(
    history: list[Order], unit: Period, as_of: date | None
):
    _assert_intervals_follow_the_kpis(history, tiny_settings(kpi_period=unit, as_of=as_of))


@pytest.mark.parametrize("unit", UNITS)
def test_the_intervals_of_a_busy_history_are_those_of_its_kpis(unit: Period):
    history = busy_history(15, days=60 if unit == "day" else 150)
    periods, intervals = _assert_intervals_follow_the_kpis(history, tiny_settings(kpi_period=unit))
    assert 4 * 3 < intervals < periods


@given(history=histories, cut=st.integers(0, 40), unit=st.sampled_from(("week", "month")))
@examples(10)
def test_orders_that_come_later_give_the_history_of_all_orders_at_once(history: list[Order], cut: int, unit: Period):
    settings = tiny_settings(kpi_period=unit)
    grown = _computed(history[:cut], settings)
    store_orders(grown, history[cut:])
    _compute(grown, settings)
    assert _digest(grown) == _digest(_computed(history, settings))


def _assert_intervals_follow_the_kpis(history: list[Order], settings: Settings) -> tuple[int, int]:
    """Compare every row, exactly; how many periods and intervals there were over all segments."""
    warehouse = _computed(history, settings)
    figures: dict[str, dict[date, tuple[Any, ...]]] = {}
    for contract in KPI_TABLES:
        for row in records(warehouse, f"select * from {contract.full_name} order by period"):
            periods = figures.setdefault(row["segment_key"], {})
            own = tuple(row[column] for column in METRICS[contract.name])
            periods[row["period"]] = periods.get(row["period"], ()) + own
    found: dict[str, list[oracle.Interval]] = {}
    for row in records(warehouse, "select * from kpi.segment_metrics_history order by segment_key, valid_from"):
        interval = oracle.Interval(tuple(row[column] for column in COLUMNS), row["valid_from"], row["valid_to"])
        found.setdefault(row["segment_key"], []).append(interval)
        assert row["is_current"] == (row["valid_to"] is None)
    assert found == {key: oracle.intervals(sorted(periods.items())) for key, periods in figures.items()}
    assert broken_rules(warehouse, SEGMENT_METRICS_HISTORY) == []
    return sum(map(len, figures.values())), sum(map(len, found.values()))


def _computed(history: list[Order], settings: Settings | None = None) -> MemoryWarehouse:
    warehouse = warehouse_with(history)
    _compute(warehouse, settings or tiny_settings())
    return warehouse


def _compute(warehouse: MemoryWarehouse, settings: Settings) -> None:
    compute_snapshots(warehouse, settings)
    compute_kpis(warehouse, settings)


def _rows(warehouse: MemoryWarehouse, key: str, since: str = "1900-01-01") -> list[dict[str, Any]]:
    return records(
        warehouse,
        "select * from kpi.segment_metrics_history where segment_key = ? and valid_from >= ? order by valid_from",
        key,
        date.fromisoformat(since),
    )


def _spans(warehouse: MemoryWarehouse, key: str) -> list[tuple[str, str | None]]:
    return [
        (str(row["valid_from"]), str(row["valid_to"]) if row["valid_to"] else None) for row in _rows(warehouse, key)
    ]


def _digest(warehouse: MemoryWarehouse) -> str:
    return digest(warehouse, SEGMENT_METRICS_HISTORY)
