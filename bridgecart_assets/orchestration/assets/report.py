"""Report: the web page of the segments, with all that people ask for who open no database."""

import dagster as dg

from bridgecart_assets.contracts import (
    CUSTOMER_FEATURES,
    CUSTOMER_SEGMENTS,
    KPI_TABLES,
    PURCHASE_MODEL,
    RAW_BATCHES,
    SEGMENT_DRIFT,
    SEGMENT_FLOWS,
    SEGMENT_MODEL,
    SILVER_CUSTOMERS,
    SILVER_ORDERS,
    SILVER_REJECTS,
)
from bridgecart_assets.orchestration.asset_specs import KPI_FRESHNESS, OWNERS, POOL, REPORT, asset_key
from bridgecart_assets.orchestration.failures import cause_first
from bridgecart_assets.orchestration.health import read_health
from bridgecart_assets.orchestration.io_manager import follows_changes
from bridgecart_assets.orchestration.metadata import report_link
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.report.writing import may_wait, write_report

_READ = (
    *(RAW_BATCHES, SILVER_ORDERS, SILVER_REJECTS, SILVER_CUSTOMERS, CUSTOMER_FEATURES, PURCHASE_MODEL, SEGMENT_MODEL),
    *(CUSTOMER_SEGMENTS, SEGMENT_DRIFT, SEGMENT_FLOWS, *KPI_TABLES),
)


@dg.asset(
    key=REPORT,
    deps=[asset_key(contract) for contract in _READ],
    group_name="report",
    kinds={"html", "altair"},
    owners=OWNERS,
    pool=POOL,
    freshness_policy=KPI_FRESHNESS,
    # After everything that others wait for.
    op_tags={"dagster/priority": "-2"},
    description="One web page with the KPIs, segments, migration, churn, models and the pipeline's health. Needs no "
    "network and no server. `bridgecart up` serves it, `bridgecart report` writes it at any time.",
)
@cause_first()
def segments_report(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult[None]:
    """Write the page, unless it is recent and the history is so long that a batch should not wait for it."""
    settings = platform.settings
    if follows_changes(context.run) and may_wait(settings):
        return dg.MaterializeResult(metadata={**report_link(settings), "written": "not again: it is recent"})
    written = write_report(settings, read_health(settings, context.instance).for_report())
    size = dg.MetadataValue.int(written.stat().st_size)
    return dg.MaterializeResult(metadata={**report_link(settings), "written": "anew", "bytes": size})
