"""Openings, intervals and flows that are carried on are those that all orders make, after every batch."""

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets import contracts
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import TRAITS
from bridgecart_assets.warehouse import queries
from bridgecart_assets.warehouse.incremental import rebuild
from bridgecart_assets.warehouse.incremental.openings import OPENINGS
from bridgecart_assets_tests.sql.histories import busy_history
from bridgecart_assets_tests.sql.history import (
    IGNORED,
    MemoryWarehouse,
    Order,
    model_row,
    records,
    store_model,
    tiny_settings,
)
from bridgecart_assets_tests.sql.test_incremental import arrival, assert_same_as_whole, shop, take_in, write
from bridgecart_assets_tests.support.examples import examples
from bridgecart_assets_tests.support.records import Record


@pytest.fixture(autouse=True)
def follows_however_much_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few customers are soon a large share of all."""
    monkeypatch.setattr(rebuild, "_LARGE_SHARE", float("inf"))


def refresh(warehouse: MemoryWarehouse, settings: Settings) -> None:
    """What the openings are made from, and they."""
    for contract, query in (
        (contracts.CUSTOMER_FEATURES, queries.features_query(settings)),
        (contracts.CUSTOMER_SEGMENTS, queries.segments_query(settings)),
        (contracts.CUSTOMER_SNAPSHOTS, queries.snapshots_query(settings)),
    ):
        write(warehouse, contract, query, only_changes=True)


def others_than_whole(warehouse: MemoryWarehouse, settings: Settings) -> dict[str, int]:
    """Table -> rows that it has and would not have if it were made of all orders, or the other way round."""
    different: dict[str, int] = {}
    with warehouse.reading() as connection:
        connection.execute("begin transaction")
        for table in OPENINGS.tables:
            connection.execute(f"create temp table was_{table.name} as from {table.full_name}")
        OPENINGS.make(connection, queries.snapshots_query(settings))
        for table in OPENINGS.tables:
            was, now = f"(from was_{table.name})", f"(from {table.full_name})"
            ((rows,),) = connection.execute(
                f"select count(*) from (({was} except all {now}) union all ({now} except all {was}))"
            ).fetchall()
            different |= {table.full_name: rows} if rows else {}
        connection.execute("rollback")
    return different


def model_left_by_time(spend_scale: float, as_of: date) -> pd.DataFrame:
    """Segments that customers leave as time goes by, although nothing is bought or returned."""
    segments = (("S01", -0.4, 399.1), ("S02", -1.1, 60.0), ("S03", -2.0, 25.0))
    scale = {**dict.fromkeys(TRAITS, IGNORED), "log_purchase_rate": 1.0, "log_spend": spend_scale}
    rows = [
        model_row(
            key=key,
            name=key,
            as_of=as_of,
            scale=scale,
            centroid={**dict.fromkeys(TRAITS, 0.0), "log_purchase_rate": rate, "log_spend": math.log(spend)},
        )
        for key, rate, spend in segments
    ]
    return pd.concat(rows, ignore_index=True)


def batches_of(history: Sequence[Order], size: int, rng: random.Random) -> Iterator[list[Record]]:
    """The history in batches: a large one first, some with an order that came before, of whomever."""
    number = itertools.count()
    cut = len(history) // 2
    for first in (0, *range(cut, len(history), size)):
        orders = history[: cut if first == 0 else None][first : None if first == 0 else first + size]
        taken = [arrival(next(number), order, minute=rng.randrange(3)) for order in orders]
        if first and rng.random() < 0.4:
            again = rng.choice(history)
            other = replace(again, customer=f"C{rng.randrange(8)}") if rng.random() < 0.5 else again
            taken.append(arrival(rng.randrange(cut), other, minute=rng.randrange(3)))
        yield taken


@given(
    seed=st.integers(0, 10_000),
    settings=st.builds(
        tiny_settings,
        kpi_period=st.sampled_from(("month", "week", "day")),
        churn_window_days=st.sampled_from((1, 3, 10, 30, 40, 75)),
        as_of=st.sampled_from((None, None, date(2024, 4, 15), date(2024, 3, 1))),
    ),
    is_in_time=st.booleans(),
    spend_scale=st.sampled_from((None, 1.0, IGNORED)),
)
@examples(4)
def test_after_every_batch_openings_intervals_and_flows_are_those_of_all_orders(
    seed: int, settings: Settings, is_in_time: bool, spend_scale: float | None
):
    rng = random.Random(seed)
    history = busy_history(seed, customers=rng.choice((6, 25)), orders=60, days=rng.choice((60, 150)))
    if is_in_time:
        history.sort(key=lambda order: order.at)
    warehouse = shop()
    if spend_scale is not None:
        store_model(warehouse, model_left_by_time(spend_scale, rng.choice((date(2020, 1, 1), date(2024, 2, 10)))))
    batches = list(batches_of(history, rng.choice((4, 12)), rng))[:6]
    for number in [*range(len(batches)), rng.randrange(len(batches))]:
        take_in(warehouse, number, batches[number], settings)
        # Sometimes a table stays behind.
        if number == 0 or rng.random() < 0.8:
            refresh(warehouse, settings)
            assert others_than_whole(warehouse, settings) == {}
    assert_same_as_whole_after(warehouse, settings)


def assert_same_as_whole_after(warehouse: MemoryWarehouse, settings: Settings) -> None:
    """Of the views, too."""
    from bridgecart_assets_tests.sql import test_incremental

    test_incremental.refresh(warehouse, settings)
    assert_same_as_whole(warehouse, settings)


def test_a_new_period_opens_and_nobody_who_is_in_time_is_told_anew():
    settings = tiny_settings()
    warehouse = shop()
    take_in(warehouse, 0, [arrival(n, order) for n, order in enumerate(busy_history(3))])
    refresh(warehouse, settings)
    for batch, at in enumerate(("2024-05-30T09:00:00", "2024-06-02T09:00:00", "2024-08-20T09:00:00"), start=1):
        stood = "select count(*) as openings, max(as_of) as last from gold.customer_openings where customer_id = 'C7'"
        take_in(warehouse, batch, [arrival(9_000 + batch, Order("C7", at, 50))])
        refresh(warehouse, settings)
        assert others_than_whole(warehouse, settings) == {}
    assert records(warehouse, stood)[0]["last"] == date(2024, 8, 1)
    made = "select full_rebuilds from gold.refreshes where table_name = 'gold.customer_snapshots'"
    assert records(warehouse, made) == [{"full_rebuilds": 1}]


def test_where_nobody_has_been_scored_on_a_new_day_its_flows_are_made_of_all_orders():
    settings = tiny_settings()
    warehouse = shop()
    take_in(warehouse, 0, [arrival(n, order) for n, order in enumerate(busy_history(3))])
    refresh(warehouse, settings)
    # Then on the same day again: scores are of the day, and not of the order.
    for batch, at in enumerate(("2024-05-30T09:00:00", "2024-05-31T09:00:00", "2024-05-31T10:00:00"), start=1):
        take_in(warehouse, batch, [arrival(9_000 + batch, Order("C7", at, 50))])
        write(warehouse, contracts.CUSTOMER_FEATURES, queries.features_query(settings), only_changes=True)
        if batch == 1:
            write(warehouse, contracts.CUSTOMER_SEGMENTS, queries.segments_query(settings), only_changes=True)
        write(warehouse, contracts.CUSTOMER_SNAPSHOTS, queries.snapshots_query(settings), only_changes=True)
        assert others_than_whole(warehouse, settings) == {}
    assert_same_as_whole_after(warehouse, settings)
