"""`gold.segment_membership`: the history of every customer's segment, interval by interval."""

from datetime import date

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.base.settings import Period, Settings
from bridgecart_assets.contracts import SEGMENT_MEMBERSHIP
from bridgecart_assets_tests.sql import oracle
from bridgecart_assets_tests.sql.histories import busy_history, histories
from bridgecart_assets_tests.sql.history import (
    BY_SPEND,
    LARGE,
    SMALL,
    MemoryWarehouse,
    Order,
    Segment,
    broken_rules,
    compute_features,
    compute_membership,
    records,
    spend_model,
    store_model,
    store_orders,
    tiny_settings,
    warehouse_with,
)
from bridgecart_assets_tests.support.examples import examples
from bridgecart_assets_tests.support.state import digest

UNITS: tuple[Period, ...] = ("day", "week", "month")

# What a snapshot says and what the history says for its date; no row: they agree.
DISAGREEING_SNAPSHOTS = """
select s.as_of, s.customer_id, s.segment_key, list(m.segment_key) as intervals
from gold.customer_snapshots s
left join gold.segment_membership m
    on m.customer_id = s.customer_id and m.valid_from <= s.as_of and (s.as_of < m.valid_to or m.valid_to is null)
group by s.as_of, s.customer_id, s.segment_key
having list(m.segment_key) <> [s.segment_key]
"""


def test_a_customer_who_changes_segment_has_a_interval_for_each_segment_in_turn():
    warehouse = warehouse_with(
        [
            Order("A", "2025-01-10", 20),
            Order("A", "2025-03-05", 7_000),
            *(Order("A", f"2025-05-{day:02d}", 60) for day in (5, 6, 7, 8)),
            Order("B", "2025-06-20", 30),
        ]
    )
    assert _intervals(warehouse, "A") == [
        ("S02", 1, "2025-02-01", "2025-04-01", False),
        # The (geometric) mean of a day is 374, from May on 110.
        ("S01", 1, "2025-04-01", None, True),
    ]
    store_orders(warehouse, [Order("A", f"2025-05-{day}", 60) for day in (10, 11)])
    assert _intervals(warehouse, "A") == [
        ("S02", 1, "2025-02-01", "2025-04-01", False),
        ("S01", 1, "2025-04-01", "2025-06-01", False),
        # Now it is 95: the second interval in this segment is a row of its own.
        ("S02", 1, "2025-06-01", None, True),
    ]


@pytest.mark.parametrize(
    ("unit", "starts"),
    [
        ("day", ("2025-01-11", "2025-03-06")),
        ("week", ("2025-01-13", "2025-03-10")),
        ("month", ("2025-02-01", "2025-04-01")),
    ],
)
def test_a_interval_begins_at_the_first_opening_that_sees_the_segment(unit: Period, starts: tuple[str, str]):
    warehouse = warehouse_with(
        [Order("A", "2025-01-10", 20), Order("A", "2025-03-05", 700), Order("B", "2025-04-20", 1)]
    )
    first, second = starts
    assert _intervals(warehouse, "A", tiny_settings(kpi_period=unit)) == [
        ("S02", 1, first, second, False),
        ("S01", 1, second, None, True),
    ]


def test_one_snapshot_gives_one_row_that_is_current():
    warehouse = warehouse_with([Order("A", "2025-01-10", 20)])
    assert _intervals(warehouse, "A") == [("S02", 1, "2025-01-11", None, True)]


def test_a_change_since_the_last_opening_is_dated_now_until_the_next_opening_settles_it():
    warehouse = warehouse_with([Order("A", "2025-01-10", 20), Order("A", "2025-02-10", 700)])
    before = ("S02", 1, "2025-02-01")
    assert _intervals(warehouse, "A") == [(*before, "2025-02-11", False), ("S01", 1, "2025-02-11", None, True)]
    store_orders(warehouse, [Order("B", "2025-02-15", 1)])
    assert _intervals(warehouse, "A") == [(*before, "2025-02-16", False), ("S01", 1, "2025-02-16", None, True)]
    store_orders(warehouse, [Order("B", "2025-03-15", 1)])
    assert _intervals(warehouse, "A") == [(*before, "2025-03-01", False), ("S01", 1, "2025-03-01", None, True)]


def test_a_customer_without_a_segment_has_a_interval_without_a_segment():
    warehouse = warehouse_with([Order("A", "2025-01-10", -20), Order("A", "2025-02-10", 700)])
    assert _intervals(warehouse, "A") == [
        ("unassigned", None, "2025-02-01", "2025-02-11", False),
        ("S01", 1, "2025-02-11", None, True),
    ]


def test_without_a_model_everyone_has_one_interval_without_a_segment():
    warehouse = warehouse_with([Order("A", "2025-01-10", 20)], spend_model(status="proposed"))
    assert _intervals(warehouse, "A") == [("unassigned", None, "2025-01-11", None, True)]


def test_a_refit_ends_the_intervals_of_those_it_moves_and_of_nobody_else():
    # Version 2 puts the border between large and small at 1,000 instead of 100.
    one = spend_model((LARGE, SMALL), as_of=date(2025, 2, 10))
    two = spend_model((Segment("S01", "large", 40_000.0), SMALL), version=2, as_of=date(2025, 3, 1))
    warehouse = warehouse_with(
        [Order("A", "2025-01-10", 300), Order("B", "2025-01-10", 20), Order("B", "2025-04-02", 20)]
    )
    store_model(warehouse, pd.concat([one, two], ignore_index=True))
    assert _intervals(warehouse, "A") == [
        ("S01", 1, "2025-02-01", "2025-03-01", False),
        ("S02", 2, "2025-03-01", None, True),
    ]
    assert _intervals(warehouse, "B") == [("S02", 1, "2025-02-01", None, True)]


def test_a_late_order_changes_the_history_as_if_it_had_been_there_from_the_start():
    orders = [Order("A", "2025-01-10", 20), Order("A", "2025-05-05", 700)]
    warehouse = warehouse_with(orders)
    assert _intervals(warehouse, "A")[-1] == ("S01", 1, "2025-05-06", None, True)
    late = Order("A", "2025-02-10", 500)
    store_orders(warehouse, [late])
    assert _intervals(warehouse, "A") == [
        ("S02", 1, "2025-02-01", "2025-03-01", False),
        ("S01", 1, "2025-03-01", None, True),
    ]
    assert _digest(warehouse) == _digest(_computed([late, *orders], tiny_settings()))


def test_an_erased_customer_leaves_no_history():
    warehouse = _computed([Order("A", "2025-01-10", 20), Order("B", "2025-03-10", 20)], tiny_settings())
    with warehouse.transaction() as connection:
        connection.execute("delete from silver.orders where customer_id = 'A'")
    assert _intervals(warehouse, "A") == []
    assert len(_intervals(warehouse, "B")) == 1


@pytest.mark.parametrize("as_of", [None, date(2025, 1, 10)])
def test_without_orders_before_the_clock_there_is_no_history(as_of: date | None):
    orders = [Order("A", "2025-01-10", 20)] if as_of else []
    warehouse = _computed(orders, tiny_settings(as_of=as_of))
    assert records(warehouse, "select * from gold.segment_membership") == []
    assert broken_rules(warehouse, SEGMENT_MEMBERSHIP) == []


@given(history=histories, unit=st.sampled_from(UNITS), as_of=st.sampled_from((None, date(2024, 2, 14))))
@examples(20)
def test_the_intervals_of_a_random_history_are_those_of_the_definitions(
    history: list[Order], unit: Period, as_of: date | None
):
    _assert_intervals_follow_the_definitions(history, tiny_settings(kpi_period=unit, as_of=as_of))


def test_the_intervals_of_a_busy_history_are_those_of_the_definitions():
    intervals = _assert_intervals_follow_the_definitions(busy_history(5), tiny_settings(kpi_period="week"))
    # Not an empty comparison: customers change their segment, and some come back.
    assert sum(1 for own in intervals.values() if len(own) == 2) > 5
    assert any(len(own) > 2 for own in intervals.values())


@given(history=histories, cut=st.integers(0, 40), unit=st.sampled_from(UNITS))
@examples(15)
def test_orders_that_come_later_give_the_history_of_all_orders_at_once(history: list[Order], cut: int, unit: Period):
    settings = tiny_settings(kpi_period=unit)
    grown = _computed(history[:cut], settings)
    store_orders(grown, history[cut:])
    compute_membership(grown, settings)
    assert _digest(grown) == _digest(_computed(history, settings))


def _assert_intervals_follow_the_definitions(
    history: list[Order], settings: Settings
) -> dict[str, list[oracle.Interval]]:
    warehouse = _computed(history, settings)
    expected = oracle.memberships(tuple(history), settings.as_of, settings.kpi_period, BY_SPEND)
    found: dict[str, list[oracle.Interval]] = {}
    for row in records(warehouse, "select * from gold.segment_membership order by customer_id, valid_from"):
        interval = oracle.Interval(row["segment_key"], row["valid_from"], row["valid_to"])
        found.setdefault(row["customer_id"], []).append(interval)
    assert found == expected
    assert records(warehouse, DISAGREEING_SNAPSHOTS) == []
    assert broken_rules(warehouse, SEGMENT_MEMBERSHIP) == []
    return found


def _computed(history: list[Order], settings: Settings) -> MemoryWarehouse:
    warehouse = warehouse_with(history)
    compute_features(warehouse, settings)
    compute_membership(warehouse, settings)
    return warehouse


def _intervals(
    warehouse: MemoryWarehouse, customer: str, settings: Settings | None = None
) -> list[tuple[str, int | None, str, str | None, bool]]:
    compute_membership(warehouse, settings or tiny_settings())
    sql = (
        "select segment_key, model_version, valid_from::varchar as valid_from, valid_to::varchar as valid_to, "
        "is_current from gold.segment_membership where customer_id = ? order by valid_from"
    )
    return [
        (row["segment_key"], row["model_version"], row["valid_from"], row["valid_to"], row["is_current"])
        for row in records(warehouse, sql, customer)
    ]


def _digest(warehouse: MemoryWarehouse) -> str:
    return digest(warehouse, SEGMENT_MEMBERSHIP)
