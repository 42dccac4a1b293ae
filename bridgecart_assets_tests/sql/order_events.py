"""What becomes of the events of an order under each setting, written from the definition and not from the SQL."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bridgecart_assets.base.settings import OrderEvents

Place = tuple[str, int, int]

_SPELLED = {"UPI": "UPI", "u.p.i.": "UPI"}
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Said:
    """An accepted event: where it stands in the topic, when it arrived, and what it says."""

    place: Place
    arrived_at: datetime | None
    batch: str
    customer_id: str
    order_id: str | None
    at: datetime
    net: Decimal
    coupon: bool | None
    payment: str | None
    category: str | None
    article: str | None = None

    @property
    def identity(self) -> tuple[object, ...]:
        """What it has in common with all events of its order."""
        if self.order_id is None:
            return (self.customer_id, self.at, self.net, self.payment, self.category)
        if self.net < 0:
            return (self.customer_id, self.order_id, "refund", self.at.replace(microsecond=0), self.net)
        return (self.customer_id, self.order_id)

    def words(self, setting: OrderEvents) -> tuple[object, ...]:
        """What it has in common with its copies; two lines may be of two articles."""
        article = self.article if setting == "lines" else None
        return (self.at.replace(microsecond=0), self.net, self.coupon, self.payment, self.category, article)

    @property
    def arrival(self) -> tuple[bool, datetime, int, int, str]:
        """Sorts the first to arrive first."""
        return (self.arrived_at is None, self.arrived_at or _NEVER, *self.place[1:], self.batch)

    @property
    def recency(self) -> tuple[bool, datetime, int, int, str]:
        """Sorts the last state last; nobody knows when a record without a Kafka timestamp was said."""
        return (self.arrived_at is not None, self.arrived_at or _NEVER, *self.place[1:], self.batch)


@dataclass(frozen=True)
class Counted:
    """A row of `silver.orders`."""

    place: Place
    at: datetime
    kind: str
    net: Decimal
    coupon: bool | None
    category: str | None
    lines: int


@dataclass
class Fates:
    """The table of every event, the event that stands for it, and the orders."""

    table: dict[Place, str]
    winner: dict[Place, Place]
    orders: list[Counted]


def said(payload: bytes, place: Place, arrived_at: datetime | None, batch: str) -> Said:
    """An event of the simple kind that the tests send, as it is understood."""
    fields: Mapping[str, Any] = json.loads(payload)
    at = datetime.fromisoformat(fields["purchase_date"])
    payment = fields["payment_method"]
    return Said(
        place=place,
        arrived_at=arrived_at,
        batch=batch,
        customer_id=fields["customer_id"],
        order_id=fields["order_id"],
        at=at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC),
        net=Decimal(str(fields["purchase_amount"])).quantize(Decimal("0.01")),
        coupon=fields["coupon_used"],
        payment=_SPELLED.get(payment, payment),
        category=fields["product_category"],
        article=fields.get("sku"),
    )


def fates(events: Iterable[Said], setting: OrderEvents) -> Fates:
    """What becomes of these events."""
    orders: dict[tuple[object, ...], list[Said]] = defaultdict(list)
    for event in events:
        orders[event.identity].append(event)
    found = Fates({}, {}, [])
    for of_order in orders.values():
        _judge(of_order, setting, found)
    return found


def _judge(events: Sequence[Said], setting: OrderEvents, found: Fates) -> None:
    last_first = sorted(events, key=lambda event: event.recency, reverse=True)
    turns = last_first if setting == "states" else sorted(events, key=lambda event: event.arrival)
    kept: dict[tuple[object, ...], Said] = {}
    for event in turns:
        original = kept.setdefault(event.words(setting), event)
        if original is not event:
            found.table[event.place], found.winner[event.place] = "duplicate_orders", original.place
    first, *others = kept.values()
    counting = [first, *others] if setting == "lines" else [first]
    beside = {"orders": "conflicting_orders", "states": "superseded_orders", "lines": "order_lines"}[setting]
    for event in others:
        found.table[event.place], found.winner[event.place] = beside, first.place
    found.table[first.place] = "order_lines" if len(counting) > 1 else "orders"
    if len(counting) > 1:
        found.winner[first.place] = first.place
    found.orders.append(_sum(counting))


def _sum(events: Sequence[Said]) -> Counted:
    first = events[0]
    net = sum((event.net for event in events), Decimal(0))
    by_category: dict[str, Decimal] = defaultdict(Decimal)
    for event in events:
        if event.category is not None:
            by_category[event.category] += event.net
    coupons = [event.coupon for event in events if event.coupon is not None]
    return Counted(
        place=first.place,
        at=first.at,
        kind="refund" if first.net < 0 else "purchase" if net > 0 else "zero",
        net=net,
        coupon=any(coupons) if coupons else None,
        category=min(by_category, key=lambda name: (-abs(by_category[name]), name), default=None),
        lines=len(events),
    )
