"""Slices of a topic or a file, written into `raw.orders` with their row of the ledger in the caller's transaction.

What belongs elsewhere: what a slice holds (`ingest/planning.py`), reading it (`sources/`), other tables (`tables.py`).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa

from bridgecart_assets.base.quoting import sql_names
from bridgecart_assets.contracts import FORGOTTEN_CUSTOMERS, RAW_BATCHES, RAW_ORDERS
from bridgecart_assets.sources.files.reading import read_rows
from bridgecart_assets.sources.kafka.continuity import LastRecord
from bridgecart_assets.sources.kafka.errors import HistoryRewritten, RecordsGone
from bridgecart_assets.sources.kafka.offsets import BatchPlan, OffsetRange
from bridgecart_assets.sources.kafka.reading import read_slice
from bridgecart_assets.sources.kafka.records import RECORD_SCHEMA, last_rows
from bridgecart_assets.sql import read_sql
from bridgecart_assets.sql.chain import files_before
from bridgecart_assets.warehouse.ingest.ledger import read_ledger, verify_plan
from bridgecart_assets.warehouse.mapped_records import NO_READERS, BatchReaders, readers_of_arriving
from bridgecart_assets.warehouse.mappings import MAPPED
from bridgecart_assets.warehouse.storage.bulk_inserts import on_one_thread
from bridgecart_assets.warehouse.storage.database import table_exists
from bridgecart_assets.warehouse.storage.outputs import FileSlice, KafkaSlice, RecordStream
from bridgecart_assets.warehouse.storage.tables import (
    ContractBroken,
    check_key,
    count_rows,
    delete_slice,
    prepare,
    run_steps,
)

if TYPE_CHECKING:
    from bridgecart_assets.sources.registry import SchemaSource

_CONTENTS = (
    'select "partition", "offset", hash(kafka_timestamp, timestamp_type, key, headers, payload) as content '
    "from raw.orders where batch_key = ?"
)

# `at time zone` says the same, and takes several times as long.
_AS_IN_RAW = """
select $topic_id as topic_id, "partition", "offset", make_timestamp(epoch_us(kafka_timestamp)) as kafka_timestamp,
    timestamp_type, key, headers, payload, $batch_key as batch_key
from ({arriving})
"""


def write_kafka_slice(connection: duckdb.DuckDBPyConnection, handed: KafkaSlice) -> BatchPlan:
    """Stream the records of the plan into `raw.orders` and write the ledger row, in one transaction.

    Returned is the plan as far as it was read.

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
    return _write_slice(
        connection, handed.plan, read, read_by=handed.mapping, cluster_id=handed.cluster_id, schemas=handed.schemas
    )


def write_file_slice(connection: duckdb.DuckDBPyConnection, handed: FileSlice) -> BatchPlan:
    """Stream the rows of the plan into `raw.orders` and write the ledger row, as of a topic.

    Raises LedgerConflict when the plan does not continue the ledger; errors of reading pass through.
    """
    read = partial(read_rows, handed.file, handed.plan, max_bytes=handed.max_bytes)
    return _write_slice(connection, handed.plan, read, read_by=handed.mapping, mapping=handed.mapping)


def records_as_in_raw(
    connection: duckdb.DuckDBPyConnection, handed: KafkaSlice, ranges: Mapping[int, OffsetRange]
) -> Iterator[pa.RecordBatch]:
    """The records of some offsets of the plan as rows of `raw.orders`, by a database that knows whom to forget.

    Raises ContractBroken; reading errors pass through.
    """
    plan = replace(handed.plan, ranges=ranges, lost={})
    prepare(connection, RAW_ORDERS)
    arrival = _screen(connection, plan.batch_key, handed.mapping)
    read = read_slice(handed.connection, plan, stall_seconds=handed.stall_seconds)
    with closing(read.ahead()) as chunks:
        for chunk in _Arriving(chunks):
            with _registered(connection, chunk, plan, arrival):
                rows = connection.sql(_AS_IN_RAW.format(arriving=arrival.sql), params=_of_plan(plan)).to_arrow_table()
            yield from rows.to_batches()


def note_batch(
    connection: duckdb.DuckDBPyConnection,
    covered: BatchPlan,
    records: int,
    last_records: Mapping[int, LastRecord],
    *,
    cluster_id: str | None,
    mapping: str | None = None,
) -> None:
    """Write the row of the ledger for a batch of so many records."""
    row = {
        "batch_key": covered.batch_key,
        "topic": covered.topic,
        "topic_id": covered.topic_id,
        "cluster_id": cluster_id,
        "ranges": _as_structs(covered.ranges),
        "lost": _as_structs(covered.lost),
        "planned_records": covered.records,
        "records": records,
        "last_records": _as_last_records(last_records),
        "mapping": mapping,
    }
    places = ", ".join(f"${name}" for name in row)
    connection.execute(f"insert into raw.batches ({sql_names(tuple(row))}) values ({places})", row)
    check_key(connection, RAW_BATCHES, RAW_BATCHES.full_name, covered.batch_key)


def _write_slice(
    connection: duckdb.DuckDBPyConnection,
    plan: BatchPlan,
    read_plan: Callable[[], RecordStream],
    *,
    read_by: str | None,
    cluster_id: str | None = None,
    mapping: str | None = None,
    schemas: "SchemaSource | None" = None,
) -> BatchPlan:
    for contract in (RAW_ORDERS, RAW_BATCHES):
        prepare(connection, contract)
    verify_plan(read_ledger(connection, only=plan.batch_key), plan)
    held = _hold(connection, plan.batch_key)
    arrival = _screen(connection, plan.batch_key, read_by)
    for contract in (RAW_ORDERS, RAW_BATCHES):
        delete_slice(connection, contract, plan.batch_key)
    read = read_plan()
    with closing(read.ahead()) as chunks:
        records = _store(connection, plan, _Arriving(chunks), arrival, schemas)
    if records < held:
        raise RecordsGone(
            f"batch {plan.batch_key} cannot be read again: the topic has {records} of its {held} records left, "
            "as after compaction; its rows stay as they were read"
        )
    if held:
        _compare_with_held(connection, plan.batch_key)
    note_batch(connection, read.covered, records, read.last_records, cluster_id=cluster_id, mapping=mapping)
    return read.covered


def is_anybody_forgotten(connection: duckdb.DuckDBPyConnection) -> bool:
    """True if the records of somebody are left out when they arrive."""
    return table_exists(connection, FORGOTTEN_CUSTOMERS) and bool(count_rows(connection, FORGOTTEN_CUSTOMERS))


@dataclass
class _Arriving:
    """The chunks of a slice on their way into raw, to be iterated once: how many records, and what stopped them.

    Raises ContractBroken at a record that is not behind the one before it of its partition, as when it comes twice.
    """

    chunks: Iterator[pa.RecordBatch]
    records: int = 0
    failure: BaseException | None = None
    _reached: dict[int, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            for chunk in self.chunks:
                self.follow(chunk)
                yield chunk
        except GeneratorExit:
            raise
        except BaseException as failure:
            self.failure = failure
            raise

    def follow(self, chunk: pa.RecordBatch) -> None:
        """Count the records of the next chunk and note how far they come."""
        partitions, offsets = (chunk.column(name).to_numpy() for name in ("partition", "offset"))
        for partition in last_rows(chunk):
            own = np.append(self._reached.get(partition, -1), offsets[partitions == partition])
            is_behind = np.diff(own) > 0
            if not is_behind.all():
                raise ContractBroken(
                    f"{RAW_ORDERS.full_name}: offset {own[1:][~is_behind][0]} of partition {partition} comes after "
                    f"{own[:-1][~is_behind][0]}, so that a record may stand twice; nothing was written."
                )
            self._reached[partition] = int(own[-1])
        self.records += chunk.num_rows


def _store(
    connection: duckdb.DuckDBPyConnection,
    plan: BatchPlan,
    arriving: _Arriving,
    arrival: "_Arrival",
    schemas: "SchemaSource | None",
) -> int:
    """Write the records into `raw.orders`; how many they are.

    Raises ContractBroken when there are not as many rows as records: those have coordinates of their own each.
    """
    if arrival == _AS_THEY_COME and schemas is None:
        rows = _insert_stream(connection, arriving, plan)
    else:
        rows = 0
        for chunk in arriving:
            if schemas is not None:
                _keep_schemas(connection, schemas, chunk)
            rows += _insert_chunk(connection, chunk, plan, arrival)
    if rows != arriving.records:
        raise ContractBroken(
            f"{RAW_ORDERS.full_name}: {arriving.records} records became {rows} rows; nothing was written."
        )
    return rows


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


_AS_THEY_COME = _Arrival()


def _screen(connection: duckdb.DuckDBPyConnection, batch_key: str, mapping: str | None) -> _Arrival:
    """The records of the batch as they arrive, which the mapping of this text reads."""
    if not is_anybody_forgotten(connection):
        return _AS_THEY_COME
    run_steps(connection, files_before("internal/screened_chunk"), {})
    connection.execute(
        'create temp table erased_before as select "partition", "offset" from raw.orders '
        "where batch_key = ? and payload = forgotten_payload()",
        [batch_key],
    )
    return _Arrival(read_sql("internal/screened_chunk"), readers_of_arriving(connection, batch_key, mapping))


def _insert_stream(connection: duckdb.DuckDBPyConnection, arriving: _Arriving, plan: BatchPlan) -> int:
    """Insert all chunks by one statement, which takes them as they come; the number of rows."""
    connection.register("chunk", pa.RecordBatchReader.from_batches(RECORD_SCHEMA, iter(arriving)))
    try:
        with on_one_thread(connection):
            rows = _insert(connection, plan, _AS_THEY_COME)
    except duckdb.Error:
        # DuckDB puts what the reading raised into an error of its own.
        if arriving.failure is not None:
            raise arriving.failure from None
        raise
    connection.unregister("chunk")
    return rows


def _insert_chunk(
    connection: duckdb.DuckDBPyConnection, chunk: pa.RecordBatch, plan: BatchPlan, arrival: _Arrival
) -> int:
    with _registered(connection, chunk, plan, arrival):
        return _insert(connection, plan, arrival)


@contextmanager
def _registered(
    connection: duckdb.DuckDBPyConnection, chunk: pa.RecordBatch, plan: BatchPlan, arrival: _Arrival
) -> Iterator[None]:
    """Meanwhile the chunk, and what its records say by their mapping, can be read by SQL."""
    connection.register("chunk", chunk)
    connection.register("said_of_chunk", _said_of_chunk(connection, arrival.readers, _of_plan(plan)))
    yield
    connection.unregister("said_of_chunk")
    connection.unregister("chunk")


def _insert(connection: duckdb.DuckDBPyConnection, plan: BatchPlan, arrival: _Arrival) -> int:
    ((rows,),) = connection.execute(
        f"insert into raw.orders ({sql_names(RAW_ORDERS.column_names)}) {_AS_IN_RAW.format(arriving=arrival.sql)}",
        _of_plan(plan),
    ).fetchall()
    return int(rows)


def _of_plan(plan: BatchPlan) -> Mapping[str, str]:
    return {"topic_id": plan.topic_id, "batch_key": plan.batch_key}


def _said_of_chunk(
    connection: duckdb.DuckDBPyConnection, readers: BatchReaders, parameters: Mapping[str, str]
) -> pa.Table:
    if not readers.of_batch:
        return MAPPED.empty_table()
    as_in_raw = _AS_IN_RAW.format(arriving="from chunk")
    return readers.read(connection.sql(as_in_raw, params=parameters).to_arrow_table().to_reader())


def _as_structs(offsets: Mapping[int, OffsetRange]) -> list[dict[str, int]]:
    return [{"partition": p, "start": span.start, "end": span.end} for p, span in sorted(offsets.items())]
