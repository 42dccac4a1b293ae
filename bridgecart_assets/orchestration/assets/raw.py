"""Raw: the records of the topic as they arrived, and the ledger of batches."""

from collections.abc import Iterator

import dagster as dg

from bridgecart_assets.contracts import RAW_BATCHES, RAW_ORDERS
from bridgecart_assets.orchestration.asset_specs import KAFKA_ORDERS, OWNERS, POOL, batch_table
from bridgecart_assets.orchestration.failures import cause_first
from bridgecart_assets.orchestration.partitions import BATCHES
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.warehouse.ingest.planning import plan_slice
from bridgecart_assets.warehouse.storage.outputs import CoWritten, KafkaSlice

kafka_orders = dg.AssetSpec(
    key=KAFKA_ORDERS,
    description="The Kafka topic that carries the order events. Its lag is observed by the orders sensor.",
    group_name="kafka",
    kinds={"kafka"},
    owners=OWNERS,
)


@dg.multi_asset(
    name="raw_batch",
    outs={"orders": batch_table(RAW_ORDERS, kinds={"kafka"}), "batches": batch_table(RAW_BATCHES, kinds={"kafka"})},
    deps=[KAFKA_ORDERS],
    partitions_def=BATCHES,
    pool=POOL,
)
def raw_batch(
    context: dg.AssetExecutionContext, platform: Platform
) -> Iterator[dg.Output[KafkaSlice] | dg.Output[CoWritten]]:
    """Read the batch's offsets from Kafka; records and ledger row are one transaction."""
    with cause_first():
        handed = plan_slice(platform.warehouse, platform.kafka, platform.settings, context.partition_key)
    yield dg.Output(handed, "orders")
    yield dg.Output(CoWritten(RAW_ORDERS.full_name), "batches")
