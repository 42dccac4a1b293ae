"""Purchase rates and drop-out that go with spend and coupons: MBG/NBD with covariates that do not change with time.

Source: Fader & Hardie 2007. The logarithm of each parameter is linear in a customer's levels of spend and of coupons,
their squares and their product. Levels are deviations from the mean in quarters, so that there are few kinds of
customers: what one of a kind will buy is computed once, however many customers a shop has.
"""

from dataclasses import astuple, dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from bridgecart_assets.models.arrays import Floats, Labels
from bridgecart_assets.models.purchase import STORED_DECIMALS, Customers, FitFailed, Kind, Predictions, PurchaseModel
from bridgecart_assets.models.spend import SpendModel

TERMS = 6
PARAMETERS = 4
STEPS_A_DEVIATION = 4
MOST_DEVIATIONS = 3.0
# Coefficients are held near 0 as by one customer who says so: where nothing speaks for one, it is none.
_RIDGE = 1.0
# exp(12) weeks are 3,000 years.
_BOUND = 12.0
# A level of what is the same for everybody would be made of rounding.
_SAME_FOR_EVERYONE = 1e-6
# Orders of everybody that a customer's own share of coupons is mixed with, as in the trait.
_COUPON_PRIOR = 3


@dataclass(frozen=True)
class Levels:
    """The scale of the levels: mean and deviation of ln(spend of a purchase day) and of the share of coupons."""

    spend_mean: float
    spend_scale: float
    coupon_mean: float
    coupon_scale: float

    @classmethod
    def of(cls, covariates: Floats) -> "Levels":
        """The scale of these customers' covariates (customers x 2)."""
        (spend_mean, coupon_mean), (spend_scale, coupon_scale) = covariates.mean(axis=0), covariates.std(axis=0)
        return cls(*(round(float(value), 9) for value in (spend_mean, spend_scale, coupon_mean, coupon_scale)))

    def level(self, covariates: Floats) -> Floats:
        """Levels of customers (customers x 2)."""
        scales = np.array([self.spend_scale, self.coupon_scale])
        deviations = (covariates - [self.spend_mean, self.coupon_mean]) / np.maximum(scales, _SAME_FOR_EVERYONE)
        within = np.clip(np.where(scales < _SAME_FOR_EVERYONE, 0.0, deviations), -MOST_DEVIATIONS, MOST_DEVIATIONS)
        return np.asarray(np.round(within * STEPS_A_DEVIATION) / STEPS_A_DEVIATION)


def covariates_of(customers: pd.DataFrame, spend: SpendModel, coupon_share: float) -> Floats:
    """Ln(spend of a purchase day) and share of coupons of customers, shrunk as the traits are (customers x 2)."""
    days, log_spend, orders, coupon_orders = (
        customers[name].to_numpy(dtype=np.float64) for name in ("frequency", "log_spend_sum", "orders", "coupon_orders")
    )
    own = (log_spend / spend.within + spend.mean / spend.between) / (days / spend.within + 1 / spend.between)
    return np.column_stack([own, (_COUPON_PRIOR * coupon_share + coupon_orders) / (_COUPON_PRIOR + orders)])


@dataclass(frozen=True)
class KindsOfCustomers:
    """Customers and their levels (customers x 2), with what the likelihood asks for once a kind."""

    customers: Customers
    levels: Floats

    @cached_property
    def kinds(self) -> tuple[Floats, Labels]:
        """The terms of each kind (kinds x TERMS), and the kind of each customer."""
        levels, kind = np.unique(self.levels, axis=0, return_inverse=True)
        return _terms(levels[:, 0], levels[:, 1]), kind.reshape(-1)

    @cached_property
    def repeats(self) -> tuple[Labels, Floats, Labels]:
        """Kind and `x` of each pair of them that there is, and the pair of each customer."""
        x, which = self.customers.distinct_x
        pairs, pair = np.unique(self.kinds[1] * len(x) + which, return_inverse=True)
        return pairs // len(x), x[pairs % len(x)], pair.reshape(-1)


def fit_covariates(customers: KindsOfCustomers, pooled: PurchaseModel) -> Floats:
    """The coefficients (PARAMETERS x TERMS) of the highest penalised likelihood, looked for from the pooled model on.

    Raises FitFailed where the search does not end within bounds.
    """
    from scipy.optimize import minimize

    size = float(customers.customers.weight.sum())
    start = np.zeros((PARAMETERS, TERMS))
    start[:, 0] = np.log(astuple(pooled)[:PARAMETERS])

    def cost(flat: Floats) -> tuple[float, Floats]:
        coefficients = flat.reshape(PARAMETERS, TERMS)
        value, gradient = penalised_log_likelihood(coefficients, customers)
        return -value / size, -gradient.reshape(-1) / size

    found = minimize(
        cost,
        start.reshape(-1),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-_BOUND, _BOUND)] * start.size,
        options={"maxiter": 1_000, "ftol": 1e-10, "gtol": 1e-6},
    )
    steepest = float(np.abs(cost(found.x)[1]).max())
    if not np.isfinite(found.fun) or np.abs(found.x).max() > _BOUND - 1e-6 or steepest > 1e-3:
        raise FitFailed("purchases do not go with spend and coupons: the likelihood has no maximum within bounds")
    return np.asarray(np.round(found.x, STORED_DECIMALS).reshape(PARAMETERS, TERMS))


@dataclass(frozen=True)
class OwnParameters(Predictions):
    """Parameters of each customer, in the order of the customers."""

    r: Floats
    alpha: Floats
    a: Floats
    b: Floats
    kind: Kind = "mbg"


def own_parameters(coefficients: Floats, levels: Floats) -> OwnParameters:
    """The parameters of customers with these levels (customers x 2)."""
    return OwnParameters(*_parameters(coefficients, _terms(levels[:, 0], levels[:, 1])))


def _terms(spend: Floats, coupon: Floats) -> Floats:
    return np.column_stack([np.ones(len(spend)), spend, coupon, spend * spend, coupon * coupon, spend * coupon])


def _parameters(coefficients: Floats, terms: Floats) -> Floats:
    """The parameters (PARAMETERS x kinds)."""
    return np.asarray(np.exp(np.clip(coefficients @ terms.T, -_BOUND, _BOUND)))


def penalised_log_likelihood(coefficients: Floats, customers: KindsOfCustomers) -> tuple[float, Floats]:
    """Log-likelihood of the customers less the penalty, and its gradient by the coefficients."""
    terms, _ = customers.kinds
    value, by_logs = _log_likelihood(_parameters(coefficients, terms), customers)
    penalised = coefficients.copy()
    penalised[:, 0] = 0.0
    is_free = np.abs(coefficients @ terms.T) < _BOUND
    gradient = np.where(is_free, by_logs, 0.0) @ terms - _RIDGE * penalised
    return value - _RIDGE * float((penalised**2).sum()) / 2, gradient


def _log_likelihood(parameters: Floats, customers: KindsOfCustomers) -> tuple[float, Floats]:
    """Log-likelihood, and its gradient by the logarithms of the parameters of each kind (PARAMETERS x kinds)."""
    from scipy.special import betaln, gammaln, psi

    people, (_, kind), (of_kind, x, pair) = customers.customers, customers.kinds, customers.repeats
    weight = people.weight
    r, alpha, a, b = parameters
    shape, log_alpha = r[of_kind] + x, np.log(alpha)
    each_pair = (
        (r * log_alpha - gammaln(r) - betaln(a, b))[of_kind] + gammaln(shape) + betaln(a[of_kind], b[of_kind] + x + 1)
    )
    lived, until_last, shapes = alpha[kind] + people.T, alpha[kind] + people.t_x, shape[pair]
    log_lived, log_until_last = np.log(lived), np.log(until_last)
    log_odds = (np.log(a)[of_kind] - np.log(b[of_kind] + x))[pair] + shapes * (log_lived - log_until_last)
    either = np.logaddexp(0, log_odds)
    each = each_pair[pair] - shapes * log_lived + either
    dropped = np.exp(log_odds - either)

    def by_kind(values: Floats) -> Floats:
        return _sums(kind, weight * values, len(r))

    def pairs_by_kind(values: Floats) -> Floats:
        return _sums(of_kind, values, len(r))

    people_of_kind = _sums(kind, weight, len(r))
    people_of_pair = _sums(pair, weight, len(x))
    dropped_of_pair = _sums(pair, weight * dropped, len(x))
    all_chances = pairs_by_kind(people_of_pair * psi((a + b)[of_kind] + x + 1))
    by_r = people_of_kind * (log_alpha - psi(r)) + pairs_by_kind(people_of_pair * psi(shape))
    by_r -= by_kind(log_lived + dropped * (log_until_last - log_lived))
    by_alpha = people_of_kind * r / alpha - by_kind(shapes * ((1 - dropped) / lived + dropped / until_last))
    by_a = people_of_kind * psi(a + b) - all_chances + pairs_by_kind(dropped_of_pair) / a
    by_b = people_of_kind * (psi(a + b) - psi(b)) - all_chances
    by_b += pairs_by_kind(people_of_pair * psi(b[of_kind] + x + 1) - dropped_of_pair / (b[of_kind] + x))
    return float(weight @ each), parameters * np.array([by_r, by_alpha, by_a, by_b])


def _sums(group: Labels, values: Floats, groups: int) -> Floats:
    return np.bincount(group, weights=values, minlength=groups).astype(np.float64)
