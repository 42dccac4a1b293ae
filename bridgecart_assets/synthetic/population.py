"""Exactly as many orders as asked for: the shortest prefix of an endless row of random customers."""

from dataclasses import dataclass, replace
from itertools import count
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bridgecart_assets.synthetic.config import WorldConfig
from bridgecart_assets.synthetic.customers import Customers, draw_customers
from bridgecart_assets.synthetic.names import NamePools
from bridgecart_assets.synthetic.orders import Orders, draw_orders
from bridgecart_assets.synthetic.season import Season, build_season

CHUNK_CUSTOMERS = 4_096
"""Customers drawn at a time. Part of what a seed means: another value gives another world."""

POPULATION_STREAM = 1


@dataclass(frozen=True, eq=False)
class Population:
    """Customers, and their purchases by customer and then by time."""

    customers: Customers
    orders: Orders

    def first(self, customers: int, orders: int) -> Self:
        """The first so many customers, and of their orders the first so many."""
        return replace(
            self,
            customers=self.customers.take(slice(0, customers)),
            orders=self.orders.take(slice(0, orders)),
        )


def draw_population(config: WorldConfig, names: NamePools) -> Population:
    """Customers in random order with all their purchases up to the horizon, `orders` of them before `end`.

    A chunk depends on the seed and its place, not on `orders`: a larger world begins with the customers of a
    smaller one.
    """
    season = build_season(config.start_ms, config.horizon_ms)
    parts: list[Population] = []
    missing = config.orders
    for chunk in count():
        drawn = _draw_chunk(config, names, season=season, chunk=chunk)
        history = _history_counts(drawn, config.end_ms)
        if history.sum() >= missing:
            parts.append(_shortest_prefix(drawn, history, wanted=missing))
            break
        parts.append(drawn)
        missing -= int(history.sum())
    return _join(parts)


def _draw_chunk(config: WorldConfig, names: NamePools, *, season: Season, chunk: int) -> Population:
    rng = np.random.default_rng([config.seed, POPULATION_STREAM, chunk])
    customers = draw_customers(rng, CHUNK_CUSTOMERS, names=names, window_days=season.length)
    return Population(*draw_orders(rng, customers, season))


def _history_counts(population: Population, end_ms: int) -> NDArray[np.int64]:
    """Purchases before `end_ms` of each customer."""
    buyers = population.orders.customer[population.orders.ordered_ms < end_ms]
    return np.bincount(buyers, minlength=len(population.customers))


def _shortest_prefix(population: Population, history: NDArray[np.int64], *, wanted: int) -> Population:
    """The fewest leading customers with `wanted` purchases in history; the last may lose its latest ones."""
    if wanted == 0:
        return population.first(0, 0)
    reached = np.cumsum(history)
    last = int(np.searchsorted(reached, wanted))
    first_order, next_order = np.searchsorted(population.orders.customer, [last, last + 1])
    surplus = int(reached[last]) - wanted
    if surplus == 0:
        return population.first(last + 1, int(next_order))
    final_order = int(first_order + history[last] - surplus - 1)
    died_ms = population.customers.died_ms.copy()
    died_ms[last] = population.orders.ordered_ms[final_order]
    shortened = replace(population, customers=replace(population.customers, died_ms=died_ms))
    return shortened.first(last + 1, final_order + 1)


def _join(parts: list[Population]) -> Population:
    """One population out of chunks, with customers numbered through."""
    numbered = [
        replace(part.orders, customer=part.orders.customer + np.int32(place * CHUNK_CUSTOMERS))
        for place, part in enumerate(parts)
    ]
    return Population(
        customers=Customers.concatenate([part.customers for part in parts]),
        orders=Orders.concatenate(numbered),
    )
