"""The segment model as a table: the rows of `gold.segment_model`, one per version and segment."""

from datetime import date

import numpy as np
import pandas as pd

from bridgecart_assets.contracts import SEGMENT_MODEL, TRAITS
from bridgecart_assets.models.arrays import Floats
from bridgecart_assets.models.frames import typed


def model_arrays(rows: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
    """Mean, scale and centroids of one stored version."""
    mean = np.array([rows[f"mean_{trait}"].iloc[0] for trait in TRAITS], dtype=np.float64)
    scale = np.array([rows[f"scale_{trait}"].iloc[0] for trait in TRAITS], dtype=np.float64)
    centroids = rows[[f"centroid_{trait}" for trait in TRAITS]].to_numpy(dtype=np.float64)
    return mean, scale, centroids


def counting_traits(version: pd.DataFrame) -> frozenset[str]:
    """The traits that count in a version."""
    return frozenset(trait for trait in TRAITS if version[f"left_out_{trait}"].isna().any())


def active_version(model: pd.DataFrame) -> pd.DataFrame:
    """The rows of the newest active version by segment key; empty without one."""
    active = model.loc[model["status"] == "active"]
    newest: pd.DataFrame = active.loc[active["version"] == active["version"].max()]
    return newest.sort_values("segment_key").reset_index(drop=True)


def newest_version(model: pd.DataFrame) -> pd.DataFrame:
    """The rows of the newest version by segment key, whether it is in force or waits for a person."""
    newest: pd.DataFrame = model.loc[model["version"] == model["version"].max()]
    return newest.sort_values("segment_key").reset_index(drop=True)


def accept_newest(model: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """The model with its newest version active from the data date `as_of` on, as a person decided."""
    model = typed(model, SEGMENT_MODEL)
    newest = model["version"] == model["version"].max()
    return model.assign(
        status=model["status"].mask(newest, "active"),
        in_force_from=model["in_force_from"].mask(newest, pd.Timestamp(as_of)),
    )
