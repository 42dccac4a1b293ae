"""Two versions of the segment model side by side, for the person who asked for a refit or has to accept one."""

import numpy as np
import pandas as pd

from bridgecart_assets.contracts import SEGMENTATION_TRAITS, Trait
from bridgecart_assets.models.model_table import active_version, newest_version

COLUMNS = (
    "segment_key",
    "old_name",
    "new_name",
    "old_share",
    "new_share",
    *(f"{age}_{trait.readable}" for trait in SEGMENTATION_TRAITS for age in ("old", "new")),
    "shift",
    "verdict",
)


def compare_versions(model: pd.DataFrame) -> pd.DataFrame:
    """The newest version beside the one that was in force when it was fitted, a row per segment key.

    Columns are COLUMNS: sizes as shares of the customers of each fit; centroids as people read them, purchases a week
    instead of their logarithm; `shift` of the centroid in deviations of the old
    version; `verdict` is kept, new key or gone. NULL where a version does not have the segment.
    """
    if model.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    new = newest_version(model)
    # A version that waits for a person is never what the next one is compared with.
    old = active_version(model.loc[model["version"] < new["version"].iloc[0]])
    joined = _readable(old, "old").join(_readable(new, "new"), how="outer").sort_index()
    joined["shift"] = new.set_index("segment_key")["centroid_shift"]
    joined["verdict"] = np.select(
        [joined["new_name"].isna(), joined["old_name"].isna()], ["gone", "new key"], default="kept"
    )
    return joined.reset_index(names="segment_key")[list(COLUMNS)]


def _readable(version: pd.DataFrame, prefix: str) -> pd.DataFrame:
    """Name, size and centroid of each segment by key, without logarithms."""
    columns = {
        "name": version["segment"],
        "share": (version["segment_customers"] / version["fitted_customers"]).astype(float).round(4),
        **{trait.readable: _centroid(version, trait) for trait in SEGMENTATION_TRAITS},
    }
    frame = pd.DataFrame(columns).set_axis(version["segment_key"], axis="index")
    return frame.add_prefix(f"{prefix}_")


def _centroid(version: pd.DataFrame, trait: Trait) -> "pd.Series[float]":
    deviations = version[f"centroid_{trait.name}"]
    stored = (deviations * version[f"scale_{trait.name}"] + version[f"mean_{trait.name}"]).astype(float)
    readable: pd.Series[float] = stored.map(trait.readable_value)
    return readable.round(trait.decimals)
