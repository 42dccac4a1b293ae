"""Orders of customers: when they buy, what, for how much and how they pay."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bridgecart_assets.synthetic.catalog import (
    CATEGORY_POPULARITY,
    PAYMENT_POPULARITY,
    PAYMENT_SPELLINGS,
    SHARE_CANONICAL_SPELLING,
    SHARE_PREFERRED_PAYMENT,
)
from bridgecart_assets.synthetic.columns import Columns
from bridgecart_assets.synthetic.customers import STILL_ALIVE, Customers
from bridgecart_assets.synthetic.purchase_times import draw_purchase_times
from bridgecart_assets.synthetic.season import Season

SMALLEST_NET, LARGEST_NET = 10.0, 5_000_000.0
"""Bounds of an order's net amount in INR; the lower one keeps every discount above a cent."""

SMALLEST_DISCOUNT, LARGEST_DISCOUNT = 0.05, 0.30
"""Bounds of a coupon's share of the gross amount."""


@dataclass(frozen=True, eq=False)
class Orders(Columns):
    """One purchase or refund per row. A refund has a negative amount and the number of its purchase.

    `customer` is a row of Customers, `ordered_ms` epoch milliseconds, `gross_cents` before and
    `discount_cents` by the coupon, in hundredths of INR; a coupon was used exactly where there is a discount.
    `category` and `spelling` are indices into CATEGORIES and SPELLINGS.
    """

    number: NDArray[np.int64]
    customer: NDArray[np.int32]
    ordered_ms: NDArray[np.int64]
    gross_cents: NDArray[np.int64]
    discount_cents: NDArray[np.int64]
    category: NDArray[np.int8]
    spelling: NDArray[np.int8]


def draw_orders(rng: np.random.Generator, customers: Customers, season: Season) -> tuple[Customers, Orders]:
    """Every purchase of these customers in the season's window, by customer and then by time.

    The customers come back with `arrived_ms` and `died_ms` filled in. `number` is 0 until all are known.
    """
    times = draw_purchase_times(rng, customers, season.length)
    customer = np.repeat(np.arange(len(customers), dtype=np.int32), times.counts)
    ordered = season.to_calendar(times.days)
    gross, discount = _draw_amounts(rng, customers, customer)
    orders = Orders(
        number=np.zeros(len(customer), dtype=np.int64),
        customer=customer,
        ordered_ms=ordered,
        gross_cents=gross,
        discount_cents=discount,
        category=_draw_categories(rng, len(customers), customer),
        spelling=_draw_spellings(rng, customers.payment[customer]),
    )
    last = np.cumsum(times.counts) - 1
    seen = replace(
        customers,
        arrived_ms=ordered[last - times.counts + 1],
        died_ms=np.where(times.died, ordered[last], STILL_ALIVE),
    )
    return seen, orders


def _draw_amounts(
    rng: np.random.Generator, customers: Customers, customer: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Gross and discount in cents. The net amount is the log-normal one: what a customer means to spend."""
    noise = rng.standard_normal(len(customer))
    net = np.exp(customers.log_spend_mean[customer] + customers.log_spend_sd[customer] * noise)
    net_cents = np.rint(100 * np.clip(net, SMALLEST_NET, LARGEST_NET))
    coupon = rng.random(len(customer)) < customers.coupon_affinity[customer]
    discount = np.where(coupon, rng.uniform(SMALLEST_DISCOUNT, LARGEST_DISCOUNT, len(customer)), 0.0)
    gross_cents = np.rint(net_cents / (1 - discount))
    return gross_cents.astype(np.int64), (gross_cents - net_cents).astype(np.int64)


def _draw_categories(rng: np.random.Generator, customers: int, customer: NDArray[np.int32]) -> NDArray[np.int8]:
    """A category per order, from its customer's own Dirichlet preferences."""
    upper = np.cumsum(rng.dirichlet(CATEGORY_POPULARITY, size=customers), axis=1)[:, :-1]
    drawn = rng.random(len(customer))
    category = np.zeros(len(customer), dtype=np.int8)
    # One narrow column at a time instead of a matrix of orders by categories.
    for bound in upper.T:
        category += drawn > bound[customer]
    return category


def _draw_spellings(rng: np.random.Generator, preferred: NDArray[np.int8]) -> NDArray[np.int8]:
    """A spelling per order of its customer's preferred payment method, now and then of another one."""
    count = len(preferred)
    other = np.searchsorted(np.cumsum(PAYMENT_POPULARITY)[:-1], rng.random(count))
    method = np.where(rng.random(count) < SHARE_PREFERRED_PAYMENT, preferred, other)
    variants = np.array([len(row) for row in PAYMENT_SPELLINGS])
    canonical = np.cumsum(variants) - variants
    variant = (rng.random(count) * variants[method]).astype(np.int64)
    variant[rng.random(count) < SHARE_CANONICAL_SPELLING] = 0
    return np.asarray(canonical[method] + variant, dtype=np.int8)
