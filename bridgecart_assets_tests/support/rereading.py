"""Records arriving from Kafka in the raw layer as they do in a run, without a broker."""

from collections.abc import Sequence

import pyarrow as pa

from bridgecart_assets.contracts import RAW_ORDERS
from bridgecart_assets.sources.kafka.offsets import BatchPlan
from bridgecart_assets.sources.kafka.records import RECORD_SCHEMA
from bridgecart_assets.warehouse import slices
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.storage.tables import delete_slice, prepare
from bridgecart_assets_tests.sql.silver import Placed
from bridgecart_assets_tests.support.records import TOPIC_ID


def read_batch(warehouse: Warehouse, batch_key: str, records: Sequence[Placed], *, mapping: str | None = None) -> None:
    """Replace the batch's raw rows by what the topic serves; the mapping of this text reads them."""
    chunk = pa.RecordBatch.from_pylist(
        [
            {
                "partition": one.record.partition,
                "offset": one.offset,
                "kafka_timestamp": one.record.kafka_timestamp,
                "timestamp_type": "create",
                "key": one.record.key,
                "headers": [{"name": name, "value": value} for name, value in one.record.headers],
                "payload": one.record.payload,
            }
            for one in records
        ],
        schema=RECORD_SCHEMA,
    )
    with warehouse.transaction() as connection:
        prepare(connection, RAW_ORDERS)
        arrived = slices._screen(connection, batch_key, mapping)
        delete_slice(connection, RAW_ORDERS, batch_key)
        slices._insert_chunk(connection, chunk, BatchPlan(batch_key, "orders", TOPIC_ID, {}), arrived)
