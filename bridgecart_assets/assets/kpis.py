"""KPI: four tables, each segment by period. The formulas stand in `sql/kpi_*.sql`."""

import dagster as dg

from bridgecart_assets.assets.features import clock_parameters
from bridgecart_assets.assets.specs import asset_key, table_options
from bridgecart_assets.contracts import (
    CUSTOMER_SNAPSHOTS,
    KPI_TABLES,
    SEGMENT_MODEL,
    SILVER_ORDERS,
    Contract,
)
from bridgecart_assets.platform import Platform
from bridgecart_assets.warehouse.handover import Query, Table


def kpi_asset(contract: Contract) -> dg.AssetsDefinition:
    """The asset of one KPI table."""

    @dg.asset(
        **table_options(contract, kinds={"sql"}),
        ins={
            "silver_orders": dg.AssetIn(key=asset_key(SILVER_ORDERS)),
            "snapshots": dg.AssetIn(key=asset_key(CUSTOMER_SNAPSHOTS)),
            "segment_model": dg.AssetIn(key=asset_key(SEGMENT_MODEL)),
        },
    )
    def kpi(platform: Platform, silver_orders: Table, snapshots: Table, segment_model: Table) -> Query:
        return Query(
            stage=("stage_clock", "stage_segments"),
            parameters={
                **clock_parameters(platform),
                "churn_window_days": platform.settings.churn_window_days,
            },
            inputs=(silver_orders, snapshots, segment_model),
        )

    return kpi


kpi_assets = [kpi_asset(contract) for contract in KPI_TABLES]
