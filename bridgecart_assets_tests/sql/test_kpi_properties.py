"""What holds for every history: sums, bridge, continuity, and independence of row order and late arrival."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.base.settings import Period
from bridgecart_assets.contracts import KPI_TABLES, TABLES
from bridgecart_assets_tests.sql.histories import busy_history, histories
from bridgecart_assets_tests.sql.history import (
    MemoryWarehouse,
    Order,
    compute,
    compute_kpis,
    compute_snapshots,
    records,
    store_orders,
    tiny_settings,
    warehouse_with,
)
from bridgecart_assets_tests.support.examples import examples
from bridgecart_assets_tests.support.pipeline import run_silver, run_whole_tables
from bridgecart_assets_tests.support.records import Record, event, store_batch
from bridgecart_assets_tests.support.state import digests

UNITS = ("day", "week", "month")
NAN_OR_INFINITE = """
select 'clv_growth' as kpi, count(*) as rows from kpi.clv_growth
where not isfinite(clv_growth) or not isfinite(clv_growth_mix_included)
union all
select 'churn_rate', count(*) from kpi.churn_rate where not isfinite(churn_rate) or not isfinite(inactive_share)
union all
select 'sales_contribution', count(*) from kpi.sales_contribution where not isfinite(largest_customer_at_most)
union all
select 'average_order_value', count(*) from kpi.average_order_value
where not isfinite(average_order_value) or not isfinite(refund_share) or not isfinite(average_order_value_after_refunds)
"""


@given(history=histories, unit=st.sampled_from(UNITS[1:]))
@examples(15)
def test_sums_bridge_and_continuity_hold_for_every_history(history: list[Order], unit: Period):
    warehouse = _computed(history, unit)
    assert _broken_shares(warehouse) == []
    assert _open_bridges(warehouse) == []
    assert _broken_continuity(warehouse) == []
    total = sum((order.amount for order in history), Decimal(0))
    bought = sum((order.amount for order in history if order.kind == "purchase"), Decimal(0))
    assert _sum(warehouse, "kpi.sales_contribution") == total
    assert _sum(warehouse, "kpi.average_order_value") == bought
    assert all(row["rows"] == 0 for row in records(warehouse, NAN_OR_INFINITE))


@pytest.mark.parametrize("unit", UNITS)
def test_sums_bridge_and_continuity_hold_for_a_busy_history(unit: Period):
    history = busy_history(9, days=60 if unit == "day" else 150)
    warehouse = _computed(history, unit)
    assert _broken_shares(warehouse) + _open_bridges(warehouse) + _broken_continuity(warehouse) == []
    assert _sum(warehouse, "kpi.sales_contribution") == sum(order.amount for order in history)


@given(history=histories, unit=st.sampled_from(UNITS[1:]))
@examples(6)
def test_who_has_an_order_value_in_a_period_within_the_window_has_not_churned(history: list[Order], unit: Period):
    # One customer, so that churned means this one; another long after, so that every window is over.
    one = [replace(order, customer="A") for order in history]
    warehouse = _computed([*one, Order("B", "2024-08-01", 10)], unit)
    both = records(
        warehouse,
        "select period, segment_key from kpi.churn_rate c join kpi.average_order_value v using (period, segment_key) "
        "where c.customers > 0 and v.customers > 0 and c.churned > 0 and c.closes_on <= c.matures_on",
    )
    assert both == []


def test_negative_segment_sales_still_leave_shares_that_sum_to_one():
    history = [
        Order("anna", "2025-01-10", 20),
        Order("hugo", "2025-01-10", 200),
        Order("anna", "2025-02-10", 70),
        Order("hugo", "2025-02-11", -7),
        Order("nina", "2025-02-12", "-0.03"),
    ]
    warehouse = _computed(history, "month")
    shares = records(
        warehouse, "select sales_contribution as s from kpi.sales_contribution where period = '2025-02-01'"
    )
    assert sum(1 for row in shares if row["s"] < 0) == 2
    assert sum(row["s"] for row in shares) == 1


@pytest.mark.parametrize("unit", UNITS)
def test_every_period_has_one_row_per_segment_new_and_unassigned_in_every_table(unit: Period):
    warehouse = _computed([Order("A", "2025-01-30", 10), Order("A", "2025-03-02", 10)], unit)
    periods = {"day": 32, "week": 5, "month": 3}[unit]
    for contract in KPI_TABLES:
        (row,) = records(
            warehouse,
            f"select count(*) as rows, count(distinct period) as periods, count(distinct segment_key) as segments "
            f"from {contract.full_name}",
        )
        assert row == {"rows": periods * 5, "periods": periods, "segments": 5}, contract.full_name


def test_weeks_open_on_monday_and_months_on_the_first():
    history = [Order("A", "2025-01-01", 10), Order("A", "2025-01-14", 10)]
    assert _periods(_computed(history, "week")) == [
        ("2024-12-30", "2025-01-06", True),
        ("2025-01-06", "2025-01-13", True),
        ("2025-01-13", "2025-01-15", False),
    ]
    assert _periods(_computed(history, "month")) == [("2025-01-01", "2025-01-15", False)]


def test_a_month_closes_on_leap_day_and_over_new_year():
    history = [Order("A", "2023-12-31", 10), Order("A", "2024-02-29T23:59", 10)]
    assert _periods(_computed(history, "month")) == [
        ("2023-12-01", "2024-01-01", True),
        ("2024-01-01", "2024-02-01", True),
        ("2024-02-01", "2024-03-01", True),
    ]


@pytest.mark.parametrize(
    ("last", "complete"), [("2025-02-27T23:59:59", False), ("2025-02-28T00:00:00", True), ("2025-02-28T23:59:59", True)]
)
def test_a_period_is_complete_once_the_clock_reaches_its_last_day(last: str, complete: bool):
    periods = _periods(_computed([Order("A", "2025-02-03", 10), Order("A", last, 10)], "month"))
    assert [is_complete for _, _, is_complete in periods] == [complete]


def test_the_as_of_setting_computes_as_if_later_orders_had_not_come():
    history = busy_history(8)
    day = date(2024, 3, 20)
    known = [order for order in history if order.day < day]
    cut, short = _computed(history, "month", as_of=day), _computed(known, "month", as_of=day)
    assert _kpi_digests(cut) == _kpi_digests(short)


def test_an_as_of_date_before_all_orders_gives_empty_tables():
    warehouse = _computed([Order("A", "2025-02-03", 10)], "month", as_of=date(2025, 2, 3))
    assert _counts(warehouse) == [0, 0, 0, 0]


def test_without_any_order_the_kpi_tables_are_empty_and_nothing_fails():
    assert _counts(_computed([], "month")) == [0, 0, 0, 0]


def test_one_order_gives_one_period_without_a_baseline():
    warehouse = _computed([Order("A", "2025-02-03", 10)], "month")
    assert _periods(warehouse) == [("2025-02-01", "2025-02-04", False)]
    (row,) = records(warehouse, "select * from kpi.sales_contribution where segment_key = 'new'")
    assert (row["customers"], row["sales_contribution"]) == (1, Decimal(1))
    (growth,) = records(warehouse, "select * from kpi.clv_growth where segment_key = 'S02'")
    assert (growth["clv_growth_reason"], growth["new_customers"]) == ("no_baseline", Decimal(10))


def test_a_late_order_changes_the_periods_from_its_date_on_and_none_before():
    history = busy_history(12)
    late = Order("C3", "2024-03-05T12:00:00", 999)
    one, other = _computed(history, "month"), _computed([*history, late], "month")
    # December to mid-May. The value of a customer changes from March on for good, the sales of March only.
    assert _changed_periods(one, other, "clv_growth") == [date(2024, month, 1) for month in (3, 4, 5)]
    for table in ("average_order_value", "sales_contribution"):
        assert _changed_periods(one, other, table)[0] == date(2024, 3, 1), table


def test_a_late_order_changes_churn_only_where_the_window_or_the_past_of_a_period_holds_it():
    # B is active in January and February; the late order is B's return.
    history = [Order("B", "2025-01-10", 20), Order("B", "2025-02-20", 20), Order("A", "2025-07-01", 20)]
    late = Order("B", "2025-03-10", 20)
    one, other = _computed(history, "month"), _computed([*history, late], "month")
    flow = "period, segment_key, customers, active, churned, churn_rate, inactive_share"
    changed = _changed_periods(one, other, "churn_rate", flow)
    # February's window ends on 3 March, before the late order; March's holds it; in April B was active.
    assert changed == [date(2025, 3, 1), date(2025, 4, 1)]


def test_results_do_not_depend_on_the_order_in_which_orders_are_stored():
    history = busy_history(10)
    shuffled = warehouse_with([])
    for part in (history[300:], list(reversed(history[:100])), history[100:300]):
        store_orders(shuffled, part)
    compute(shuffled, tiny_settings())
    assert _kpi_digests(shuffled) == _kpi_digests(_computed(history, "month"))


def test_results_do_not_depend_on_how_the_records_were_cut_into_batches():
    settings = tiny_settings()
    payloads = [
        event(
            order_id=f"A{number}",
            customer_id=order.customer,
            purchase_date=order.at,
            purchase_amount=float(order.gross),
            discount_amount=float(order.discount),
            coupon_used=bool(order.coupon),
        )
        for number, order in enumerate(busy_history(14, orders=300))
    ]
    records_ = [Record(payload) for payload in [*payloads, b"broken", *payloads[:20]]]
    found = []
    for cuts, in_turn in (((0,), (0,)), ((0, 100, 180), (2, 0, 1)), ((0, 10), (0, 1, 0))):
        warehouse = MemoryWarehouse()
        ends = (*cuts[1:], len(records_))
        for place, (start, end) in enumerate(zip(cuts, ends, strict=True)):
            store_batch(warehouse, f"batch{place}", records_[start:end], start=start)
        for place in in_turn:
            run_silver(warehouse, settings, f"batch{place}")
        assert run_whole_tables(warehouse, settings).startswith("fitted version 1")
        found.append(digests(warehouse))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == len(TABLES) - 3, "all tables but the ledger, how each batch was read, and what it left out"


def test_computing_twice_changes_no_byte():
    warehouse = _computed(busy_history(13), "week")
    before = digests(warehouse)
    compute(warehouse, tiny_settings(kpi_period="week"))
    assert {name: digest for name, digest in digests(warehouse).items() if name in before} == before


def _computed(history: list[Order], unit: Period, *, as_of: date | None = None) -> MemoryWarehouse:
    warehouse = warehouse_with(history)
    settings = tiny_settings(kpi_period=unit, as_of=as_of)
    compute_snapshots(warehouse, settings)
    compute_kpis(warehouse, settings)
    return warehouse


def _broken_shares(warehouse: MemoryWarehouse) -> list[dict[str, Any]]:
    return records(
        warehouse,
        "select period, sum(sales_contribution) as shares, max(total_sales) as total from kpi.sales_contribution "
        "group by period having case when max(total_sales) > 0 then sum(sales_contribution) <> 1 "
        "or sum(closing_sales_contribution) <> 1 or sum(closing_sales) <> max(total_sales) "
        "or count(sales_contribution) < count(*) or count(closing_sales_contribution) < count(*) "
        "else count(sales_contribution) + count(closing_sales_contribution) > 0 end",
    )


def _open_bridges(warehouse: MemoryWarehouse) -> list[dict[str, Any]]:
    return records(
        warehouse,
        "select * from kpi.clv_growth "
        "where opening_clv + organic + migrated_in - migrated_out + new_customers - removed <> closing_clv",
    )


def _broken_continuity(warehouse: MemoryWarehouse) -> list[dict[str, Any]]:
    """Closing value and members against those of the next opening."""
    return records(
        warehouse,
        "with chained as (select *, lead(opening_clv) over later as next_clv, lead(customers) over later as "
        "next_customers, lead(period) over later as next_period from kpi.clv_growth "
        "window later as (partition by segment_key order by period)) "
        "select * from chained where next_period is not null "
        "and (next_period <> closes_on or next_clv <> closing_clv or next_customers <> closing_customers)",
    )


def _sum(warehouse: MemoryWarehouse, table: str) -> Decimal:
    (row,) = records(warehouse, f"select coalesce(sum(sales), 0) as sales from {table}")
    return Decimal(row["sales"])


def _periods(warehouse: MemoryWarehouse) -> list[tuple[str, str, bool]]:
    found = [
        records(warehouse, f"select distinct period, closes_on, is_complete from {contract.full_name} order by period")
        for contract in KPI_TABLES
    ]
    assert all(rows == found[0] for rows in found)
    return [(str(row["period"]), str(row["closes_on"]), row["is_complete"]) for row in found[0]]


def _counts(warehouse: MemoryWarehouse) -> list[int]:
    return [records(warehouse, f"select count(*) as n from {contract.full_name}")[0]["n"] for contract in KPI_TABLES]


def _kpi_digests(warehouse: MemoryWarehouse) -> dict[str, str]:
    return {name: digest for name, digest in digests(warehouse).items() if name.startswith("kpi.")}


def _changed_periods(one: MemoryWarehouse, other: MemoryWarehouse, table: str, columns: str = "*") -> list[date]:
    sql = f"select {columns} from kpi.{table} order by period, segment_key"
    pairs = zip(records(one, sql), records(other, sql), strict=True)
    return sorted({before["period"] for before, after in pairs if before != after})
