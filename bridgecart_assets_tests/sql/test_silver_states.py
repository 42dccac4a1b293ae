"""States of orders with versions: the highest holds, whatever came when; void ones take their order away."""

from datetime import timedelta
from decimal import Decimal
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.erasure import erase_customers
from bridgecart_assets.warehouse.storage.database import rows_of
from bridgecart_assets_tests.sql.silver import SilverWarehouse, broken_rules
from bridgecart_assets_tests.sql.states import (
    MARCH,
    START,
    Fates,
    Refund,
    Said,
    State,
    assert_changes_add_up,
    batches,
    fates,
    follow_orders,
    hash_of,
    histories,
    place,
    stored_fates,
    take_in,
)
from bridgecart_assets_tests.support.examples import examples
from bridgecart_assets_tests.support.state import digests, rows

FIRST, SECOND, THIRD = "20310101T000000Z", "20310101T000100Z", "20310101T000200Z"
DELETED = State(is_void=True, customer=None, at=None, amount=None)


@cache
def _settings() -> Settings:
    return Settings()


def _run(*taken: tuple[str, list[Said]]) -> SilverWarehouse:
    """Silver of batches one after the other: what is noted adds up, in the end the rules hold."""
    warehouse = SilverWarehouse()
    follow_orders(warehouse)
    for batch_key, said in taken:
        take_in(warehouse, batch_key, said, _settings())
        assert_changes_add_up(warehouse)
    assert [broken for batch_key in sorted(dict(taken)) for broken in broken_rules(warehouse, batch_key)] == []
    return warehouse


def _one(*states: State) -> tuple[list[Said], Fates]:
    """What becomes of states that are one batch, by the SQL."""
    said = place(states)
    return said, stored_fates(_run((FIRST, said)))


@examples(8)
@given(data=st.data())
def test_what_becomes_of_states_is_what_the_definition_says_however_they_are_cut_and_repeated(data: st.DataObject):
    said = data.draw(histories(most=12))
    expected = fates(said)
    one, other = (_run(*data.draw(batches(said))) for _ in range(2))
    found = stored_fates(one)
    assert found.table == expected.table
    assert found.winner == expected.winner
    assert sorted(found.orders, key=str) == sorted(expected.orders, key=str)
    skipped, rejected = ([s.place for s in said if s.state.lost == lost] for lost in ("skipped", "rejected"))
    assert rows(one, "select coalesce(sum(records), 0) from silver.skipped_records") == [(len(skipped),)]
    assert rows(one, "select count(*) from silver.rejected_orders") == [(len(rejected),)]
    assert len(found.table) + len(skipped) + len(rejected) == len(said)
    assert digests(one) == digests(other)


@pytest.mark.parametrize(
    ("holds", "other"),
    [
        pytest.param(State(version=2, arrived_at=None), State(version=1), id="the higher version, whenever said"),
        pytest.param(State(version=10**37), State(version=10**37 - 1), id="a version of 38 digits"),
        pytest.param(State(version=-1), State(version=None), id="a version before none"),
        pytest.param(
            State(version=None),
            State(version=None, arrived_at=START - timedelta(1)),
            id="without versions the last said",
        ),
        pytest.param(
            State(version=None), State(version=None, arrived_at=None), id="one that says when before one that not"
        ),
        pytest.param(State(partition=1), State(partition=0), id="of one instant the higher partition"),
        pytest.param(State(topic_id="t2"), State(topic_id="t1"), id="at one place the topic with the greater id"),
    ],
)
@pytest.mark.parametrize("reverse", [False, True], ids=["in order", "in reverse"])
def test_of_two_states_one_holds(holds: State, other: State, reverse: bool):
    said = place([holds, other])
    taken = [(FIRST, said[:1]), (SECOND, said[1:])]
    found = stored_fates(_run(*reversed(taken) if reverse else taken))
    assert found.table[said[0].place] == "orders"
    repeats = holds.version is not None and holds.version == other.version
    assert found.table[said[1].place] == ("duplicate_orders" if repeats else "superseded")


def test_a_deleted_order_never_was_and_its_events_are_kept():
    said = place([State(), State(version=2, customer="C2"), DELETED])
    gone = Said(State(version=3, is_void=True, customer=None, at=None, amount=None), said[2].place)
    warehouse = _run((FIRST, said[:2]), (SECOND, [gone]))
    assert rows(warehouse, "select count(*) from silver.orders") == [(0,)]
    assert [stored_fates(warehouse).table[one.place] for one in said] == ["superseded", "superseded", "void"]
    noted = rows(warehouse, "select sign, customer_hash from silver.order_changes where revision = 2")
    assert noted == [(-1, hash_of("C2"))]


def test_an_order_that_comes_back_with_a_higher_version_stands_again():
    said, found = _one(State(version=1), State(version=2, is_void=True), State(version=3))
    assert [found.table[one.place] for one in said] == ["superseded", "superseded", "orders"]


def test_a_void_state_that_is_delivered_again_is_a_duplicate_of_the_one_that_holds():
    said, found = _one(State(version=1), *2 * [State(version=2, is_void=True, customer=None, at=None, amount=None)])
    assert [found.table[one.place] for one in said] == ["superseded", "duplicate_orders", "void"]
    assert found.winner[said[1].place] == said[2].place


def test_a_refund_inside_an_order_is_a_row_of_its_own_that_comes_changes_and_goes_with_the_state_that_holds():
    later = MARCH + timedelta(days=20)
    states = [
        State(version=1),
        State(version=2, refunds=(Refund(later, Decimal("30.00")),)),
        State(version=3, refunds=(Refund(later, Decimal("10.00")), Refund(MARCH, Decimal("5.00")))),
        State(version=4),
    ]
    rows_of_states = [
        [("purchase", Decimal("100.00"))],
        [("purchase", Decimal("100.00")), ("refund", Decimal("-30.00"))],
        [("purchase", Decimal("100.00")), ("refund", Decimal("-10.00")), ("refund", Decimal("-5.00"))],
        [("purchase", Decimal("100.00"))],
    ]
    said = place(states)
    warehouse = SilverWarehouse()
    for number, expected in enumerate(rows_of_states):
        take_in(warehouse, f"batch-{number}", said[number : number + 1], _settings())
        assert rows(warehouse, "select order_kind, net_amount from silver.orders order by part") == expected
    assert rows(warehouse, "select count(*) from silver.superseded_orders") == [(3,)]


@pytest.mark.parametrize("version", [1, 2], ids=["delivered again", "a later state"])
def test_a_refund_inside_an_order_is_no_event_that_is_judged_again_with_those_of_its_order(version: int):
    first, other = place([State(refunds=REFUNDED), State(version=version, refunds=REFUNDED)])
    batches = (FIRST, [first]), (SECOND, [other])
    warehouse = _run(*batches, *batches)
    assert digests(warehouse) == digests(_run(*batches))
    assert rows(warehouse, "select part from silver.orders order by part") == [(0,), (1,)]
    assert len(stored_fates(warehouse).table) == 2


def test_a_refund_falls_on_the_day_of_the_shop_on_which_money_was_given_back():
    said = place([State(refunds=(Refund(MARCH.replace(hour=20), Decimal("30.00")),))])
    warehouse = SilverWarehouse()
    take_in(warehouse, FIRST, said, Settings(calendar_timezone="Asia/Kolkata"))
    days = rows(
        warehouse, "select purchased_on::varchar, ignored_fields, stated_attributes from silver.orders where part = 1"
    )
    assert days == [("2025-03-05", None, [])]


def test_an_order_is_its_id_whosever_it_is():
    said, found = _one(State(customer="C1"), State(version=2, customer="C2"))
    assert [found.table[one.place] for one in said] == ["superseded", "orders"]


REFUNDED = (Refund(MARCH + timedelta(days=20), Decimal("30.00")),)


@pytest.mark.parametrize(
    ("forgotten", "stand", "left"),
    [
        ("C1", ["rejected", "orders"], [("C2", 0), ("C2", 1)]),
        ("C2", ["orders", "rejected"], [("C1", 0), ("C1", 1)]),
    ],
)
def test_of_an_order_that_moved_the_states_of_a_forgotten_customer_go_with_their_refunds_and_the_others_stay(
    forgotten: str, stand: list[str], left: list[tuple[str, int]]
):
    said = place([State(customer="C1", refunds=REFUNDED), State(version=2, customer="C2", refunds=REFUNDED)])
    warehouse = _run((FIRST, said[:1]), (SECOND, said[1:]))
    with warehouse.transaction() as connection:
        erase_customers(connection, _settings(), [forgotten])
    table = stored_fates(warehouse).table
    assert [table.get(one.place, "rejected") for one in said] == stand
    assert rows(warehouse, "select customer_id, part from silver.orders order by part") == left
    assert [broken_rules(warehouse, batch_key) for batch_key in (FIRST, SECOND)] == [[], []]


HOLDS = State(version=5)


@pytest.mark.parametrize(
    ("states", "warned_of"),
    [
        pytest.param(
            [HOLDS, State(version=4, arrived_at=START + timedelta(days=4))], [1], id="numbers that begin again"
        ),
        pytest.param(
            [State(version=5, is_void=True), State(version=4, arrived_at=START + timedelta(days=4))],
            [1],
            id="after an order was deleted",
        ),
        pytest.param([HOLDS, State(version=4, arrived_at=START + timedelta(days=3))], [], id="a late delivery"),
        pytest.param(
            [State(version=4), HOLDS, State(version=4, arrived_at=START + timedelta(days=30))], [], id="delivered again"
        ),
        pytest.param([HOLDS, State(version=4, arrived_at=None)], [], id="nobody knows when it was said"),
        pytest.param([HOLDS, State(version=None, arrived_at=START + timedelta(days=4))], [], id="no version"),
    ],
)
def test_versions_that_go_back_are_warned_of_and_late_or_repeated_deliveries_are_not(
    states: list[State], warned_of: list[int]
):
    warehouse = _run((FIRST, place(states)))
    with warehouse.reading() as connection:
        _, found = rows_of(connection, read_sql("checks/versions_do_not_go_back"), {"batch_key": FIRST})
    assert [version for _, version, *_ in found] == [states[number].version for number in warned_of]


def test_a_refund_inside_an_order_comes_as_a_change_of_its_own_day():
    warehouse = _run((FIRST, place([State(refunds=(Refund(MARCH - timedelta(days=10), Decimal("5.00")),))])))
    assert rows(warehouse, "select min(purchased_on)::varchar from silver.order_changes") == [("2025-02-22",)]
