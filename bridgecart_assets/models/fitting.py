"""Fitting K-Means on standardised traits: the data gate, and the same bytes for the same customers.

What belongs elsewhere: which key a cluster gets (`identity.py`), and scoring (`sql/gold/tmp_scored.sql`).
"""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bridgecart_assets.contracts import TRAITS
from bridgecart_assets.models.arrays import Floats, Labels
from bridgecart_assets.models.stability import MAX_ROWS, evenly_spaced, stability_of

if TYPE_CHECKING:
    from sklearn.cluster import KMeans

SILHOUETTE_SAMPLE = 2_000
MIN_CUSTOMERS_PER_SEGMENT = 10
# More digits than any decision needs and fewer than summation order can disturb: the stored model is reproducible.
STORED_DECIMALS = 9
# Tenths of a deviation: far coarser than fits of the same customers differ, far finer than segments do.
START_DECIMALS = 1
FAR_APART = 0.5
# A trait that deviates by less is the same for everyone; to divide by it would make differences out of rounding.
SAME_FOR_EVERYONE = 1e-6


@dataclass(frozen=True)
class Fit:
    """One K-Means fit: `mean` and `scale` per trait, `centroids` (k x traits, standardised), labels of the sample."""

    mean: Floats
    scale: Floats
    centroids: Floats
    labels: Labels
    inertia: float
    silhouette: float
    stability: float


def is_fittable(customers: pd.DataFrame, segments: int) -> bool:
    """The data gate: enough customers, and at least as many different ones as segments."""
    enough = len(customers) >= MIN_CUSTOMERS_PER_SEGMENT * segments
    return enough and len(customers[list(TRAITS)].round(STORED_DECIMALS).drop_duplicates()) >= segments


def traits_hash(customers: pd.DataFrame, *, segments: int | str, seed: int) -> str:
    """Hash of everything a fit depends on: customers, traits, k (or "auto") and seed."""
    digest = hashlib.sha256(f"k={segments} seed={seed} traits={TRAITS}".encode())
    for key in customers["customer_id"]:
        digest.update(key.encode() + b"\x00")
    digest.update(np.ascontiguousarray(customers[list(TRAITS)].to_numpy(dtype="<f8")).tobytes())
    return digest.hexdigest()


def fit_segments(customers: pd.DataFrame, *, segments: int, seed: int) -> Fit:
    """Fit K-Means (n_init 10) on the standardised traits of the customers, in their order.

    Raises ValueError below the data gate.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score
    from threadpoolctl import threadpool_limits

    if not is_fittable(customers, segments):
        raise ValueError(f"{len(customers)} customers are too few for {segments} segments")
    # One thread: with several, sums are added in the order in which threads finish.
    with threadpool_limits(limits=1):
        mean, scale, standardised = standardise(customers)
        # tol 0: until nobody moves. Stopped earlier, customers near a border depend on the seed.
        best = KMeans(n_clusters=segments, n_init=10, tol=0.0, random_state=seed).fit(standardised)
        kmeans = _settled(best, standardised)
        sample = evenly_spaced(len(standardised), SILHOUETTE_SAMPLE)
        several = len(np.unique(kmeans.labels_[sample])) > 1
        silhouette = silhouette_score(standardised[sample], kmeans.labels_[sample]) if several else 0.0
        sample = evenly_spaced(len(standardised), MAX_ROWS)
        stability = stability_of(standardised[sample], kmeans.labels_[sample], segments=segments, seed=seed)
    return Fit(
        mean=mean,
        scale=scale,
        centroids=np.round(kmeans.cluster_centers_, STORED_DECIMALS),
        labels=kmeans.labels_.astype(np.int64),
        inertia=round(float(kmeans.inertia_), 6),
        silhouette=round(float(silhouette), 6),
        stability=round(stability, 6),
    )


def _settled(kmeans: "KMeans", standardised: Floats) -> "KMeans":
    """The same clusters found again from rounded centroids, where those are far enough apart to be rounded.

    Whatever the seed, fits end at the same optimum but for a customer or two; from the same start they end alike.
    """
    from scipy.spatial.distance import pdist
    from sklearn.cluster import KMeans

    if pdist(kmeans.cluster_centers_).min() < FAR_APART:
        return kmeans
    start = np.round(kmeans.cluster_centers_, START_DECIMALS)
    return KMeans(n_clusters=len(start), init=start, n_init=1, tol=0.0).fit(standardised)


def standardise(customers: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
    """Mean and deviation of each trait as they are stored, and the standardised traits (customers x traits)."""
    from sklearn.preprocessing import StandardScaler

    traits = customers[list(TRAITS)].to_numpy(dtype=np.float64)
    scaler = StandardScaler().fit(traits)
    mean = np.round(scaler.mean_, STORED_DECIMALS)
    scale = np.where(scaler.scale_ < SAME_FOR_EVERYONE, 1.0, np.round(scaler.scale_, STORED_DECIMALS))
    return mean, scale, (traits - mean) / scale


def nearest(traits: Floats, mean: Floats, scale: Floats, centroids: Floats) -> Labels:
    """Index of the nearest centroid of each row of `traits` (n x traits, not standardised)."""
    standardised = (traits - mean) / scale
    distances = ((standardised[:, None, :] - centroids[None, :, :]) ** 2).sum(axis=2)
    labels: Labels = np.argmin(distances, axis=1).astype(np.int64)
    return labels
