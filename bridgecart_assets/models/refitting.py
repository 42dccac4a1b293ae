"""Refits of the segment model: whether one is due, and what becomes of it. Changed segments wait for a person."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from typing import Literal

import numpy as np
import pandas as pd

from bridgecart_assets.contracts import SEGMENT_DRIFT, SEGMENT_MODEL, SEGMENTATION_TRAITS, TRAITS
from bridgecart_assets.models.choice_of_k import FALLBACK, MOST, choose_segments
from bridgecart_assets.models.drift import Bins, decile_bins, measure_drift
from bridgecart_assets.models.due import RefitMode, is_due
from bridgecart_assets.models.fitting import Fit, fit_from, is_fittable, nearest, standardise, traits_hash
from bridgecart_assets.models.frames import typed
from bridgecart_assets.models.identity import Match, first_keys, match_keys, name_segments
from bridgecart_assets.models.kinds import Kinds, fit_kinds, holds_enough
from bridgecart_assets.models.model_table import (
    accept_newest,
    active_version,
    counting_traits,
    model_arrays,
    newest_version,
)
from bridgecart_assets.models.telling_traits import left_out_traits

# How much worse than the best fit another one may be and still be as good.
AS_GOOD = 1.2

Segments = int | Literal["auto"]


@dataclass(frozen=True)
class RefitOutcome:
    """The model table after a refit was considered, one line on what was decided, and the drift it was decided on.

    `drift` has the columns of `gold.segment_drift`, against the version that was the newest; no rows without one.
    """

    model: pd.DataFrame
    decision: str
    drift: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(SEGMENT_DRIFT.column_names)))


@dataclass(frozen=True)
class Found:
    """Segments found in a shop, their keys, how many were asked for, and which traits say nothing and why."""

    kinds: Kinds
    match: Match
    asked: Segments
    left_out: Mapping[str, str]


def refit(
    model: pd.DataFrame,
    traits_under: Callable[[int], pd.DataFrame],
    purchase_version: int,
    *,
    mode: RefitMode,
    segments: Segments,
    seed: int,
    refit_days: int,
    provisional: Collection[int] = (),
) -> RefitOutcome:
    """Refit the model when asked (`mode` NOW), when due or drifted (WHEN_DUE), or accept a proposal (ACCEPT).

    The drift that counts is that from the customers of the newest version, also of one that waits for a person: what
    it was fitted to is no drift any more, so an alert leads to one fit and not to one with every batch.

    `segments` is k, or "auto": then each refit chooses k again.

    `model` has the columns of `gold.segment_model`. `traits_under` gives the customers of
    `sql/models/sample_traits.sql` with their traits under a version of the purchase model; `purchase_version` is the
    one in force. The same data gives the same version again, so asking twice changes nothing.

    A version whose purchase model is among the `provisional` ones, those of a young shop, gives way without a
    question: there everybody's traits move, and what a segment means has yet to be found out.
    """
    traits_of = cache(lambda version: _in_order(traits_under(version)))
    customers = traits_of(purchase_version)
    if mode is RefitMode.ACCEPT:
        return _accept(model, customers)
    fewest = FALLBACK if segments == "auto" else segments
    if not is_fittable(customers, fewest):
        return RefitOutcome(model, f"kept: {len(customers)} customers are too few for {fewest} segments")
    as_of = pd.Timestamp(customers["as_of"].iloc[0]).date()
    drift = _drift_from_newest(model, traits_of)
    drifted = list(drift.loc[drift["alert"].astype(bool), "measure"])
    is_wanted = mode is RefitMode.NOW or _has_another_k(newest_version(model), segments)
    if not (is_wanted or drifted or is_due(model, len(customers), as_of, refit_days=refit_days)):
        return RefitOutcome(model, f"kept version {int(model['version'].max())}: a refit is not due", drift)
    fit_hash = traits_hash(customers, segments=segments, seed=seed)
    if fit_hash in set(model["traits_hash"]):
        return RefitOutcome(model, f"kept version {int(model['version'].max())}: same data, same model", drift)
    found = _found(model, customers, traits_of, segments=segments, seed=seed, provisional=provisional)
    version = 1 if model.empty else int(model["version"].max()) + 1
    rows = model_rows(
        found,
        {trait: decile_bins(customers[trait].to_numpy(dtype=np.float64)) for trait in TRAITS},
        version=version,
        as_of=as_of,
        purchase_version=purchase_version,
        seed=seed,
        fit_hash=fit_hash,
        largest_spend=customers["largest_spend"].groupby(found.kinds.fit.labels).max(),
    )
    together = rows if model.empty else pd.concat([typed(model, SEGMENT_MODEL), rows], ignore_index=True)
    because = f" after drift in {', '.join(drifted)}" if drifted else ""
    if found.match.settled:
        return RefitOutcome(together, f"fitted version {version} on {len(customers)} customers{because}", drift)
    return RefitOutcome(
        together,
        f"version {version} is proposed{because}: segments changed their meaning (agreement "
        f"{found.match.agreement}); version in force unchanged until a person accepts it",
        drift,
    )


def _found(
    model: pd.DataFrame,
    customers: pd.DataFrame,
    traits_of: Callable[[int], pd.DataFrame],
    *,
    segments: Segments,
    seed: int,
    provisional: Collection[int],
) -> Found:
    """The segments of these customers, with the keys of the version in force as far as they keep their meaning."""
    previous = active_version(model)
    left_out = left_out_traits(customers, counted=None if previous.empty else counting_traits(previous))
    wanted = _choose(customers, seed, left_out) if segments == "auto" else segments
    kinds = fit_kinds(customers, segments=wanted, seed=seed, left_out=left_out)
    if previous.empty:
        match = first_keys(kinds.fit, [float(value) for value in customers["net_sales"]])
        return Found(kinds, match, segments, left_out)
    earlier = traits_of(int(previous["purchase_version"].iloc[0]))
    used_keys = list(model["segment_key"])
    match = match_keys(kinds.fit, earlier, previous, used_keys=used_keys)
    if not match.settled and not _has_another_k(previous, segments):
        because = previous["fewer_because"].iloc[0]
        for fit in _carried_on(kinds.fit, customers, earlier, previous, seed, left_out):
            carried = match_keys(fit, earlier, previous, used_keys=used_keys)
            if carried.settled:
                return Found(Kinds(fit, because if pd.notna(because) else None), carried, segments, left_out)
    if int(previous["purchase_version"].iloc[0]) in provisional:
        match = replace(match, settled=True)
    return Found(kinds, match, segments, left_out)


def _carried_on(
    fit: Fit,
    customers: pd.DataFrame,
    earlier: pd.DataFrame,
    previous: pd.DataFrame,
    seed: int,
    left_out: Collection[str],
) -> Iterator[Fit]:
    """The segments of the version in force, moved to where their customers are now, as far as they fit as well.

    Where there are no clear kinds of customers many ways to divide them are as good, and the best one changes with a
    few customers more. Of those that are as good, the one that keeps the keys is worth more.
    """
    labels = nearest(earlier[list(TRAITS)].to_numpy(dtype=np.float64), *model_arrays(previous))
    for until_settled in (True, False):
        carried = fit_from(customers, labels, seed=seed, until_settled=until_settled, left_out=left_out)
        if carried.inertia <= AS_GOOD * fit.inertia and holds_enough(carried):
            yield carried


def _in_order(customers: pd.DataFrame) -> pd.DataFrame:
    return customers.sort_values("customer_id", kind="stable").reset_index(drop=True)


def _drift_from_newest(model: pd.DataFrame, traits_of: Callable[[int], pd.DataFrame]) -> pd.DataFrame:
    newest = newest_version(model)
    if newest.empty:
        return measure_drift(model, newest)
    # In the traits of its fit: a purchase model that was fitted again is no change of the customers.
    customers = traits_of(int(newest["purchase_version"].iloc[0]))
    labels = nearest(customers[list(TRAITS)].to_numpy(dtype=np.float64), *model_arrays(newest))
    keys = newest["segment_key"].to_numpy()[labels]
    return measure_drift(model, customers.assign(model_version=newest["version"].iloc[0], segment_key=keys))


def _has_another_k(version: pd.DataFrame, segments: Segments) -> bool:
    if segments == "auto" or version.empty:
        return False
    asked = str(version["segments_asked"].iloc[0])
    return (int(asked) if asked.isdecimal() else len(version)) != segments


def _choose(customers: pd.DataFrame, seed: int, left_out: Collection[str]) -> int:
    # Below the gate of the largest k that is looked at, comparing several says nothing.
    if not is_fittable(customers, MOST + 1):
        return FALLBACK
    return choose_segments(standardise(customers, left_out)[2], seed=seed)


def _accept(model: pd.DataFrame, customers: pd.DataFrame) -> RefitOutcome:
    if model.empty or active_version(model)["version"].max() == model["version"].max():
        return RefitOutcome(model, "nothing to accept: no version is proposed")
    # In force from now on, not from its fit: what was reported in between stays as it was.
    as_of = max(pd.Timestamp(frame["as_of"].max()) for frame in (customers, model) if len(frame)).date()
    return RefitOutcome(accept_newest(model, as_of), f"version {int(model['version'].max())} accepted")


def model_rows(
    found: Found,
    bins: Mapping[str, Bins],
    *,
    version: int,
    as_of: date,
    purchase_version: int,
    seed: int,
    fit_hash: str,
    largest_spend: "pd.Series[float]",
) -> pd.DataFrame:
    """The rows of one version of `gold.segment_model`, by segment key; the `bins` of each trait tell drift later."""
    fit, match, sizes = found.kinds.fit, found.match, found.kinds.fit.sizes
    clusters = range(len(fit.centroids))
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
        "stability": fit.stability,
        "smallest_share": round(int(sizes.min()) / len(fit.labels), 6),
        "matched_from": match.matched_from,
        "centroid_shift": match.shifts,
        "agreement": match.agreement,
        "segments_asked": str(found.asked),
        "fewer_because": found.kinds.fewer_because,
        "largest_spend": [float(largest_spend.get(c, largest_spend.max())) for c in clusters],
        "remarks": " ".join(_remarks(found)) or None,
    }
    for position, trait in enumerate(TRAITS):
        rows[f"mean_{trait}"] = float(fit.mean[position])
        rows[f"scale_{trait}"] = float(fit.scale[position])
        rows[f"centroid_{trait}"] = fit.centroids[:, position]
        rows[f"bounds_{trait}"] = [bins[trait].bounds.tolist() for _ in clusters]
        rows[f"bin_customers_{trait}"] = [bins[trait].customers.tolist() for _ in clusters]
        rows[f"left_out_{trait}"] = found.left_out.get(trait)
    frame = pd.DataFrame(rows, index=list(clusters))
    return typed(frame, SEGMENT_MODEL).sort_values("segment_key").reset_index(drop=True)


def _remarks(found: Found) -> Iterator[str]:
    if found.kinds.fewer_because is not None:
        yield f"{_segments(found)} where {found.asked} were asked for: {found.kinds.fewer_because}."
    for trait in SEGMENTATION_TRAITS:
        if trait.name in found.left_out:
            yield f"Segments are not made of {trait.short}: {found.left_out[trait.name]}."


def _segments(found: Found) -> str:
    number = len(found.match.keys)
    return "One segment" if number == 1 else f"{number} segments"
