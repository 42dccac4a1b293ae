"""The four KPIs against the definitions written once more in plain Python (`oracle.py`), on random histories."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.base.settings import Period, Settings
from bridgecart_assets_tests.sql import oracle
from bridgecart_assets_tests.sql.histories import busy_history, histories
from bridgecart_assets_tests.sql.history import (
    BY_SPEND,
    MemoryWarehouse,
    Order,
    compute_kpis,
    compute_snapshots,
    records,
    tiny_settings,
    warehouse_with,
)
from bridgecart_assets_tests.support.examples import examples

KEYS = (*(segment.key for segment in BY_SPEND), oracle.NEW, oracle.UNASSIGNED)
MILLIONTH = Fraction(1, 1_000_000)


@given(history=histories, unit=st.sampled_from(("week", "month")), window_days=st.sampled_from((7, 30, 45)))
@examples(20)
def test_the_four_kpis_of_a_random_history_are_those_of_the_definitions(
    history: list[Order], unit: Period, window_days: int
):
    _assert_kpis_follow_the_definitions(tuple(history), tiny_settings(kpi_period=unit, churn_window_days=window_days))


@pytest.mark.parametrize(
    ("seed", "unit", "as_of"), [(1, "month", None), (2, "week", date(2024, 4, 10)), (3, "month", date(2024, 5, 1))]
)
def test_the_four_kpis_of_a_busy_history_are_those_of_the_definitions(seed: int, unit: Period, as_of: date | None):
    history = tuple(busy_history(seed))
    compared = _assert_kpis_follow_the_definitions(history, tiny_settings(kpi_period=unit, as_of=as_of))
    # Not an empty comparison: most rates and growths of the two real segments exist, and customers migrate.
    assert compared["clv_growth"] > 5
    assert compared["churn_rate"] > 4
    assert min(compared["predicted_clv_growth"], compared["total_clv_growth"], compared["estimate_error"]) > 4
    assert compared["migrated_in"] > 2


def test_a_segment_that_is_predicted_to_spend_nothing_has_no_predicted_growth():
    days = {"2023-12-18": (1, 1, -7), "2023-12-19": (1,), "2024-01-29": (1, 1)}
    history = tuple(
        Order("C1", f"{day}T00:00:00", Decimal(cents) / 100) for day, nets in days.items() for cents in nets
    )
    _assert_kpis_follow_the_definitions(history, tiny_settings(kpi_period="week", churn_window_days=7))


def test_the_kpis_of_single_days_are_those_of_the_definitions():
    history = tuple(busy_history(6, customers=8, orders=60, days=12))
    _assert_kpis_follow_the_definitions(history, tiny_settings(kpi_period="day", churn_window_days=3))


def _assert_kpis_follow_the_definitions(history: tuple[Order, ...], settings: Settings) -> dict[str, int]:
    """Compare every row; how many figures of a kind were there to compare."""
    warehouse = warehouse_with(history)
    compute_snapshots(warehouse, settings)
    compute_kpis(warehouse, settings)
    periods = oracle.periods(history, settings.as_of, settings.kpi_period)
    stored = {name: _rows(warehouse, name) for name in ("clv_growth", "churn_rate", "average_order_value")}
    shares = _rows(warehouse, "sales_contribution")
    assert list(shares) == [(period.opens, key) for period in periods for key in sorted(KEYS)]
    for period in periods:
        for key in KEYS:
            for rows in (*stored.values(), shares):
                assert (rows[period.opens, key]["closes_on"], rows[period.opens, key]["is_complete"]) == (
                    period.closes,
                    period.complete,
                )
            expected = {
                "clv_growth": oracle.clv_growth(history, period, key, BY_SPEND),
                "churn_rate": oracle.churn_rate(
                    history, period, key, BY_SPEND, window_days=settings.churn_window_days, as_of=settings.as_of
                ),
                "average_order_value": oracle.average_order_value(history, period, key, BY_SPEND),
            }
            for name, figures in expected.items():
                _assert_same(stored[name][period.opens, key], figures, (name, period.opens, key))
            share = oracle.sales_contribution(history, period, key, BY_SPEND)
            _assert_share(shares[period.opens, key], share)
    return {
        "clv_growth": _count(stored["clv_growth"].values(), "clv_growth"),
        "churn_rate": _count(stored["churn_rate"].values(), "churn_rate"),
        "estimate_error": _count(stored["churn_rate"].values(), "estimate_error"),
        "predicted_clv_growth": _count(stored["clv_growth"].values(), "predicted_clv_growth"),
        "total_clv_growth": _count(stored["clv_growth"].values(), "total_clv_growth"),
        "migrated_in": sum(1 for row in stored["clv_growth"].values() if row["migrated_in"] != 0),
    }


def _assert_same(row: dict[str, Any], figures: dict[str, object], where: tuple[object, ...]) -> None:
    for name, value in figures.items():
        if isinstance(value, float):
            # A mean of risks is taken in fixed point; a predicted value may round to the other cent.
            close = 1e-6 if "predict" in name or "total" in name or "estimate" in name else 1e-9
            assert row[name] == pytest.approx(value, rel=close, abs=close / 1000), (*where, name)
        elif name == "opening_predicted_clv" and value is not None:
            assert float(row[name]) == pytest.approx(float(str(value)), rel=1e-6), (*where, name)
        else:
            assert row[name] == value, (*where, name)
        if f"{name}_reason" in row:
            assert (row[f"{name}_reason"] is None) == (value is not None), (*where, name)


def _assert_share(row: dict[str, Any], expected: dict[str, Any]) -> None:
    counted = ("customers", "sales", "total_sales", "closing_sales")
    assert [row[name] for name in counted] == [expected[name] for name in counted]
    largest, at_most = expected["largest_customer_share"], row["largest_customer_at_most"]
    assert (largest is None) == (at_most is None)
    assert largest is None or largest <= at_most * (1 + 1e-9)
    for name in ("sales_contribution", "closing_sales_contribution"):
        share, true_share = row[name], expected[name]
        if true_share is None:
            assert (share, row["sales_contribution_reason"]) == (None, "total_sales_not_positive")
        else:
            assert isinstance(share, Decimal)
            assert isinstance(true_share, Fraction)
            assert abs(Fraction(share) - true_share) < MILLIONTH
            assert row["sales_contribution_reason"] is None


def _rows(warehouse: MemoryWarehouse, table: str) -> dict[tuple[date, str], dict[str, Any]]:
    found = records(warehouse, f"select * from kpi.{table} order by period, segment_key")
    return {(row["period"], row["segment_key"]): row for row in found}


def _count(rows: Sequence[dict[str, Any]] | Any, column: str) -> int:
    return sum(1 for row in rows if row[column] is not None)
