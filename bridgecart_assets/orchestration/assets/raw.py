"""Raw: the records of the topic, and the rows of imported files, as they arrived; and the ledger of batches."""

from collections.abc import Iterator, Mapping
from logging import Logger
from pathlib import Path
from typing import TypeAlias

import dagster as dg
from confluent_kafka import KafkaException

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.contracts import RAW_BATCHES, RAW_ORDERS
from bridgecart_assets.orchestration.asset_specs import KAFKA_ORDERS, OWNERS, POOL, batch_table
from bridgecart_assets.orchestration.failures import cause_first
from bridgecart_assets.orchestration.metadata import ledger_metadata
from bridgecart_assets.orchestration.partitions import BATCHES
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.sources.kafka.groups import commit_offsets
from bridgecart_assets.warehouse.ingest.ledger import Ledger, history_note, load_ledger
from bridgecart_assets.warehouse.storage.outputs import KafkaSlice, Table

kafka_orders = dg.AssetSpec(
    key=KAFKA_ORDERS,
    description="The Kafka topic that carries the order events. Its lag is observed by the orders sensor.",
    group_name="kafka",
    kinds={"kafka"},
    owners=OWNERS,
)


class ImportedFile(dg.Config):
    """A file that has the records of the batch, and the text of the mapping that reads them; without it the topic."""

    file: str | None = None
    mapping: str | None = None


@dg.multi_asset(
    name="raw_batch",
    outs={"orders": batch_table(RAW_ORDERS, kinds={"kafka"}), "batches": batch_table(RAW_BATCHES, kinds={"kafka"})},
    deps=[KAFKA_ORDERS],
    partitions_def=BATCHES,
    pool=POOL,
)
def raw_batch(
    context: dg.AssetExecutionContext, config: ImportedFile, platform: Platform
) -> Iterator[dg.Output[Table]]:
    """Read the batch's offsets from Kafka, or from a file; records and ledger row are one transaction."""
    key = context.partition_key
    with cause_first():
        if config.file is None:
            metadata = _after_commit(platform, platform.ingest(key), context.log)
        else:
            platform.ingest_file(key, Path(config.file), config.mapping)
            metadata = _of_batch(platform, load_ledger(platform.warehouse, only=key), key)
    yield dg.Output(Table(RAW_ORDERS.full_name), "orders", metadata=metadata)
    yield dg.Output(Table(RAW_BATCHES.full_name), "batches")


Metadata: TypeAlias = Mapping[str, dg.MetadataValue | str | int]


def _of_batch(platform: Platform, ledger: Ledger, batch_key: str) -> Metadata:
    size = platform.warehouse.path.stat().st_size
    return {**ledger_metadata(ledger, ledger.plans[batch_key]), "warehouse_bytes": size}


def _after_commit(platform: Platform, ingested: KafkaSlice, log: Logger) -> Metadata:
    """Tell the consumer group where the ledger ends; what the materialization says of the batch."""
    plan = ingested.plan
    ledger = load_ledger(platform.warehouse, only=plan.batch_key)
    committed = ledger.committed(plan.topic_id)
    history = history_note(platform.warehouse)
    try:
        commit_offsets(ingested.connection, platform.settings.kafka_group, committed)
    except (KafkaException, BridgeCartError) as error:
        # The warehouse has committed: the group's offsets only feed the monitoring tools of others.
        log.warning(f"The consumer group's offsets were not committed, for monitoring only: {error}")
    return {
        **_of_batch(platform, ledger, plan.batch_key),
        "lag": sum(max(0, end - committed[p]) for p, end in ingested.topic_ends.items() if p in committed),
        **({} if history is None else {"history": history}),
    }
