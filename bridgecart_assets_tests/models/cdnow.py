"""The CDNOW sample as the published papers use it: every day with a line counts, also one without dollars."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import numpy as np

from bridgecart_assets.models.arrays import Floats
from bridgecart_assets.models.purchase import Customers
from bridgecart_assets.sources.files.cdnow import read_cdnow
from bridgecart_assets.sources.files.purchase_log import LoggedOrder


def summary(before: datetime) -> Customers:
    """Distinct (x, t_x, T) of the customers, from orders before an instant."""
    days: dict[str, list[date]] = defaultdict(list)
    for order in _orders(before):
        days[order.customer_id].append(order.ordered_at.date())
    last_day = before.date() - timedelta(days=1)
    lives = np.array(
        [(len(own) - 1, (own[-1] - own[0]).days / 7, (last_day - own[0]).days / 7) for own in days.values()]
    )
    return Customers.of(*lives.T)


def repeat_spend(before: datetime) -> tuple[Floats, Floats]:
    """Repeat transactions and their mean value, of the customers who came back."""
    values: dict[str, list[float]] = defaultdict(list)
    for order in _orders(before):
        values[order.customer_id].append(float(order.amount))
    repeats = [own[1:] for own in values.values() if sum(own[1:]) > 0]
    return np.array([float(len(own)) for own in repeats]), np.array([float(np.mean(own)) for own in repeats])


def _orders(before: datetime) -> Iterator[LoggedOrder]:
    """In the order of their purchase; a customer has at most one a day."""
    return (order for order in read_cdnow().orders if order.ordered_at < before)
