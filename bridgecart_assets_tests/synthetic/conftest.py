"""Worlds made once per session; tests read them and never change them."""

from collections.abc import Iterable
from itertools import chain

import pytest

from bridgecart_assets.synthetic import Event, World, WorldConfig, simulate
from bridgecart_assets_tests.synthetic.strict import Record, read_strictly


@pytest.fixture(scope="session")
def small() -> World:
    """3,000 orders and every kind of trouble in plenty."""
    return simulate(
        WorldConfig(orders=3_000, share_redelivered=0.1, share_late=0.1, share_refunded=0.1, share_malformed=0.1)
    )


@pytest.fixture(scope="session")
def small_history(small: World) -> list[Event]:
    return flatten(small.history())


@pytest.fixture(scope="session")
def small_live(small: World) -> list[Event]:
    return flatten(small.live(small.config.start))


@pytest.fixture(scope="session")
def default_world() -> World:
    """The 100,000 orders everybody sees first."""
    return simulate(WorldConfig())


@pytest.fixture(scope="session")
def default_records(default_world: World) -> list[Record]:
    """What a strict reader accepts of the default history, in arrival order, redeliveries included."""
    read = (read_strictly(event) for event in chain.from_iterable(default_world.history()))
    return [record for record in read if isinstance(record, Record)]


def flatten(batches: Iterable[list[Event]]) -> list[Event]:
    return list(chain.from_iterable(batches))
