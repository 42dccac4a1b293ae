"""Whether the segment model is fitted anew, and what becomes of it. Segments that changed wait for a person."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
import pandas as pd

from bridgecart_assets.contracts import TRAITS
from bridgecart_assets.models.choice_of_k import FALLBACK, MOST, choose_segments
from bridgecart_assets.models.fitting import (
    Fit,
    fit_segments,
    is_fittable,
    standardise,
    traits_hash,
    usable_customers,
)
from bridgecart_assets.models.identity import Match, first_keys, match_keys, name_segments
from bridgecart_assets.models.model_table import accept_newest, active_version, typed

Segments = int | Literal["auto"]


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
    segments: Segments,
    seed: int,
    refit_days: int,
) -> RefitOutcome:
    """Refit the model when asked (`mode` "now") or due ("when_due"), or accept a proposal ("accept").

    `segments` is k, or "auto": then k is chosen anew at each refit.

    `model` has the columns of `gold.segment_model`, `features` those of `gold.customer_features`. The same data
    gives the same version again, so asking twice changes nothing.
    """
    if mode == "accept":
        return _accept(model, features)
    customers = usable_customers(features)
    fewest = FALLBACK if segments == "auto" else segments
    if not is_fittable(customers, fewest):
        return RefitOutcome(model, f"kept: {len(customers)} customers are too few for {fewest} segments")
    as_of = pd.Timestamp(customers["as_of"].iloc[0]).date()
    if mode == "when_due" and not is_due(model, customers, as_of, segments=segments, refit_days=refit_days):
        return RefitOutcome(model, f"kept version {int(model['version'].max())}: a refit is not due")
    fit_hash = traits_hash(customers, segments=segments, seed=seed)
    if fit_hash in set(model["traits_hash"]):
        return RefitOutcome(model, f"kept version {int(model['version'].max())}: same data, same model")
    chosen = _choose(customers, seed) if segments == "auto" else segments
    return _refit(model, customers, as_of, fit_hash, segments=chosen, seed=seed)


def is_due(model: pd.DataFrame, customers: pd.DataFrame, as_of: date, *, segments: Segments, refit_days: int) -> bool:
    """Whether the model is due: none yet, another k, `refit_days` of data since the last fit, or twice the customers.

    The last fit is the newest version, also one that waits for a person: it is not asked for again and again.
    """
    if model.empty:
        return True
    newest = model.loc[model["version"] == model["version"].max()].iloc[0]
    if segments != "auto" and (model["version"] == model["version"].max()).sum() != segments:
        return True
    next_due = pd.Timestamp(newest["as_of"]).date() + timedelta(days=refit_days)
    # The sample is capped, so beyond the cap only time makes the model due.
    return as_of >= next_due or len(customers) >= 2 * int(newest["fitted_customers"])


def _choose(customers: pd.DataFrame, seed: int) -> int:
    # Below the gate of the largest k that is looked at, comparing several says nothing.
    if not is_fittable(customers, MOST + 1):
        return FALLBACK
    return choose_segments(standardise(customers)[2], seed=seed)


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
    together = rows if model.empty else pd.concat([typed(model), rows], ignore_index=True)
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
    return typed(frame).sort_values("segment_key").reset_index(drop=True)
