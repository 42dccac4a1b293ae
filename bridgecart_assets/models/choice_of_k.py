"""The number of segments under `auto`: stable under resampling, none too small, then the gap statistic.

Source: Tibshirani, Walther & Hastie 2001 (gap statistic, one-standard-error rule). Stability: `stability.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bridgecart_assets.models.arrays import Floats
from bridgecart_assets.models.stability import MAX_ROWS, RESAMPLES, cluster, evenly_spaced, stability_of

FEWEST = 3
MOST = 8
FALLBACK = 4
MIN_STABILITY = 0.90
MIN_SHARE = 0.03


@dataclass(frozen=True)
class Candidate:
    """The evidence for one k: mean stability, share of the smallest segment, gap and its standard error."""

    segments: int
    stability: float
    smallest_share: float
    gap: float
    gap_error: float

    @property
    def is_usable(self) -> bool:
        """True if segments are stable and none is too small."""
        return self.stability >= MIN_STABILITY and self.smallest_share >= MIN_SHARE


def choose_segments(standardised: Floats, *, seed: int) -> int:
    """The number of segments for standardised traits (n x traits); the same rows and seed give the same number.

    At most MAX_ROWS evenly spaced rows are looked at.
    """
    from threadpoolctl import threadpool_limits

    rows = standardised[evenly_spaced(len(standardised), MAX_ROWS)]
    # One thread: many small fits, and sums in one order. One k more than may be chosen: the rule looks at the next.
    with threadpool_limits(limits=1):
        return pick([examine(rows, segments, seed=seed) for segments in range(FEWEST, MOST + 2)])


def pick(candidates: Sequence[Candidate]) -> int:
    """The smallest usable k whose gap is within one standard error of the next k's; candidates ascend by k.

    Without such a k the usable one with the largest gap, without a usable one FALLBACK.
    """
    pairs = list(pairwise(candidates))
    usable = [candidate for candidate, _ in pairs if candidate.is_usable]
    for candidate, following in pairs:
        if candidate.is_usable and candidate.gap >= following.gap - following.gap_error:
            return candidate.segments
    return max(usable, key=lambda candidate: candidate.gap).segments if usable else FALLBACK


def examine(rows: Floats, segments: int, *, seed: int) -> Candidate:
    """Stability, smallest share and gap of one k."""
    rng = np.random.default_rng([seed, segments])
    labels, inertia = cluster(rows, rows, segments, seed)
    low, high = rows.min(axis=0), rows.max(axis=0)
    references: list[float] = []
    for _ in range(RESAMPLES):
        uniform = rng.uniform(low, high, rows.shape)
        references.append(np.log(max(cluster(uniform, uniform, segments, seed)[1], np.finfo(float).tiny)))
    return Candidate(
        segments=segments,
        stability=stability_of(rows, labels, segments=segments, seed=seed),
        smallest_share=float(np.bincount(labels, minlength=segments).min() / len(rows)),
        gap=float(np.mean(references) - np.log(max(inertia, np.finfo(float).tiny))),
        gap_error=float(np.std(references) * np.sqrt(1 + 1 / RESAMPLES)),
    )
