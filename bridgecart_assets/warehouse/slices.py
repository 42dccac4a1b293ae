"""Slices of a topic or a file, written into `raw.orders` with their row of the ledger in the caller's transaction.

What belongs elsewhere: what a slice holds (`ingest/planning.py`), reading it (`sources/`), other tables (`tables.py`).
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from bridgecart_assets.base.quoting import sql_name
from bridgecart_assets.contracts import FORGOTTEN_CUSTOMERS, RAW_BATCHES, RAW_ORDERS
from bridgecart_assets.sources.files.reading import read_rows
from bridgecart_assets.sources.kafka.continuity import LastRecord
from bridgecart_assets.sources.kafka.errors import HistoryRewritten, RecordsGone
from bridgecart_assets.sources.kafka.offsets import BatchPlan, OffsetRange
from bridgecart_assets.sources.kafka.reading import read_slice
from bridgecart_assets.sql import read_sql
from bridgecart_assets.sql.chain import files_before
from bridgecart_assets.warehouse.ingest.ledger import read_ledger, verify_plan
from bridgecart_assets.warehouse.mapped_records import NO_READERS, BatchReaders, readers_of_arriving
from bridgecart_assets.warehouse.mappings import MAPPED
from bridgecart_assets.warehouse.storage.database import table_exists
from bridgecart_assets.warehouse.storage.outputs import FileSlice, KafkaSlice, Reading
from bridgecart_assets.warehouse.storage.tables import check_key, count_rows, delete_slice, prepare, run_steps

if TYPE_CHECKING:
    from bridgecart_assets.sources.registry import SchemaSource

_CONTENTS = (
    'select "partition", "offset", hash(kafka_timestamp, timestamp_type, key, headers, payload) as content '
    "from raw.orders where batch_key = ?"
)

_CHUNK_AS_IN_RAW = """
select $topic_id as topic_id, "partition", "offset", kafka_timestamp at time zone 'UTC' as kafka_timestamp,
    $batch_key as batch_key, key, headers, payload
from chunk
"""


def write_kafka_slice(connection: duckdb.DuckDBPyConnection, handed: KafkaSlice) -> None:
    """Stream the records of the plan into `raw.orders` and write the ledger row, in one transaction.

    Raises LedgerConflict when the plan does not continue the ledger, RecordsGone when a batch to be written again
    would lose records, HistoryRewritten when it would get others, RegistryFailure when schemas of the records cannot
    be had; reading errors pass through.
    """
    read = partial(
        read_slice,
        handed.connection,
        handed.plan,
        stall_seconds=handed.stall_seconds,
        max_bytes=handed.max_bytes,
        known=handed.known,
    )
    _write_slice(
        connection, handed.plan, read, read_by=handed.mapping, cluster_id=handed.cluster_id, schemas=handed.schemas
    )


def write_file_slice(connection: duckdb.DuckDBPyConnection, handed: FileSlice) -> None:
    """Stream the rows of the plan into `raw.orders` and write the ledger row, as of a topic.

    Raises LedgerConflict when the plan does not continue the ledger; errors of reading pass through.
    """
    read = partial(read_rows, handed.file, handed.plan, max_bytes=handed.max_bytes)
    _write_slice(connection, handed.plan, read, read_by=handed.mapping, mapping=handed.mapping)


def _write_slice(
    connection: duckdb.DuckDBPyConnection,
    plan: BatchPlan,
    read_plan: Callable[[], Reading],
    *,
    read_by: str | None,
    cluster_id: str | None = None,
    mapping: str | None = None,
    schemas: "SchemaSource | None" = None,
) -> None:
    for contract in (RAW_ORDERS, RAW_BATCHES):
        prepare(connection, contract)
    verify_plan(read_ledger(connection, only=plan.batch_key), plan)
    held = _hold(connection, plan.batch_key)
    arrival = _screen(connection, plan.batch_key, read_by)
    for contract in (RAW_ORDERS, RAW_BATCHES):
        delete_slice(connection, contract, plan.batch_key)
    records = 0
    read = read_plan()
    with closing(read.ahead()) as chunks:
        for chunk in chunks:
            if schemas is not None:
                _keep_schemas(connection, schemas, chunk)
            _insert_chunk(connection, chunk, plan, arrival)
            records += chunk.num_rows
    if records < held:
        raise RecordsGone(
            f"batch {plan.batch_key} cannot be read again: the topic has {records} of its {held} records left, "
            "as after compaction; its rows stay as they were read"
        )
    if held:
        _compare_with_held(connection, plan.batch_key)
    covered = read.covered
    row = {
        "batch_key": covered.batch_key,
        "topic": covered.topic,
        "topic_id": covered.topic_id,
        "cluster_id": cluster_id,
        "ranges": _as_structs(covered.ranges),
        "lost": _as_structs(covered.lost),
        "planned_records": covered.records,
        "records": records,
        "last_records": _as_last_records(read.last_records),
        "mapping": mapping,
    }
    places = ", ".join(f"${name}" for name in row)
    connection.execute(f"insert into raw.batches ({_names(tuple(row))}) values ({places})", row)
    for contract in (RAW_ORDERS, RAW_BATCHES):
        check_key(connection, contract, contract.full_name, plan.batch_key)


def _keep_schemas(connection: duckdb.DuckDBPyConnection, source: "SchemaSource", chunk: pa.RecordBatch) -> None:
    # Only a topic with a registry pays for it.
    from bridgecart_assets.warehouse.ingest.schemas import keep_schemas

    keep_schemas(connection, source, chunk)


def _hold(connection: duckdb.DuckDBPyConnection, batch_key: str) -> int:
    """Note what the batch's rows say, before they are written again; how many there are."""
    held = count_rows(connection, RAW_ORDERS, batch_key)
    if held:
        connection.execute(f"create temp table held as {_CONTENTS}", [batch_key])
    return held


def _compare_with_held(connection: duckdb.DuckDBPyConnection, batch_key: str) -> None:
    """Raise HistoryRewritten unless every record that the batch held was read again as it stood."""
    first = connection.execute(
        f'select count(*) over (), "partition", "offset" from (from held except {_CONTENTS}) order by all limit 1',
        [batch_key],
    ).fetchone()
    if first is not None:
        count, partition, offset = first
        raise HistoryRewritten(
            f"batch {batch_key} cannot be read again: the topic has other records in place of {count} of its own, the "
            f"first at offset {offset} of partition {partition}; its rows stay as they were read"
        )
    connection.execute("drop table held")


def _as_last_records(last: Mapping[int, LastRecord]) -> list[dict[str, int | str]]:
    return [
        {"partition": partition, "offset": record.offset, "digest": record.digest}
        for partition, record in sorted(last.items())
    ]


@dataclass(frozen=True)
class _Arrival:
    """Records of a chunk on their way to raw: as they are, or without what the forgotten said."""

    sql: str = "from chunk"
    readers: BatchReaders = NO_READERS


def _screen(connection: duckdb.DuckDBPyConnection, batch_key: str, mapping: str | None) -> _Arrival:
    """The records of the batch as they arrive, which the mapping of this text reads."""
    if not table_exists(connection, FORGOTTEN_CUSTOMERS) or not count_rows(connection, FORGOTTEN_CUSTOMERS):
        return _Arrival()
    run_steps(connection, files_before("internal/screened_chunk"), {})
    connection.execute(
        'create temp table erased_before as select "partition", "offset" from raw.orders '
        "where batch_key = ? and payload = forgotten_payload()",
        [batch_key],
    )
    return _Arrival(read_sql("internal/screened_chunk"), readers_of_arriving(connection, batch_key, mapping))


def _insert_chunk(
    connection: duckdb.DuckDBPyConnection, chunk: pa.RecordBatch, plan: BatchPlan, arrival: _Arrival
) -> None:
    parameters = {"topic_id": plan.topic_id, "batch_key": plan.batch_key}
    connection.register("chunk", chunk)
    connection.register("said_of_chunk", _said_of_chunk(connection, arrival.readers, parameters))
    connection.execute(
        f"insert into raw.orders ({_names(RAW_ORDERS.column_names)}) "
        'select $topic_id, "partition", "offset", kafka_timestamp at time zone \'UTC\', timestamp_type, key, '
        f"headers, payload, $batch_key from ({arrival.sql})",
        parameters,
    )
    connection.unregister("said_of_chunk")
    connection.unregister("chunk")


def _said_of_chunk(
    connection: duckdb.DuckDBPyConnection, readers: BatchReaders, parameters: Mapping[str, str]
) -> pa.Table:
    if not readers.of_batch:
        return MAPPED.empty_table()
    return readers.read(connection.sql(_CHUNK_AS_IN_RAW, params=parameters).to_arrow_table())


def _as_structs(offsets: Mapping[int, OffsetRange]) -> list[dict[str, int]]:
    return [{"partition": p, "start": span.start, "end": span.end} for p, span in sorted(offsets.items())]


def _names(columns: Iterable[str]) -> str:
    return ", ".join(map(sql_name, columns))
