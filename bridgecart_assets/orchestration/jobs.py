"""The jobs: a batch from raw to KPIs and report in one run, catching up, refreshing, and refitting the segments."""

from typing import Any

import dagster as dg

from bridgecart_assets import contracts
from bridgecart_assets.models.due import RefitMode
from bridgecart_assets.orchestration.announcements import announce_segments
from bridgecart_assets.orchestration.asset_specs import REPORT, asset_key
from bridgecart_assets.orchestration.resources import RefreshMode
from bridgecart_assets.orchestration.tidying import tidy_lake

_BATCH_TABLES = [table for table in contracts.TABLES.values() if table.partitioned]
_WHOLE_TABLES = [table for table in contracts.TABLES.values() if not table.partitioned]
_AFTER_MODEL = [
    table for table in _WHOLE_TABLES if table not in (contracts.SILVER_CUSTOMERS, contracts.CUSTOMER_FEATURES)
]


# What a run prints. All that it does is in Dagster's records and its UI; at Dagster's own default, DEBUG, a year of
# batches would print it all once more.
PRINTED: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "INFO"}}}}


def _assets(tables: list[contracts.Contract], *others: dg.AssetKey) -> dg.AssetSelection:
    return dg.AssetSelection.assets(*(asset_key(table) for table in tables), *others)


def refit_config(mode: RefitMode) -> dict[str, Any]:
    """Run configuration of a job that holds the models."""
    models = (contracts.PURCHASE_MODEL, contracts.SEGMENT_MODEL)
    return {"ops": {f"{m.schema}__{m.name}": {"config": {"refit": mode.name}} for m in models}}


def refresh_config(mode: RefreshMode) -> dict[str, Any]:
    """Run configuration of a job that writes tables of customers."""
    return {"resources": {"platform": {"config": {"refresh": mode.name}}}}


FOLLOWS_CHANGES = refresh_config(RefreshMode.CHANGES)

orders_batch = dg.define_asset_job(
    "orders_batch",
    selection=_assets([*_BATCH_TABLES, *_WHOLE_TABLES], REPORT),
    config=FOLLOWS_CHANGES,
    description="One batch of orders, from the topic to the KPIs. What the sensor launches.",
)

ingest_batch = dg.define_asset_job(
    "ingest_batch",
    selection=_assets(_BATCH_TABLES),
    description="One batch of orders, raw and silver only. For catching up; run refresh afterwards.",
)

refresh = dg.define_asset_job(
    "refresh",
    selection=_assets(_WHOLE_TABLES, REPORT),
    config=FOLLOWS_CHANGES,
    description="Customers, features, segments, KPIs and report from the orders that are there.",
)

refit_segments = dg.define_asset_job(
    "refit_segments",
    selection=_assets(_AFTER_MODEL, REPORT),
    config=refit_config(RefitMode.NOW),
    description="Fit the models now, then segments and KPIs. Segment keys keep their meaning.",
)

JOBS = (orders_batch, ingest_batch, refresh, refit_segments, announce_segments, tidy_lake)
BATCH_JOBS = (orders_batch.name, ingest_batch.name)

SILVER_BATCH = frozenset(asset_key(table) for table in _BATCH_TABLES if table.schema == "silver")
# What is left of a batch job when the raw rows stand.
AFTER_RAW = {
    orders_batch.name: [*SILVER_BATCH, *(asset_key(table) for table in _WHOLE_TABLES), REPORT],
    ingest_batch.name: list(SILVER_BATCH),
}
