"""Delivery of orders to Kafka: with latency, sometimes late, twice, refunded, or next to damaged events."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridgecart_assets.synthetic.columns import Columns
from bridgecart_assets.synthetic.config import WorldConfig
from bridgecart_assets.synthetic.malformed import KINDS
from bridgecart_assets.synthetic.orders import Orders
from bridgecart_assets.synthetic.season import MS_PER_DAY, MS_PER_HOUR

ON_TIME, LATE, REDELIVERED, MALFORMED_FROM = 0, 1, 2, 3
"""Values of `Deliveries.how`; MALFORMED_FROM + i stands for the i-th of KINDS."""

REFUND_STREAM, DELIVERY_STREAM = 2, 3

LATENCY_MS = (200, 8_000)
LATE_MS = (MS_PER_DAY, 20 * MS_PER_DAY)
REDELIVERY_MS = (1_000, 6 * MS_PER_HOUR)
REFUND_MS = (MS_PER_DAY, 30 * MS_PER_DAY)
SHARE_FULL_REFUNDS = 0.6
PARTIAL_REFUND = (0.1, 0.9)


@dataclass(frozen=True, eq=False)
class Deliveries(Columns):
    """Records of one phase in arrival order: Kafka timestamp (epoch ms), row of Orders, how it came."""

    timestamp_ms: NDArray[np.int64]
    order: NDArray[np.int64]
    how: NDArray[np.int8]


def draw_refunds(config: WorldConfig, purchases: Orders) -> Orders:
    """Refunds of `share_refunded` of the purchases before `end`, and of those after; at most one each.

    A refund follows its purchase by days and belongs to the phase of its own date. Those that would fall
    beyond the horizon never happen. The amount is what was paid (net) or a part of it, a cent at least.
    """
    rng = np.random.default_rng([config.seed, REFUND_STREAM])
    live = len(purchases) - config.orders
    origin = purchases.take(
        np.concatenate(
            [
                _sample(rng, config.orders, config.share_refunded),
                config.orders + _sample(rng, live, config.share_refunded),
            ]
        )
    )
    share = np.where(rng.random(len(origin)) < SHARE_FULL_REFUNDS, 1.0, rng.uniform(*PARTIAL_REFUND, len(origin)))
    paid = origin.gross_cents - origin.discount_cents
    refunds = Orders(
        number=origin.number,
        customer=origin.customer,
        ordered_ms=origin.ordered_ms + rng.integers(*REFUND_MS, size=len(origin)),
        gross_cents=-np.maximum(np.rint(paid * share), 1).astype(np.int64),
        discount_cents=np.zeros(len(origin), dtype=np.int64),
        category=origin.category,
        spelling=origin.spelling,
    )
    return refunds.take(refunds.ordered_ms < config.horizon_ms)


def draw_deliveries(config: WorldConfig, orders: Orders, *, live: bool) -> Deliveries:
    """Everything that arrives because of the orders dated before `end`, or for `live` from `end` on."""
    rng = np.random.default_rng([config.seed, DELIVERY_STREAM, int(live)])
    rows = np.flatnonzero((orders.ordered_ms >= config.end_ms) == live)
    purchases = rows[orders.gross_cents[rows] > 0]
    delay = rng.integers(*LATENCY_MS, size=len(rows))
    how = np.full(len(rows), ON_TIME, dtype=np.int8)
    # Purchases precede refunds, so a position among the purchases is one among the rows.
    late = _sample(rng, len(purchases), config.share_late)
    delay[late] += rng.integers(*LATE_MS, size=len(late))
    how[late] = LATE
    first = Deliveries(orders.ordered_ms[rows] + delay, rows, how)
    again = _redeliver(rng, first, config.share_redelivered)
    malformed = _damage(rng, orders, purchases, share=config.share_malformed)
    together = Deliveries.concatenate([first, again, malformed])
    return together.take(np.argsort(together.timestamp_ms, kind="stable"))


def _redeliver(rng: np.random.Generator, first: Deliveries, share: float) -> Deliveries:
    """Second arrivals of a share of the deliveries, seconds to hours after the first, more often soon."""
    chosen = first.take(_sample(rng, len(first), share))
    low, high = np.log(REDELIVERY_MS)
    delay = np.exp(rng.uniform(low, high, len(chosen))).astype(np.int64)
    how = np.full(len(chosen), REDELIVERED, dtype=np.int8)
    # A float just below the lower bound would be cut to less than a second.
    return Deliveries(chosen.timestamp_ms + np.maximum(delay, REDELIVERY_MS[0]), chosen.order, how)


def _damage(rng: np.random.Generator, orders: Orders, purchases: NDArray[np.int64], *, share: float) -> Deliveries:
    """Malformed events next to a share of the purchases, all kinds equally often."""
    rows = purchases[_sample(rng, len(purchases), share)]
    timestamps = orders.ordered_ms[rows] + rng.integers(*LATENCY_MS, size=len(rows))
    kinds = np.arange(len(rows)) % len(KINDS)
    return Deliveries(timestamps, rows, (MALFORMED_FROM + kinds).astype(np.int8))


def _sample(rng: np.random.Generator, count: int, share: float) -> NDArray[np.int64]:
    """Distinct positions below `count`, exactly `share` of them, rounded."""
    return rng.permutation(count)[: round(count * share)]
