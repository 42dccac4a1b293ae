"""Random histories: few customers, several months, amounts and instants that meet the edges often."""

import random
from datetime import date, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from bridgecart_assets_tests.sql.history import Order

FIRST_DAY = date(2023, 12, 18)
CLOCKS = ("00:00:00", "09:30:00", "23:59:59.999999")
CATEGORIES = (None, "Books", "Toys")


def _order(
    customer: int, day: int, clock: str, cents: int, discount_cents: int, coupon: bool | None, category: str | None
) -> Order:
    net = Decimal(cents) / 100
    # A discount has the sign of its amount.
    discount = Decimal(discount_cents) / 100 * (-1 if cents < 0 else 1)
    when = FIRST_DAY + timedelta(days=day)
    return Order(f"C{customer}", f"{when.isoformat()}T{clock}", net, discount, coupon, category)


orders = st.builds(
    _order,
    customer=st.integers(1, 6),
    day=st.integers(0, 110),
    clock=st.sampled_from(CLOCKS),
    cents=st.one_of(st.integers(1, 60_000), st.integers(-60_000, 60_000), st.sampled_from((0, 1_500, -1_500, 30_000))),
    discount_cents=st.sampled_from((0, 0, 250)),
    coupon=st.sampled_from((None, False, True)),
    category=st.sampled_from(CATEGORIES),
)
histories = st.lists(orders, max_size=40)


def busy_history(seed: int, *, customers: int = 60, orders: int = 500, days: int = 150) -> list[Order]:
    """A larger history of customers that spend differently, with refunds and zero-value orders."""
    rng = random.Random(seed)
    levels = {customer: rng.choice((20.0, 60.0, 250.0)) for customer in range(customers)}
    found = []
    for _ in range(orders):
        customer = rng.randrange(customers)
        cents = int(100 * levels[customer] * rng.lognormvariate(0, 0.6)) + 1
        kind = rng.random()
        if kind < 0.08:
            cents = -cents
        elif kind < 0.1:
            cents = 0
        found.append(
            _order(
                customer,
                rng.randrange(days),
                rng.choice(CLOCKS),
                cents,
                rng.choice((0, 0, 500)),
                rng.random() < 0.3,
                rng.choice(CATEGORIES),
            )
        )
    return found


def late_by(order: Order, day: date) -> Order:
    """The same order, dated to another day."""
    return Order(
        order.customer,
        datetime.combine(day, order.instant.time()).isoformat(),
        order.net,
        order.discount,
        order.coupon,
        order.category,
    )
