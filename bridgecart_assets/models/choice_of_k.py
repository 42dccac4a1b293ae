"""How many segments, when the setting says `auto`: stable under resampling, none too small, then the gap statistic.

Sources: Tibshirani, Walther & Hastie 2001 (gap statistic, one-standard-error rule); stability as the mean adjusted Rand
index between the clustering and those of bootstrap samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bridgecart_assets.models.arrays import Floats, Labels

FEWEST = 3
MOST = 8
FALLBACK = 4
MIN_STABILITY = 0.90
MIN_SHARE = 0.03
MAX_ROWS = 5_000
RESAMPLES = 10
STARTS = 3


@dataclass(frozen=True)
class Candidate:
    """What speaks for one k: mean stability, share of the smallest segment, gap and its standard error."""

    segments: int
    stability: float
    smallest_share: float
    gap: float
    gap_error: float

    @property
    def is_usable(self) -> bool:
        """Whether segments are stable and none is too small."""
        return self.stability >= MIN_STABILITY and self.smallest_share >= MIN_SHARE


def choose_segments(standardised: Floats, *, seed: int) -> int:
    """The number of segments for standardised traits (n x traits); the same rows and seed give the same number.

    At most MAX_ROWS evenly spaced rows are looked at.
    """
    from threadpoolctl import threadpool_limits

    rows = standardised[np.linspace(0, len(standardised) - 1, min(len(standardised), MAX_ROWS)).astype(int)]
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
    labels, inertia = _cluster(rows, rows, segments, seed)
    low, high = rows.min(axis=0), rows.max(axis=0)
    agreements: list[float] = []
    references: list[float] = []
    for _ in range(RESAMPLES):
        resampled = rows[rng.integers(0, len(rows), len(rows))]
        agreements.append(_agreement(labels, _cluster(resampled, rows, segments, seed)[0]))
        uniform = rng.uniform(low, high, rows.shape)
        references.append(np.log(max(_cluster(uniform, uniform, segments, seed)[1], np.finfo(float).tiny)))
    return Candidate(
        segments=segments,
        stability=float(np.mean(agreements)),
        smallest_share=float(np.bincount(labels, minlength=segments).min() / len(rows)),
        gap=float(np.mean(references) - np.log(max(inertia, np.finfo(float).tiny))),
        gap_error=float(np.std(references) * np.sqrt(1 + 1 / RESAMPLES)),
    )


def _cluster(fitted: Floats, labelled: Floats, segments: int, seed: int) -> tuple[Labels, float]:
    from sklearn.cluster import KMeans

    kmeans = KMeans(n_clusters=segments, n_init=STARTS, random_state=seed).fit(fitted)
    return kmeans.predict(labelled).astype(np.int64), float(kmeans.inertia_)


def _agreement(left: Labels, right: Labels) -> float:
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(left, right))
