"""Gold: the segment model as a table of versions, every customer's current segment, and the history of segments."""

from enum import Enum

import dagster as dg
import pandas as pd

from bridgecart_assets.assets.specs import read_from, table_asset
from bridgecart_assets.contracts import (
    CUSTOMER_FEATURES,
    CUSTOMER_SEGMENTS,
    CUSTOMER_SNAPSHOTS,
    SEGMENT_MEMBERSHIP,
    SEGMENT_MODEL,
    TRAITS,
)
from bridgecart_assets.models.refitting import refit
from bridgecart_assets.platform import Platform
from bridgecart_assets.queries import history_query, segments_query
from bridgecart_assets.warehouse.handover import Query, Table


class RefitMode(Enum):
    """When the model is fitted anew."""

    WHEN_DUE = "when_due"
    NOW = "now"
    ACCEPT = "accept"


class SegmentModelConfig(dg.Config):
    """`refit`: when_due (as every batch run does), now (on request), accept (take the proposed version)."""

    refit: RefitMode = RefitMode.WHEN_DUE


@table_asset(
    SEGMENT_MODEL,
    kinds={"scikitlearn"},
    ins={"features": read_from(CUSTOMER_FEATURES, columns=["customer_id", "as_of", "net_sales", *TRAITS])},
)
def segment_model(config: SegmentModelConfig, platform: Platform, features: pd.DataFrame) -> dg.Output[pd.DataFrame]:
    """Fit K-Means on the standardised traits when due or asked for; else keep the versions as they are."""
    settings = platform.settings
    outcome = refit(
        platform.read_frame(SEGMENT_MODEL),
        features,
        mode=config.refit.value,
        segments=settings.segments,
        seed=settings.model_seed,
        refit_days=settings.model_refit_days,
    )
    return dg.Output(outcome.model, metadata={"decision": outcome.decision, **_quality(outcome.model)})


def _quality(model: pd.DataFrame) -> dict[str, dg.MetadataValue]:
    if model.empty:
        return {}
    newest = model.loc[model["version"] == model["version"].max()]
    columns = ["segment_key", "segment", "status", "segment_customers", "matched_from", "centroid_shift"]
    return {
        "version": dg.MetadataValue.int(int(newest["version"].iloc[0])),
        "silhouette": dg.MetadataValue.float(float(newest["silhouette"].iloc[0])),
        "inertia": dg.MetadataValue.float(float(newest["inertia"].iloc[0])),
        "segments": dg.MetadataValue.table(
            [dg.TableRecord({name: str(row[name]) for name in columns}) for _, row in newest.iterrows()]
        ),
    }


@table_asset(
    CUSTOMER_SEGMENTS,
    kinds={"sql"},
    ins={
        "features": read_from(CUSTOMER_FEATURES),
        "segment_model": read_from(SEGMENT_MODEL),
    },
)
def customer_segments(features: Table, segment_model: Table) -> Query:
    """Score everyone with the frozen scaler and centroids of the model in force."""
    return segments_query(features, segment_model)


@table_asset(
    SEGMENT_MEMBERSHIP,
    kinds={"sql"},
    ins={"snapshots": read_from(CUSTOMER_SNAPSHOTS)},
)
def segment_membership(snapshots: Table) -> Query:
    """Join consecutive snapshots in the same segment to spells."""
    return history_query(snapshots)
