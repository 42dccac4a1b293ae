"""A whole world: simulated once as arrays, handed out as batches of events."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from bridgecart_assets.synthetic.config import WorldConfig, epoch_ms
from bridgecart_assets.synthetic.customers import Customers
from bridgecart_assets.synthetic.deliveries import Deliveries, draw_deliveries, draw_refunds
from bridgecart_assets.synthetic.events import Event, encode
from bridgecart_assets.synthetic.manifest import Manifest, build_manifest
from bridgecart_assets.synthetic.names import NamePools, build_name_pools
from bridgecart_assets.synthetic.orders import Orders
from bridgecart_assets.synthetic.population import draw_population

BATCH_EVENTS = 10_000


@dataclass(frozen=True, eq=False)
class World:
    """Arrays only; JSON is made while it is read.

    `orders` holds the purchases by time (number 1 is row 0; history first, then live), then the refunds.
    """

    config: WorldConfig
    names: NamePools
    customers: Customers
    orders: Orders
    history_deliveries: Deliveries

    def history(self, batch_size: int = BATCH_EVENTS) -> Iterator[list[Event]]:
        """Events of orders dated before `end`, in arrival order; some arrive after `end`."""
        return self._encode(self.history_deliveries, batch_size)

    def live(self, after: datetime, batch_size: int = BATCH_EVENTS) -> Iterator[list[Event]]:
        """Events of orders dated from `end` to the horizon that arrive later than `after`, in arrival order.

        Raises:
            ValueError: `after` has no time zone.
        """
        if after.utcoffset() is None:
            raise ValueError(f"after must be a datetime with a time zone, got {after!r}")
        deliveries = draw_deliveries(self.config, self.orders, live=True)
        first = int(np.searchsorted(deliveries.timestamp_ms, epoch_ms(after), side="right"))
        return self._encode(deliveries.take(slice(first, None)), batch_size)

    def manifest(self) -> Manifest:
        """Exact figures of `history()`."""
        return build_manifest(self.config, self.orders, self.history_deliveries)

    def _encode(self, deliveries: Deliveries, batch_size: int) -> Iterator[list[Event]]:
        return encode(
            deliveries,
            orders=self.orders,
            customers=self.customers,
            names=self.names,
            batch_size=batch_size,
        )


def simulate(config: WorldConfig) -> World:
    """The world of a config: a function of it alone, on the installed versions of numpy and Faker."""
    names = build_name_pools(config.seed)
    population = draw_population(config, names)
    purchases = _number_by_time(population.orders)
    orders = Orders.concatenate([purchases, draw_refunds(config, purchases)])
    return World(
        config=config,
        names=names,
        customers=population.customers,
        orders=orders,
        history_deliveries=draw_deliveries(config, orders, live=False),
    )


def drain(config: WorldConfig) -> tuple[int, int]:
    """Simulate and encode all of history, to be timed. Returns the counts of its events and payload bytes."""
    events = payload_bytes = 0
    for batch in simulate(config).history():
        events += len(batch)
        payload_bytes += sum(len(event.value) for event in batch if event.value is not None)
    return events, payload_bytes


def _number_by_time(purchases: Orders) -> Orders:
    """The purchases by time, numbered from 1; at the same instant by customer."""
    ordered = purchases.take(np.argsort(purchases.ordered_ms, kind="stable"))
    return replace(ordered, number=np.arange(1, len(ordered) + 1, dtype=np.int64))
