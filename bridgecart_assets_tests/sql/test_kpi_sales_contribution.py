"""`kpi.sales_contribution`: shares that sum to exactly 1, worked by hand, and its edges."""

import math
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridgecart_assets.contracts import SALES_CONTRIBUTION
from bridgecart_assets_tests.sql.history import (
    MemoryWarehouse,
    Order,
    compute_kpi,
    kpi_row,
    records,
    spend_model,
    store_model,
    tiny_settings,
    warehouse_with,
)
from bridgecart_assets_tests.support.examples import examples

MEMBERS = (Order("anna", "2025-01-10", 20), Order("hugo", "2025-01-12", 200))
MILLIONTH = Decimal("0.000001")


def test_each_segment_contributes_its_share_of_the_net_sales_of_the_period():
    shares = _shares(Order("anna", "2025-02-01", 30), Order("hugo", "2025-02-02", 50), Order("nina", "2025-02-03", 20))
    assert shares == {
        "S01": Decimal("0.5"),
        "S02": Decimal("0.3"),
        "S03": Decimal(0),
        "new": Decimal("0.2"),
        "unassigned": Decimal(0),
    }


def test_new_business_and_customers_without_a_segment_are_two_rows():
    warehouse = _computed(
        Order("nina", "2025-02-03", 20), Order("otto", "2025-01-20", -5), Order("otto", "2025-02-03", 60)
    )
    shares = [_february(warehouse, key)["sales_contribution"] for key in ("new", "unassigned")]
    assert shares == [Decimal("0.25"), Decimal("0.75")]


def test_by_the_segment_at_the_close_new_customers_have_one_and_movers_count_where_they_are():
    # Anna is small at the opening and large at the close; nina is new and small.
    warehouse = _computed(
        Order("anna", "2025-02-01", 900), Order("hugo", "2025-02-02", 50), Order("nina", "2025-02-03", 50)
    )
    rows = {key: _february(warehouse, key) for key in ("S01", "S02", "S03", "new", "unassigned")}
    assert {key: row["closing_sales"] for key, row in rows.items() if row["closing_sales"]} == {"S01": 950, "S02": 50}
    assert {key: row["closing_sales_contribution"] for key, row in rows.items()} == {
        "S01": Decimal("0.95"),
        "S02": Decimal("0.05"),
        "S03": 0,
        "new": 0,
        "unassigned": 0,
    }


@pytest.mark.parametrize(
    ("in_force_from", "changed"), [("2025-02-01", False), ("2025-02-02", True), ("2025-03-01", True), (None, False)]
)
def test_a_column_says_in_which_period_another_model_came_into_force(in_force_from: str | None, changed: bool):
    warehouse = _computed(Order("anna", "2025-01-11", 1), Order("anna", "2025-03-05", 1))
    later = spend_model(version=2, as_of=date.fromisoformat(in_force_from or "2025-02-15"))
    if in_force_from is None:
        later = spend_model(version=2, as_of=date(2025, 2, 15), status="proposed")
    store_model(warehouse, pd.concat([spend_model(), later], ignore_index=True))
    compute_kpi(warehouse, tiny_settings(), SALES_CONTRIBUTION)
    assert {_february(warehouse, key)["model_changed"] for key in ("S01", "new")} == {changed}


def test_a_giant_in_a_segment_is_seen_beside_its_contribution():
    others = [Order(f"C{number}", f"2025-0{month}-01", 10) for number in range(100) for month in (1, 2)]
    usual, giant = (
        _february(_computed(*others, Order("anna", "2025-02-02", spent)), "S02")["largest_customer_at_most"]
        for spent in (10, 1_000)
    )
    assert usual == pytest.approx(1 / math.sqrt(101))
    # Half of all sales are hers.
    assert giant == pytest.approx(0.5, abs=0.003)
    assert giant > 0.5


def test_without_sales_nobody_has_a_share_of_them():
    warehouse = _computed(Order("anna", "2025-02-01", -5))
    assert {_february(warehouse, key)["largest_customer_at_most"] for key in ("S01", "S02", "new")} == {None}


def test_without_a_model_nothing_has_changed():
    warehouse = _computed(Order("anna", "2025-02-11", 1))
    store_model(warehouse, spend_model()[:0])
    compute_kpi(warehouse, tiny_settings(), SALES_CONTRIBUTION)
    assert not _february(warehouse, "unassigned")["model_changed"]


def test_refunds_reduce_the_sales_of_their_segment():
    shares = _shares(
        Order("anna", "2025-02-01", 100), Order("hugo", "2025-02-02", 50), Order("hugo", "2025-02-03", -75)
    )
    assert (shares["S01"], shares["S02"]) == (Decimal("-0.333333"), Decimal("1.333333"))


def test_a_third_each_still_sums_to_exactly_one():
    shares = _shares(Order("anna", "2025-02-01", 10), Order("hugo", "2025-02-02", 10), Order("nina", "2025-02-03", 10))
    assert sorted(value for value in shares.values() if value) == [
        Decimal("0.333333"),
        Decimal("0.333333"),
        Decimal("0.333334"),
    ]
    assert sum(shares.values()) == 1


def test_customers_with_only_refunds_stand_in_the_sales_of_new_business():
    warehouse = _computed(Order("anna", "2025-02-01", 100), Order("nina", "2025-02-03", -20))
    row = _february(warehouse, "new")
    assert (row["customers"], row["sales"], row["total_sales"]) == (1, Decimal(-20), Decimal(80))
    assert row["sales_contribution"] == Decimal("-0.25")


@pytest.mark.parametrize("refund", [-10, -11])
def test_a_total_of_zero_or_less_gives_no_shares_but_a_reason(refund: int):
    warehouse = _computed(Order("anna", "2025-02-01", 10), Order("hugo", "2025-02-02", refund))
    rows = [_february(warehouse, key) for key in ("S01", "S02", "S03", "new", "unassigned")]
    assert {row["sales_contribution"] for row in rows} == {None}
    assert {row["sales_contribution_reason"] for row in rows} == {"total_sales_not_positive"}
    assert rows[1]["sales"] == Decimal(10)


def test_a_period_without_any_order_has_rows_without_shares():
    warehouse = _computed(Order("anna", "2025-03-01", 10))
    row = _february(warehouse, "S01")
    assert (row["customers"], row["sales"], row["total_sales"]) == (0, Decimal(0), Decimal(0))
    assert (row["sales_contribution"], row["sales_contribution_reason"]) == (None, "total_sales_not_positive")


def test_an_empty_segment_has_its_row_and_contributes_nothing():
    row = _february(_computed(Order("anna", "2025-02-01", 10)), "S03")
    assert (row["customers"], row["sales"], row["sales_contribution"]) == (0, Decimal(0), Decimal(0))


def test_refunds_that_all_but_cancel_the_sales_give_huge_shares_and_no_error():
    shares = _shares(Order("anna", "2025-02-01", "1000000000.00"), Order("hugo", "2025-02-02", "-999999999.99"))
    assert shares["S02"] == Decimal("100000000000.000000")
    assert shares["S01"] == Decimal("-99999999999.000000")
    assert sum(shares.values()) == 1


amounts = st.decimals(Decimal("-10000"), Decimal("1000000000"), places=2)


@given(anna=amounts, hugo=amounts, nina=amounts)
@example(anna=Decimal("0.01"), hugo=Decimal("0.01"), nina=Decimal("0.01"))
@example(anna=Decimal("-0.01"), hugo=Decimal("0.02"), nina=Decimal("0.00"))
@example(anna=Decimal("1000000000"), hugo=Decimal("-999999999"), nina=Decimal("-0.99"))
@examples(20)
def test_shares_are_within_a_millionth_of_the_true_ratio_and_sum_to_exactly_one(
    anna: Decimal, hugo: Decimal, nina: Decimal
):
    sales = {"S02": anna, "S01": hugo, "new": nina, "S03": Decimal(0), "unassigned": Decimal(0)}
    shares = _shares(
        Order("anna", "2025-02-01", anna), Order("hugo", "2025-02-02", hugo), Order("nina", "2025-02-03", nina)
    )
    total = sum(sales.values())
    if total <= 0:
        assert set(shares.values()) == {None}
        return
    assert sum(shares.values()) == 1
    for key, share in shares.items():
        assert abs(share * total - sales[key]) <= MILLIONTH * total, key


def _computed(*orders: Order) -> MemoryWarehouse:
    warehouse = warehouse_with([*MEMBERS, *orders])
    compute_kpi(warehouse, tiny_settings(), SALES_CONTRIBUTION)
    return warehouse


def _february(warehouse: MemoryWarehouse, key: str) -> dict[str, Any]:
    return kpi_row(warehouse, SALES_CONTRIBUTION, "2025-02-01", key)


def _shares(*orders: Order) -> dict[str, Decimal]:
    sql = "select segment_key, sales_contribution from kpi.sales_contribution where period = '2025-02-01'"
    return {row["segment_key"]: row["sales_contribution"] for row in records(_computed(*orders), sql)}
