"""Drift of the customers from those that a model version was fitted to: population stability index (PSI).

PSI = sum over bins of (share now - share then) * ln(share now / share then): 0 for equal shares, about 0.1 when a trait
moved by a third of its deviation. Without any change PSI / (1/n + 1/m) of samples of n and m customers is chi-squared
with bins - 1 degrees of freedom (Yurdakul & Naranjo 2020), nine for ten deciles: what chance alone gives is no alert.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bridgecart_assets.contracts import SEGMENT_DRIFT, TRAITS
from bridgecart_assets.models.arrays import Floats, Labels
from bridgecart_assets.models.frames import typed
from bridgecart_assets.models.model_table import counting_traits

SEGMENT_MIX = "segment_mix"
# Below this a shift is too small to matter, however sure.
LEAST_ALERT = 0.1
FALSE_ALERTS = 0.001
_DECILES = np.arange(1, 10) / 10
# A value that many customers share must stay in its bin whatever the last bits of its computation say.
_DECIMALS = 9


@dataclass(frozen=True)
class Bins:
    """Bins of a trait: `bounds` ascending, each the last value of its bin; `customers` in each bin and above them."""

    bounds: Floats
    customers: Labels


def decile_bins(values: Floats) -> Bins:
    """Bins between the deciles of the values, with as many customers each as the values allow.

    A value that takes more than a decile by itself gets a bin of its own: customers that leave it are seen on both
    sides. So bins may hold unequal numbers, and be fewer than ten.
    """
    deciles, times = np.unique(np.quantile(_rounded(values), _DECILES, method="inverted_cdf"), return_counts=True)
    bounds = np.union1d(deciles, np.nextafter(deciles[times > 1], -np.inf))
    return Bins(bounds, count_bins(values, bounds))


def count_bins(values: Floats, bounds: Floats) -> Labels:
    """Values per bin."""
    return np.bincount(np.searchsorted(bounds, _rounded(values)), minlength=len(bounds) + 1).astype(np.int64)


def stability_index(then: Labels, now: Labels) -> float:
    """PSI of two counts over the same bins. Half a customer more in each bin, so that empty ones have a logarithm."""
    share_then, share_now = ((counts + 0.5) / (counts.sum() + 0.5 * len(counts)) for counts in (then, now))
    return float(((share_now - share_then) * np.log(share_now / share_then)).sum())


def alert_threshold(then: int, now: int, bins: int) -> float:
    """PSI above which samples of so many customers differ by more than chance gives, and by enough to matter."""
    by_chance = (1 / then + 1 / now) * _exceeded(FALSE_ALERTS, degrees=max(bins - 1, 1))
    return max(LEAST_ALERT, by_chance)


def _exceeded(share: float, *, degrees: int) -> float:
    """The quantile of the chi-squared distribution that this share exceeds, to the last bits of a float.

    scipy has it by name, but takes a fifth of a second to import, which every run of a batch would wait for.
    """
    low, high = 0.0, 1.0
    while _share_above(high, degrees) > share:
        low, high = high, 2 * high
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if _share_above(middle, degrees) > share else (low, middle)
    return high


def _share_above(value: float, degrees: int) -> float:
    half, odd = value / 2, degrees % 2
    # A term for each two degrees of freedom, after that of a single one.
    powers = [number + odd / 2 for number in range(degrees // 2)]
    return odd * math.erfc(math.sqrt(half)) + sum(
        math.pow(half, n) * math.exp(-half) / math.gamma(n + 1) for n in powers
    )


def measure_drift(model: pd.DataFrame, customers: pd.DataFrame) -> pd.DataFrame:
    """The rows of `gold.segment_drift`: each trait and the segment mix; none without customers.

    `model` has the columns of `gold.segment_model`. `customers` have one `as_of` and one `model_version` in common, and
    each the segment_key and the traits that this version gives them. There is an alert on later data dates than the
    fit's only: within a day and looking back nothing has drifted. There is none of a trait that does not count.
    """
    if customers.empty:
        return typed(pd.DataFrame(columns=list(SEGMENT_DRIFT.column_names)), SEGMENT_DRIFT)
    version, as_of = int(customers["model_version"].iloc[0]), pd.Timestamp(customers["as_of"].iloc[0])
    rows = model.loc[model["version"] == version]
    is_later = as_of > pd.Timestamp(rows["as_of"].iloc[0])
    # Such a trait may be the same for everyone but for rounding, which is all over the bins.
    counts = counting_traits(rows) | {SEGMENT_MIX}
    measures = []
    for measure, then, now in _counts(rows, customers):
        psi = round(stability_index(then, now), 6)
        threshold = round(alert_threshold(int(then.sum()), int(now.sum()), len(then)), 6)
        measures.append(
            {
                "measure": measure,
                "as_of": as_of,
                "model_version": version,
                "psi": psi,
                "threshold": threshold,
                "alert": is_later and measure in counts and psi > threshold,
                "customers": int(now.sum()),
                "reference_customers": int(then.sum()),
            }
        )
    return typed(pd.DataFrame(measures), SEGMENT_DRIFT)


def _counts(rows: pd.DataFrame, customers: pd.DataFrame) -> Iterator[tuple[str, Labels, Labels]]:
    """Measure, customers per bin then and now."""
    for trait in TRAITS:
        bounds = np.asarray(rows[f"bounds_{trait}"].iloc[0], dtype=np.float64)
        then = np.asarray(rows[f"bin_customers_{trait}"].iloc[0], dtype=np.int64)
        yield trait, then, count_bins(customers[trait].to_numpy(dtype=np.float64), bounds)
    sizes = customers["segment_key"].value_counts().reindex(rows["segment_key"], fill_value=0)
    yield SEGMENT_MIX, np.asarray(rows["segment_customers"], dtype=np.int64), np.asarray(sizes, dtype=np.int64)


def _rounded(values: Floats) -> Floats:
    return np.round(values, _DECIMALS)
