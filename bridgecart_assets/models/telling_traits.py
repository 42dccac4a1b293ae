"""Traits that tell customers of this shop apart, and those that say nothing here: they are left out of a fit."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from bridgecart_assets.contracts import SEGMENTATION_TRAITS, Trait

# Below this, most of what customers differ by is chance.
MIN_RELIABILITY = 0.2
# A difference that a shop would feel: this share of what is usual.
FELT = 0.2
MIN_SHARE_APART = 0.05
HOLD = 0.5


def left_out_traits(customers: pd.DataFrame, *, counted: Collection[str] | None = None) -> Mapping[str, str]:
    """Reasons why traits say nothing about these customers, by trait; those that do are not in it.

    `customers` have the columns of `sql/models/sample_traits.sql`. Those that `counted` until now (None: there is no
    version yet) need half as much, and others half as much again, so that those near a limit do not come and go.
    """
    reasons = {trait.name: _reason(customers, trait, _strictness(trait, counted)) for trait in SEGMENTATION_TRAITS}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def _strictness(trait: Trait, counted: Collection[str] | None) -> float:
    if counted is None:
        return 1.0
    return 1 - HOLD if trait.name in counted else 1 + HOLD


def _reason(customers: pd.DataFrame, trait: Trait, strictness: float) -> str | None:
    own = customers[f"own_{trait.name}"].to_numpy(dtype=np.float64)
    usual = float(np.median(own))
    apart = int((np.abs(own - usual) > FELT * abs(usual)).sum())
    if apart < strictness * MIN_SHARE_APART * len(own):
        return f"{apart} of {len(own)} customers differ from the others by what a shop would feel"
    # It grows with the number of purchases, so its median is that of the median number.
    reliability = float(customers[f"reliability_{trait.name}"].median())
    if reliability < strictness * MIN_RELIABILITY:
        return f"{reliability:.2f} of what customers differ by is theirs, the rest is chance"
    return None
