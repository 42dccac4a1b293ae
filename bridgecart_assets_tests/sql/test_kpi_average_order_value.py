"""`kpi.average_order_value`: a ratio of sums over orders, worked by hand, and its edges."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import AVERAGE_ORDER_VALUE, KPI_TABLES
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.published_kpis import kpi_rows
from bridgecart_assets.warehouse.publishing import publish
from bridgecart_assets_tests.sql.history import (
    MemoryWarehouse,
    Order,
    compute,
    compute_kpi,
    kpi_row,
    spend_model,
    store_model,
    store_orders,
    store_purchase_model,
    tiny_settings,
    warehouse_with,
)

MEMBERS = (Order("anna", "2025-01-10", 20), Order("bela", "2025-01-11", 20), Order("hugo", "2025-01-12", 200))


def test_average_order_value_is_a_ratio_of_sums_and_no_mean_of_customer_means():
    warehouse = _computed(
        *(Order("anna", f"2025-02-{day:02d}", 10) for day in range(1, 10)),
        Order("bela", "2025-02-05", 60, discount=40),
    )
    small = _february(warehouse, "S02")
    assert (small["customers"], small["orders"], small["sales"]) == (2, 10, Decimal("150.00"))
    # The mean of the two customer means would be 35.
    assert small["average_order_value"] == 15.0


def test_the_average_that_people_and_programs_are_shown_has_two_decimals(tmp_path: Path):
    settings = Settings(data_dir=tmp_path)
    warehouse = warehouse_from_settings(settings)
    store_orders(warehouse, [Order("hugo", "2025-01-12", net) for net in ("19.28", "19.28", "134.97")])
    store_purchase_model(warehouse)
    store_model(warehouse, spend_model())
    compute(warehouse, settings)
    for contract in KPI_TABLES:
        publish(warehouse, contract, settings.published_dir)
    # As a double it is 57.843333333333334.
    shown = {row["average_order_value"] for row in kpi_rows(settings.published_dir)} - {None}
    assert shown == {57.84}


def test_refunds_and_zero_value_orders_are_counted_apart_and_change_no_average():
    warehouse = _computed(
        Order("anna", "2025-02-01", 30), Order("anna", "2025-02-02", -30), Order("bela", "2025-02-03", 0)
    )
    small = _february(warehouse, "S02")
    assert (small["orders"], small["refunds"], small["zero_value_orders"]) == (1, 1, 1)
    assert (small["sales"], small["average_order_value"], small["customers"]) == (Decimal(30), 30.0, 1)


def test_orders_count_for_the_segment_at_the_opening_even_when_they_move_the_customer():
    warehouse = _computed(Order("anna", "2025-02-01", 5000), Order("anna", "2025-02-02", 1000))
    assert _february(warehouse, "S02")["average_order_value"] == 3000.0
    assert _february(warehouse, "S01")["orders"] == 0


def test_orders_of_customers_that_are_new_in_the_period_stand_apart_from_those_who_never_bought_before():
    warehouse = _computed(
        Order("nina", "2025-02-01", 70), Order("otto", "2025-01-20", -5), Order("otto", "2025-02-02", 40)
    )
    new, unassigned = _february(warehouse, "new"), _february(warehouse, "unassigned")
    assert [(row["customers"], row["average_order_value"]) for row in (new, unassigned)] == [(1, 70.0), (1, 40.0)]


def test_serial_returners_have_their_refunds_beside_the_average():
    kept = [Order("anna", f"2025-02-{day:02}", 60) for day in (1, 2)]
    returned = [order for day in (3, 4) for order in (Order("hugo", f"2025-02-{day:02}", 400),)]
    warehouse = _computed(*kept, *returned, Order("hugo", "2025-02-20", -300), Order("hugo", "2025-02-21", -340))
    small, large = _february(warehouse, "S02"), _february(warehouse, "S01")
    assert (small["refund_share"], small["average_order_value_after_refunds"]) == (0.0, 60.0)
    assert (large["average_order_value"], large["refunded"]) == (400.0, Decimal(640))
    assert (large["refund_share"], large["average_order_value_after_refunds"]) == (0.8, 80.0)
    nobody = _february(warehouse, "S03")
    assert (nobody["refund_share"], nobody["average_order_value_after_refunds"]) == (None, None)


def test_two_orders_of_the_same_instant_are_two_orders():
    warehouse = _computed(Order("anna", "2025-02-01T10:00", 10), Order("anna", "2025-02-01T10:00", 20))
    assert _february(warehouse, "S02")["average_order_value"] == 15.0


@pytest.mark.parametrize("only", [(), (Order("hugo", "2025-02-01", -5),), (Order("hugo", "2025-02-01", 0),)])
def test_a_segment_without_orders_has_no_average_but_a_reason(only: tuple[Order, ...]):
    large = _february(_computed(Order("anna", "2025-02-20", 10), *only), "S01")
    assert (large["orders"], large["sales"]) == (0, Decimal(0))
    assert (large["average_order_value"], large["average_order_value_reason"]) == (None, "no_orders")


def test_an_empty_segment_has_its_row_without_an_average():
    empty = _february(_computed(Order("anna", "2025-02-20", 10)), "S03")
    assert (empty["customers"], empty["orders"], empty["average_order_value"]) == (0, 0, None)
    assert (empty["average_order_value_reason"], empty["low_sample"]) == ("no_orders", True)


@pytest.mark.parametrize(("customers", "is_low"), [(29, True), (30, False)])
def test_an_average_of_fewer_than_thirty_customers_is_marked_as_a_low_sample(customers: int, is_low: bool):
    # Each buys twice: it is customers that count, not orders.
    orders = [Order(f"C{n}", f"2025-02-{day}", 20) for n in range(customers) for day in (10, 20)]
    new = _february(_computed(*orders), "new")
    assert (new["orders"], new["low_sample"]) == (2 * customers, is_low)


def _computed(*orders: Order) -> MemoryWarehouse:
    warehouse = warehouse_with([*MEMBERS, *orders])
    compute_kpi(warehouse, tiny_settings(), AVERAGE_ORDER_VALUE)
    return warehouse


def _february(warehouse: MemoryWarehouse, key: str) -> dict[str, Any]:
    return kpi_row(warehouse, AVERAGE_ORDER_VALUE, "2025-02-01", key)
