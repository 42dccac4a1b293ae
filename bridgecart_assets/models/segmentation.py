"""The K-Means segment model as a table: fit, identity across refits, names, and when a refit is due.

Definitions: docs/kpis in the README's words, "Segments". What belongs elsewhere: scoring (`sql/stage_scoring.sql`)
and storing (`assets/segments.py`).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from bridgecart_assets.contracts import SEGMENT_MODEL, TRAITS

MAX_SAMPLE = 100_000
SILHOUETTE_SAMPLE = 2_000
MIN_CUSTOMERS_PER_SEGMENT = 10
MAX_SHIFT = 0.5
MIN_AGREEMENT = 0.90
# More digits than any decision needs and fewer than summation order can disturb: the stored model is reproducible.
STORED_DECIMALS = 9
# A trait that deviates by less is the same for everyone; to divide by it would make differences out of rounding.
SAME_FOR_EVERYONE = 1e-6

_PANDAS_TYPES = {"INTEGER": "int64", "DOUBLE": "float64", "DATE": "datetime64[us]", "VARCHAR": "object"}

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Labels = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


@dataclass(frozen=True)
class Fit:
    """One K-Means fit: `mean` and `scale` per trait, `centroids` (k x traits, standardised), labels of the sample."""

    mean: Floats
    scale: Floats
    centroids: Floats
    labels: Labels
    inertia: float
    silhouette: float


@dataclass(frozen=True)
class Match:
    """How the clusters of a fit relate to the previous version.

    `keys` per cluster; `matched_from` and `shifts` are None where a new key was opened; `agreement` is the share
    of customers that keep their key, None for the first version. `settled` is False when a person must decide.
    """

    keys: tuple[str, ...]
    matched_from: tuple[str | None, ...]
    shifts: tuple[float | None, ...]
    agreement: float | None
    settled: bool


def usable_customers(features: pd.DataFrame) -> pd.DataFrame:
    """Customers with all traits, in customer_id order, at most MAX_SAMPLE of them chosen by hash of the id."""
    usable = features.dropna(subset=list(TRAITS)).sort_values("customer_id", kind="stable")
    if len(usable) > MAX_SAMPLE:
        order = usable["customer_id"].map(lambda key: hashlib.sha256(key.encode()).hexdigest())
        usable = usable.loc[order.sort_values(kind="stable").index[:MAX_SAMPLE]].sort_values("customer_id")
    return usable.reset_index(drop=True)


def is_fittable(customers: pd.DataFrame, segments: int) -> bool:
    """The data gate: enough customers, and at least as many different ones as segments."""
    enough = len(customers) >= MIN_CUSTOMERS_PER_SEGMENT * segments
    return enough and len(customers[list(TRAITS)].round(STORED_DECIMALS).drop_duplicates()) >= segments


def is_due(model: pd.DataFrame, customers: pd.DataFrame, as_of: date, *, segments: int, refit_days: int) -> bool:
    """Whether the model is due: none yet, another k, `refit_days` of data since the last fit, or twice the customers.

    The last fit is the newest version, also one that waits for a person: it is not asked for again and again.
    """
    if model.empty:
        return True
    newest = model.loc[model["version"] == model["version"].max()].iloc[0]
    if (model["version"] == model["version"].max()).sum() != segments:
        return True
    next_due = pd.Timestamp(newest["as_of"]).date() + timedelta(days=refit_days)
    # The sample is capped, so beyond the cap only time makes the model due.
    return as_of >= next_due or len(customers) >= 2 * int(newest["fitted_customers"])


def traits_hash(customers: pd.DataFrame, *, segments: int, seed: int) -> str:
    """Hash of everything a fit depends on: customers, traits, k and seed."""
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
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    if not is_fittable(customers, segments):
        raise ValueError(f"{len(customers)} customers are too few for {segments} segments")
    # One thread: with several, sums are added in the order in which threads finish.
    with threadpool_limits(limits=1):
        traits = customers[list(TRAITS)].to_numpy(dtype=np.float64)
        scaler = StandardScaler().fit(traits)
        mean = np.round(scaler.mean_, STORED_DECIMALS)
        scale = np.where(scaler.scale_ < SAME_FOR_EVERYONE, 1.0, np.round(scaler.scale_, STORED_DECIMALS))
        standardised = (traits - mean) / scale
        kmeans = KMeans(n_clusters=segments, n_init=10, random_state=seed).fit(standardised)
        sample = np.linspace(0, len(standardised) - 1, min(len(standardised), SILHOUETTE_SAMPLE)).astype(int)
        several = len(np.unique(kmeans.labels_[sample])) > 1
        silhouette = silhouette_score(standardised[sample], kmeans.labels_[sample]) if several else 0.0
    return Fit(
        mean=mean,
        scale=scale,
        centroids=np.round(kmeans.cluster_centers_, STORED_DECIMALS),
        labels=kmeans.labels_.astype(np.int64),
        inertia=round(float(kmeans.inertia_), 6),
        silhouette=round(float(silhouette), 6),
    )


def nearest(traits: Floats, mean: Floats, scale: Floats, centroids: Floats) -> Labels:
    """Index of the nearest centroid of each row of `traits` (n x traits, not standardised)."""
    standardised = (traits - mean) / scale
    distances = ((standardised[:, None, :] - centroids[None, :, :]) ** 2).sum(axis=2)
    labels: Labels = np.argmin(distances, axis=1).astype(np.int64)
    return labels


def first_keys(fit: Fit, net_sales: Sequence[float]) -> Match:
    """Keys of the first version: S01, S02, ... by descending mean customer lifetime value."""
    value = pd.Series(np.asarray(net_sales, dtype=np.float64)).groupby(fit.labels).mean()
    ranked = value.reindex(range(len(fit.centroids))).fillna(-np.inf).sort_values(ascending=False, kind="stable")
    key_of = {cluster: _key(place) for place, cluster in enumerate(ranked.index, start=1)}
    clusters = range(len(fit.centroids))
    nothing = tuple(None for _ in clusters)
    return Match(tuple(key_of[c] for c in clusters), nothing, nothing, agreement=None, settled=True)


def match_keys(fit: Fit, customers: pd.DataFrame, previous: pd.DataFrame, *, used_keys: Sequence[str]) -> Match:
    """Carry the keys of the previous version over to a refit.

    Centroids are paired at minimum total distance in the previous scaler's space. A pair within MAX_SHIFT keeps
    its key; every other cluster gets a key that was never used. Settled when all clusters kept their keys and at
    least MIN_AGREEMENT of the customers did.
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    mean, scale, old_centroids = model_arrays(previous)
    old_keys = list(previous["segment_key"])
    in_old_space = (fit.centroids * fit.scale + fit.mean - mean) / scale
    distances = cdist(in_old_space, old_centroids)
    pairs = {int(new): int(old) for new, old in zip(*linear_sum_assignment(distances), strict=True)}
    kept = {new: old for new, old in pairs.items() if distances[new, old] < MAX_SHIFT}
    next_number = max(int(key[1:]) for key in used_keys) + 1
    keys: list[str] = []
    for cluster in range(len(fit.centroids)):
        if cluster in kept:
            keys.append(old_keys[kept[cluster]])
        else:
            keys.append(_key(next_number))
            next_number += 1
    old_labels = nearest(customers[list(TRAITS)].to_numpy(dtype=np.float64), mean, scale, old_centroids)
    agreement = float(np.mean([keys[new] == old_keys[old] for new, old in zip(fit.labels, old_labels, strict=True)]))
    return Match(
        keys=tuple(keys),
        matched_from=tuple(old_keys[kept[c]] if c in kept else None for c in range(len(keys))),
        shifts=tuple(round(float(distances[c, kept[c]]), 6) if c in kept else None for c in range(len(keys))),
        agreement=round(agreement, 6),
        settled=set(keys) == set(old_keys) and agreement >= MIN_AGREEMENT,
    )


def name_segments(fit: Fit) -> tuple[str, ...]:
    """Names of the clusters from their centroids' z-scores; equal names are numbered by value, highest first."""
    plain = [_name(dict(zip(TRAITS, centroid, strict=True))) for centroid in fit.centroids]
    worth = fit.centroids[:, TRAITS.index("log_orders")] + fit.centroids[:, TRAITS.index("log_order_value")]
    by_value = sorted(range(len(plain)), key=lambda cluster: (-worth[cluster], cluster))
    names = list(plain)
    for name in set(plain):
        same = [cluster for cluster in by_value if plain[cluster] == name]
        if len(same) > 1:
            for place, cluster in enumerate(same, start=1):
                names[cluster] = f"{name} {place}"
    return tuple(names)


def model_rows(
    fit: Fit, match: Match, *, version: int, status: str, as_of: date, seed: int, fit_hash: str
) -> pd.DataFrame:
    """The rows of one version of `gold.segment_model`, ordered by segment key."""
    clusters = range(len(fit.centroids))
    sizes = np.bincount(fit.labels, minlength=len(fit.centroids))
    rows = {
        "version": version,
        "segment_key": match.keys,
        "segment": name_segments(fit),
        "status": status,
        "as_of": as_of,
        "in_force_from": as_of if status == "active" else None,
        "seed": seed,
        "traits_hash": fit_hash,
        "fitted_customers": len(fit.labels),
        "segment_customers": [int(sizes[c]) for c in clusters],
        "inertia": fit.inertia,
        "silhouette": fit.silhouette,
        "matched_from": match.matched_from,
        "centroid_shift": match.shifts,
        "agreement": match.agreement,
    }
    for position, trait in enumerate(TRAITS):
        rows[f"mean_{trait}"] = float(fit.mean[position])
        rows[f"scale_{trait}"] = float(fit.scale[position])
        rows[f"centroid_{trait}"] = fit.centroids[:, position]
    frame = pd.DataFrame(rows, index=list(clusters))
    return _typed(frame).sort_values("segment_key").reset_index(drop=True)


def model_arrays(rows: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
    """Mean, scale and centroids of one stored version."""
    mean = np.array([rows[f"mean_{trait}"].iloc[0] for trait in TRAITS], dtype=np.float64)
    scale = np.array([rows[f"scale_{trait}"].iloc[0] for trait in TRAITS], dtype=np.float64)
    centroids = rows[[f"centroid_{trait}" for trait in TRAITS]].to_numpy(dtype=np.float64)
    return mean, scale, centroids


def active_version(model: pd.DataFrame) -> pd.DataFrame:
    """The rows of the newest active version by segment key; empty without one."""
    active = model.loc[model["status"] == "active"]
    newest: pd.DataFrame = active.loc[active["version"] == active["version"].max()]
    return newest.sort_values("segment_key").reset_index(drop=True)


def accept_newest(model: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """The model with its newest version active from the data date `as_of` on, as a person decided."""
    model = _typed(model)
    newest = model["version"] == model["version"].max()
    return model.assign(
        status=model["status"].mask(newest, "active"),
        in_force_from=model["in_force_from"].mask(newest, pd.Timestamp(as_of)),
    )


def _typed(model: pd.DataFrame) -> pd.DataFrame:
    """The columns of the contract with one pandas type each, so that a column of nothing but NULL keeps its type."""
    return model.astype({column.name: _PANDAS_TYPES[column.type] for column in SEGMENT_MODEL.columns})[
        list(SEGMENT_MODEL.column_names)
    ]


def _key(number: int) -> str:
    return f"S{number:02d}"


def _name(centroid: dict[str, float]) -> str:
    words = []
    if centroid["log_orders"] > 0.5:
        words.append("frequent")
    elif centroid["log_orders"] < -0.5:
        words.append("rare")
    if centroid["log_order_value"] > 0.75:
        words.append("high-ticket")
    elif centroid["log_order_value"] < -0.5:
        words.append("low-ticket")
    if centroid["coupon_share"] > 0.75:
        words.append("coupon-driven")
    return ", ".join(words) or "typical"


@dataclass(frozen=True)
class RefitOutcome:
    """The model table after a refit was considered, and one line on what was decided."""

    model: pd.DataFrame
    decision: str


def refit(
    model: pd.DataFrame,
    features: pd.DataFrame,
    *,
    mode: str,
    segments: int,
    seed: int,
    refit_days: int,
) -> RefitOutcome:
    """Refit the model when asked (`mode` "now") or due ("when_due"), or accept a proposal ("accept").

    `model` has the columns of `gold.segment_model`, `features` those of `gold.customer_features`. The same data
    gives the same version again, so asking twice changes nothing.
    """
    if mode == "accept":
        return _accept(model, features)
    customers = usable_customers(features)
    if not is_fittable(customers, segments):
        return RefitOutcome(model, f"kept: {len(customers)} customers are too few for {segments} segments")
    as_of = pd.Timestamp(customers["as_of"].iloc[0]).date()
    if mode == "when_due" and not is_due(model, customers, as_of, segments=segments, refit_days=refit_days):
        return RefitOutcome(model, f"kept version {int(model['version'].max())}: a refit is not due")
    fit_hash = traits_hash(customers, segments=segments, seed=seed)
    if fit_hash in set(model["traits_hash"]):
        return RefitOutcome(model, f"kept version {int(model['version'].max())}: same data, same model")
    return _refit(model, customers, as_of, fit_hash, segments=segments, seed=seed)


def _refit(
    model: pd.DataFrame, customers: pd.DataFrame, as_of: date, fit_hash: str, *, segments: int, seed: int
) -> RefitOutcome:
    fit = fit_segments(customers, segments=segments, seed=seed)
    previous = active_version(model)
    if previous.empty:
        match = first_keys(fit, [float(value) for value in customers["net_sales"]])
    else:
        match = match_keys(fit, customers, previous, used_keys=list(model["segment_key"]))
    version = 1 if model.empty else int(model["version"].max()) + 1
    status = "active" if match.settled else "proposed"
    rows = model_rows(fit, match, version=version, status=status, as_of=as_of, seed=seed, fit_hash=fit_hash)
    together = rows if model.empty else pd.concat([_typed(model), rows], ignore_index=True)
    if match.settled:
        return RefitOutcome(together, f"fitted version {version} on {len(customers)} customers")
    return RefitOutcome(
        together,
        f"version {version} is proposed: segments changed their meaning (agreement {match.agreement}); "
        "version in force unchanged until a person accepts it",
    )


def _accept(model: pd.DataFrame, features: pd.DataFrame) -> RefitOutcome:
    if model.empty or active_version(model)["version"].max() == model["version"].max():
        return RefitOutcome(model, "nothing to accept: no version is proposed")
    # In force from now on, not from its fit: what was reported in between stays as it was.
    as_of = max(pd.Timestamp(frame["as_of"].max()) for frame in (features, model) if len(frame)).date()
    return RefitOutcome(accept_newest(model, as_of), f"version {int(model['version'].max())} accepted")
