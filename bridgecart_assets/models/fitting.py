"""Fitting K-Means on standardised traits: the data gate, and the same bytes for the same customers.

What belongs elsewhere: how many segments there are (`kinds.py`), which key a cluster gets (`identity.py`), and scoring
(`sql/gold/tmp_scored.sql`).
"""

import hashlib
from collections.abc import Collection
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
# On this scale nobody is apart from anybody: so scoring leaves out what the fit left out.
LEFT_OUT_SCALE = 1e12


@dataclass(frozen=True)
class Fit:
    """One K-Means fit: `mean`, `scale` and `median` per trait, `centroids` (k x traits, standardised), labels.

    A trait that was left out has LEFT_OUT_SCALE, and centroids of zero.
    """

    mean: Floats
    scale: Floats
    median: Floats
    centroids: Floats
    labels: Labels
    inertia: float
    silhouette: float
    stability: float

    @property
    def sizes(self) -> Labels:
        """Customers per segment."""
        return np.bincount(self.labels, minlength=len(self.centroids)).astype(np.int64)


def is_fittable(customers: pd.DataFrame, segments: int) -> bool:
    """The data gate: enough customers for so many segments."""
    return len(customers) >= MIN_CUSTOMERS_PER_SEGMENT * segments and len(customers) > 0


def different_customers(customers: pd.DataFrame, left_out: Collection[str] = ()) -> int:
    """Number of customers that differ by the traits that count."""
    counting = [trait for trait in TRAITS if trait not in left_out]
    return len(customers[counting].round(STORED_DECIMALS).drop_duplicates()) if counting else 1


def traits_hash(customers: pd.DataFrame, *, segments: int | str, seed: int) -> str:
    """Hash of everything a fit depends on: customers, traits, k (or "auto") and seed."""
    digest = hashlib.sha256(f"k={segments} seed={seed} traits={TRAITS}".encode())
    for key in customers["customer_id"]:
        digest.update(key.encode() + b"\x00")
    digest.update(np.ascontiguousarray(customers[list(TRAITS)].to_numpy(dtype="<f8")).tobytes())
    return digest.hexdigest()


def fit_segments(customers: pd.DataFrame, *, segments: int, seed: int, left_out: Collection[str] = ()) -> Fit:
    """Fit K-Means (n_init 10) on the standardised traits of the customers, in their order.

    Raises ValueError below the data gate, and where fewer customers differ.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    if not is_fittable(customers, segments):
        raise ValueError(f"{len(customers)} customers are too few for {segments} segments")
    if (different := different_customers(customers, left_out)) < segments:
        raise ValueError(f"{different} different customers are too few for {segments} segments")
    # One thread: with several, sums are added in the order in which threads finish.
    with threadpool_limits(limits=1):
        _, _, standardised = standardise(customers, left_out)
        # tol 0: until nobody moves. Stopped earlier, customers near a border depend on the seed.
        best = KMeans(n_clusters=segments, n_init=10, tol=0.0, random_state=seed).fit(standardised)
        settled = _settled(best, standardised)
    return fit_around(customers, settled.cluster_centers_, seed=seed, left_out=left_out)


def fit_from(
    customers: pd.DataFrame, labels: Labels, *, seed: int, until_settled: bool, left_out: Collection[str] = ()
) -> Fit:
    """Segments that follow their customers: centroids moved to where those of each label are.

    Once, or `until_settled`: until nobody changes segment. Labels without customers are left out.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    _, _, standardised = standardise(customers, left_out)
    centroids = np.array([standardised[labels == label].mean(axis=0) for label in np.unique(labels)])
    if until_settled:
        with threadpool_limits(limits=1):
            centroids = (
                KMeans(n_clusters=len(centroids), init=centroids, n_init=1, tol=0.0).fit(standardised).cluster_centers_
            )
    return fit_around(customers, centroids, seed=seed, left_out=left_out)


def fit_around(customers: pd.DataFrame, centroids: Floats, *, seed: int, left_out: Collection[str] = ()) -> Fit:
    """The fit with these centroids (k x traits, standardised): every customer in the nearest segment."""
    from threadpoolctl import threadpool_limits

    mean, scale, standardised = standardise(customers, left_out)
    traits = customers[list(TRAITS)].to_numpy(dtype=np.float64)
    # Nought without a sign.
    centroids = np.round(centroids, STORED_DECIMALS) + 0.0
    labels = nearest(traits, mean, scale, centroids)
    with threadpool_limits(limits=1):
        silhouette = silhouette_of(standardised, labels)
        sample = evenly_spaced(len(standardised), MAX_ROWS)
        stability = stability_of(standardised[sample], labels[sample], segments=len(centroids), seed=seed)
    return Fit(
        mean=mean,
        scale=scale,
        median=np.round(np.median(traits, axis=0), STORED_DECIMALS),
        centroids=centroids,
        labels=labels,
        inertia=round(float(((standardised - centroids[labels]) ** 2).sum()), 6),
        silhouette=round(silhouette, 6),
        stability=round(stability, 6),
    )


def silhouette_of(standardised: Floats, labels: Labels) -> float:
    """Mean silhouette of a sample of the rows; 0 where there is but one segment."""
    from sklearn.metrics import silhouette_score

    sample = evenly_spaced(len(standardised), SILHOUETTE_SAMPLE)
    several = 1 < len(np.unique(labels[sample])) < len(sample)
    return float(silhouette_score(standardised[sample], labels[sample])) if several else 0.0


def _settled(kmeans: "KMeans", standardised: Floats) -> "KMeans":
    """The same clusters found again from rounded centroids, where those are far enough apart to be rounded.

    Whatever the seed, fits end at the same optimum but for a customer or two; from the same start they end alike.
    """
    from scipy.spatial.distance import pdist
    from sklearn.cluster import KMeans

    if len(kmeans.cluster_centers_) < 2 or pdist(kmeans.cluster_centers_).min() < FAR_APART:
        return kmeans
    start = np.round(kmeans.cluster_centers_, START_DECIMALS)
    return KMeans(n_clusters=len(start), init=start, n_init=1, tol=0.0).fit(standardised)


def standardise(customers: pd.DataFrame, left_out: Collection[str] = ()) -> tuple[Floats, Floats, Floats]:
    """Mean and deviation of each trait as they are stored, and the standardised traits (customers x traits)."""
    from sklearn.preprocessing import StandardScaler

    traits = customers[list(TRAITS)].to_numpy(dtype=np.float64)
    scaler = StandardScaler().fit(traits)
    mean = np.round(scaler.mean_, STORED_DECIMALS)
    scale = np.where(scaler.scale_ < SAME_FOR_EVERYONE, 1.0, np.round(scaler.scale_, STORED_DECIMALS))
    scale[[trait in left_out for trait in TRAITS]] = LEFT_OUT_SCALE
    return mean, scale, (traits - mean) / scale


def nearest(traits: Floats, mean: Floats, scale: Floats, centroids: Floats) -> Labels:
    """Index of the nearest centroid of each row of `traits` (n x traits, not standardised)."""
    standardised = (traits - mean) / scale
    distances = ((standardised[:, None, :] - centroids[None, :, :]) ** 2).sum(axis=2)
    labels: Labels = np.argmin(distances, axis=1).astype(np.int64)
    return labels
