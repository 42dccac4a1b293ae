"""A purchase log: orders of a real shop, and the events that say the same."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import orjson

from bridgecart_assets.sources.kafka.producing import Event


@dataclass(frozen=True, order=True)
class LoggedOrder:
    """One order: when (UTC), whose, and what was paid for it, in currency units; zero is possible."""

    ordered_at: datetime
    customer_id: str
    amount: Decimal

    def event(self) -> Event:
        """The order as a Kafka record; its timestamp is the instant of the purchase. Same order, same bytes."""
        document = {
            "order_id": f"{self.customer_id}-{self.ordered_at:%Y%m%d}",
            "customer_id": self.customer_id,
            "purchase_date": f"{self.ordered_at:%Y-%m-%dT%H:%M:%SZ}",
            # The shortest decimal that reads back as this float has the two decimals of the amount.
            "purchase_amount": float(self.amount),
        }
        return self.customer_id.encode(), orjson.dumps(document), int(self.ordered_at.timestamp()) * 1000


@dataclass(frozen=True)
class PurchaseLog:
    """All orders of a log, in the order of their purchase; a customer has at most one a day."""

    name: str
    orders: tuple[LoggedOrder, ...]

    @property
    def customers(self) -> int:
        """Number of customers."""
        return len({order.customer_id for order in self.orders})

    @property
    def sales(self) -> Decimal:
        """Sum of the amounts."""
        return sum((order.amount for order in self.orders), Decimal(0))

    def events(self) -> Iterator[Event]:
        """The orders as Kafka records."""
        return (order.event() for order in self.orders)
