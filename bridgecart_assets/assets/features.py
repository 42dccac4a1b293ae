"""Gold: what is known of each customer, now and as of each period opening."""

import dagster as dg

from bridgecart_assets.assets.specs import asset_key, table_options
from bridgecart_assets.contracts import CUSTOMER_FEATURES, CUSTOMER_SNAPSHOTS, SEGMENT_MODEL, SILVER_ORDERS
from bridgecart_assets.platform import Platform
from bridgecart_assets.warehouse.handover import Parameter, Query, Table


def clock_parameters(platform: Platform) -> dict[str, Parameter]:
    """The parameters of `stage_clock.sql`."""
    settings = platform.settings
    as_of = settings.as_of.isoformat() if settings.as_of else None
    return {"as_of": as_of, "kpi_period": settings.kpi_period}


@dg.asset(
    **table_options(CUSTOMER_FEATURES, kinds={"sql"}),
    ins={"silver_orders": dg.AssetIn(key=asset_key(SILVER_ORDERS))},
)
def customer_features(platform: Platform, silver_orders: Table) -> Query:
    """Compute features and traits as of the end of the data clock's day."""
    return Query(
        stage=("stage_clock", "stage_traits"), parameters=clock_parameters(platform), inputs=(silver_orders,)
    )


@dg.asset(
    **table_options(CUSTOMER_SNAPSHOTS, kinds={"sql"}),
    ins={
        "silver_orders": dg.AssetIn(key=asset_key(SILVER_ORDERS)),
        "segment_model": dg.AssetIn(key=asset_key(SEGMENT_MODEL)),
    },
)
def customer_snapshots(platform: Platform, silver_orders: Table, segment_model: Table) -> Query:
    """Compute traits, value and segment of everyone as of each period opening and as of now."""
    return Query(
        stage=("stage_clock", "stage_traits", "stage_snapshots", "stage_scoring"),
        parameters=clock_parameters(platform),
        inputs=(silver_orders, segment_model),
    )
