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
LENIENCY = 0.5


def left_out_traits(customers: pd.DataFrame, *, counted: Collection[str] = ()) -> Mapping[str, str]:
    """Why traits say nothing about these customers, by trait; those that do are not in it.

    `customers` have the columns of `sql/models/sample_traits.sql`. Traits that `counted` until now need half as much,
    so that those near a limit do not come and go.
    """
    reasons = {
        trait.name: _reason(customers, trait, leniency=LENIENCY if trait.name in counted else 1.0)
        for trait in SEGMENTATION_TRAITS
    }
    return {name: reason for name, reason in reasons.items() if reason is not None}


def _reason(customers: pd.DataFrame, trait: Trait, *, leniency: float) -> str | None:
    own = customers[f"own_{trait.name}"].to_numpy(dtype=np.float64)
    usual = float(np.median(own))
    apart = int((np.abs(own - usual) > FELT * abs(usual)).sum())
    if apart < leniency * MIN_SHARE_APART * len(own):
        return f"{apart} of {len(own)} customers differ from the others by what a shop would feel"
    # It grows with the number of purchases, so its median is that of the median number.
    reliability = float(customers[f"reliability_{trait.name}"].median())
    if reliability < leniency * MIN_RELIABILITY:
        return f"{reliability:.2f} of what customers differ by is theirs, the rest is chance"
    return None
