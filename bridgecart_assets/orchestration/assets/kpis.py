"""KPI: a table each, every segment by period, and the history of their metrics. The formulas: `sql/kpi/*.sql`."""

import dagster as dg

from bridgecart_assets.contracts import (
    KPI_TABLES,
    SEGMENT_FLOWS,
    SEGMENT_METRICS_HISTORY,
    SEGMENT_MODEL,
    SILVER_ORDERS,
    Contract,
)
from bridgecart_assets.orchestration.asset_specs import read_from, table_asset
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.warehouse.queries import kpi_query, metrics_history_query
from bridgecart_assets.warehouse.storage.outputs import Query, Table


def kpi_asset(contract: Contract) -> dg.AssetsDefinition:
    """The asset of one KPI table."""

    @table_asset(
        contract,
        kinds={"sql"},
        ins={
            "silver_orders": read_from(SILVER_ORDERS),
            "flows": read_from(SEGMENT_FLOWS),
            "segment_model": read_from(SEGMENT_MODEL),
        },
    )
    def kpi(platform: Platform, silver_orders: Table, flows: Table, segment_model: Table) -> Query:
        return kpi_query(platform.settings, silver_orders, flows, segment_model)

    return kpi


kpi_assets = [kpi_asset(contract) for contract in KPI_TABLES]


@table_asset(
    SEGMENT_METRICS_HISTORY,
    kinds={"sql"},
    ins={contract.name: read_from(contract) for contract in KPI_TABLES},
)
def segment_metrics_history(**kpis: Table) -> Query:
    """Join consecutive periods with the same metrics to validity intervals."""
    return metrics_history_query(*kpis.values())
