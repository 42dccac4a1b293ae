"""Gold: what is known of each customer, now and as of each period opening."""

from bridgecart_assets.assets.specs import read_from, table_asset
from bridgecart_assets.contracts import CUSTOMER_FEATURES, CUSTOMER_SNAPSHOTS, SEGMENT_MODEL, SILVER_ORDERS
from bridgecart_assets.platform import Platform
from bridgecart_assets.queries import features_query, snapshots_query
from bridgecart_assets.warehouse.handover import Query, Table


@table_asset(
    CUSTOMER_FEATURES,
    kinds={"sql"},
    ins={"silver_orders": read_from(SILVER_ORDERS)},
)
def customer_features(platform: Platform, silver_orders: Table) -> Query:
    """Compute features and traits as of the end of the data clock's day."""
    return features_query(platform.settings, silver_orders)


@table_asset(
    CUSTOMER_SNAPSHOTS,
    kinds={"sql"},
    ins={
        "silver_orders": read_from(SILVER_ORDERS),
        "segment_model": read_from(SEGMENT_MODEL),
    },
)
def customer_snapshots(platform: Platform, silver_orders: Table, segment_model: Table) -> Query:
    """Compute traits, value and segment of everyone as of each period opening and as of now."""
    return snapshots_query(platform.settings, silver_orders, segment_model)
