"""A shop of gifts whose customers buy six times as often in December: who is silent for the season has not gone.

Who dropped out is known, since the shop is made up by the purchase model that it is scored with.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from typing import Any

import numpy as np
import pytest

from bridgecart_assets.base.settings import Period
from bridgecart_assets.models.purchase import PurchaseModel
from bridgecart_assets.models.season import Season
from bridgecart_assets.sql import read_sql
from bridgecart_assets.sql.chain import files_before
from bridgecart_assets.warehouse.storage.database import rows_of
from bridgecart_assets.warehouse.storage.outputs import Parameter
from bridgecart_assets.warehouse.storage.tables import run_steps
from bridgecart_assets_tests.sql.history import (
    MemoryWarehouse,
    Order,
    compute,
    compute_features,
    records,
    store_purchase_model,
    tiny_settings,
    warehouse_with,
)

START, AS_OF, W = date(2022, 1, 1), date(2025, 4, 5), 90
CUSTOMERS = 600
JANUARY = "2025-01-01"
# Purchases of the alive, days apart: Gamma(2, 80); one in ten drops out after each, on average.
HABITS = PurchaseModel(r=2, alpha=80 / 7, a=1, b=9)
_UNEVEN = np.array([0.3, 0.3, 0.3, 0.4, 0.4, 0.3, 0.3, 0.3, 0.5, 1, 2, 6])
_LENGTHS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
SEASON = Season(tuple((_UNEVEN / (_UNEVEN @ _LENGTHS / 365)).tolist()))
Row = Mapping[str, Any]


@cache
def shop() -> tuple[list[Order], np.ndarray[Any, np.dtype[np.bool_]]]:
    """Everything that was bought, and who will buy again."""
    rng = np.random.default_rng(3)
    calendar = np.arange(0.0, (AS_OF - START).days + 1)
    seasonal = SEASON.days_ahead(START, calendar)
    first = rng.uniform(0, seasonal[-1], CUSTOMERS)
    gaps = rng.exponential(1 / rng.gamma(HABITS.r, 1 / (7 * HABITS.alpha), CUSTOMERS)[:, None], (CUSTOMERS, 60))
    repeats = rng.geometric(rng.beta(HABITS.a, HABITS.b, CUSTOMERS)) - 1
    times = first[:, None] + np.cumsum(gaps, axis=1)
    is_made = (np.arange(60) < repeats[:, None]) & (times < seasonal[-1])
    who = np.concatenate([np.arange(CUSTOMERS), np.nonzero(is_made)[0]])
    days = np.floor(np.interp(np.concatenate([first, times[is_made]]), seasonal, calendar)).astype(int)
    bought = sorted(set(zip(who.tolist(), np.minimum(days, len(calendar) - 2).tolist(), strict=True)))
    orders = [Order(f"C{one}", (START + timedelta(days=day)).isoformat(), 20) for one, day in bought]
    return orders, repeats > is_made.sum(axis=1)


def scored(season: Season | None) -> tuple[MemoryWarehouse, list[Row]]:
    """Customers by a model that knows the season, or does not."""
    orders, will_return = shop()
    warehouse = warehouse_with(orders)
    factors = None if season is None else list(season.factors)
    store_purchase_model(warehouse, as_of=AS_OF, model=HABITS, covariates={"season": factors})
    compute_features(warehouse, tiny_settings(churn_window_days=W, as_of=AS_OF))
    sql = "select * from gold.customer_segments join gold.customer_features using (customer_id) where frequency > 0"
    return warehouse, [
        {**row, "lives": bool(will_return[int(row["customer_id"][1:])])} for row in records(warehouse, sql)
    ]


def test_customers_who_are_silent_for_the_season_are_not_called_dormant_and_most_are_alive():
    _, by_calendar = scored(None)
    warehouse, by_season = scored(SEASON)
    silent = {row["customer_id"] for row in by_calendar if row["lifecycle"] == "dormant"}
    assert silent == {row["customer_id"] for row in by_season if row["recency_days"] > W}
    waiting = [row for row in by_season if row["customer_id"] in silent and row["lifecycle"] != "dormant"]
    dormant = [row for row in by_season if row["lifecycle"] == "dormant"]
    assert len(waiting) > 80
    # Who is silent for more days of the season, too, bought mostly before December.
    assert {row["last_purchased_on"] >= date(2024, 12, 1) for row in waiting} == {True}
    alive, of_dormant = (sum(row["lives"] for row in rows) / len(rows) for rows in (waiting, dormant))
    assert alive > 0.7 > 0.35 > of_dormant
    for rows, share in ((waiting, alive), (dormant, of_dormant)):
        assert sum(row["p_alive"] for row in rows) / len(rows) == pytest.approx(share, abs=0.06)
    unaware = [row["p_alive"] for row in by_calendar if row["customer_id"] in {one["customer_id"] for one in waiting}]
    assert sum(unaware) / len(unaware) < alive - 0.1, "without the season they are given up"
    assert section(warehouse, "silent") == [{"customers": len(silent), "waiting": len(waiting)}]


@pytest.mark.parametrize(("window", "is_dormant"), [(28, True), (29, False), (90, False), (94, False)])
def test_the_window_has_to_be_over_in_days_of_the_season_too(window: int, is_dormant: bool):
    # The example of kpis.md: 94 days of the calendar, 29 of the season.
    warehouse = warehouse_with([Order("A", "2025-01-01", 20), Order("Z", "2025-04-05", 20)])
    season = [0.3, 0.3, 0.3, 0.4, 0.4, 0.3, 0.3, 0.3, 0.5, 1.0, 2.0, 5.8]
    store_purchase_model(warehouse, covariates={"season": season})
    compute_features(warehouse, tiny_settings(churn_window_days=window))
    (row,) = records(warehouse, "select lifecycle from gold.customer_segments where customer_id = 'A'")
    assert (row["lifecycle"] == "dormant") == is_dormant


def test_in_a_strong_month_nobody_is_dormant_before_the_window_is_over_by_the_calendar():
    warehouse = warehouse_with([Order("A", "2024-11-20", 20), Order("Z", "2024-12-31", 20)])
    store_purchase_model(warehouse, covariates={"season": list(SEASON.factors)})
    compute_features(warehouse, tiny_settings(churn_window_days=W))
    (row,) = records(warehouse, "select lifecycle from gold.customer_segments where customer_id = 'A'")
    assert row["lifecycle"] == "needs attention"


def test_a_seasonal_churn_rate_is_told_from_a_loss_by_the_year_before():
    orders, _ = shop()
    as_ever, worse = (
        january(orders),
        january([o for o in orders if o.day < date(2025, 1, 1) or int(o.customer[1:]) % 2]),
    )
    for row in (as_ever, worse):
        assert row["churn_rate"] > 0.6, "most of those who bought for the feast buy nothing until spring"
        assert row["churn_rate_year_before"] == as_ever["churn_rate_year_before"] > 0.6
    assert as_ever["churn_change_low"] < 0 < as_ever["churn_change_high"]
    assert worse["churn_change_low"] > 0


def test_the_interval_of_the_difference_to_a_year_before_is_the_published_one():
    # Newcombe 1998, table II, first example: of 70 customers 56 churned, of 80 a year before 48; 0.0524 to 0.3339.
    days = [
        *((f"{year}-01-15", who) for year, active in ((2024, 80), (2025, 70)) for who in range(active)),
        *((f"{year}-02-15", who) for year, returned in ((2024, 32), (2025, 14)) for who in range(returned)),
        ("2025-04-01", 0),
    ]
    warehouse = warehouse_with([Order(f"C{who}", day, 20) for day, who in days])
    compute(warehouse, tiny_settings(churn_window_days=30))
    row = figures_of(warehouse, "2025-02-01")
    assert (row["churn_rate"], row["churn_rate_year_before"]) == (pytest.approx(0.8), pytest.approx(0.6))
    limits = [row["churn_change_low"], row["churn_change_high"]]
    assert limits == [pytest.approx(0.0524, abs=5e-5), pytest.approx(0.3339, abs=5e-5)]


@pytest.mark.parametrize("unit", ["week", "day"])
def test_weeks_and_days_are_compared_with_the_same_days_of_a_week_a_year_before(unit: Period):
    warehouse = warehouse_with([Order("A", "2025-01-06", 20)])
    compute(warehouse, tiny_settings(kpi_period=unit))
    assert figures_of(warehouse, "2025-01-06", unit)["year_before"] == date(2024, 1, 8)


def january(orders: list[Order]) -> Row:
    warehouse = warehouse_with([*orders, Order("Z", "2025-04-04", 20)])
    compute(warehouse, tiny_settings(churn_window_days=W))
    return figures_of(warehouse, JANUARY)


def figures_of(warehouse: MemoryWarehouse, period: str, unit: Period = "month") -> Row:
    (row,) = [
        row
        for row in section(warehouse, "figures", unit)
        if (str(row["period"]), row["segment_key"]) == (period, "all")
    ]
    return row


def section(warehouse: MemoryWarehouse, name: str, unit: Period = "month") -> list[Row]:
    file = f"report/{name}"
    parameters: dict[str, Parameter] = {"churn_window_days": W, "kpi_period": unit, "most_periods": 120}
    with warehouse.reading() as connection:
        run_steps(connection, files_before(file), parameters)
        columns, rows = rows_of(connection, read_sql(file), parameters)
        return [dict(zip(columns, row, strict=True)) for row in rows]
