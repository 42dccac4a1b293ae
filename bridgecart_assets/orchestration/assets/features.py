"""Gold: what is known of each customer, now and as of each period opening."""

from collections.abc import Iterator

import dagster as dg

from bridgecart_assets.contracts import (
    CUSTOMER_FEATURES,
    CUSTOMER_SEGMENTS,
    CUSTOMER_SNAPSHOTS,
    PURCHASE_MODEL,
    SEGMENT_FLOWS,
    SEGMENT_MODEL,
    SILVER_ORDERS,
)
from bridgecart_assets.orchestration.asset_specs import POOL, read_from, table_asset, table_out
from bridgecart_assets.orchestration.failures import cause_first
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.warehouse.queries import features_query, snapshots_query
from bridgecart_assets.warehouse.storage.outputs import CoWritten, Query, Table


@table_asset(
    CUSTOMER_FEATURES,
    kinds={"sql"},
    ins={"silver_orders": read_from(SILVER_ORDERS)},
)
def customer_features(platform: Platform, silver_orders: Table) -> Query:
    """Compute what is known as of the end of the data clock's day."""
    return features_query(platform.settings, silver_orders)


@dg.multi_asset(
    name="customer_snapshots",
    outs={
        "customer_snapshots": table_out(CUSTOMER_SNAPSHOTS, kinds={"sql"}),
        "segment_flows": table_out(SEGMENT_FLOWS, kinds={"sql"}),
    },
    ins={
        "silver_orders": read_from(SILVER_ORDERS),
        "customer_segments": read_from(CUSTOMER_SEGMENTS),
        "purchase_model": read_from(PURCHASE_MODEL),
        "segment_model": read_from(SEGMENT_MODEL),
    },
    pool=POOL,
)
def customer_snapshots(
    platform: Platform, silver_orders: Table, customer_segments: Table, purchase_model: Table, segment_model: Table
) -> Iterator[dg.Output[Query] | dg.Output[CoWritten]]:
    """Carry on everyone as of each period opening, and who went from which segment to which."""
    with cause_first():
        query = snapshots_query(platform.settings, silver_orders, customer_segments, purchase_model, segment_model)
    yield dg.Output(query, "customer_snapshots")
    yield dg.Output(CoWritten(CUSTOMER_SNAPSHOTS.full_name), "segment_flows")
