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
    # In units of what the customers leave open of each coefficient the search needs a fourth of the steps.
    units = np.linalg.inv(np.linalg.cholesky(_information(start, customers) / size)).T

    def coefficients(steps: Floats) -> Floats:
        return np.asarray(start + (units @ steps).reshape(PARAMETERS, TERMS))

    def cost(steps: Floats) -> tuple[float, Floats]:
        value, gradient = penalised_log_likelihood(coefficients(steps), customers)
        return -value / size, -(gradient.reshape(-1) @ units) / size

    found = minimize(
        cost,
        np.zeros(start.size),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 1_000, "ftol": 1e-12, "gtol": 1e-6},
    )
    best = coefficients(found.x)
    steepest = float(np.abs(penalised_log_likelihood(best, customers)[1]).max()) / size
    if not np.isfinite(found.fun) or np.abs(best).max() > _BOUND or steepest > 1e-3:
        raise FitFailed("purchases do not go with spend and coupons: the likelihood has no maximum within bounds")
    return np.asarray(np.round(best, STORED_DECIMALS))


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
    terms, kind = customers.kinds
    each, slopes = _log_likelihoods(_parameters(coefficients, terms), customers)
    weight = customers.customers.weight
    penalised = coefficients.copy()
    penalised[:, 0] = 0.0
    is_free = np.abs(coefficients @ terms.T) < _BOUND
    by_kind = np.array([_sums(kind, weight * slope, len(terms)) for slope in slopes])
    gradient = np.where(is_free, by_kind, 0.0) @ terms - _RIDGE * penalised
    return float(weight @ each) - _RIDGE * float((penalised**2).sum()) / 2, gradient


def _information(coefficients: Floats, customers: KindsOfCustomers) -> Floats:
    """The hold that customers have on each pair of coefficients: products of their slopes, and the penalty.

    Source: Berndt, Hall, Hall & Hausman 1974.
    """
    terms, kind = customers.kinds
    _, slopes = _log_likelihoods(_parameters(coefficients, terms), customers)
    weighted = slopes * customers.customers.weight
    by_kind = np.array([[_sums(kind, one * other, len(terms)) for other in slopes] for one in weighted])
    products = np.einsum("ijk,ks,kt->isjt", by_kind, terms, terms)
    return np.asarray(products.reshape(coefficients.size, -1) + _RIDGE * np.eye(coefficients.size))


def _log_likelihoods(parameters: Floats, customers: KindsOfCustomers) -> tuple[Floats, Floats]:
    """Log-likelihood of each customer, and its slopes by the logarithms of the parameters (PARAMETERS x customers)."""
    from scipy.special import betaln, gammaln, psi

    people, (_, kind), (of_kind, x, pair) = customers.customers, customers.kinds, customers.repeats
    # The costly functions depend on kind and x alone, of which there are few pairs.
    r, alpha, a, b = (values[of_kind] for values in parameters)
    shape = r + x
    each_pair = r * np.log(alpha) - gammaln(r) - betaln(a, b) + gammaln(shape) + betaln(a, b + x + 1)
    shapes, alphas = shape[pair], parameters[1][kind]
    lived, until_last = alphas + people.T, alphas + people.t_x
    log_lived = np.log(lived)
    log_silent = log_lived - np.log(until_last)
    log_odds = (np.log(a) - np.log(b + x))[pair] + shapes * log_silent
    either = np.logaddexp(0, log_odds)
    dropped = np.exp(log_odds - either)
    all_chances = psi(a + b) - psi(a + b + x + 1)
    slopes = np.array(
        [
            r[pair] * ((np.log(alpha) - psi(r) + psi(shape))[pair] - log_lived + dropped * log_silent),
            r[pair] - alphas * shapes * ((1 - dropped) / lived + dropped / until_last),
            (a * all_chances)[pair] + dropped,
            (b * (all_chances - psi(b) + psi(b + x + 1)))[pair] - (b / (b + x))[pair] * dropped,
        ]
    )
    return each_pair[pair] - shapes * log_lived + either, slopes


def _sums(group: Labels, values: Floats, groups: int) -> Floats:
    return np.bincount(group, weights=values, minlength=groups).astype(np.float64)
