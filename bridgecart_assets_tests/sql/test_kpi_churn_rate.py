"""`kpi.churn_rate`: worked by hand, day by day at the borders of the window, and its edges."""

from datetime import date
from typing import Any

import pytest

from bridgecart_assets.contracts import CHURN_RATE
from bridgecart_assets_tests.sql.history import (
    MemoryWarehouse,
    Order,
    compute_kpi,
    kpi_row,
    tiny_settings,
    warehouse_with,
)

# A0 = 1 March 2025, W = 30 days: active in [30 January, 1 March), lost without a purchase in [1 March, 31 March).
SMALL_ONES = (
    Order("anna", "2025-02-10", 20),
    Order("anna", "2025-03-05", 20),  # active, returned
    Order("bela", "2025-02-11", 20),  # active, lost
    Order("cleo", "2025-01-30T00:00:00", 20),  # active on the first day of the window, lost
    Order("dora", "2025-01-29T23:59:59.999999", 20),  # inactive, and old enough to be called so
    Order("emil", "2025-02-28T23:59:59", 20),
    Order("emil", "2025-03-30T23:59:59", 20),  # active, returned on the last day
    Order("finn", "2025-02-14", 20),
    Order("finn", "2025-03-31T00:00:00", 20),  # active, back a day too late: lost
    Order("gita", "2024-12-24", 20),
    Order("gita", "2025-02-01", 20),  # active, lost, old enough
)
LARGE_ONES = (
    Order("hugo", "2025-02-20", 200),
    Order("hugo", "2025-03-20", 10),  # large at the opening: counts there, whatever becomes of it
)
WATCHED_UNTIL_MATURITY = Order("ivan", "2025-03-31", 500)
ON_THE_LAST_DAY = Order("ivan", "2025-03-30T23:59:59", 500)


def test_churn_is_the_share_of_active_opening_members_without_a_purchase_in_the_window():
    warehouse = _computed(*SMALL_ONES, *LARGE_ONES)
    small, large = _march(warehouse, "S02"), _march(warehouse, "S01")
    assert (small["customers"], small["active"], small["churned"]) == (7, 6, 4)
    assert small["churn_rate"] == pytest.approx(4 / 6)
    assert (large["customers"], large["active"], large["churned"], large["churn_rate"]) == (1, 1, 0, 0.0)


def test_inactive_share_leaves_out_customers_younger_than_the_window():
    small = _march(_computed(*SMALL_ONES, *LARGE_ONES), "S02")
    # At least 30 days old on 1 March: cleo, dora, gita. Of these only dora bought nothing for more than 30 days.
    assert small["inactive_share"] == pytest.approx(1 / 3)


def test_the_rate_exists_from_the_first_order_after_the_last_day_of_the_window():
    matured = _march(_computed(Order("anna", "2025-02-10", 20), WATCHED_UNTIL_MATURITY), "S02")
    assert (matured["matures_on"], matured["matured"], matured["churn_rate"]) == (date(2025, 3, 31), True, 1.0)
    assert matured["churn_rate_reason"] is None


def test_the_last_day_of_the_window_is_not_over_while_the_clock_is_within_it():
    early = _march(_computed(Order("anna", "2025-02-10", 20), ON_THE_LAST_DAY), "S02")
    assert (early["matured"], early["churn_rate"], early["churned"]) == (False, None, None)
    assert (early["churn_rate_reason"], early["active"], early["inactive_share"]) == ("not_matured", 1, None)


def test_the_as_of_setting_decides_maturity_too():
    orders = (Order("anna", "2025-02-10", 20), Order("ivan", "2025-06-01", 500))
    assert _march(_computed(*orders, as_of=date(2025, 3, 31)), "S02")["matured"]
    assert not _march(_computed(*orders, as_of=date(2025, 3, 30)), "S02")["matured"]


def test_a_refund_is_no_return_and_neither_is_a_zero_value_order():
    small = _march(
        _computed(
            Order("anna", "2025-02-10", 20),
            Order("anna", "2025-03-10", -5),
            Order("anna", "2025-03-11", 0),
            WATCHED_UNTIL_MATURITY,
        ),
        "S02",
    )
    assert (small["active"], small["churned"]) == (1, 1)


def test_who_buys_again_has_returned_also_when_an_earlier_order_is_refunded_on_that_day():
    small = _march(
        _computed(
            Order("anna", "2025-02-10", 20),
            Order("anna", "2025-03-10T09:00", 30),
            Order("anna", "2025-03-10T10:00", -50),
            WATCHED_UNTIL_MATURITY,
        ),
        "S02",
    )
    assert (small["active"], small["churned"]) == (1, 0)


def test_a_segment_with_members_but_nobody_active_has_no_rate():
    small = _march(_computed(Order("anna", "2025-01-02", 20), WATCHED_UNTIL_MATURITY), "S02")
    assert (small["customers"], small["active"], small["churn_rate"]) == (1, 0, None)
    assert (small["churn_rate_reason"], small["inactive_share"]) == ("nobody_active", 1.0)


def test_an_empty_segment_has_its_row_without_a_rate():
    empty = _march(_computed(*SMALL_ONES), "S03")
    assert (empty["customers"], empty["active"], empty["churned"]) == (0, 0, 0)
    assert (empty["churn_rate"], empty["churn_rate_reason"], empty["inactive_share"]) == (None, "empty_segment", None)


def test_the_first_period_has_no_baseline():
    first = kpi_row(_computed(*SMALL_ONES), CHURN_RATE, "2024-12-01", "S02")
    assert (first["matured"], first["churn_rate"], first["churn_rate_reason"]) == (True, None, "no_baseline")


@pytest.mark.parametrize(("active", "is_low"), [(29, True), (30, False)])
def test_a_rate_of_fewer_than_thirty_active_customers_is_marked_as_a_low_sample(active: int, is_low: bool):
    orders = [Order(f"C{number}", "2025-02-10", 20) for number in range(active)]
    # Members who are not active do not make the sample larger.
    asleep = [Order(f"D{number}", "2025-01-05", 20) for number in range(5)]
    small = _march(_computed(*orders, *asleep, WATCHED_UNTIL_MATURITY), "S02")
    assert (small["customers"], small["active"], small["low_sample"]) == (active + 5, active, is_low)


def test_windows_longer_than_the_period_overlap_and_still_count_each_customer_once():
    warehouse = _computed(
        Order("anna", "2025-01-10", 20), Order("anna", "2025-04-30", 20), window=90, as_of=date(2025, 6, 1)
    )
    february, march = kpi_row(warehouse, CHURN_RATE, "2025-02-01", "S02"), _march(warehouse, "S02")
    # From 1 February 90 days end on 2 May, from 1 March on 30 May: both see the purchase of 30 April.
    assert [(row["active"], row["churned"], row["matures_on"]) for row in (february, march)] == [
        (1, 0, date(2025, 5, 2)),
        (1, 0, date(2025, 5, 30)),
    ]


def _computed(*orders: Order, as_of: date | None = None, window: int = 30) -> MemoryWarehouse:
    warehouse = warehouse_with(orders)
    compute_kpi(warehouse, tiny_settings(churn_window_days=window, as_of=as_of), CHURN_RATE)
    return warehouse


def _march(warehouse: MemoryWarehouse, key: str) -> dict[str, Any]:
    return kpi_row(warehouse, CHURN_RATE, "2025-03-01", key)
