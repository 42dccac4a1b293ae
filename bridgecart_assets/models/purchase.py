"""Purchase frequency and dropout of customers: MBG/NBD, and BG/NBD as the published reference.

Sources: Batislam, Denizel & Filiztekin 2007 (MBG/NBD); Fader, Hardie & Lee 2005 (BG/NBD). Times are in weeks. A
customer is (x, t_x, T): repeat purchase days, time from the first to the latest one, time from the first to the end
of the data. Both models are one formula here: `chances` is how many times a customer had the chance to drop out,
x + 1 in MBG/NBD (also after the first purchase) and x in BG/NBD.
"""

from dataclasses import astuple, dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
import pandas as pd

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.models.arrays import Floats, Labels
from bridgecart_assets.models.season import days_ahead

Kind = Literal["mbg", "bg"]

Number = float | Floats

# Nearer to a = 1 the formula divides one rounding error by another.
_NEAR_ONE = 3e-5
_AWAY = 1e-9
# Among parameters of hundreds scipy's hyp2f1 gives no number or infinity here and there, among thousands mostly.
_LARGE = 1_000.0
_ROUNDING = 1e-6
_NODES = 64
_NO_CHANCE = 1e-200
STEPS = 12
# Two parameters more have to raise the log-likelihood by as much (Akaike).
_WORTH_DROPOUT = 2.0
# Stored digits: more than any decision needs, fewer than the optimiser's stopping point can disturb.
STORED_DECIMALS = 6
# The search goes over log(r), log(alpha / r), log(a) and log(b / a). The first and the third say how much rates and
# chances have in common: where they are the same for everybody both grow without end.
_BY_PARAMETER = np.array([[1.0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]])
_IN_COMMON = np.array([True, False, True, False])
# What the data does not hold down ends here: exp(12) weeks are 3,000 years, and the deviation of rates whose r is
# exp(10) is less than a hundredth of their mean.
_BOUND = 12.0
_MOST = np.where(_IN_COMMON, 10.0, _BOUND)
_TOUCHES = 1e-6


class FitFailed(BridgeCartError):
    """The likelihood has no maximum that can be trusted."""


@dataclass(frozen=True)
class Customers:
    """Distinct customers: `x`, `t_x` and `T` (weeks), each with the number of customers that share them."""

    x: Floats
    t_x: Floats
    T: Floats
    weight: Floats

    @classmethod
    def of(cls, x: Floats, t_x: Floats, T: Floats) -> "Customers":
        """Customers one by one, grouped by what the model knows of them."""
        rows, counts = np.unique(np.column_stack([x, t_x, T]), axis=0, return_counts=True)
        return cls(rows[:, 0], rows[:, 1], rows[:, 2], counts.astype(np.float64))

    @cached_property
    def distinct_x(self) -> tuple[Floats, Labels]:
        """The different values of `x`, and which of them each customer has."""
        values, which = np.unique(self.x, return_inverse=True)
        return values, which


class Predictions:
    """Predictions of customers by parameters that are the same for all, or each customer's own."""

    r: Number
    alpha: Number
    a: Number
    b: Number
    kind: Kind

    def p_alive(self, x: Floats, t_x: Floats, T: Floats) -> Floats:
        """Probability that a customer has not dropped out by T."""
        chances = _chances(self.kind, x)
        with np.errstate(divide="ignore"):
            log_a = np.log(self.a)
        log_odds = (
            log_a
            - np.log(self.b + np.maximum(chances - 1, 0))
            + (self.r + x) * (np.log(self.alpha + T) - np.log(self.alpha + t_x))
        )
        # Capped, because exp() of more is no number; the probability is 0 long before.
        dropped = np.where(chances > 0, np.exp(np.minimum(log_odds, 700.0)), 0.0)
        return np.asarray(1 / (1 + dropped))

    def p_purchase(self, x: Floats, t_x: Floats, T: Floats, weeks: float) -> Floats:
        """Probability of a purchase in the next so many weeks."""
        silent = ((self.alpha + T) / (self.alpha + T + weeks)) ** (self.r + x)
        return np.asarray(self.p_alive(x, t_x, T) * (1 - silent))

    def expected(self, x: Floats, t_x: Floats, T: Floats, weeks: float) -> Floats:
        """Expected purchase days in the next so many weeks."""
        if_alive = expected_if_alive(self.r, self.alpha, self.a, self.b, x, T, weeks, kind=self.kind)
        return np.asarray(self.p_alive(x, t_x, T) * if_alive)


@dataclass(frozen=True)
class PurchaseModel(Predictions):
    """Parameters: purchase rates ~ Gamma(r, alpha weeks), drop-out ~ Beta(a, b), never with a = 0."""

    r: float
    alpha: float
    a: float
    b: float
    kind: Kind = "mbg"


@dataclass(frozen=True)
class PurchaseFit:
    """A model and its log-likelihood on the customers it was fitted to."""

    model: PurchaseModel
    log_likelihood: float


def fit_purchases(customers: Customers, *, kind: Kind = "mbg") -> PurchaseFit:
    """Maximum likelihood over the logarithms of r, alpha, a and b.

    Where all customers drop out with the same chance, the likelihood rises towards a limit as a and b grow, and a
    stands at its bound. So does r where all buy at the same rate. Raises FitFailed where the optimiser finds neither a
    maximum nor such a limit, as with customers that never come back.
    """
    fit, is_highest = _highest_likelihood(customers, kind)
    if not is_highest:
        raise FitFailed("purchases do not fit the model: its likelihood has no maximum within bounds")
    return fit


def fit_without_dropout(customers: Customers) -> PurchaseFit:
    """NBD, for customers who do not leave: maximum likelihood over the logarithms of r and alpha.

    Where purchases scatter less than chance would have it, as those of a subscription do, all rates are the same.
    Raises FitFailed where drop-out says more about the customers than that there is none.
    """
    from scipy.optimize import minimize

    size = float(customers.weight.sum())

    def cost(logs: Floats) -> tuple[float, Floats]:
        parameters = np.exp(logs)
        value, gradient = _log_likelihood_without_dropout(parameters, customers)
        return -value / size, -gradient * parameters / size

    start = np.log([1.0, _weeks_a_repeat(customers)])
    bounds = [(-_BOUND, _BOUND)] * 2
    found = minimize(cost, np.clip(start, -_BOUND, _BOUND), jac=True, method="L-BFGS-B", bounds=bounds)
    r, alpha = (round(float(value), STORED_DECIMALS) for value in np.exp(found.x))
    likelihood, _ = _log_likelihood_without_dropout(np.array([r, alpha]), customers)
    dropout, _ = _highest_likelihood(customers, "mbg")
    if not dropout.log_likelihood < likelihood + _WORTH_DROPOUT:
        raise FitFailed("purchases do not fit the model: customers leave, and its likelihood has no maximum")
    return PurchaseFit(PurchaseModel(r, alpha, 0.0, 1.0), likelihood)


def _weeks_a_repeat(customers: Customers) -> float:
    repeats, weeks = float(customers.weight @ customers.x), float(customers.weight @ customers.T)
    return max(weeks, 1.0) / max(repeats, 1.0)


def _highest_likelihood(customers: Customers, kind: Kind) -> tuple[PurchaseFit, bool]:
    """The best parameters within bounds; True if nothing beyond them is better."""
    from scipy.optimize import minimize

    size = float(customers.weight.sum())

    def cost(logs: Floats) -> tuple[float, Floats]:
        parameters = np.exp(_BY_PARAMETER @ logs)
        value, gradient = _log_likelihood(parameters, customers, kind)
        return -value / size, -(gradient * parameters) @ _BY_PARAMETER / size

    # From the pooled rate and an even drop-out; the published data sets are reached from here as from elsewhere.
    start = np.log([1.0, _weeks_a_repeat(customers), 1.0, 2.0])
    found = minimize(
        cost,
        np.clip(start, -_BOUND, _MOST),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-_BOUND, most) for most in _MOST],
        options={"maxiter": 1_000, "ftol": 1e-15, "gtol": 1e-9},
    )
    at_most, at_least = found.x > _MOST - _TOUCHES, found.x < -_BOUND + _TOUCHES
    steepest = float(np.abs(cost(found.x)[1][~at_most]).max(initial=0.0))
    is_even_or_within = not (at_least | (at_most & ~_IN_COMMON)).any()
    is_highest = bool(np.isfinite(found.fun) and steepest <= 1e-4 and is_even_or_within)
    r, alpha, a, b = (round(float(value), STORED_DECIMALS) for value in np.exp(_BY_PARAMETER @ found.x))
    model = PurchaseModel(r, alpha, a, b, kind)
    return PurchaseFit(model, log_likelihood(model, customers) if is_highest else -float(found.fun) * size), is_highest


def log_likelihood(model: PurchaseModel, customers: Customers) -> float:
    """The model's log-likelihood of the customers."""
    return _log_likelihood(np.array(astuple(model)[:4]), customers, model.kind)[0]


def expected_if_alive(
    r: Number,
    alpha: Number,
    a: Number,
    b: Number,
    x: Floats,
    T: Floats,
    weeks: Number,
    *,
    kind: Kind = "mbg",
) -> Floats:
    """Expected purchase days in the next so many weeks of customers that have not dropped out by T."""
    a, survivals, shape, lived, weeks = np.broadcast_arrays(
        *(np.asarray(value, dtype=np.float64) for value in (a, b + _chances(kind, x), r + x, alpha + T, weeks))
    )
    # The chance to drop out scatters, and purchases fall ever more slowly as it grows: they are never fewer than with
    # its mean for certain (Jensen), and never more than without it.
    with np.errstate(invalid="ignore"):
        # What is no number stays none.
        fewest, most = _with_chance(a / (a + survivals), shape, lived, weeks), shape * weeks / lived
    found = np.where(a == 0, most, np.nan)
    is_closed = (a > 0) & (np.maximum(a + survivals, shape) < _LARGE)
    found[is_closed] = _closed_form(*(value[is_closed] for value in (a, survivals, shape, lived, weeks)))
    is_possible = (found > fewest * (1 - _ROUNDING)) & (found < most * (1 + _ROUNDING))
    is_open = (a > 0) & ~is_possible & np.isfinite(a + survivals + shape + lived)
    if is_open.any():
        found[is_open] = _integral(*(value[is_open] for value in (a, survivals, shape, lived, weeks)))
    return np.asarray(np.clip(found, fewest, most))


def _with_chance(chance: Floats, shape: Floats, lived: Floats, weeks: Floats) -> Floats:
    """Expected purchase days of customers who drop out with this chance each time."""
    # Smaller ones change no digit, and would be lost in the product.
    chance = np.maximum(chance, _NO_CHANCE)
    return np.asarray(-np.expm1(-shape * np.log1p(chance * weeks / lived)) / chance)


def _closed_form(a: Floats, survivals: Floats, shape: Floats, lived: Floats, weeks: Floats) -> Floats:
    is_near = np.abs(a - 1) < _NEAR_ONE
    found = _series(np.where(is_near, 2.0, a), survivals, shape, lived, weeks)
    if is_near.any():
        # a = 1 is a removable singularity: between two sides of it the expectation is a line.
        above, below = (_series(1.0 + side, survivals, shape, lived, weeks) for side in (_NEAR_ONE, -_NEAR_ONE))
        found = np.where(is_near, below + (above - below) * (a - 1 + _NEAR_ONE) / (2 * _NEAR_ONE), found)
    return found


def _series(a: Number, survivals: Floats, shape: Floats, lived: Floats, weeks: Floats) -> Floats:
    from scipy.special import hyp2f1

    # The usual formula after Euler's transformation: what grows with x stands in one place only, so that customers
    # with hundreds of purchases stay exact.
    # scipy 1.17 gives infinity where r - a or r - b is a whole number, and the series has none where a + b = 1 in
    # BG/NBD. Stored parameters have STORED_DECIMALS: a thousandth of the last one keeps away from all of these, and
    # changes nothing that is stored.
    total = a + survivals - 1 + _AWAY
    grown = lived + weeks
    # What the series cannot say is no number here; the caller looks.
    with np.errstate(all="ignore"):
        series = hyp2f1(np.subtract(a, 1), total - shape + _AWAY, total, weeks / grown)
        return np.asarray(total / np.subtract(a, 1) * (1 - (lived / grown) ** np.subtract(a, 1) * series))


def _integral(a: Floats, survivals: Floats, shape: Floats, lived: Floats, weeks: Floats) -> Floats:
    """The expectation over the chance to drop out, Beta(a, survivals), a weighted mean over a few of its values.

    However even the chances are, it is exact, as the values lie where the chances do.
    """
    found = np.empty(len(a))
    by_pair = np.lexsort((survivals, a))
    is_next = (np.diff(a[by_pair]) != 0) | (np.diff(survivals[by_pair]) != 0)
    for rows in np.split(by_pair, np.flatnonzero(is_next) + 1):
        chances, weights = _beta_quadrature(a[rows[0]], survivals[rows[0]])
        bought = _with_chance(chances, shape[rows, None], lived[rows, None], weeks[rows, None])
        # No matrix product: its digits depend on how many rows there are.
        found[rows] = (bought * weights).sum(axis=1)
    return found


@lru_cache(maxsize=20_000)
def _beta_quadrature(a: float, b: float) -> tuple[Floats, Floats]:
    """Values and weights of Gauss's rule for the mean over Beta(a, b): eigenvalues of a tridiagonal matrix.

    Source: Golub & Welsch 1969, with the recurrence of the Jacobi polynomials on 0 to 1.
    """
    from scipy.linalg import eigh_tridiagonal

    k, c = np.arange(1.0, _NODES), a + b
    twice = 2 * k + c - 2
    diagonal = np.concatenate([[a / c], (1 + (a - b) * (c - 2) / (twice * (twice + 2))) / 2])
    # The first is the variance; there, (k + c - 2) / (twice - 1) is 1, or zero over zero.
    last = np.divide(k + c - 2, twice - 1, out=np.ones_like(k), where=k > 1)
    beside = np.sqrt(k * (k + a - 1) * (k + b - 1) * last / (twice**2 * (twice + 1)))
    values, vectors = eigh_tridiagonal(diagonal, beside)
    return np.clip(values, 0.0, 1.0), vectors[0] ** 2


def purchase_forecasts(
    customers: pd.DataFrame, *, horizon_days: int, discount_rate: float, window_days: int
) -> pd.DataFrame:
    """Expected purchases of customers that are alive: `purchases` and `discounted_purchases` within a horizon, and
    `window_purchases` within the churn window, which has `window_weeks`.

    `customers` has frequency, weeks (T), the parameters r, alpha, a, b (MBG/NBD) and the season in every row; the
    columns are added. Discounting is by twelve equal steps (months, if the horizon is a year) at a yearly rate. Nobody
    has more purchase days than there are days.
    """
    r, alpha, a, b, frequency, T = (
        customers[name].to_numpy(dtype=np.float64)[:, None] for name in ("r", "alpha", "a", "b", "frequency", "weeks")
    )
    days = np.array([*(horizon_days * step / STEPS for step in range(1, STEPS + 1)), float(window_days)])
    weeks = days_ahead(customers, days) / 7
    # np.minimum keeps what is no number, so that it is seen.
    *until_steps, within_window = np.minimum(expected_if_alive(r, alpha, a, b, frequency - 1, T, weeks), days).T
    before: Floats = np.zeros(len(customers))
    discounted: Floats = np.zeros(len(customers))
    for until, purchases in zip(days, until_steps, strict=False):
        discounted = discounted + (purchases - before) / (1 + discount_rate) ** (until / 365)
        before = purchases
    return customers.drop(columns="season").assign(
        purchases=before, discounted_purchases=discounted, window_purchases=within_window, window_weeks=weeks[:, -1]
    )


def _chances(kind: Kind, x: Floats) -> Floats:
    return x + 1 if kind == "mbg" else x


def _log_likelihood_without_dropout(parameters: Floats, customers: Customers) -> tuple[float, Floats]:
    """Log-likelihood and its gradient by r and alpha."""
    from scipy.special import gammaln, psi

    r, alpha = parameters
    x, which = customers.distinct_x
    log_lived = np.log(alpha + customers.T)
    shapes = r + customers.x
    each = (r * np.log(alpha) + gammaln(r + x) - gammaln(r))[which] - shapes * log_lived
    by_r = (np.log(alpha) + psi(r + x) - psi(r))[which] - log_lived
    by_alpha = r / alpha - shapes / (alpha + customers.T)
    weight = customers.weight
    return float(weight @ each), np.array([weight @ by_r, weight @ by_alpha])


def _log_likelihood(parameters: Floats, customers: Customers, kind: Kind) -> tuple[float, Floats]:
    """Log-likelihood and its gradient by r, alpha, a and b."""
    from scipy.special import betaln, gammaln, psi

    r, alpha, a, b = parameters
    weight = customers.weight
    # The costly functions depend on x alone, which has few values.
    x, which = customers.distinct_x
    chances = _chances(kind, x)
    could_drop = (chances > 0)[which]
    # Stands in for chances - 1 where nobody could drop out; what it gives is masked.
    survived = np.maximum(chances - 1, 0)
    shape = r + x
    shapes = shape[which]
    log_T, log_t = np.log(alpha + customers.T), np.log(alpha + customers.t_x)
    alive = betaln(a, b + chances)[which] - shapes * log_T
    dropped = np.where(could_drop, betaln(a + 1, b + survived)[which] - shapes * log_t, -np.inf)
    either = np.logaddexp(alive, dropped)
    each = (r * np.log(alpha) + gammaln(shape) - gammaln(r) - betaln(a, b))[which] + either

    p = np.exp(alive - either)
    q = 1 - p
    both = psi(a + b + chances)[which]
    gradient = np.array(
        [
            weight @ ((np.log(alpha) + psi(shape) - psi(r))[which] - p * log_T - q * log_t),
            weight @ (r / alpha - shapes * (p / (alpha + customers.T) + q / (alpha + customers.t_x))),
            weight @ (psi(a + b) - psi(a) + p * psi(a) + q * psi(a + 1) - both),
            weight @ (psi(a + b) - psi(b) + p * psi(b + chances)[which] + q * psi(b + survived)[which] - both),
        ]
    )
    return float(weight @ each), gradient
