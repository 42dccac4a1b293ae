"""`kpi.clv_growth`: worked by hand, every term of the bridge, and its edges."""

from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from bridgecart_assets.contracts import CLV_GROWTH
from bridgecart_assets.warehouse.queries import kpi_query
from bridgecart_assets_tests.sql.history import (
    MemoryWarehouse,
    Order,
    compute_flows,
    compute_kpi,
    compute_snapshots,
    kpi_row,
    records,
    tiny_settings,
    warehouse_with,
    write,
)

# S01 large: an order is worth more than 100 on average; S02 small: less; S03: nobody.
# Orders of January make the opening values of February.
HISTORY = (
    Order("anna", "2025-01-10", 300),
    Order("anna", "2025-02-05", 300),  # large, 300 -> 600
    Order("bela", "2025-01-12", 20),
    Order("bela", "2025-02-06", 10),  # small, 20 -> 30
    Order("cleo", "2025-01-15", 30),
    Order("cleo", "2025-02-20", 1170),  # small 30 -> large 1200: 600 an order
    Order("dora", "2025-02-09", 500),  # new, large
    Order("emil", "2025-01-20", 150),
    Order("emil", "2025-02-03", -50),  # large, 150 -> 100
    Order("finn", "2025-01-25", -5),  # a refund only: unassigned
    Order("gita", "2025-02-28", 40),  # new, small
)


def test_like_for_like_growth_follows_the_opening_members_wherever_they_go():
    warehouse = _february()
    # anna and emil: (600 + 100) / (300 + 150) - 1
    assert _growth(warehouse, "S01")["clv_growth"] == pytest.approx(700 / 450 - 1)
    # bela and cleo, who is large by now: (30 + 1200) / (20 + 30) - 1
    assert _growth(warehouse, "S02")["clv_growth"] == pytest.approx(1230 / 50 - 1)


def test_mix_included_growth_compares_the_means_of_opening_and_closing_members():
    warehouse = _february()
    # closing: anna 600, cleo 1200, dora 500, emil 100; opening: anna 300, emil 150
    assert _growth(warehouse, "S01")["clv_growth_mix_included"] == pytest.approx((2400 / 4) / (450 / 2) - 1)
    # closing: bela 30, gita 40; opening: bela 20, cleo 30
    assert _growth(warehouse, "S02")["clv_growth_mix_included"] == pytest.approx((70 / 2) / (50 / 2) - 1)


@pytest.mark.parametrize(
    ("key", "terms"),
    [
        # opening, organic, migrated in, migrated out, new, removed, closing
        ("S01", (450, 300 - 50, 1200, 0, 500, 0, 2400)),
        ("S02", (50, 10 + 1170, 0, 1200, 40, 0, 70)),
        ("S03", (0, 0, 0, 0, 0, 0, 0)),
        ("unassigned", (-5, 0, 0, 0, 0, 0, -5)),
    ],
)
def test_the_bridge_from_opening_to_closing_value_has_these_terms(key: str, terms: tuple[int, ...]):
    row = _growth(_february(), key)
    assert _bridge(row) == tuple(map(Decimal, terms))
    opening, organic, migrated_in, migrated_out, new, removed, closing = _bridge(row)
    assert opening + organic + migrated_in - migrated_out + new - removed == closing


def test_members_are_counted_at_the_opening_and_at_the_close():
    warehouse = _february()
    assert {
        key: (_growth(warehouse, key)["customers"], _growth(warehouse, key)["closing_customers"])
        for key in ("S01", "S02", "S03", "unassigned")
    } == {"S01": (2, 4), "S02": (2, 2), "S03": (0, 0), "unassigned": (1, 1)}


def test_an_erased_customer_is_removed_in_the_bridge_and_leaves_the_like_for_like_comparison():
    warehouse = warehouse_with(HISTORY)
    compute_snapshots(warehouse, tiny_settings())
    with warehouse.transaction() as connection:
        connection.execute("delete from gold.customer_totals where customer_id = 'emil'")
    compute_flows(warehouse, tiny_settings())
    write(warehouse, CLV_GROWTH, kpi_query(tiny_settings()))
    row = _growth(warehouse, "S01")
    assert _bridge(row) == tuple(map(Decimal, (450, 300, 1200, 0, 500, 150, 2300)))
    assert row["clv_growth"] == pytest.approx(600 / 300 - 1)


def test_a_customer_who_buys_after_refunds_only_migrates_out_of_unassigned():
    warehouse = warehouse_with(
        [Order("A", "2025-01-10", -5), Order("A", "2025-02-10", 45), Order("B", "2025-02-28", 1)]
    )
    compute_kpi(warehouse, tiny_settings(), CLV_GROWTH)
    assert _growth(warehouse, "unassigned")["migrated_out"] == Decimal(40)
    assert _growth(warehouse, "S02")["migrated_in"] == Decimal(40)


def test_the_first_period_has_no_baseline():
    row = kpi_row(_february(), CLV_GROWTH, "2025-01-01", "S01")
    assert (row["clv_growth"], row["clv_growth_reason"], row["clv_growth_mix_included"]) == (None, "no_baseline", None)
    assert (row["customers"], row["opening_clv"], row["new_customers"]) == (0, Decimal(0), Decimal(450))


def test_an_empty_segment_has_its_row_with_no_customers_and_no_growth():
    row = _growth(_february(), "S03")
    assert (row["customers"], row["clv_growth"], row["clv_growth_reason"]) == (0, None, "empty_segment")
    assert (row["segment"], row["low_sample"]) == ("nobody", True)


@pytest.mark.parametrize("refund", [-20, -30])
def test_an_opening_value_of_zero_or_less_gives_no_growth_but_a_reason(refund: int):
    warehouse = warehouse_with(
        [Order("A", "2025-01-10", 20), Order("A", "2025-01-11", refund), Order("A", "2025-02-28", 50)]
    )
    compute_kpi(warehouse, tiny_settings(), CLV_GROWTH)
    row = _growth(warehouse, "S02")
    assert (row["customers"], row["opening_clv"]) == (1, Decimal(20 + refund))
    assert (row["clv_growth"], row["clv_growth_reason"]) == (None, "opening_value_not_positive")
    assert row["clv_growth_mix_included"] is None


@pytest.mark.parametrize(("customers", "is_low"), [(29, True), (30, False)])
def test_growth_of_fewer_than_thirty_customers_is_marked_as_a_low_sample(customers: int, is_low: bool):
    orders = [Order(f"C{number}", "2025-01-10", 20) for number in range(customers)]
    warehouse = warehouse_with([*orders, Order("C0", "2025-02-28", 20)])
    compute_kpi(warehouse, tiny_settings(), CLV_GROWTH)
    row = _growth(warehouse, "S02")
    assert (row["low_sample"], row["clv_growth"]) == (is_low, pytest.approx(1 / customers))


def test_an_open_period_closes_at_the_data_clock():
    warehouse = warehouse_with([Order("A", "2025-01-10", 20), Order("A", "2025-02-10", 5)])
    compute_kpi(warehouse, tiny_settings(), CLV_GROWTH)
    row = _growth(warehouse, "S02")
    assert (row["closes_on"], row["is_complete"], row["closing_clv"]) == (date(2025, 2, 11), False, Decimal(25))


def test_a_period_in_which_nothing_happens_grows_by_nothing():
    warehouse = warehouse_with([Order("A", "2025-01-10", 20), Order("A", "2025-03-10", 5)])
    compute_kpi(warehouse, tiny_settings(), CLV_GROWTH)
    row = _growth(warehouse, "S02")
    assert (row["clv_growth"], row["organic"], row["is_complete"]) == (0.0, Decimal(0), True)


@cache
def _february() -> MemoryWarehouse:
    """Computed once; tests only read it."""
    warehouse = warehouse_with(HISTORY)
    compute_kpi(warehouse, tiny_settings(), CLV_GROWTH)
    (clock,) = records(warehouse, "select max(as_of) as as_of from gold.customer_snapshots")
    assert clock["as_of"] == date(2025, 3, 1)
    return warehouse


def _growth(warehouse: MemoryWarehouse, key: str) -> dict[str, Any]:
    return kpi_row(warehouse, CLV_GROWTH, "2025-02-01", key)


def _bridge(row: dict[str, Any]) -> tuple[Decimal, ...]:
    terms = ("opening_clv", "organic", "migrated_in", "migrated_out", "new_customers", "removed", "closing_clv")
    return tuple(row[term] for term in terms)
