"""The Gamma-Gamma model of spend: the published reference that the log-normal one (`spend.py`) is measured against.

Source: Fader & Hardie, note 025 (2013). A customer's transactions are Gamma(p, nu); nu is Gamma(q, v).
"""

from dataclasses import dataclass

import numpy as np

from bridgecart_assets.models.arrays import Floats
from bridgecart_assets.models.purchase import FitFailed

_BOUND = 12.0


@dataclass(frozen=True)
class GammaGamma:
    """Fitted parameters; `v` in currency units."""

    p: float
    q: float
    v: float

    @property
    def mean(self) -> float:
        """Expected value of a transaction of somebody unknown."""
        return self.p * self.v / (self.q - 1)

    @property
    def prior_transactions(self) -> float:
        """Transactions that this mean weighs as much as, beside a customer's own."""
        return (self.q - 1) / self.p

    def expected_spend(self, transactions: Floats, mean: Floats) -> Floats:
        """Expected value of a customer's transaction, after so many of so much on average (none: the prior's mean)."""
        return np.asarray(self.p * (self.v + transactions * mean) / (self.p * transactions + self.q - 1))


def fit_gamma_gamma(transactions: Floats, mean: Floats) -> GammaGamma:
    """Maximum likelihood; one row a customer with at least one transaction and a positive mean.

    Raises FitFailed without a maximum, or where it is at q <= 1: there the mean over all customers is infinite.
    """
    from scipy.optimize import minimize
    from scipy.special import gammaln

    def cost(logs: Floats) -> float:
        p, q, v = np.exp(logs)
        shape = p * transactions
        each = (
            gammaln(shape + q)
            - gammaln(shape)
            - gammaln(q)
            + q * np.log(v)
            + (shape - 1) * np.log(mean)
            + shape * np.log(transactions)
            - (shape + q) * np.log(v + transactions * mean)
        )
        return -float(each.mean())

    start = np.log([2.0, 2.0, max(float(mean.mean()), 1.0)])
    found = minimize(cost, start, method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12, "maxiter": 2_000})
    if not found.success or np.abs(found.x).max() > _BOUND:
        raise FitFailed("spend does not fit the Gamma-Gamma model: its likelihood has no maximum within bounds")
    p, q, v = (float(value) for value in np.exp(found.x))
    if q <= 1:
        raise FitFailed("spend scatters too widely for the Gamma-Gamma model: the mean of all customers is infinite")
    return GammaGamma(p, q, v)
