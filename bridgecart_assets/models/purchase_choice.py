"""The candidates for a purchase model, and the choice among them by what they would have said of the last window.

Each is fitted to what was known before the window and scored by the log score of its chance that a customer buys in
it at all, a proper score: no chance but the true one has a higher expectation. The best is then fitted to all.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bridgecart_assets.models.arrays import Floats
from bridgecart_assets.models.purchase import (
    Customers,
    FitFailed,
    Predictions,
    PurchaseFit,
    PurchaseModel,
    fit_purchases,
    fit_without_dropout,
)
from bridgecart_assets.models.purchase_covariates import (
    KindsOfCustomers,
    Levels,
    covariates_of,
    fit_covariates,
    own_parameters,
)
from bridgecart_assets.models.spend import SpendModel, fit_spend

POOLED, COVARIATES, NO_DROPOUT = "pooled", "covariates", "no_dropout"

# Below these, 24 coefficients say more about chance than about kinds of customers.
MIN_KIND_CUSTOMERS = 1_000
# Of the holdout; a shop that is younger has hardly anybody whose silence says something.
MIN_HELD_OUT_HISTORY_DAYS = 56
SCORE_DECIMALS = 6
_LEAST_CHANCE = 1e-12

HeldOut = Callable[[], pd.DataFrame]


@dataclass(frozen=True)
class Score:
    """The score of a candidate in the window held out: mean log score, and purchase days over actual minus 1."""

    log_score: float
    error: float | None


@dataclass(frozen=True)
class Known:
    """Customers as a fit knows them: one row each, purchases and covariates."""

    customers: Customers
    covariates: Floats

    @classmethod
    def of(cls, customers: pd.DataFrame, days_lived: Floats, days_silent: Floats) -> "Known":
        """Customers of `sql/models/sample_*.sql`; days from their first and latest purchase to the end of the data."""
        x = customers["frequency"].to_numpy(dtype=np.float64) - 1
        T = days_lived / 7
        orders, coupon_orders = float(customers["orders"].sum()), float(customers["coupon_orders"].sum())
        share = round(coupon_orders / orders, 9) if orders else 0.0
        covariates = covariates_of(customers, spend_of(customers), share)
        return cls(Customers(x, T - days_silent / 7, T, np.ones(len(x))), covariates)

    @property
    def grouped(self) -> Customers:
        """The customers without covariates, those that are the same together."""
        return Customers.of(self.customers.x, self.customers.t_x, self.customers.T)


@dataclass(frozen=True)
class CovariatesFit:
    """The scale of the levels and the coefficients (parameters x terms)."""

    levels: Levels
    coefficients: Floats

    def predictions(self, covariates: Floats) -> Predictions:
        """The predictions of customers with these covariates."""
        return own_parameters(self.coefficients, self.levels.level(covariates))


@dataclass(frozen=True)
class Choice:
    """The pooled fit, or that without drop-out; with covariates where those are chosen, why, and the scores."""

    candidate: str
    because: str
    pooled: PurchaseFit
    covariates: CovariatesFit | None = None
    scores: "dict[str, Score] | None" = None


def spend_of(customers: pd.DataFrame) -> SpendModel:
    """The spend model of these customers."""
    return fit_spend(
        *(customers[name].to_numpy(dtype=np.float64) for name in ("frequency", "log_spend_sum", "log_spend_square_sum"))
    )


def choose_model(known: Known, held_out: HeldOut, *, window_days: int) -> Choice:
    """The model that predicts.

    `held_out` gives the customers of `sql/models/sample_held_out.sql` and is asked where there is something to
    choose. Raises FitFailed where no candidate has a fit.
    """
    try:
        pooled = fit_purchases(known.grouped)
    except FitFailed:
        return Choice(
            NO_DROPOUT, "drop-out explains nothing that its absence does not", fit_without_dropout(known.grouped)
        )
    if len(known.covariates) < MIN_KIND_CUSTOMERS:
        return Choice(POOLED, f"fewer than {MIN_KIND_CUSTOMERS:,} customers tell no kinds apart", pooled)
    scores = compare(held_out(), window_days=window_days)
    if POOLED not in scores:
        return Choice(POOLED, f"too short a history to hold out {window_days} days", pooled)
    if COVARIATES not in scores or scores[COVARIATES].log_score <= scores[POOLED].log_score:
        return Choice(POOLED, f"best log score of the last {window_days} days", pooled, scores=scores)
    try:
        covariates = _with_covariates(known, pooled.model)
    except FitFailed:
        return Choice(POOLED, "spend and coupons have no fit", pooled, scores=scores)
    return Choice(COVARIATES, f"best log score of the last {window_days} days", pooled, covariates, scores)


def compare(held_out: pd.DataFrame, *, window_days: int) -> dict[str, Score]:
    """The scores of the candidates that have a fit to what was known before the window, by name, simplest first."""
    lived, silent = (held_out[name].to_numpy(dtype=np.float64) for name in ("lived_days", "silent_days"))
    if len(held_out) < MIN_KIND_CUSTOMERS or lived.max() < MIN_HELD_OUT_HISTORY_DAYS:
        return {}
    known, bought = Known.of(held_out, lived, silent), held_out["purchases_after"].to_numpy(dtype=np.float64)
    scores = {}
    try:
        pooled = fit_purchases(known.grouped).model
        scores[POOLED] = _score(pooled, known.customers, bought, window_days)
        covariates = _with_covariates(known, pooled).predictions(known.covariates)
        scores[COVARIATES] = _score(covariates, known.customers, bought, window_days)
    except FitFailed:
        # The candidates that come after have none either.
        pass
    return scores


def _with_covariates(known: Known, pooled: PurchaseModel) -> CovariatesFit:
    levels = Levels.of(known.covariates)
    return CovariatesFit(
        levels, fit_covariates(KindsOfCustomers(known.customers, levels.level(known.covariates)), pooled)
    )


def _score(model: Predictions, customers: Customers, bought: Floats, window_days: int) -> Score:
    life = (customers.x, customers.t_x, customers.T, window_days / 7)
    chance = np.clip(model.p_purchase(*life), _LEAST_CHANCE, 1 - _LEAST_CHANCE)
    log_score = float(np.where(bought > 0, np.log(chance), np.log1p(-chance)).mean())
    error = float(model.expected(*life).sum() / bought.sum() - 1) if bought.sum() > 0 else None
    return Score(round(log_score, SCORE_DECIMALS), None if error is None else round(error, SCORE_DECIMALS))
