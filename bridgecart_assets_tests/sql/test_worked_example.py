"""The example of `docs/kpis.md`, computed by the production SQL: what the document says by hand must come out."""

import re
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from bridgecart_assets import contracts
from bridgecart_assets.contracts import Contract
from bridgecart_assets.sql import read_sql
from bridgecart_assets.sql.chain import files_before
from bridgecart_assets.warehouse.storage.database import rows_of
from bridgecart_assets.warehouse.storage.tables import run_steps
from bridgecart_assets_tests.docs import KPIS
from bridgecart_assets_tests.sql.history import (
    MemoryWarehouse,
    Order,
    compute,
    kpi_row,
    records,
    tiny_settings,
    warehouse_with,
)

FEBRUARY = "2025-02-01"
ORDERS = [
    Order("A", "2025-01-10", 300),
    Order("A", "2025-02-12", 500),
    Order("A", "2025-03-04", 100),
    Order("B", "2025-01-20", 200),
    Order("C", "2025-01-05", 50),
    Order("C", "2025-02-20", 450),
    Order("D", "2025-01-25", 40),
    Order("D", "2025-02-03", 60, discount=15),
    Order("D", "2025-02-10", -20),
    Order("E", "2025-02-15", 80),
]


@cache
def _shop() -> MemoryWarehouse:
    warehouse = warehouse_with(ORDERS)
    compute(warehouse, tiny_settings(churn_window_days=30))
    return warehouse


def _february(contract: Contract, key: str) -> dict[str, Any]:
    return kpi_row(_shop(), contract, FEBRUARY, key)


def _section(title: str) -> str:
    """The paragraphs by hand of one section, on one line."""
    (section,) = re.findall(rf"^## {title}\n(.*?)<!--", KPIS.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return " ".join(section[section.index("By hand") :].split())


def test_the_orders_of_the_example_are_those_of_the_document():
    table = KPIS.read_text(encoding="utf-8").partition("| Customer |")[2].partition("\n\n")[0]
    for order in ORDERS:
        (row,) = [line for line in table.splitlines() if line.startswith(f"| {order.customer} |")]
        said = f"refund of {-order.amount}" if order.amount < 0 else str(order.amount)
        assert re.search(rf"\b{order.day.day}(st|nd|rd|th): {said}\b", row), (order, row)
    assert len(re.findall(r"\d(?:st|nd|rd|th): ", table)) == len(ORDERS)
    opening, closing = _segments("2025-02-01"), _segments("2025-03-01")
    for customer in "ABCDE":
        assert re.search(rf"^\| {customer} \|.*\| {opening.get(customer, '')} ?\| {closing[customer]} \|$", table, re.M)


def test_the_growth_by_hand_is_the_one_computed():
    large, small = _february(contracts.CLV_GROWTH, "S01"), _february(contracts.CLV_GROWTH, "S02")
    bridge = ("opening_clv", "organic", "migrated_in", "migrated_out", "new_customers", "removed", "closing_clv")
    assert [int(large[part]) for part in bridge] == [500, 500, 500, 0, 0, 0, 1500]
    assert [int(small[part]) for part in bridge] == [90, 490, 0, 500, 80, 0, 160]
    _assert_said(
        "KPI 1: customer lifetime value growth",
        *(f"**{row[name]:.1%}**" for row in (large, small) for name in ("clv_growth", "clv_growth_mix_included")),
        *(f"**{row['closing_clv']:,}**" for row in (large, small)),
    )


def test_new_and_returning_customers_by_hand_are_those_computed():
    file, parameters = "report/new_and_returning", {"most_periods": 12}
    with _shop().reading() as connection:
        run_steps(connection, files_before(file), parameters)
        columns, rows = rows_of(connection, read_sql(file), parameters)
    found = [dict(zip(columns, row, strict=True)) for row in rows]
    new, returning = [row for row in found if str(row["period"]) == FEBRUARY]
    said = " ".join(KPIS.read_text(encoding="utf-8").partition("## New and returning customers")[2].split())
    assert f"new (E) {new['sales']:.0f} of 1,070, a share of **{new['share']}**" in said
    assert f"= **{new['average_order_value']:.2f}**; returning" in said
    assert f"= {returning['sales']:.0f}, **{returning['share']}**" in said
    assert f"/ {returning['orders']} = **{returning['average_order_value']:.2f}**" in said


def test_the_churn_by_hand_is_the_one_computed():
    large, small = _february(contracts.CHURN_RATE, "S01"), _february(contracts.CHURN_RATE, "S02")
    assert [(row["churned"], row["active"]) for row in (large, small)] == [(1, 2), (0, 2)]
    risks = records(
        _shop(),
        "select customer_id, churn_risk from gold.customer_snapshots where as_of = ? and customer_id in ('A', 'B') "
        "order by 1",
        FEBRUARY,
    )
    _assert_said(
        "KPI 2: churn rate",
        *(f"**{row['churn_rate']:.1%}**" for row in (large, small)),
        *(f"**{row['churn_risk']:.4f}**" for row in risks),
        f"**{large['estimated_churn_rate']:.1%}**",
        f"{100 * large['estimate_error']:.1f} points",
    )


def test_the_average_order_values_by_hand_are_those_computed():
    values = [_february(contracts.AVERAGE_ORDER_VALUE, key) for key in ("S01", "S02", "new")]
    assert [row["orders"] for row in values] == [1, 2, 1]
    _assert_said(
        "KPI 3: average order value",
        *(f"**{row['average_order_value']:.2f}**" for row in values),
        f"**{values[1]['average_order_value_after_refunds']:.2f}**",
        f"**{values[1]['refund_share']:.1%}**",
    )


def test_the_contributions_by_hand_are_those_computed():
    rows = [_february(contracts.SALES_CONTRIBUTION, key) for key in ("S01", "S02", "new")]
    assert [row["sales"] for row in rows] == [500, 490, 80]
    assert sum(row["sales_contribution"] for row in rows) == Decimal(1)
    assert [row["closing_sales"] for row in rows] == [950, 120, 0]
    _assert_said(
        "KPI 4: contribution to total sales",
        *(f"**{row['sales_contribution']}**" for row in rows),
        *(f"**{row['closing_sales_contribution']}**" for row in rows[:2]),
    )


@pytest.mark.parametrize("contract", contracts.KPI_TABLES, ids=lambda contract: contract.name)
def test_the_segment_that_nobody_is_in_has_a_row(contract: Contract):
    assert _february(contract, "S03")["customers"] == 0


def _assert_said(title: str, *figures: str) -> None:
    """The document says each figure by hand; in the text a percent sign stands apart."""
    said = _section(title).replace(" %", "%")
    assert [figure for figure in figures if figure not in said] == []


def _segments(as_of: str) -> dict[str, str]:
    rows = records(_shop(), "select customer_id, segment_key from gold.customer_snapshots where as_of = ?", as_of)
    return {row["customer_id"]: row["segment_key"] for row in rows}
