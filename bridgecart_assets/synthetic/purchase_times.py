"""Purchase times: the MBG/NBD process (Batislam et al. 2007), without a loop over customers or purchases.

A customer's first purchase is its arrival. Exponential gaps follow, and after each purchase, the first
included, it drops out with its own probability. Two facts make that a handful of array operations: the
number of purchases until drop-out is geometric, and the instants of a Poisson process, given their number,
are sorted uniforms, which are cumulated exponentials over their total.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridgecart_assets.synthetic.customers import Customers


@dataclass(frozen=True, eq=False)
class PurchaseTimes:
    """Per customer `counts` (>= 1) and `died`; per purchase, by customer, then time, operational `days`."""

    counts: NDArray[np.int64]
    died: NDArray[np.bool_]
    days: NDArray[np.float64]


def draw_purchase_times(rng: np.random.Generator, customers: Customers, window_days: float) -> PurchaseTimes:
    """Purchases of each customer from its arrival to the end of a window of so many operational days."""
    remaining = window_days - customers.arrival
    repeats_if_immortal = rng.poisson(customers.rate * remaining)
    purchases_until_dropout = rng.geometric(customers.dropout)
    died = purchases_until_dropout <= 1 + repeats_if_immortal
    counts = np.where(died, purchases_until_dropout, 1 + repeats_if_immortal)

    # Exponentials that follow the last purchase only enter the total: their sum is one gamma draw.
    rest = rng.standard_gamma(repeats_if_immortal + 2 - counts)
    elapsed = _cumulate(rng.standard_exponential(int(counts.sum())), counts)
    total = elapsed[np.cumsum(counts) - 1] + rest
    days = np.repeat(customers.arrival, counts) + elapsed * np.repeat(remaining / total, counts)
    return PurchaseTimes(counts=counts, died=died, days=days)


def _cumulate(gaps: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Running sum of each customer's gaps, which starts with 0 at its first purchase."""
    first = np.cumsum(counts) - counts
    gaps[first] = 0.0
    running = np.cumsum(gaps)
    return np.asarray(running - np.repeat(running[first], counts))
