"""The check that compares the sales expected at the opening of a churn window with those that there were in it."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import pytest

from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.sql.history import (
    Order,
    compute_snapshots,
    lines_of,
    tiny_settings,
    warehouse_with,
)

BEGIN, OPENING, END = date(2025, 1, 1), date(2025, 3, 1), date(2025, 4, 30)
LARGE, SMALL = range(40), range(40, 80)


def test_customers_who_go_on_as_before_are_shown_beside_what_was_expected_and_break_no_rule():
    compared = _compared([*_bought(LARGE, 300), *_bought(SMALL, 20)], limit=0.5)
    assert [(row["segment_key"], row["customers"]) for row in compared] == [("S01", 40), ("S02", 40), ("all", 80)]
    assert [row["customers_off"] for row in compared] == [0, 0, 0]
    assert compared[2]["actual_sales"] == compared[0]["actual_sales"] + compared[1]["actual_sales"]


def test_a_segment_that_stopped_to_buy_is_named_with_what_was_expected_and_what_there_was():
    large, of_all = _off([*_bought(LARGE, 300, until=OPENING), *_bought(SMALL, 20)], limit=0.5)
    assert (large["segment_key"], large["opening"], large["customers"]) == ("S01", OPENING, len(LARGE))
    assert (large["actual_sales"], large["error"]) == (0, None), "nothing is divided by zero"
    expected = large["expected_sales"]
    assert large["says"] == f"S01: {expected} of sales expected in 30 days from 2025-03-01 on, 0.00 came."
    assert of_all["segment_key"] == "all"
    assert of_all["error"] == pytest.approx(float(of_all["expected_sales"] / of_all["actual_sales"]) - 1, abs=1e-4)


def test_how_far_off_a_segment_may_be_is_a_limit():
    # Who buys every fourth day is taken for a little less frequent, by the model of these tests.
    orders = [*_bought(LARGE, 300), *_bought(SMALL, 20)]
    (first, *_) = found = _off(orders, limit=0.1)
    assert [row["segment_key"] for row in found] == ["S01", "S02", "all"]
    assert -0.5 < first["error"] < -0.1


def test_what_a_few_customers_do_by_chance_is_not_called_a_wrong_prediction():
    # In the window three of them buy, once each.
    large = [
        *_bought(LARGE, 300, until=OPENING),
        *(Order(f"C{customer}", "2025-03-20", 10_000) for customer in range(3)),
    ]
    (row,) = [row for row in _compared([*large, *_bought(SMALL, 20)], limit=0.5) if row["segment_key"] == "S01"]
    assert abs(row["error"]) > 0.5
    assert row["customers_off"] == 0


def test_segments_with_few_buyers_to_expect_are_left_out():
    few = _off([*_bought(LARGE[:20], 300, until=OPENING), *_bought(SMALL, 20)], limit=0.5)
    assert [row["segment_key"] for row in few] == ["all"]


@pytest.mark.parametrize(
    ("until", "opening"),
    [(date(2025, 1, 31), None), (date(2025, 3, 31), date(2025, 2, 1)), (date(2025, 4, 2), date(2025, 3, 1))],
)
def test_only_a_window_whose_last_day_is_over_is_looked_at(until: date, opening: date | None):
    found = _off(_bought(LARGE, 300, until=until), limit=0.001)
    assert {row["opening"] for row in found} == ({opening} if opening else set())


def test_refunds_of_the_window_are_off_the_sales_that_there_were():
    returned = [Order(f"C{customer}", "2025-03-20", -1_500) for customer in LARGE]
    found = _off([*_bought(LARGE, 300), *_bought(SMALL, 20), *returned], limit=0.5)
    assert [row["segment_key"] for row in found] == ["S01", "all"]


def test_a_batch_compares_a_fixed_share_of_many_customers_and_a_full_run_all_of_them():
    warehouse = warehouse_with(_bought(LARGE, 300))
    compute_snapshots(warehouse, tiny_settings(churn_window_days=30))
    with warehouse.transaction() as connection:
        connection.execute(
            "insert into gold.customer_openings "
            "select one.* replace (range * (9223372036854775807 // 400_000) as customer_hash) "
            "from (from gold.customer_openings where as_of = ? limit 1) as one, range(1, 400_000)",
            [OPENING],
        )
    in_all = [_rows(warehouse, 0.5, only_changes=only_changes)[-1]["customers"] for only_changes in (False, True, True)]
    assert in_all == [400_000 - 1 + len(LARGE), in_all[1], in_all[1]]
    assert in_all[1] == pytest.approx(in_all[0] / 4, rel=1e-3), "of more than 400,000 a half is too many"


def _bought(customers: Iterable[int], net: int, *, until: date = END) -> list[Order]:
    """Purchases every fourth day from January on."""
    return [
        Order(f"C{customer}", (BEGIN + timedelta(days=day)).isoformat(), net)
        for customer in customers
        for day in range(customer % 4, (until - BEGIN).days, 4)
    ]


def _off(orders: list[Order], *, limit: float) -> list[dict[str, Any]]:
    """The segments of these orders that are further off than may be."""
    return [row for row in _compared(orders, limit=limit) if row["customers_off"]]


def _compared(orders: list[Order], *, limit: float) -> list[dict[str, Any]]:
    """The rows of the check on these orders."""
    warehouse = warehouse_with(orders)
    compute_snapshots(warehouse, tiny_settings(churn_window_days=30))
    return _rows(warehouse, limit)


def _rows(warehouse: Warehouse, limit: float, *, only_changes: bool = True) -> list[dict[str, Any]]:
    """The rows of the check on snapshots that stand."""
    return lines_of(warehouse, "predictions_came_true", max_prediction_error=limit, only_changes=only_changes)
