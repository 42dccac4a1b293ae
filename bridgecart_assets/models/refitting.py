"""Whether the segment model is fitted anew, and what becomes of it. Segments that changed wait for a person."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd

from bridgecart_assets.contracts import SEGMENT_MODEL, TRAITS
from bridgecart_assets.models.choice_of_k import FALLBACK, MOST, choose_segments
from bridgecart_assets.models.due import RefitMode, is_due
from bridgecart_assets.models.fitting import Fit, fit_segments, is_fittable, standardise, traits_hash
from bridgecart_assets.models.frames import typed
from bridgecart_assets.models.identity import Match, first_keys, match_keys, name_segments
from bridgecart_assets.models.model_table import accept_newest, active_version

Segments = int | Literal["auto"]


@dataclass(frozen=True)
class RefitOutcome:
    """The model table after a refit was considered, and one line on what was decided."""

    model: pd.DataFrame
    decision: str


def refit(
    model: pd.DataFrame,
    traits_under: Callable[[int], pd.DataFrame],
    purchase_version: int,
    *,
    mode: RefitMode,
    segments: Segments,
    seed: int,
    refit_days: int,
) -> RefitOutcome:
    """Refit the model when asked (`mode` NOW) or due (WHEN_DUE), or accept a proposal (ACCEPT).

    `segments` is k, or "auto": then k is chosen anew at each refit.

    `model` has the columns of `gold.segment_model`. `traits_under` gives the customers of `sql/sample_traits.sql`
    with their traits under a version of the purchase model; `purchase_version` is the one in force. The same data
    gives the same version again, so asking twice changes nothing.
    """
    customers = _in_order(traits_under(purchase_version))
    if mode is RefitMode.ACCEPT:
        return _accept(model, customers)
    fewest = FALLBACK if segments == "auto" else segments
    if not is_fittable(customers, fewest):
        return RefitOutcome(model, f"kept: {len(customers)} customers are too few for {fewest} segments")
    as_of = pd.Timestamp(customers["as_of"].iloc[0]).date()
    another_k = _has_another_k(model, segments)
    if mode is RefitMode.WHEN_DUE and not another_k and not is_due(model, len(customers), as_of, refit_days=refit_days):
        return RefitOutcome(model, f"kept version {int(model['version'].max())}: a refit is not due")
    fit_hash = traits_hash(customers, segments=segments, seed=seed)
    if fit_hash in set(model["traits_hash"]):
        return RefitOutcome(model, f"kept version {int(model['version'].max())}: same data, same model")
    fit = fit_segments(customers, segments=_choose(customers, seed) if segments == "auto" else segments, seed=seed)
    previous = active_version(model)
    if previous.empty:
        match = first_keys(fit, [float(value) for value in customers["net_sales"]])
    else:
        earlier = _in_order(traits_under(int(previous["purchase_version"].iloc[0])))
        match = match_keys(fit, earlier, previous, used_keys=list(model["segment_key"]))
    version = 1 if model.empty else int(model["version"].max()) + 1
    rows = model_rows(
        fit, match, version=version, as_of=as_of, purchase_version=purchase_version, seed=seed, fit_hash=fit_hash
    )
    together = rows if model.empty else pd.concat([typed(model, SEGMENT_MODEL), rows], ignore_index=True)
    if match.settled:
        return RefitOutcome(together, f"fitted version {version} on {len(customers)} customers")
    return RefitOutcome(
        together,
        f"version {version} is proposed: segments changed their meaning (agreement {match.agreement}); "
        "version in force unchanged until a person accepts it",
    )


def _in_order(customers: pd.DataFrame) -> pd.DataFrame:
    return customers.sort_values("customer_id", kind="stable").reset_index(drop=True)


def _has_another_k(model: pd.DataFrame, segments: Segments) -> bool:
    newest = model["version"] == model["version"].max()
    return segments != "auto" and int(newest.sum()) not in (0, segments)


def _choose(customers: pd.DataFrame, seed: int) -> int:
    # Below the gate of the largest k that is looked at, comparing several says nothing.
    if not is_fittable(customers, MOST + 1):
        return FALLBACK
    return choose_segments(standardise(customers)[2], seed=seed)


def _accept(model: pd.DataFrame, customers: pd.DataFrame) -> RefitOutcome:
    if model.empty or active_version(model)["version"].max() == model["version"].max():
        return RefitOutcome(model, "nothing to accept: no version is proposed")
    # In force from now on, not from its fit: what was reported in between stays as it was.
    as_of = max(pd.Timestamp(frame["as_of"].max()) for frame in (customers, model) if len(frame)).date()
    return RefitOutcome(accept_newest(model, as_of), f"version {int(model['version'].max())} accepted")


def model_rows(
    fit: Fit, match: Match, *, version: int, as_of: date, purchase_version: int, seed: int, fit_hash: str
) -> pd.DataFrame:
    """The rows of one version of `gold.segment_model`, ordered by segment key."""
    clusters = range(len(fit.centroids))
    sizes = np.bincount(fit.labels, minlength=len(fit.centroids))
    rows = {
        "version": version,
        "segment_key": match.keys,
        "segment": name_segments(fit),
        "status": "active" if match.settled else "proposed",
        "as_of": as_of,
        "in_force_from": as_of if match.settled else None,
        "purchase_version": purchase_version,
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
    return typed(frame, SEGMENT_MODEL).sort_values("segment_key").reset_index(drop=True)
