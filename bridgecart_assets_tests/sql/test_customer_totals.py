"""`gold.customer_totals`: carried from batch to batch it is, row by row, what all orders add up to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.base.settings import Period, Settings
from bridgecart_assets.contracts import CUSTOMER_FEATURES, CUSTOMER_TOTALS
from bridgecart_assets.warehouse import queries
from bridgecart_assets.warehouse.incremental import rebuild
from bridgecart_assets.warehouse.writing import write_query
from bridgecart_assets_tests.sql.histories import busy_history
from bridgecart_assets_tests.sql.history import MemoryWarehouse, tiny_settings
from bridgecart_assets_tests.sql.test_incremental import arrival, take_in
from bridgecart_assets_tests.support.examples import examples
from bridgecart_assets_tests.support.records import Record
from bridgecart_assets_tests.support.state import rows

TOTALS = f"from {CUSTOMER_TOTALS.full_name} order by customer_id"


@pytest.fixture(autouse=True)
def carries_however_much_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few customers are soon a large share of all."""
    monkeypatch.setattr(rebuild, "_LARGE_SHARE", float("inf"))


@dataclass(frozen=True)
class Arrival:
    """A batch that is read, perhaps again, and the as-of date that is set from then on."""

    batch: int
    records: Sequence[Record]
    as_of: date | None = None


def follow(warehouse: MemoryWarehouse, settings: Settings) -> None:
    """Bring the totals up to date."""
    with warehouse.transaction() as connection:
        write_query(connection, CUSTOMER_FEATURES, queries.features_query(settings), None, only_changes=True)


def as_whole(warehouse: MemoryWarehouse, settings: Settings) -> list[tuple[object, ...]]:
    """The totals made of all orders; those that stand stay."""
    with warehouse.reading() as connection:
        connection.execute("begin transaction")
        write_query(connection, CUSTOMER_FEATURES, queries.features_query(settings), None)
        made = connection.execute(TOTALS).fetchall()
        connection.execute("rollback")
    return made


def batches_of(random: Random) -> Iterator[list[Record]]:
    """A random history in random batches: sorted by time or not, with late orders, and orders that change hands."""
    history = busy_history(random.randrange(100), customers=random.choice((5, 25)), orders=random.choice((40, 120)))
    if random.random() < 0.7:
        history.sort(key=lambda order: order.at)
    number = 0
    while number < len(history):
        size = random.choice((1, 4, 12, 40))
        batch = list(enumerate(history))[number : number + size]
        if number and random.random() < 0.4:
            earlier = random.randrange(number)
            order = history[earlier]
            batch.append((earlier, random.choice((order, replace(order, customer=f"C{random.randrange(5)}")))))
        yield [arrival(place, order, minute=random.randrange(3)) for place, order in batch]
        number += size


def arrivals_of(random: Random) -> Iterator[Arrival]:
    """Batches of a history; some are read again, whole or without their last records, and the date may move on."""
    batches = list(batches_of(random))
    dates = sorted(random.choices([date(2024, month, day) for month in (2, 3, 4, 5) for day in (1, 9, 17)], k=4))
    has_date = random.random() < 0.5
    for batch, records in enumerate(batches[:8]):
        as_of = dates[min(batch // 3, 3)] if has_date else None
        yield Arrival(batch, records, as_of)
        if random.random() < 0.2:
            again = random.randrange(batch + 1)
            half = random.choice((len(batches[again]), len(batches[again]) // 2))
            yield Arrival(again, batches[again][:half], as_of)


@given(random=st.randoms(use_true_random=False), period=st.sampled_from(("month", "week", "day")))
@examples(5)
def test_whatever_comes_in_whatever_batches_carried_totals_are_those_of_all_orders(
    random: Random, period: Period
) -> None:
    warehouse = MemoryWarehouse()
    for arrival_ in arrivals_of(random):
        settings = tiny_settings(kpi_period=period, as_of=arrival_.as_of)
        take_in(warehouse, arrival_.batch, arrival_.records, settings)
        follow(warehouse, settings)
        assert rows(warehouse, TOTALS) == as_whole(warehouse, settings)
