"""Stability of a clustering: the mean adjusted Rand index between it and the clusterings of bootstrap samples.

1 when every sample gives the same segments, about 0 when they have no more in common than by chance.
"""

import warnings

import numpy as np

from bridgecart_assets.models.arrays import Floats, Labels

MAX_ROWS = 5_000
RESAMPLES = 10
STARTS = 3


def evenly_spaced(rows: int, most: int) -> Labels:
    """At most `most` positions out of so many rows, from the first to the last."""
    return np.linspace(0, rows - 1, min(rows, most)).astype(np.int64)


def stability_of(rows: Floats, labels: Labels, *, segments: int, seed: int) -> float:
    """Stability of the clustering `labels` of standardised traits (n x traits); MAX_ROWS of them are enough."""
    from sklearn.metrics import adjusted_rand_score

    rng = np.random.default_rng([seed, segments])
    resamples = (rows[rng.integers(0, len(rows), len(rows))] for _ in range(RESAMPLES))
    return float(
        np.mean([adjusted_rand_score(labels, cluster(sample, rows, segments, seed)[0]) for sample in resamples])
    )


def cluster(fitted: Floats, labelled: Floats, segments: int, seed: int) -> tuple[Labels, float]:
    """The clustering of some rows, as labels of the same or other rows, and its inertia."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    kmeans = KMeans(n_clusters=segments, n_init=STARTS, random_state=seed)
    with warnings.catch_warnings():
        # A bootstrap sample may hold fewer different rows than segments: that is what instability looks like.
        warnings.simplefilter("ignore", ConvergenceWarning)
        kmeans.fit(fitted)
    return kmeans.predict(labelled).astype(np.int64), float(kmeans.inertia_)
