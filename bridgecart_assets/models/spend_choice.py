"""The candidates for what a customer spends on a purchase day, and the choice between them by the latest days.

Each candidate is fitted to the purchase days before the last so many, and asked for the spend on the purchase days that
came after. What counts is the mean, since sales are a sum, so every candidate is scored by the same rule, the log score
of an exponential spend with that mean: `-ln(mean) - spend / mean` a purchase day. It is best at the true mean whatever
the distribution (Gneiting 2011), and in proportions, so that a few large amounts do not decide alone.

All purchases to come are repeat ones. Where those surely bring more or less than the model of all days expects of them,
as where the first order is a trial or has a coupon for newcomers, what it expects is scaled by that.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from bridgecart_assets.models.arrays import Flags, Floats
from bridgecart_assets.models.gamma_gamma import fit_gamma_gamma
from bridgecart_assets.models.purchase import FitFailed
from bridgecart_assets.models.spend import STORED_DECIMALS, SpendModel, fit_spend
from bridgecart_assets.models.stability import evenly_spaced

CREDIBILITY, LOG_NORMAL, GAMMA_GAMMA = "credibility", "log-normal", "Gamma-Gamma"
# Who must have bought both before and in the days held out; with fewer, chance would choose.
MIN_HELD_OUT = 50
# More customers make no other parameters.
MOST_GAMMA_GAMMA = 5_000
# Customers who do not differ: beside so many, no days of their own count.
MOST_PRIOR_DAYS = 1e9
# Standard errors: of shops whose first orders are like all others, one in twenty seems to differ by as much.
_BEYOND_CHANCE = 2.0
GROUPS = ("lowest fourth", "second fourth", "third fourth", "highest fourth")
SCORE_DECIMALS = 6


@dataclass(frozen=True)
class PurchaseDays:
    """Purchase days of customers: how many, and the sums of spend, of its logarithm and of the squares of both.

    `first_spend` is that of the first day of all, where it is among them, else 0.
    """

    days: Floats
    spend: Floats
    spend_square: Floats
    log_spend: Floats
    log_spend_square: Floats
    first_spend: Floats

    @classmethod
    def of(cls, customers: pd.DataFrame, part: str) -> "PurchaseDays":
        """The columns of one part, `before` or `after`, of `sql/models/sample_spend.sql`."""
        names = cls.__dataclass_fields__
        return cls(*(customers[f"{name}_{part}"].to_numpy(dtype=np.float64) for name in names))

    def of_customers(self, chosen: Flags) -> "PurchaseDays":
        """Those of some customers."""
        return PurchaseDays(*(values[chosen] for values in vars(self).values()))

    def __add__(self, later: "PurchaseDays") -> "PurchaseDays":
        """Both of them, of the same customers."""
        return PurchaseDays(*(a + b for a, b in zip(vars(self).values(), vars(later).values(), strict=True)))

    @property
    def mean(self) -> Floats:
        """Each customer's own mean spend."""
        return np.asarray(self.spend / self.days)

    @property
    def repeat_days(self) -> Floats:
        """Days after the first one, where that is among them."""
        return np.where(self.first_spend > 0, self.days - 1, self.days)

    @property
    def repeat_spend(self) -> Floats:
        """Spend on these days."""
        return np.asarray(self.spend - self.first_spend)


class Candidate(Protocol):
    """A fitted model of spend."""

    def expected(self, known: PurchaseDays) -> Floats:
        """Expected spend on the next purchase day of customers with these days."""
        ...


@dataclass(frozen=True)
class Credibility:
    """A customer's own mean, and that of all with the weight of so many purchase days (Buhlmann 1967).

    That is the best linear estimate whatever the distribution. Gamma-Gamma is the same line with a weight of its own.
    """

    mean: float
    prior_days: float

    def expected(self, known: PurchaseDays) -> Floats:
        """Between the customer's own mean and that of all."""
        return np.asarray((known.spend + self.prior_days * self.mean) / (known.days + self.prior_days))


@dataclass(frozen=True)
class LogNormal:
    """Spend that scatters in proportion around a customer's own level.

    Its mean rests on how spend scatters at the far end, which a few samples at a cent are enough to misjudge. So it is
    no more than the largest mean of a customer, and `scale` makes the days of the fit come to what was spent on them.
    """

    model: SpendModel
    largest: float
    scale: float = 1.0

    def expected(self, known: PurchaseDays) -> Floats:
        """The mean of the log-normal of each customer, to scale."""
        spread = 1 / (known.days / self.model.within + 1 / self.model.between)
        level = (known.log_spend / self.model.within + self.model.mean / self.model.between) * spread
        # exp() of too much is beyond all numbers.
        mean = np.exp(np.minimum(level + (self.model.within + spread) / 2, np.log(self.largest)))
        return np.asarray(self.scale * mean)


def repeat_scale(expected: Floats, known: PurchaseDays) -> float:
    """Spend on repeat days over what is expected of them a day; 1 where chance explains the difference."""
    of_repeats = known.repeat_days * expected
    missing = known.repeat_spend - of_repeats
    if abs(missing.sum()) <= _BEYOND_CHANCE * np.sqrt((missing**2).sum()):
        return 1.0
    return round(float(known.repeat_spend.sum() / of_repeats.sum()), STORED_DECIMALS)


@dataclass(frozen=True)
class SpendChoice:
    """The candidate by which spend is expected, and how it was found.

    `line` is that of Gamma-Gamma where it was chosen, else that of credibility; `log_normal` is there for the traits,
    whatever was chosen. What the chosen one expects is multiplied by `repeat_scale`. `backtest` has a row for each
    candidate and group of customers, by own mean spend before the days held out; it is empty with too few customers to
    compare, and then credibility is taken, which needs no distribution.
    """

    name: str
    line: Credibility
    log_normal: LogNormal
    repeat_scale: float
    backtest: pd.DataFrame


def choose_spend(customers: pd.DataFrame) -> SpendChoice:
    """Choose by the days held out, then fit to all days; `customers` are those of `sql/models/sample_spend.sql`."""
    before, after = (PurchaseDays.of(customers, part) for part in ("before", "after"))
    backtest = backtest_spend(before, after)
    name = _best(backtest)
    known = before + after
    log_normal = _fit_log_normal(known)
    try:
        line = _fit_gamma_gamma(known) if name == GAMMA_GAMMA else fit_credibility(known)
    except FitFailed:
        # All days together are not those that were compared: they may have no fit.
        name, line = CREDIBILITY, fit_credibility(known)
    chosen = log_normal if name == LOG_NORMAL else line
    return SpendChoice(name, line, log_normal, repeat_scale(chosen.expected(known), known), backtest)


def backtest_spend(before: PurchaseDays, after: PurchaseDays) -> pd.DataFrame:
    """Predicted and actual spend on the days held out, their ratio minus 1, and the log score a purchase day."""
    known = before.days > 0
    is_scored = (after.days > 0)[known]
    if is_scored.sum() < MIN_HELD_OUT:
        return pd.DataFrame()
    history = before.of_customers(known)
    scored, future = history.of_customers(is_scored), after.of_customers(known).of_customers(is_scored)
    groups = _fourths(scored.mean)
    rows: list[dict[str, object]] = []
    for name, fit in _CANDIDATES.items():
        try:
            of_all_days = fit(history).expected(history)
        except FitFailed:
            continue
        expected = repeat_scale(of_all_days, history) * of_all_days[is_scored]
        rows += [
            {"candidate": name, "customers_by_spend": group, **_score(expected[chosen], future.of_customers(chosen))}
            for group, chosen in groups.items()
        ]
    return pd.DataFrame(rows)


def fit_credibility(known: PurchaseDays) -> Credibility:
    """Mean and weight from the variances of spend within and between customers."""
    found = fit_spend(known.days, known.spend, known.spend_square)
    return Credibility(found.mean, round(min(found.within / found.between, MOST_PRIOR_DAYS), STORED_DECIMALS))


def _fit_log_normal(known: PurchaseDays) -> LogNormal:
    model, largest = fit_spend(known.days, known.log_spend, known.log_spend_square), float(known.mean.max())
    plain = LogNormal(model, largest)
    scale = float(known.spend.sum()) / float((known.days * plain.expected(known)).sum())
    return LogNormal(model, largest, round(scale, STORED_DECIMALS))


def _fit_gamma_gamma(known: PurchaseDays) -> Credibility:
    some = evenly_spaced(len(known.days), MOST_GAMMA_GAMMA)
    fit = fit_gamma_gamma(known.days[some], known.mean[some])
    return Credibility(round(fit.mean, STORED_DECIMALS), round(fit.prior_transactions, STORED_DECIMALS))


# The one that supposes least comes first: of candidates as good, the first is taken.
_CANDIDATES: Mapping[str, Callable[[PurchaseDays], Candidate]] = {
    CREDIBILITY: fit_credibility,
    LOG_NORMAL: _fit_log_normal,
    GAMMA_GAMMA: _fit_gamma_gamma,
}


def _best(backtest: pd.DataFrame) -> str:
    if backtest.empty:
        return CREDIBILITY
    of_all = backtest.loc[backtest["customers_by_spend"] == "all"]
    return str(of_all["candidate"].iloc[int(np.argmax(of_all["log_score"]))])


def _fourths(mean: Floats) -> dict[str, Flags]:
    fourth = np.searchsorted(np.quantile(mean, [0.25, 0.5, 0.75]), mean)
    parts = {name: fourth == place for place, name in enumerate(GROUPS)}
    return {"all": np.full(len(mean), True), **{name: chosen for name, chosen in parts.items() if chosen.any()}}


def _score(expected: Floats, future: PurchaseDays) -> dict[str, object]:
    days, predicted, actual = (float(values.sum()) for values in (future.days, expected * future.days, future.spend))
    score = -float((future.days * np.log(expected) + future.spend / expected).sum()) / days
    return {
        "purchase_days": int(days),
        "predicted": round(predicted, 2),
        "actual": round(actual, 2),
        "error": round(predicted / actual - 1, SCORE_DECIMALS),
        "log_score": round(score, SCORE_DECIMALS),
    }
