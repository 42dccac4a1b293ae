"""Spend per purchase day, or its logarithm: each customer shrunk to the mean of all (empirical Bayes).

A purchase day scatters around a customer's own mean with variance `within`; those means scatter around `mean` with
variance `between`. Variances by analysis of variance for groups of unequal size (Searle,
Casella & McCulloch 1992, chapter 3), so that the fit is a closed form of exact sums.
"""

from dataclasses import dataclass

from bridgecart_assets.models.arrays import Floats

STORED_DECIMALS = 9
# Less than a thousandth around the mean: as good as always the same, and a divisor that is not zero.
SMALLEST_VARIANCE = 1e-6


@dataclass(frozen=True)
class SpendModel:
    """Mean and variances of the spend on a purchase day, currency units, or of its logarithm."""

    mean: float
    within: float
    between: float


def fit_spend(days: Floats, own_sum: Floats, square_sum: Floats) -> SpendModel:
    """Fit from one row a customer: purchase days (>= 1), and the sums of the figure and of its square over them."""
    customers, observations = len(days), float(days.sum())
    own_means = own_sum / days
    overall = float(own_sum.sum()) / observations
    within_sum = float((square_sum - own_sum * own_means).sum())
    between_sum = float((days * (own_means - overall) ** 2).sum())
    if observations > customers > 1:
        within = max(within_sum / (observations - customers), SMALLEST_VARIANCE)
        balance = observations - float((days**2).sum()) / observations
        between = max((between_sum - (customers - 1) * within) / balance, SMALLEST_VARIANCE)
    else:
        # Nobody bought twice, or there is only one customer: nothing tells the two apart.
        within = between = max((within_sum + between_sum) / max(observations - 1, 1.0) / 2, SMALLEST_VARIANCE)
    precision = 1 / (between + within / days)
    mean = float((precision * own_means).sum() / precision.sum())
    return SpendModel(*(round(value, STORED_DECIMALS) for value in (mean, within, between)))
