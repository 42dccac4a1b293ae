"""The segments of a fit: as many as asked for, fewer where there are fewer kinds of customers, and then why.

What belongs elsewhere: the number under `auto` (`choice_of_k.py`).
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bridgecart_assets.models.arrays import Floats
from bridgecart_assets.models.choice_of_k import MIN_SHARE
from bridgecart_assets.models.fitting import (
    Fit,
    different_customers,
    fit_around,
    fit_segments,
    silhouette_of,
    standardise,
)
from bridgecart_assets.models.stability import MAX_ROWS, cluster, evenly_spaced

MIN_CUSTOMERS = 2
# So few customers who are unlike all others do not cost a segment: they follow, and do not lead.
HANDFUL = 0.01
# A strong structure by Kaufman & Rousseeuw 1990, of kinds none of which is a few customers apart from the crowd.
CLEAR = 0.7
MIN_SHARE_OF_KIND = 0.1


@dataclass(frozen=True)
class Kinds:
    """A fit, and why it has fewer segments than asked for; None when it has not."""

    fit: Fit
    fewer_because: str | None = None


def fit_kinds(customers: pd.DataFrame, *, segments: int, seed: int, left_out: Collection[str] = ()) -> Kinds:
    """Fit as many segments as asked for, or the clear kinds there are, or the most that hold 3 % of the customers each.

    Raises ValueError below the data gate.
    """
    most, because = segments, None
    if (different := different_customers(customers, left_out)) < segments:
        most, because = different, f"{_kinds(different)} of customers by the traits that count"
    elif clear := _clear_kinds(standardise(customers, left_out)[2], segments, seed):
        most, because = clear, f"{_kinds(clear)} of customers stand clearly apart"
    for fewer in range(most, 1, -1):
        follow = HANDFUL if fewer == segments else MIN_SHARE
        fit = _led_by_many(customers, fewer, seed, left_out, follow=follow)
        if holds_enough(fit):
            return Kinds(fit, because)
        because = f"of {fewer} segments one would hold {fit.sizes.min()} of {len(fit.labels)} customers"
    return Kinds(fit_segments(customers, segments=1, seed=seed, left_out=left_out), because)


def holds_enough(fit: Fit) -> bool:
    """True if every segment holds 3 % of the customers, and more than one customer."""
    return bool(fit.sizes.min() >= max(MIN_CUSTOMERS, MIN_SHARE * len(fit.labels)))


def _kinds(number: int) -> str:
    return "one kind" if number == 1 else f"{number} kinds"


def _clear_kinds(standardised: Floats, segments: int, seed: int) -> int | None:
    """The number of kinds below that of the segments into which customers fall far more clearly than into those."""
    from threadpoolctl import threadpool_limits

    rows = standardised[evenly_spaced(len(standardised), MAX_ROWS)]
    with threadpool_limits(limits=1):
        labels = {number: cluster(rows, rows, number, seed)[0] for number in range(2, segments + 1)}
        clearness = {number: silhouette_of(rows, found) for number, found in labels.items()}
    clearest = max(clearness, key=lambda number: (clearness[number], number))
    smallest = np.bincount(labels[clearest], minlength=clearest).min()
    is_clear = clearness[clearest] > CLEAR and smallest >= MIN_SHARE_OF_KIND * len(rows)
    return clearest if is_clear and clearest < segments else None


def _led_by_many(customers: pd.DataFrame, segments: int, seed: int, left_out: Collection[str], *, follow: float) -> Fit:
    """A fit whose centroids are those of most customers: segments too small for one `follow`, up to that share."""
    fit = fit_segments(customers, segments=segments, seed=seed, left_out=left_out)
    aside = fit.sizes[fit.labels] < MIN_SHARE * len(fit.labels)
    rest = customers.loc[~aside]
    if not 0 < aside.mean() <= follow or different_customers(rest, left_out) < segments:
        return fit
    among = fit_segments(rest, segments=segments, seed=seed, left_out=left_out)
    # Their centroids in the scale of all customers.
    centroids = (among.centroids * among.scale + among.mean - fit.mean) / fit.scale
    return fit_around(customers, centroids, seed=seed, left_out=left_out)
