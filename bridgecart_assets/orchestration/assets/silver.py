"""Silver: typed orders, what was refused or came twice, and the customers behind them."""

from collections.abc import Iterator

import dagster as dg

from bridgecart_assets.contracts import (
    RAW_ORDERS,
    SILVER_CUSTOMERS,
    SILVER_ORDERS,
    WRITTEN_WITH_ORDERS,
)
from bridgecart_assets.orchestration.asset_specs import POOL, batch_table, read_from, table_asset
from bridgecart_assets.orchestration.failures import cause_first
from bridgecart_assets.orchestration.metadata import mapping_metadata
from bridgecart_assets.orchestration.partitions import BATCHES
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.warehouse.mappings import fetch_schemas_of_batch
from bridgecart_assets.warehouse.queries import customers_query, silver_query_of_batch
from bridgecart_assets.warehouse.storage.outputs import CoWritten, Query, Table


@dg.multi_asset(
    name="silver_batch",
    outs={
        "orders": batch_table(SILVER_ORDERS, kinds={"sql"}),
        **{table.name: batch_table(table, kinds={"sql"}) for table in WRITTEN_WITH_ORDERS},
    },
    ins={"raw_orders": read_from(RAW_ORDERS)},
    partitions_def=BATCHES,
    pool=POOL,
)
def silver_batch(
    context: dg.AssetExecutionContext, platform: Platform, raw_orders: Table
) -> Iterator[dg.Output[Query] | dg.Output[CoWritten]]:
    """Parse and judge the batch, decide what counts of each order; a record in one table, all in one transaction."""
    with cause_first():
        fetch_schemas_of_batch(platform.warehouse, platform.settings, context.partition_key)
        with platform.warehouse.reading() as connection:
            query = silver_query_of_batch(connection, platform.settings, context.partition_key, raw_orders)
    yield dg.Output(query, "orders", metadata=mapping_metadata(query))
    for table in WRITTEN_WITH_ORDERS:
        yield dg.Output(CoWritten(SILVER_ORDERS.full_name), table.name)


@table_asset(
    SILVER_CUSTOMERS,
    kinds={"sql"},
    ins={
        "raw_orders": read_from(RAW_ORDERS),
        "silver_orders": read_from(SILVER_ORDERS),
    },
)
def customers(platform: Platform, raw_orders: Table, silver_orders: Table) -> Query:
    """Take each attribute of each customer from the latest event that says it."""
    return customers_query(raw_orders, silver_orders, readers=platform.readers_on_record())
