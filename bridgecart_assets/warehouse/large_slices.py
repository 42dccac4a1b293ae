"""Large slices of a topic, read by Spark's workers: each takes some offsets, as this machine takes all of a small one.

What belongs elsewhere: reading records and what is left out of them (`slices.py`), and what becomes of them
(`large_batches.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from bridgecart_assets.contracts import FORGOTTEN_CUSTOMERS, RAW_BATCHES, RAW_ORDERS
from bridgecart_assets.sources.kafka.continuity import LastRecord
from bridgecart_assets.sources.kafka.offsets import BatchPlan, OffsetRange
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.sources.kafka.reading import read_slice, verify_plan
from bridgecart_assets.warehouse.ingest import ledger
from bridgecart_assets.warehouse.lake.heads import Part, move_head, read_heads
from bridgecart_assets.warehouse.lake.iceberg import lake_of, spark_schema
from bridgecart_assets.warehouse.lake.session import Spark
from bridgecart_assets.warehouse.lake.shares import fill, pack, unpack, warehouse_in_memory
from bridgecart_assets.warehouse.slices import is_anybody_forgotten, note_batch, records_as_in_raw
from bridgecart_assets.warehouse.storage.outputs import KafkaSlice
from bridgecart_assets.warehouse.storage.tables import count_rows, prepare

if TYPE_CHECKING:
    from bridgecart_assets.sources.registry import SchemaSource

# To open a consumer takes as long as some thousand records.
OFFSETS_IN_PIECE = 200_000
_PIECE = "`number` int, `partition` int, `start` bigint, `end` bigint"
_LAST_OFFSETS = 'select "partition", max("offset") from raw.orders where batch_key = ? group by all order by all'


def can_be_read_by_workers(connection: duckdb.DuckDBPyConnection, handed: KafkaSlice) -> bool:
    """True unless the slice stands already, or its records say whom they are of by schemas that are not here yet."""
    screened_by_schemas = handed.schemas is not None and is_anybody_forgotten(connection)
    return not screened_by_schemas and not count_rows(connection, RAW_ORDERS, handed.plan.batch_key)


def write_large_slice(
    spark: Spark,
    connection: duckdb.DuckDBPyConnection,
    handed: KafkaSlice,
    timezone: str,
    properties: Mapping[str, str],
) -> None:
    """Write the records of the plan into `raw.orders` by one commit with these properties, and the row of the ledger.

    `timezone` is that of times that name none.
    Raises LedgerConflict, SparkFailed, RegistryFailure; where the topic cannot serve the plan what reading it raises.
    """
    plan = handed.plan
    for table in (RAW_BATCHES, FORGOTTEN_CUSTOMERS):
        prepare(connection, table)
    ledger.verify_plan(ledger.read_ledger(connection, only=plan.batch_key), plan)
    verify_plan(plan, topic_state(handed.connection, handed.known))
    head = read_heads(connection)[RAW_ORDERS.full_name]
    forgotten = pack(connection.sql(f"from {FORGOTTEN_CUSTOMERS.full_name}").to_arrow_table())
    # What a worker does not need it does not get.
    of_worker = replace(handed, known={}, schemas=None)

    def read(pieces: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for piece in (piece for some in pieces for piece in some.to_pylist()):
            with warehouse_in_memory(timezone) as warehouse:
                prepare(warehouse, FORGOTTEN_CUSTOMERS)
                fill(warehouse, FORGOTTEN_CUSTOMERS, unpack(forgotten))
                ranges = {piece["partition"]: OffsetRange(piece["start"], piece["end"])}
                yield from records_as_in_raw(warehouse, of_worker, ranges)

    pieces = pieces_of(plan)
    with lake_of(spark) as lake:
        lake.settle(RAW_ORDERS, head)
        numbered = [(number, *piece) for number, piece in enumerate(pieces)]
        one_a_task = lake.spark.createDataFrame(numbered, _PIECE).repartitionById(len(pieces), "number")
        rows = one_a_task.mapInArrow(read, spark_schema(RAW_ORDERS))
        part = Part(RAW_ORDERS, [plan.batch_key])
        move_head(connection, RAW_ORDERS, lake.replace_part(part, head, rows, held=False, properties=properties))
    if handed.schemas is not None:
        _keep_schemas(connection, handed.schemas, plan.batch_key)
    records = count_rows(connection, RAW_ORDERS, plan.batch_key)
    note_batch(connection, plan, records, _last_records(connection, handed), cluster_id=handed.cluster_id)


def pieces_of(plan: BatchPlan) -> Sequence[tuple[int, int, int]]:
    """The offsets of a plan in pieces for workers: of each its partition, start and end."""
    return [
        (partition, start, min(start + OFFSETS_IN_PIECE, span.end))
        for partition, span in sorted(plan.ranges.items())
        for start in range(span.start, span.end, OFFSETS_IN_PIECE)
    ]


def _last_records(connection: duckdb.DuckDBPyConnection, handed: KafkaSlice) -> Mapping[int, LastRecord]:
    """The last records that workers read, as the topic has them; what the topic had before it has to have still."""
    last = connection.execute(_LAST_OFFSETS, [handed.plan.batch_key]).fetchall()
    ranges = {partition: OffsetRange(offset, offset + 1) for partition, offset in last}
    plan = replace(handed.plan, ranges=ranges, lost={})
    again = read_slice(handed.connection, plan, stall_seconds=handed.stall_seconds, known=handed.known)
    for _ in again:
        pass
    return again.last_records


def _keep_schemas(connection: duckdb.DuckDBPyConnection, source: "SchemaSource", batch_key: str) -> None:
    # Only a topic with a registry pays for it.
    from bridgecart_assets.warehouse.ingest.schemas import keep_schemas_of_batch

    keep_schemas_of_batch(connection, source, batch_key)
