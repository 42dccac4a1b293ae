"""Cohorts at equal age, against the definitions of kpis.md written once more in plain Python."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.sql import read_sql
from bridgecart_assets.sql.chain import files_before
from bridgecart_assets.warehouse.storage.database import Warehouse, rows_of
from bridgecart_assets.warehouse.storage.tables import run_steps
from bridgecart_assets_tests.sql.histories import CLOCKS
from bridgecart_assets_tests.sql.history import Order, compute_features, store_orders, tiny_settings, warehouse_with
from bridgecart_assets_tests.support.examples import examples

ZONES = ("UTC", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Auckland")
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Local(Order):
    """An order of a shop whose calendar is that of a time zone."""

    zone: str = "UTC"

    @property
    def day(self) -> date:
        """The day of the purchase in the shop's calendar."""
        return self.instant.replace(tzinfo=UTC).astimezone(ZoneInfo(self.zone)).date()


@st.composite
def shops(draw: st.DrawFn) -> list[Order]:
    zone = draw(st.sampled_from(ZONES))
    order = st.builds(
        lambda who, day, clock, cents: Local(
            f"C{who}", f"{date(2024, 1, 1) + timedelta(days=day)}T{clock}", Decimal(cents) / 100, zone=zone
        ),
        who=st.integers(1, 5),
        # Round ages, where one month ends and the next begins, meet often.
        day=st.integers(0, 400) | st.sampled_from((0, 29, 30, 31, 59, 60, 90, 119, 120)),
        clock=st.sampled_from(CLOCKS),
        cents=st.integers(1, 60_000) | st.integers(-60_000, 60_000) | st.just(0),
    )
    return draw(st.lists(order, max_size=40))


@given(history=shops(), late=st.integers(0, 40), most_cohorts=st.integers(1, 12), most_ages=st.integers(1, 14))
@examples(10)
def test_cohorts_of_any_history_are_those_of_the_definitions(
    history: list[Order], late: int, most_cohorts: int, most_ages: int
):
    settings = tiny_settings()
    warehouse = warehouse_with(history[late:])
    compute_features(warehouse, settings)
    store_orders(warehouse, history[:late])
    compute_features(warehouse, settings)
    cohorts, cells = (
        section(warehouse, name, most_cohorts, most_ages) for name in ("report/cohorts", "report/cohort_ages")
    )
    first = first_purchases(history)
    months = sorted({day.replace(day=1) for day in first.values()})
    assert [(row["cohort"], row["customers"], row["is_shown"]) for row in cohorts] == [
        (month, sum(day.replace(day=1) == month for day in first.values()), month in months[-most_cohorts:])
        for month in months
    ]
    assert sum(row["net_sales"] for row in cohorts) == sum(o.amount for o in history if o.customer in first)
    expected = expected_cells(history, months[-most_cohorts:], most_ages)
    assert {(row["cohort"], row["age"]): tuple(row.values())[2:] for row in cells} == expected


def test_a_month_of_age_is_thirty_days_and_is_shown_once_the_youngest_has_it_behind_it():
    # The example of kpis.md.
    history = [
        *(Order("A", "2025-01-10", 100), Order("A", "2025-02-08", 20), Order("A", "2025-02-09", 50)),
        *(Order("B", "2025-01-31", 80), Order("B", "2025-03-20", -30)),
        *(Order("C", "2025-02-01", 60), Order("C", "2025-03-31", 40)),
    ]
    warehouse = warehouse_with(history)
    compute_features(warehouse, tiny_settings())
    cells = {(row["cohort"], row["age"]): row for row in section(warehouse, "report/cohort_ages", 24, 24)}
    assert {key: (row["retention"], row["mean_clv"]) for key, row in cells.items()} == {
        ("2025-01-01", 0): (1.0, 100.0),
        ("2025-01-01", 1): (0.5, 110.0),
        ("2025-02-01", 0): (1.0, 60.0),
        ("all", 0): (1.0, pytest.approx(260 / 3, abs=0.005)),
        ("all", 1): (0.5, 110.0),
    }


def section(warehouse: Warehouse, file: str, most_cohorts: int, most_ages: int) -> Sequence[Row]:
    parameters = {"most_cohorts": most_cohorts, "most_ages": most_ages}
    with warehouse.reading() as connection:
        run_steps(connection, files_before(file), parameters)
        columns, rows = rows_of(connection, read_sql(file), parameters)
        return [dict(zip(columns, row, strict=True)) for row in rows]


def first_purchases(history: Sequence[Order]) -> Mapping[str, date]:
    days: dict[str, list[date]] = defaultdict(list)
    for order in history:
        if order.kind == "purchase":
            days[order.customer].append(order.day)
    return {customer: min(bought) for customer, bought in days.items()}


def expected_cells(history: Sequence[Order], months: Sequence[date], most_ages: int) -> dict[tuple[str, int], Any]:
    """(cohort, age) -> customers, buyers, retention and mean value, customer by customer."""
    if not history:
        return {}
    as_of = max(order.day for order in history) + timedelta(days=1)
    first = first_purchases(history)
    found: dict[tuple[str, int], list[tuple[bool, Decimal]]] = defaultdict(list)
    for customer, began in first.items():
        month = began.replace(day=1)
        youngest = (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        own = [order for order in history if order.customer == customer]
        for age in range(most_ages):
            begins, ends = (began + timedelta(days=30 * whole) for whole in (age, age + 1))
            if month not in months or youngest + timedelta(days=30 * (age + 1)) > as_of:
                continue
            has_bought = any(order.kind == "purchase" and begins <= order.day < ends for order in own)
            worth = sum((order.amount for order in own if order.day < ends), Decimal(0))
            for cohort in (month.isoformat(), "all"):
                found[cohort, age].append((has_bought, worth))
    return {
        key: (
            len(customers),
            buyers := sum(bought for bought, _ in customers),
            pytest.approx(buyers / len(customers), abs=1e-6),
            pytest.approx(float(sum(worth for _, worth in customers)) / len(customers), abs=0.006),
        )
        for key, customers in found.items()
    }
