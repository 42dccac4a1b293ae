"""KPI: a table each, every segment by period, and the history of their metrics. The formulas: `sql/kpi/*.sql`."""

from collections.abc import Iterator
from dataclasses import replace

import dagster as dg

from bridgecart_assets.contracts import (
    KPI_TABLES,
    SEGMENT_FLOWS,
    SEGMENT_METRICS_HISTORY,
    SEGMENT_MODEL,
    SILVER_ORDERS,
)
from bridgecart_assets.orchestration.asset_specs import POOL, read_from, table_asset, table_out
from bridgecart_assets.orchestration.failures import cause_first
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.warehouse.queries import kpi_query, metrics_history_query
from bridgecart_assets.warehouse.storage.outputs import CoWritten, Query, Table


@dg.multi_asset(
    name="kpis",
    outs={table.name: table_out(table, kinds={"sql"}) for table in KPI_TABLES},
    ins={
        "silver_orders": read_from(SILVER_ORDERS),
        "flows": read_from(SEGMENT_FLOWS),
        "segment_model": read_from(SEGMENT_MODEL),
    },
    pool=POOL,
)
def kpis(
    platform: Platform, silver_orders: Table, flows: Table, segment_model: Table
) -> Iterator[dg.Output[Query] | dg.Output[CoWritten]]:
    """Compute all KPIs from the same sums, in one transaction."""
    first, *others = KPI_TABLES
    with cause_first():
        query = kpi_query(platform.settings, silver_orders, flows, segment_model)
    yield dg.Output(replace(query, co_outputs=tuple(table.full_name for table in others)), first.name)
    for table in others:
        yield dg.Output(CoWritten(first.full_name), table.name)


@table_asset(
    SEGMENT_METRICS_HISTORY,
    kinds={"sql"},
    ins={contract.name: read_from(contract) for contract in KPI_TABLES},
)
def segment_metrics_history(**kpis: Table) -> Query:
    """Join consecutive periods with the same metrics to validity intervals."""
    return metrics_history_query(*kpis.values())
