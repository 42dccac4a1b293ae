"""The season of a shop: how much more is bought in each month of the year than in the year's mean.

Time that runs by the season makes one model serve the whole year: a customer who was silent for the quiet months was
silent for fewer days of it, and the month before a feast has more of them to buy in. The factors are those of a table
of repeat purchases by age, cohort and month of the year, fitted as a product of the three by iterative proportional
fitting (Deming & Stephan 1940), so that neither growth nor who came when nor how customers fall silent pass for season.
"""

import json
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from bridgecart_assets.models.arrays import Floats, Labels

MONTHS = 12
# Cohorts of fewer months cannot tell a customer's age from the calendar.
MIN_COHORTS = 12
DECIMALS = 6
# Measured on a made-up shop, fifty give all digits that are stored.
_ROUNDS = 100
_MONTH_DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.float64)


@dataclass(frozen=True)
class Season:
    """Factors of the twelve months, with mean 1 over the days of a year; 29 February counts as a day of that mean."""

    factors: tuple[float, ...]

    def days_back(self, as_of: date, days: Floats) -> Floats:
        """Days of the season, in whole numbers, between so many days before the last day of the data and that day."""
        last = np.float64(_day_number(as_of) - 1)
        return np.asarray(days + _whole(self._bend(last)) - _whole(self._bend(last - days)))

    def days_ahead(self, as_of: date, days: Floats | np.float64) -> Floats:
        """Days of the season in the next so many days."""
        first = _day_number(as_of)
        return np.asarray(days + self._bend(first + days) - self._bend(np.float64(first)))

    def _bend(self, days: Floats | np.float64) -> Floats:
        """Days that the season is ahead of the calendar at times in days since 1970."""
        more = np.array(self.factors) - 1
        ahead = np.concatenate([[0.0], np.cumsum(_MONTH_DAYS * more)])
        whole = np.floor(days)
        dates = np.asarray(whole).astype("datetime64[D]")
        months = dates.astype("datetime64[M]")
        month = months.astype(np.int64) % MONTHS
        into = (dates - months.astype("datetime64[D]")).astype(np.float64) + (days - whole)
        return np.asarray(ahead[month] + np.minimum(into, _MONTH_DAYS[month]) * more[month])


def days_ahead(customers: pd.DataFrame, days: Floats) -> Floats:
    """Days of the season in the next so many days of the calendar (customers x days).

    `customers` has `purchase_version`, `season` (the factors, as JSON) and `forecast_from` (NULL without a season).
    """
    ahead = np.tile(days, (len(customers), 1))
    for rows in customers.groupby(["purchase_version", "forecast_from"]).indices.values():
        first = customers.iloc[rows[0]]
        ahead[rows] = Season(tuple(json.loads(first["season"]))).days_ahead(first["forecast_from"].date(), days)
    return ahead


def estimate_season(months: pd.DataFrame) -> Season | None:
    """The season of the rows of `sql/models/sample_season.sql`; None where they tell none.

    Of each factor as much is believed as months differ by more than chance (empirical Bayes).
    """
    cohort, age, month = (_labels(months[name]) for name in ("cohort", "age", "month"))
    purchases, exposure = (months[name].to_numpy(dtype=np.float64) for name in ("purchases", "customer_days"))
    if len(set(cohort)) < MIN_COHORTS or len(set(month)) < MONTHS or not purchases.sum():
        return None
    factors, even = _fit(purchases, exposure, age, cohort, month)
    noise = _variances(purchases, even, factors, age, cohort, month)
    between = float(((factors - 1) ** 2 - noise).mean())
    if between <= 0:
        return None
    shrunk = 1 + (factors - 1) * between / (between + noise)
    return Season(tuple(np.round(shrunk / _mean(shrunk), DECIMALS).tolist()))


def _fit(purchases: Floats, exposure: Floats, age: Labels, cohort: Labels, month: Labels) -> tuple[Floats, Floats]:
    """Factors of the months, and the purchases that age and cohort let expect of each row in an even year."""
    even, factors = exposure.copy(), np.ones(MONTHS)
    for _ in range(_ROUNDS):
        # Age and cohort first: what they can explain is no season.
        for group in (age, cohort):
            even *= _ratios(group, purchases, even * factors[month])[group]
        factors *= _ratios(month, purchases, even * factors[month])
    level = _mean(factors)
    return factors / level, even * level


def _variances(purchases: Floats, even: Floats, factors: Floats, age: Labels, cohort: Labels, month: Labels) -> Floats:
    """Variances of the factors by chance, which is more than Poisson's by as much as the whole table shows."""
    fitted, expected = even * factors[month], np.bincount(month, weights=even, minlength=MONTHS)
    scatter = np.divide((purchases - fitted) ** 2, fitted, out=np.zeros_like(fitted), where=fitted > 0)
    freedom = max(len(purchases) - len(set(age)) - len(set(cohort)) - MONTHS + 2, 1)
    more_than_poisson = max(float(scatter.sum()) / freedom, 1.0)
    return np.asarray(np.divide(more_than_poisson, expected, out=np.full(MONTHS, np.inf), where=expected > 0))


def _ratios(group: Labels, purchases: Floats, fitted: Floats) -> Floats:
    found, said = np.bincount(group, weights=purchases), np.bincount(group, weights=fitted)
    return np.divide(found, said, out=np.ones_like(said), where=said > 0)


def _mean(factors: Floats) -> float:
    return float(factors @ _MONTH_DAYS / _MONTH_DAYS.sum())


def _whole(days: Floats) -> Floats:
    # Half a day is one, whatever floating point makes of the sum: SQL counts the same.
    return np.asarray(np.floor(np.round(days, DECIMALS) + 0.5))


def _labels(values: "pd.Series[int]") -> Labels:
    return np.unique(values.to_numpy(dtype=np.int64), return_inverse=True)[1]


def _day_number(day: date) -> int:
    return (day - date(1970, 1, 1)).days
