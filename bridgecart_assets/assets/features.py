"""Gold: what is known of each customer, now and as of each period opening."""

from bridgecart_assets.assets.specs import read_from, table_asset
from bridgecart_assets.contracts import (
    CUSTOMER_FEATURES,
    CUSTOMER_SNAPSHOTS,
    PURCHASE_MODEL,
    SEGMENT_MODEL,
    SILVER_ORDERS,
)
from bridgecart_assets.platform import Platform
from bridgecart_assets.queries import features_query, snapshots_query
from bridgecart_assets.warehouse.handover import Query, Table


@table_asset(
    CUSTOMER_FEATURES,
    kinds={"sql"},
    ins={"silver_orders": read_from(SILVER_ORDERS)},
)
def customer_features(platform: Platform, silver_orders: Table) -> Query:
    """Compute what is known as of the end of the data clock's day."""
    return features_query(platform.settings, silver_orders)


@table_asset(
    CUSTOMER_SNAPSHOTS,
    kinds={"sql"},
    ins={
        "silver_orders": read_from(SILVER_ORDERS),
        "purchase_model": read_from(PURCHASE_MODEL),
        "segment_model": read_from(SEGMENT_MODEL),
    },
)
def customer_snapshots(platform: Platform, silver_orders: Table, purchase_model: Table, segment_model: Table) -> Query:
    """Compute traits, value, segment and predictions of everyone as of each period opening and as of now."""
    return snapshots_query(platform.settings, silver_orders, purchase_model, segment_model)
