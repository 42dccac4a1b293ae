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
    from scipy.special import gammaln, psi

    # In a unit of the customers' own, so that bounds and steps are the same in every currency.
    unit = float(np.exp(np.log(mean).mean()))
    spend = transactions * mean / unit

    def cost(logs: Floats) -> tuple[float, Floats]:
        p, q, v = parameters = np.exp(logs)
        shape, total, log_total = p * transactions, p * transactions + q, np.log(v + spend)
        each = (
            gammaln(total)
            - gammaln(shape)
            - gammaln(q)
            + q * np.log(v)
            + shape * np.log(spend)
            - np.log(mean / unit)
            - total * log_total
        )
        slopes = np.array(
            [
                (transactions * (psi(total) - psi(shape) + np.log(spend) - log_total)).mean(),
                (psi(total) - psi(q) + np.log(v) - log_total).mean(),
                (q / v - total / (v + spend)).mean(),
            ]
        )
        return -float(each.mean()), -slopes * parameters

    found = minimize(
        cost,
        np.log([2.0, 2.0, 1.0]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-_BOUND, _BOUND)] * 3,
        options={"maxiter": 1_000, "ftol": 1e-15, "gtol": 1e-9},
    )
    steepest = float(np.abs(cost(found.x)[1]).max())
    if not np.isfinite(found.fun) or np.abs(found.x).max() > _BOUND - 1e-6 or steepest > 1e-4:
        raise FitFailed("spend does not fit the Gamma-Gamma model: its likelihood has no maximum within bounds")
    p, q, v = (float(value) for value in np.exp(found.x))
    if q <= 1:
        raise FitFailed("spend scatters too widely for the Gamma-Gamma model: the mean of all customers is infinite")
    return GammaGamma(p, q, v * unit)
