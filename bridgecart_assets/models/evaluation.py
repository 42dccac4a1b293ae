"""Scores of segments and predictions against what is known to be true, and the simple methods they have to beat."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bridgecart_assets.contracts import TRAITS
from bridgecart_assets.models.arrays import Floats, Labels
from bridgecart_assets.models.model_table import model_arrays

BINS = 10
BASELINE_SEGMENTS = 4


@dataclass(frozen=True)
class Calibration:
    """A predicted probability against what happened.

    `error` is the expected calibration error over BINS bins of equal width; `auc` the chance that of two customers,
    one with the event and one without, the right one has the higher probability, None when all had the same outcome.
    """

    predicted: float
    actual: float
    error: float
    auc: float | None


@dataclass(frozen=True)
class Forecast:
    """Predicted and actual totals of customers, and how far off the prediction of one customer is.

    `error` is predicted over actual minus 1, None without anything actual; `customer_error` the mean absolute error
    of a customer. `rank_correlation` (Spearman) is None when all predictions are the same.
    """

    method: str
    predicted: float
    actual: float
    error: float | None
    customer_error: float
    rank_correlation: float | None


def calibration(probability: Floats, happened: Floats) -> Calibration:
    """Score probabilities of customers by whether the event happened (1.0) or not (0.0); at least one customer."""
    from sklearn.metrics import roc_auc_score

    return Calibration(
        predicted=float(probability.mean()),
        actual=float(happened.mean()),
        error=calibration_error(probability, happened),
        auc=float(roc_auc_score(happened, probability)) if 0 < happened.mean() < 1 else None,
    )


def calibration_error(probability: Floats, happened: Floats) -> float:
    """Mean over customers of |mean probability - share that happened| of their bin of equal width."""
    place = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
    gaps = np.bincount(place, weights=probability - happened, minlength=BINS)
    return float(np.abs(gaps).sum() / len(probability))


def forecast(method: str, predicted: Floats, actual: Floats) -> Forecast:
    """Score predicted amounts, a row a customer."""
    from scipy.stats import spearmanr

    total, actual_total = float(predicted.sum()), float(actual.sum())
    is_constant = np.ptp(predicted) == 0 or np.ptp(actual) == 0
    return Forecast(
        method=method,
        predicted=total,
        actual=actual_total,
        error=total / actual_total - 1 if actual_total > 0 else None,
        customer_error=float(np.abs(predicted - actual).mean()),
        rank_correlation=None if is_constant else float(spearmanr(predicted, actual).statistic),
    )


def predicted_keys(model: pd.DataFrame, customers: pd.DataFrame) -> "pd.Series[str]":
    """Segment keys of customers with TRAITS as scikit-learn's K-Means predicts them from a stored version's rows."""
    from sklearn.cluster import KMeans

    mean, scale, centroids = model_arrays(model)
    kmeans = KMeans(n_clusters=len(centroids), init=centroids, n_init=1, max_iter=1).fit(centroids)
    standardised = (customers[list(TRAITS)].to_numpy(dtype=np.float64) - mean) / scale
    return pd.Series(model["segment_key"].to_numpy()[kmeans.predict(standardised)], index=customers.index)


def demographic_segments(customers: pd.DataFrame, *, seed: int) -> Labels:
    """The textbook's first try: K-Means on age, income and total spend as they are, so that income decides alone."""
    return _cluster(customers[["age", "income", "net_sales"]].to_numpy(dtype=np.float64), seed)


def rfm_segments(customers: pd.DataFrame, *, seed: int) -> Labels:
    """The textbook's second try: K-Means on standardised recency, frequency and monetary value."""
    from sklearn.preprocessing import StandardScaler

    rfm = customers[["recency_days", "frequency", "net_sales"]].to_numpy(dtype=np.float64)
    return _cluster(StandardScaler().fit_transform(rfm), seed)


def _cluster(rows: Floats, seed: int) -> Labels:
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        labels: Labels = KMeans(n_clusters=BASELINE_SEGMENTS, n_init=10, random_state=seed).fit_predict(rows)
    return labels
