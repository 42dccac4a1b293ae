"""Tables of customers that follow what changed: byte-identical to a full rebuild."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets import contracts
from bridgecart_assets.base.settings import Period, Settings
from bridgecart_assets.contracts import Contract
from bridgecart_assets.warehouse import queries
from bridgecart_assets.warehouse.erasure import erase_customers
from bridgecart_assets.warehouse.incremental import from_raw, scope
from bridgecart_assets.warehouse.incremental import rebuild as refreshing
from bridgecart_assets.warehouse.incremental.refresh import made_by
from bridgecart_assets.warehouse.storage.database import standing_tables
from bridgecart_assets.warehouse.storage.outputs import Changes, Following, Query
from bridgecart_assets.warehouse.storage.tables import count_rows
from bridgecart_assets.warehouse.writing import write_query
from bridgecart_assets_tests.sql import states
from bridgecart_assets_tests.sql.histories import busy_history, histories
from bridgecart_assets_tests.sql.history import (
    LARGE,
    SMALL,
    MemoryWarehouse,
    Order,
    broken_rules,
    records,
    spend_model,
    store_model,
    store_purchase_model,
    tiny_settings,
)
from bridgecart_assets_tests.support.examples import examples
from bridgecart_assets_tests.support.pipeline import run_silver
from bridgecart_assets_tests.support.records import Record, event, store_batch
from bridgecart_assets_tests.support.state import digest, digests, rows

SETTINGS = tiny_settings()
ARRIVED = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def follows_however_much_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few customers are soon a large share of all."""
    monkeypatch.setattr(refreshing, "_LARGE_SHARE", float("inf"))


def tables(settings: Settings) -> Iterator[tuple[Contract, Query]]:
    """Everything after silver but the models."""
    yield contracts.SILVER_CUSTOMERS, queries.customers_query()
    yield contracts.CUSTOMER_FEATURES, queries.features_query(settings)
    yield contracts.CUSTOMER_SEGMENTS, queries.segments_query(settings)
    yield contracts.AUDIENCES, queries.audiences_query()
    yield contracts.CUSTOMER_SNAPSHOTS, queries.snapshots_query(settings)
    yield contracts.SEGMENT_MEMBERSHIP, queries.membership_query()
    for contract in contracts.KPI_TABLES:
        yield contract, queries.kpi_query(settings)
    yield contracts.SEGMENT_METRICS_HISTORY, queries.metrics_history_query()


def refresh(warehouse: MemoryWarehouse, settings: Settings = SETTINGS, *, only_changes: bool = True) -> None:
    for contract, query in tables(settings):
        write(warehouse, contract, query, only_changes=only_changes)


def write(warehouse: MemoryWarehouse, contract: Contract, query: Query, *, only_changes: bool) -> None:
    with warehouse.transaction() as connection:
        write_query(connection, contract, query, None, only_changes=only_changes)


def shop() -> MemoryWarehouse:
    warehouse = MemoryWarehouse()
    # With a season, which makes forecasts of one date others than those of the next.
    store_purchase_model(warehouse, covariates={"season": [0.95, 1.05] * 6})
    store_model(warehouse, spend_model())
    return warehouse


def shop_with_history(seed: int) -> MemoryWarehouse:
    """A busy history until May and a last order on 30 June, followed by all tables."""
    warehouse = shop()
    last = Order("C1", "2024-06-30T08:00:00", 10)
    take_in(warehouse, 0, [arrival(n, order) for n, order in enumerate([*busy_history(seed), last])])
    refresh(warehouse)
    return warehouse


def take_in(warehouse: MemoryWarehouse, batch: int, taken: Sequence[Record], settings: Settings = SETTINGS) -> None:
    store_batch(warehouse, f"batch{batch}", taken, start=1_000 * batch)
    run_silver(warehouse, settings, f"batch{batch}")


def arrival(number: int, order: Order, *, minute: int = 0) -> Record:
    """The event of an order, as it arrives at this minute."""
    payload = event(
        order_id=f"A{number}",
        customer_id=order.customer,
        name=f"Name {number}",
        purchase_date=order.at,
        purchase_amount=float(order.gross),
        discount_amount=float(order.discount),
        coupon_used=bool(order.coupon),
        product_category=order.category or "Toys",
    )
    return Record(payload, kafka_timestamp=ARRIVED + timedelta(minutes=minute))


def contents(warehouse: MemoryWarehouse) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of all that is stored, what is noted of refreshes too."""
    with warehouse.reading() as connection:
        names = sorted(standing_tables(connection))
    return {name: rows(warehouse, f"from {name} order by all") for name in names}


def full_rebuilds(warehouse: MemoryWarehouse) -> dict[str, int]:
    rows = records(warehouse, "select table_name, full_rebuilds from gold.refreshes")
    return {str(row["table_name"]): int(row["full_rebuilds"]) for row in rows}


def assert_same_as_whole(warehouse: MemoryWarehouse, settings: Settings = SETTINGS) -> None:
    followed = digests(warehouse)
    assert_counted_as_stored(warehouse)
    refresh(warehouse, settings, only_changes=False)
    whole = digests(warehouse)
    assert [name for name in whole if whole[name] != followed[name]] == []


def assert_counted_as_stored(warehouse: MemoryWarehouse) -> None:
    """Views have as many rows as is told of them."""
    for view in (contracts.CUSTOMER_SNAPSHOTS, contracts.SEGMENT_MEMBERSHIP):
        with warehouse.reading() as connection:
            assert [(count_rows(connection, view),)] == rows(warehouse, f"select count(*) from {view.full_name}"), view


@given(
    history=histories,
    # Which orders come in which batch, at which minute; an order may come again, earlier or later than before.
    arrivals=st.lists(st.lists(st.tuples(st.integers(0, 39), st.integers(0, 2)), max_size=12), min_size=2, max_size=5),
    again=st.lists(st.integers(0, 4), max_size=3),
    settings=st.builds(
        tiny_settings,
        kpi_period=st.sampled_from(("month", "week")),
        churn_window_days=st.integers(1, 40),
        # By the latest order, nearly every batch would open a new day, on which everything is rebuilt.
        as_of=st.sampled_from((date(2024, 4, 15), date(2024, 3, 1), None)),
    ),
)
@examples(12)
def test_whatever_comes_in_whatever_batches_following_gives_the_bytes_of_making_all_anew(
    history: list[Order], arrivals: list[list[tuple[int, int]]], again: list[int], settings: Settings
):
    batches = [
        [arrival(number, history[number], minute=minute) for number, minute in batch if number < len(history)]
        for batch in arrivals
    ]
    warehouse = shop()
    for number in [*range(len(batches)), *(number for number in again if number < len(batches))]:
        take_in(warehouse, number, batches[number])
        refresh(warehouse, settings)
    assert_same_as_whole(warehouse, settings)


@pytest.mark.parametrize(("period", "window"), [("month", 1), ("month", 30), ("month", 75), ("week", 10), ("day", 3)])
def test_as_orders_come_in_the_order_of_time_following_gives_the_bytes_of_making_all_anew(period: Period, window: int):
    settings = tiny_settings(kpi_period=period, churn_window_days=window, as_of=date(2024, 6, 1))
    history = sorted(busy_history(11, customers=25, orders=120), key=lambda order: order.at)
    batches = [history[:80], *(history[first : first + 8] for first in range(80, 120, 8))]
    warehouse = shop()
    number = itertools.count()
    for batch, orders in enumerate(batches):
        take_in(warehouse, batch, [arrival(next(number), order) for order in orders])
        refresh(warehouse, settings)
    assert set(full_rebuilds(warehouse).values()) == {1}
    assert_same_as_whole(warehouse, settings)


def test_batches_that_are_given_another_calendar_are_followed_to_the_tables_of_a_shop_that_always_had_it():
    by_utc = tiny_settings(as_of=date(2024, 4, 1))
    by_the_shop = by_utc.model_copy(update={"calendar_timezone": "America/Los_Angeles"})
    arrivals = [arrival(n, order) for n, order in enumerate(busy_history(12, customers=20, orders=90, days=110))]
    batches = [arrivals[first : first + 30] for first in (0, 30, 60)]
    warehouse, always = shop(), shop()
    for number, batch in enumerate(batches):
        take_in(warehouse, number, batch, by_utc)
        take_in(always, number, batch, by_the_shop)
    refresh(warehouse, by_utc)
    refresh(always, by_the_shop)
    for number in (1, 0, 2):
        run_silver(warehouse, by_the_shop, f"batch{number}")
        refresh(warehouse, by_the_shop)
    assert set(full_rebuilds(warehouse).values()) == {1}
    assert digests(warehouse) == digests(always)
    moved = "select count(*) as orders from silver.orders where purchased_on <> purchased_at::date"
    assert records(warehouse, moved)[0]["orders"] > 10


@pytest.mark.parametrize("only_changes", [True, False], ids=["what changed", "everything"])
def test_what_has_to_be_made_is_decided_without_writing_anything(only_changes: bool):
    warehouse = shop_with_history(5)
    take_in(warehouse, 1, [arrival(900, Order("C7", "2024-06-30T09:00:00", 40))])
    stored = contents(warehouse)
    query = queries.features_query(SETTINGS)
    assert query.incremental is not None
    with warehouse.transaction() as connection:
        decision = refreshing.decide(
            connection,
            contracts.CUSTOMER_FEATURES,
            contracts.CUSTOMER_TOTALS,
            query.incremental,
            made_by(contracts.CUSTOMER_TOTALS, query, query.incremental),
            query.parameters,
            only_changes=only_changes,
        )
    assert isinstance(decision.scope, scope.ChangedScope if only_changes else scope.FullScope)
    assert contents(warehouse) == stored


@pytest.mark.parametrize("day", ["2024-06-30", "2024-07-02"], ids=["same date", "new date"])
def test_what_openings_follow_is_read_without_writing_anything(day: str):
    warehouse = shop_with_history(5)
    take_in(warehouse, 1, [arrival(900, Order("C7", f"{day}T09:00:00", 40))])
    for contract, query in itertools.islice(tables(SETTINGS), 3):
        write(warehouse, contract, query, only_changes=True)
    stored = contents(warehouse)
    query = queries.snapshots_query(SETTINGS)
    assert query.carried is not None
    with warehouse.transaction() as connection:
        ((revision,),) = connection.execute("select max(revision) from gold.refreshes").fetchall()
        changes = Changes(revision - 1, revision, date(2024, 7, 1))
        following = query.carried.can_follow(connection, query, changes)
    assert following == Following(changes, date(2024, 6, 1), is_same_date=day == "2024-06-30")
    assert contents(warehouse) == stored


def test_a_batch_of_the_same_day_touches_only_its_own_customers():
    warehouse = shop_with_history(3)
    before = full_rebuilds(warehouse)
    untouched = "select sum(rowid), count(*) from gold.customer_openings where customer_id <> 'C7'"
    rows = records(warehouse, untouched)
    late = Order("C7", "2024-02-10T08:00:00", 900)
    take_in(warehouse, 1, [arrival(9_000, Order("C7", "2024-06-30T09:00:00", 50)), arrival(9_001, late)])
    refresh(warehouse)
    assert full_rebuilds(warehouse) == before
    assert records(warehouse, untouched) == rows
    assert_same_as_whole(warehouse)


def test_of_a_customer_who_buys_again_all_openings_stand_as_they_are():
    warehouse = shop_with_history(3)
    stored = "select as_of, rowid from gold.customer_openings where customer_id = 'C7' order by as_of"
    before = records(warehouse, stored)
    assert before[0]["as_of"] < date(2024, 4, 1)
    take_in(warehouse, 1, [arrival(9_000, Order("C7", "2024-06-30T09:00:00", 50))])
    refresh(warehouse)
    assert records(warehouse, stored) == before
    assert_same_as_whole(warehouse)


def test_an_order_before_all_others_makes_the_whole_history_of_its_customer_anew():
    warehouse = shop_with_history(3)
    for batch, at in enumerate(("2023-02-01T08:00:00", "1990-01-01T00:00:00"), start=1):
        take_in(warehouse, batch, [arrival(9_000 + batch, Order("C7", at, 50))])
        refresh(warehouse)
    assert_same_as_whole(warehouse)


def test_made_in_parts_the_tables_are_the_same_bytes_as_made_at_once(monkeypatch: pytest.MonkeyPatch):
    warehouse = shop_with_history(4)
    at_once = digests(warehouse)
    monkeypatch.setattr(scope, "_ORDERS_IN_PART", 100)
    monkeypatch.setattr(scope, "_SMALL_IN_LARGE", 2)
    monkeypatch.setattr(from_raw, "_RECORDS_IN_RANGE", 10)
    assert len(scope.FullScope().parts(warehouse.database)) == 6
    refresh(warehouse, only_changes=False)
    assert set(full_rebuilds(warehouse).values()) == {2}
    assert digests(warehouse) == at_once


def test_orders_that_come_after_later_ones_of_their_customers_leave_them_as_all_orders_tell():
    warehouse = shop_with_history(3)
    # In between what is known of a customer, before all of it, and of somebody new.
    for batch, (customer, at) in enumerate(
        (("C1", "06-30T06:00:00"), ("C2", "01-01T00:00:00"), ("N1", "06-29T09:00:00"))
    ):
        take_in(warehouse, 1 + batch, [arrival(9_000 + batch, Order(customer, f"2024-{at}", 50))])
        refresh(warehouse)
        followed = digest(warehouse, contracts.SILVER_CUSTOMERS)
        write(warehouse, contracts.SILVER_CUSTOMERS, queries.customers_query(), only_changes=False)
        assert digest(warehouse, contracts.SILVER_CUSTOMERS) == followed
        assert_counted_as_stored(warehouse)


def test_a_customer_who_loses_an_order_is_made_anew_too():
    warehouse = shop()
    history = busy_history(2)
    theirs = Order("C1", "2024-03-01T08:00:00", 500)
    take_in(warehouse, 0, [arrival(n, order) for n, order in enumerate(history)])
    take_in(warehouse, 1, [arrival(9_000, theirs, minute=5)])
    refresh(warehouse)
    # The same order id at the same time, from another customer, and it came first.
    take_in(warehouse, 2, [arrival(9_000, replace(theirs, customer="C2"))])
    refresh(warehouse)
    assert_same_as_whole(warehouse)
    # Read again, a record is something else: it was erased, or the contract has changed.
    take_in(warehouse, 2, [Record(b"no order any more")])
    refresh(warehouse)
    assert_same_as_whole(warehouse)
    take_in(warehouse, 1, [Record(b"nor this")])
    refresh(warehouse)
    assert_same_as_whole(warehouse)
    assert set(full_rebuilds(warehouse).values()) == {4}


def test_with_a_new_day_everyone_is_scored_and_with_a_new_model_or_other_settings_made_anew():
    warehouse = shop()
    take_in(warehouse, 0, [arrival(n, order) for n, order in enumerate(busy_history(4))])
    refresh(warehouse)
    assert set(full_rebuilds(warehouse).values()) == {1}
    take_in(warehouse, 1, [arrival(9_000, Order("C1", "2024-07-01T08:00:00", 10))])
    refresh(warehouse)
    carried = ("gold.customer_features", "gold.customer_snapshots", "gold.segment_membership")
    whole = dict.fromkeys(("silver.customers", *carried), 1)
    # A view of the segments, made as often as they are.
    assert full_rebuilds(warehouse) == whole | dict.fromkeys(("gold.customer_segments", "gold.audiences"), 2)
    store_model(warehouse, spend_model((LARGE, SMALL)))
    refresh(warehouse)
    whole |= {"gold.customer_snapshots": 2, "gold.segment_membership": 2}
    assert full_rebuilds(warehouse) == whole | dict.fromkeys(("gold.customer_segments", "gold.audiences"), 3)
    others = tiny_settings(churn_window_days=40, kpi_period="week", as_of=date(2024, 5, 1))
    refresh(warehouse, others)
    whole |= {"gold.customer_features": 2, "gold.customer_snapshots": 3, "gold.segment_membership": 3}
    assert full_rebuilds(warehouse) == whole | dict.fromkeys(("gold.customer_segments", "gold.audiences"), 4)
    assert_same_as_whole(warehouse, others)


def test_a_table_that_was_left_behind_catches_up():
    warehouse = shop()
    take_in(warehouse, 0, [arrival(n, order) for n, order in enumerate(busy_history(5))])
    refresh(warehouse)
    for batch, customer in enumerate(("C1", "C2", "C3"), start=1):
        take_in(warehouse, batch, [arrival(9_000 + batch, Order(customer, "2024-03-01T08:00:00", 70))])
        if batch == 2:
            # Segments follow their features, not silver: these are one batch behind when the third comes.
            write(warehouse, contracts.CUSTOMER_FEATURES, queries.features_query(SETTINGS), only_changes=True)
    write(warehouse, contracts.CUSTOMER_SEGMENTS, queries.segments_query(SETTINGS), only_changes=True)
    refresh(warehouse)
    assert set(full_rebuilds(warehouse).values()) == {1}
    assert_same_as_whole(warehouse)


def test_with_the_bookkeeping_of_another_version_everything_is_made_anew_once():
    warehouse = shop_with_history(5)
    with warehouse.transaction() as connection:
        connection.execute("alter table silver.order_changes drop column part")
    for batch, times in ((1, 1), (2, 1)):
        take_in(warehouse, batch, [arrival(9_000 + batch, Order("C7", "2024-06-30T09:00:00", 50))])
        refresh(warehouse)
        assert set(full_rebuilds(warehouse).values()) == {times}
    assert_same_as_whole(warehouse)


def test_what_every_table_knows_is_not_kept():
    warehouse = shop()
    for batch in range(4):
        orders = [Order(f"C{batch}", "2024-03-01T08:00:00", 70), Order("C9", "2024-03-02T08:00:00", 70 + batch)]
        take_in(warehouse, batch, [arrival(10 * batch + n, order) for n, order in enumerate(orders)])
        refresh(warehouse)
        assert check(warehouse) == []
    kept: list[dict[str, Any]] = records(warehouse, "select distinct revision from silver.order_changes")
    assert [row["revision"] for row in kept] == [3]


def test_after_somebody_was_forgotten_everything_is_made_anew_and_nothing_tells_of_them():
    warehouse = shop()
    take_in(warehouse, 0, [arrival(n, order) for n, order in enumerate(busy_history(6))])
    refresh(warehouse)
    with warehouse.transaction() as connection:
        erase_customers(connection, SETTINGS, ["C3"])
    assert records(warehouse, "from silver.order_changes") == []
    refresh(warehouse)
    assert set(full_rebuilds(warehouse).values()) == {2}
    assert_same_as_whole(warehouse)


def test_customers_that_share_a_hash_are_made_anew_together(monkeypatch: pytest.MonkeyPatch):
    warehouse = shop()
    take_in(warehouse, 0, [arrival(n, order) for n, order in enumerate(busy_history(7))])
    with warehouse.transaction() as connection:
        connection.execute("update silver.orders set customer_hash = customer_hash % 7")
    refresh(warehouse, only_changes=False)
    with warehouse.transaction() as connection:
        columns = ", ".join(f'"{name}"' for name in contracts.ORDER_CHANGES.column_names[2:])
        note = f"insert into silver.order_changes select 100, ?, {columns} from silver.orders where customer_hash = 3"
        connection.execute(note, [-1])
        connection.execute("update silver.orders set net_amount = net_amount + 1 where customer_hash = 3")
        connection.execute(note, [1])
    refresh(warehouse)
    assert_same_as_whole(warehouse)


def check(warehouse: MemoryWarehouse) -> list[str]:
    """The rules that a run finds broken; notes the tables whose rules all hold, as a run does."""
    found = []
    for contract, _ in tables(SETTINGS):
        broken = broken_rules(warehouse, contract, only_changes=True)
        found += broken
        with warehouse.reading() as connection:
            revision = refreshing.scope_unchecked(connection, contract, read_by="", only_changes=True)
        if revision is not None and not broken:
            with warehouse.transaction() as connection:
                refreshing.note_checked(connection, contract, revision)
    return found


def test_checks_look_at_every_row_that_a_run_made_and_at_the_totals_of_the_others():
    warehouse = shop()
    take_in(warehouse, 0, [arrival(n, order) for n, order in enumerate(busy_history(8))])
    refresh(warehouse)
    assert check(warehouse) == []
    take_in(warehouse, 1, [arrival(9_000, Order("C7", "2024-03-01T09:00:00", 50))])
    refresh(warehouse)

    def after(statement: str) -> list[str]:
        broken = MemoryWarehouse(database=copy_of(warehouse))
        with broken.transaction() as connection:
            connection.execute(statement)
        return check(broken)

    touched, other = "customer_id = 'C7'", "customer_id = 'C8'"
    twice = "insert into gold.customer_scores select * from gold.customer_scores where"
    assert "customers_are_in_one_segment" in after(f"{twice} {touched}")
    assert "customers_are_in_one_segment" in after(f"{twice} {other}")
    assert "customers_match_orders" in after(f"delete from silver.customers where {touched}")
    assert "features_tie_to_orders" in after(f"update gold.customer_totals set net_sales = 1 where {other}")
    for table in ("gold.customer_totals", "gold.customer_scores"):
        assert after(f"delete from {table} where {other}") != [], table
    assert "membership_has_one_current_row" in after(f"delete from gold.segment_intervals where {other}")
    assert "flows_tie_to_customers" in after(f"delete from gold.customer_openings where {other}")
    elsewhere = (
        "insert into gold.segment_intervals select * replace (date '2001-01-01' as valid_from, date '2000-01-01' as "
        "valid_to) from gold.segment_intervals where valid_to is null and"
    )
    assert "membership_intervals_are_closed_open" in after(f"{elsewhere} {touched}")
    # What passed before, and nobody made since, is looked at by those totals only, but for a full run.
    assert after(f"{elsewhere} {other}") == []
    assert check(warehouse) == []


def test_a_row_that_failed_a_check_fails_it_until_it_is_mended():
    warehouse = shop()
    take_in(warehouse, 0, [arrival(n, order) for n, order in enumerate(busy_history(9))])
    refresh(warehouse)
    assert check(warehouse) == []
    for batch, customer in enumerate(("C7", "C8", "C9"), start=1):
        take_in(warehouse, batch, [arrival(9_000 + batch, Order(customer, "2024-03-01T09:00:00", 50))])
        refresh(warehouse)
        if batch == 1:
            with warehouse.transaction() as connection:
                connection.execute("update gold.customer_scores set segment_key = 'S03' where customer_id = 'C7'")
        # The batches after it touch other customers.
        assert check(warehouse) == ["flows_tie_to_customers"]
    write(warehouse, contracts.CUSTOMER_SEGMENTS, queries.segments_query(SETTINGS), only_changes=False)
    assert check(warehouse) == []
    assert records(warehouse, "select 1 from gold.refreshes where checked is distinct from revision") == []


def copy_of(warehouse: MemoryWarehouse) -> duckdb.DuckDBPyConnection:
    """Another database with the same tables and views."""
    other = MemoryWarehouse().database
    for (name,) in rows(warehouse, "select schema_name || '.' || table_name from duckdb_tables() where not temporary"):
        other.execute(f"create schema if not exists {name.split('.')[0]}")
        held = warehouse.database.sql(f"from {name}").to_arrow_table()
        other.execute(f"create table {name} as from held")
        del held
    # In the order in which they were made: one may read another.
    for (view,) in rows(
        warehouse, "select sql from duckdb_views() where not internal and not temporary order by view_oid"
    ):
        other.execute(view)
    return other


def test_a_refund_that_appears_and_versions_that_move_and_void_an_order_are_followed():
    settings = tiny_settings(as_of=date(2025, 6, 1))
    other = states.State("A2", customer="C1", at=states.MARCH - timedelta(days=40), amount=Decimal(20))
    refund = states.Refund(states.MARCH + timedelta(days=20), Decimal(30))
    said = states.place(
        [
            states.State("A1", 1),
            states.State("A1", 2, refunds=(refund,)),
            states.State("A1", 3, refunds=(refund,), customer="C2"),
            states.State("A1", 4, refunds=(refund,), customer="C2", at=states.MARCH - timedelta(days=50)),
            states.State("A1", 5, is_void=True, customer=None, at=None, amount=None),
        ]
    )
    net_sales = [{"C1": 120}, {"C1": 90}, {"C1": 20, "C2": 70}, {"C1": 20, "C2": 70}, {"C1": 20}]
    warehouse = shop()
    states.take_in(warehouse, "others", [states.Said(other, ("others", 0, 0))], settings)
    refresh(warehouse, settings)
    for number, expected in enumerate(net_sales):
        states.take_in(warehouse, f"batch{number}", said[number : number + 1], settings)
        refresh(warehouse, settings)
        found = rows(warehouse, "select customer_id, net_sales from gold.customer_features")
        assert dict(found) == expected
    assert set(full_rebuilds(warehouse).values()) == {1}
    assert_same_as_whole(warehouse, settings)


@given(data=st.data(), as_of=st.sampled_from((date(2025, 4, 1), None)))
@examples(3)
def test_whatever_states_come_in_whatever_batches_following_gives_the_bytes_of_making_all_anew(
    data: st.DataObject, as_of: date | None
):
    settings = tiny_settings(as_of=as_of)
    warehouse = shop()
    for batch_key, said in data.draw(states.batches(data.draw(states.histories(most=10)))):
        states.take_in(warehouse, batch_key, said, settings)
        refresh(warehouse, settings)
    assert_same_as_whole(warehouse, settings)
