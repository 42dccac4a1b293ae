"""The candidates for a purchase model, and the choice among them by what they would have said of the last window.

Each is fitted to what was known before the window and scored by the log score of its chance that a customer buys in
it at all, a proper score: no chance but the true one has a higher expectation. The best is then fitted to all.

The last candidate is the best of the others in days of the season (`season.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

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
from bridgecart_assets.models.season import Season, estimate_season
from bridgecart_assets.models.spend import SpendModel, fit_spend

POOLED, COVARIATES, NO_DROPOUT, SEASONAL = "pooled", "covariates", "no_dropout", "seasonal"

# Below these, 24 coefficients say more about chance than about kinds of customers.
MIN_KIND_CUSTOMERS = 1_000
# Of the holdout; a shop that is younger has hardly anybody whose silence says something.
MIN_HELD_OUT_HISTORY_DAYS = 56
SCORE_DECIMALS = 6
_LEAST_CHANCE = 1e-12
# Standard errors: one shop without a season in forty has a difference beyond them.
_BEYOND_CHANCE = 2.0


@dataclass(frozen=True)
class Score:
    """The score of a candidate in the window held out: mean log score, and purchase days over actual minus 1.

    `each` are the log scores of the customers.
    """

    log_score: float
    error: float | None
    each: Floats = field(repr=False, compare=False)

    def is_surely_better(self, other: "Score") -> bool:
        """True if the same customers were foretold better, by more than chance would have it."""
        better = self.each - other.each
        return bool(better.mean() > _BEYOND_CHANCE * better.std() / np.sqrt(len(better)))


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
class Lives:
    """Customers of `sql/models/sample_*.sql`, and days from first and latest purchase to the last day of the data.

    Called with a season, it is what is known of them in its days; without one, in days of the calendar.
    """

    customers: pd.DataFrame
    days_lived: Floats
    days_silent: Floats
    as_of: date

    def __call__(self, season: Season | None) -> Known:
        """The customers as a fit knows them."""
        if season is None:
            return Known.of(self.customers, self.days_lived, self.days_silent)
        days = (season.days_back(self.as_of, each) for each in (self.days_lived, self.days_silent))
        return Known.of(self.customers, *days)


KnownIn = Callable[[Season | None], Known]


@dataclass(frozen=True)
class HeldOut:
    """Customers as they were known before the window, their purchase days in it, and what was bought by month."""

    lives: Lives
    bought: Floats
    months: pd.DataFrame

    @classmethod
    def of(cls, customers: pd.DataFrame, months: pd.DataFrame, as_of: date, *, window_days: int) -> "HeldOut":
        """Rows of `sql/models/sample_held_out.sql` and `sample_season.sql`; `as_of` is where the window ends."""
        lived, silent, bought = (
            customers[name].to_numpy(dtype=np.float64) for name in ("lived_days", "silent_days", "purchases_after")
        )
        return cls(Lives(customers, lived, silent, as_of - timedelta(days=window_days)), bought, months)

    @property
    def season(self) -> Season | None:
        """The season as it is known now."""
        return estimate_season(self.months)

    @property
    def season_before(self) -> Season | None:
        """The season as it was known before the window."""
        return estimate_season(self.months.loc[~self.months["is_held_out"].astype(bool)])


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
    """The pooled fit, or that without drop-out; covariates and season where chosen, why, and the scores."""

    candidate: str
    because: str
    pooled: PurchaseFit
    covariates: CovariatesFit | None = None
    scores: "dict[str, Score] | None" = None
    season: Season | None = None


def spend_of(customers: pd.DataFrame) -> SpendModel:
    """The spend model of these customers."""
    return fit_spend(
        *(customers[name].to_numpy(dtype=np.float64) for name in ("frequency", "log_spend_sum", "log_spend_square_sum"))
    )


def choose_model(known_in: KnownIn, held_out: Callable[[], HeldOut], *, window_days: int) -> Choice:
    """The model that predicts.

    `held_out` is asked where there is something to choose. Raises FitFailed where no candidate has a fit.
    """
    known = known_in(None)
    try:
        pooled = fit_purchases(known.grouped)
    except FitFailed:
        return Choice(
            NO_DROPOUT, "drop-out explains nothing that its absence does not", fit_without_dropout(known.grouped)
        )
    if len(known.covariates) < MIN_KIND_CUSTOMERS:
        return Choice(POOLED, f"fewer than {MIN_KIND_CUSTOMERS:,} customers tell no kinds apart", pooled)
    past = held_out()
    scores = compare(past, window_days=window_days)
    if POOLED not in scores:
        return Choice(POOLED, f"too few customers, or too short a history, before the last {window_days} days", pooled)
    best, because = _best_in_calendar(scores), f"best log score of the last {window_days} days"
    season = past.season if SEASONAL in scores and scores[SEASONAL].is_surely_better(scores[best]) else None
    if season is not None:
        try:
            return _in_season(known_in(season), season, best, because, scores)
        except FitFailed:
            because = "in days of the season nothing has a fit"
    if best == POOLED:
        return Choice(POOLED, because, pooled, scores=scores)
    try:
        covariates = _with_covariates(known, pooled.model)
    except FitFailed:
        return Choice(POOLED, "spend and coupons have no fit", pooled, scores=scores)
    return Choice(COVARIATES, because, pooled, covariates, scores)


def _in_season(known: Known, season: Season, best: str, because: str, scores: dict[str, Score]) -> Choice:
    pooled = fit_purchases(known.grouped)
    covariates = _with_covariates(known, pooled.model) if best == COVARIATES else None
    return Choice(SEASONAL, because, pooled, covariates, scores, season)


def compare(past: HeldOut, *, window_days: int) -> dict[str, Score]:
    """The scores of the candidates that have a fit to what was known before the window, by name, simplest first."""
    if len(past.bought) < MIN_KIND_CUSTOMERS or past.lives.days_lived.max() < MIN_HELD_OUT_HISTORY_DAYS:
        return {}
    scores = _scores(past.lives(None), past.bought, window_days)
    season = past.season_before
    if scores and season is not None:
        best = _best_in_calendar(scores)
        days = float(season.days_ahead(past.lives.as_of, np.float64(window_days)))
        seasonal = _scores(past.lives(season), past.bought, days, pooled_only=best == POOLED)
        scores |= {SEASONAL: seasonal[best]} if best in seasonal else {}
    return scores


def _scores(known: Known, bought: Floats, days: float, *, pooled_only: bool = False) -> dict[str, Score]:
    scores: dict[str, Score] = {}
    try:
        pooled = fit_purchases(known.grouped).model
        scores[POOLED] = _score(pooled, known.customers, bought, days)
        if not pooled_only:
            covariates = _with_covariates(known, pooled).predictions(known.covariates)
            scores[COVARIATES] = _score(covariates, known.customers, bought, days)
    except FitFailed:
        # The candidates that come after have none either.
        pass
    return scores


def _best_in_calendar(scores: dict[str, Score]) -> str:
    is_better = COVARIATES in scores and scores[COVARIATES].log_score > scores[POOLED].log_score
    return COVARIATES if is_better else POOLED


def _with_covariates(known: Known, pooled: PurchaseModel) -> CovariatesFit:
    levels = Levels.of(known.covariates)
    return CovariatesFit(
        levels, fit_covariates(KindsOfCustomers(known.customers, levels.level(known.covariates)), pooled)
    )


def _score(model: Predictions, customers: Customers, bought: Floats, days: float) -> Score:
    life = (customers.x, customers.t_x, customers.T, days / 7)
    chance = np.clip(model.p_purchase(*life), _LEAST_CHANCE, 1 - _LEAST_CHANCE)
    each = np.where(bought > 0, np.log(chance), np.log1p(-chance))
    error = float(model.expected(*life).sum() / bought.sum() - 1) if bought.sum() > 0 else None
    log_score = round(float(each.mean()), SCORE_DECIMALS)
    return Score(log_score, None if error is None else round(error, SCORE_DECIMALS), each)
