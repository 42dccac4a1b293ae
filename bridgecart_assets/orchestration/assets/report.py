"""Report: the web page of the segments, with all that people ask for who open no database."""

from collections.abc import Iterator

import dagster as dg

from bridgecart_assets.contracts import (
    CUSTOMER_FEATURES,
    CUSTOMER_SEGMENTS,
    CUSTOMER_SNAPSHOTS,
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
from bridgecart_assets.orchestration.metadata import report_link
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.report.writing import may_wait, write_report

_READ = (
    *(RAW_BATCHES, SILVER_ORDERS, SILVER_REJECTS, SILVER_CUSTOMERS, CUSTOMER_FEATURES, PURCHASE_MODEL, SEGMENT_MODEL),
    *(CUSTOMER_SEGMENTS, CUSTOMER_SNAPSHOTS, SEGMENT_DRIFT, SEGMENT_FLOWS, *KPI_TABLES),
)


@dg.asset(
    key=REPORT,
    deps=[asset_key(contract) for contract in _READ],
    group_name="report",
    kinds={"html", "altair"},
    owners=OWNERS,
    pool=POOL,
    freshness_policy=KPI_FRESHNESS,
    # A run whose report may wait materializes none.
    output_required=False,
    # After everything that others wait for.
    op_tags={"dagster/priority": "-2"},
    description="One web page with the KPIs, what to do, segments, migration, churn, models and the pipeline's health. "
    "Needs no network and no server. `bridgecart up` serves it, `bridgecart report` writes it at any time.",
)
def segments_report(context: dg.AssetExecutionContext, platform: Platform) -> Iterator[dg.MaterializeResult[None]]:
    """Write the page, unless it is recent and the history is so long that a batch should not wait for it."""
    with cause_first():
        settings = platform.settings
        if platform.only_changes and may_wait(settings):
            context.log.info("The report is recent, and of a long history: it is not written again.")
            return
        written = write_report(settings, read_health(settings, context.instance).for_report())
        size = dg.MetadataValue.int(written.stat().st_size)
    yield dg.MaterializeResult(metadata={**report_link(settings), "bytes": size})
