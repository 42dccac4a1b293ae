"""Records read by a mapping: from their bytes to the fields of the event, in a DuckDB of its own.

What belongs elsewhere: which of them count, by the rules of the contract (`sql/silver`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bridgecart_assets.sources.mapping.decoding import Decoded, Decoder
from bridgecart_assets.sources.mapping.decoding.schemas import NO_SCHEMAS, Schemas
from bridgecart_assets.sources.mapping.decoding.shapes import Shape
from bridgecart_assets.sources.mapping.mapping_file import Mapping
from bridgecart_assets.sources.mapping.query import Form
from bridgecart_assets.sources.mapping.sandbox import kept_sandbox

COORDINATES = ("topic_id", "partition", "offset", "kafka_timestamp", "batch_key")

_RECORDS = "records"
# Records that one thread takes at a time.
_CHUNK = 16_384
# Why a record cannot be read, whatever its bytes mean.
_TOLD_BY_BYTES = """case
    when payload = forgotten_payload() then 'forgotten'
    when payload is null then 'tombstone'
    when octet_length(payload) > {most} then 'oversized' end"""

Places = NDArray[np.int64]


@dataclass(frozen=True)
class _Part:
    """Records at some places, ascending, whose values (or keys) have one form."""

    places: Places
    form: Form
    column: pa.Array | pa.ChunkedArray

    def at(self, places: Places) -> pa.Array | pa.ChunkedArray:
        """The values at some of its places."""
        if len(places) == len(self.places):
            return self.column
        return self.column.take(pa.array(np.searchsorted(self.places, places)))


class MappedReader:
    """Reads records by a mapping; of each comes one row, in their order. `schemas` has those of the registry.

    Raises MappingError where an expression does not fit what a schema of the registry has.
    """

    def __init__(
        self, mapping: Mapping, *, max_payload_bytes: int, naive_timezone: str, schemas: Schemas = NO_SCHEMAS
    ) -> None:
        self.mapping = mapping
        self._max_payload_bytes = max_payload_bytes
        self._timezone = naive_timezone
        self._schemas = schemas
        self._queries: dict[tuple[Form, Form], str] = {}

    def read(self, records: pa.RecordBatchReader) -> pa.Table:
        """The table `mapped` of records, which have their coordinates, key, headers and payload."""
        if {self.mapping.decode.value, self.mapping.decode.key} == {"json"}:
            return self._read_as_they_come(records)
        # Of no records once, for the columns.
        parts = [self._read_decoded(pa.Table.from_batches([some])) for some in records]
        return pa.concat_tables(parts or [self._read_decoded(records.schema.empty_table())])

    def _read_as_they_come(self, records: pa.RecordBatchReader) -> pa.Table:
        """Records that need no decoding: one query reads all of them, as to plan it takes longer than ten thousand."""
        coordinates: list[pa.RecordBatch] = []

        def noted() -> Iterator[pa.RecordBatch]:
            for some in records:
                coordinates.append(some.select(list(COORDINATES)))
                yield from _in_chunks(some)

        with self._registered(pa.RecordBatchReader.from_batches(records.schema, noted())) as connection:
            undecoded = (
                f"(select payload as value, key, headers, kafka_timestamp, {self._told_by_bytes} as undecodable "
                f"from {_RECORDS})"
            )
            read = connection.sql(self._sql(connection, Form.JSON, Form.JSON, undecoded)).to_arrow_table()
        placed = pa.Table.from_batches(coordinates, pa.schema([records.schema.field(name) for name in COORDINATES]))
        return _with_coordinates(placed, read)

    def _read_decoded(self, records: pa.Table) -> pa.Table:
        """Records that are decoded before, those of one form by a query of their own."""
        told = self._told(records)
        compiled, decode = self.mapping.compiled, self.mapping.decode
        payloads = records["payload"]
        # Taking some out copies all, and mostly there are none.
        readable = payloads if told.null_count == len(told) else pc.if_else(pc.is_null(told), payloads, None)
        values, bad_values = self._parts(decode.value, readable, compiled.value)
        keys, bad_keys = self._parts(decode.key, records["key"], compiled.key)
        told = pc.coalesce(told, bad_values, bad_keys)
        read = [
            (places, self._read(records, told, values[value], keys[key], places))
            for value, key, places in _alike(values, keys, records.num_rows)
        ]
        return _with_coordinates(records, _in_order(read))

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        return kept_sandbox(self._timezone)

    def _parts(self, kind: str, column: pa.ChunkedArray, shape: Shape | None) -> tuple[Sequence[_Part], pa.Array]:
        """The values (or keys) of records in parts of one form, and why the others cannot be read."""
        everywhere = np.arange(len(column))
        if kind == "json":
            return [_Part(everywhere, Form.JSON, column)], pa.nulls(len(column), pa.string())
        decoded = Decoded([], {}) if shape is None else self._decoder(kind, shape).decoded(column.to_pylist())
        form = Form.JSON if kind == "json-registry" else Form.DECODED
        parts = [_Part(group.places.to_numpy(), form, group.column) for group in decoded.groups]
        absent = np.setdiff1d(everywhere, np.concatenate([everywhere[:0], *(part.places for part in parts)]))
        parts.append(_Part(absent, Form.ABSENT, pa.nulls(len(absent), pa.binary())))
        return parts, _reasons(decoded, len(column))

    def _decoder(self, kind: str, shape: Shape) -> Decoder:
        decode = self.mapping.decode
        return Decoder(kind, shape, self._schemas, decode.descriptors, decode.message)

    def _read(self, records: pa.Table, told: pa.ChunkedArray, value: _Part, key: _Part, places: Places) -> pa.Table:
        """The records at some places, of one form, as the mapping reads them."""
        rest = {"headers": records["headers"], "kafka_timestamp": records["kafka_timestamp"], "undecodable": told}
        if len(places) < records.num_rows:
            rest = {name: column.take(pa.array(places)) for name, column in rest.items()}
        table = pa.table({"value": value.at(places), "key": key.at(places), **rest})
        with self._registered(_as_chunks(table)) as connection:
            return connection.sql(self._sql(connection, value.form, key.form, _RECORDS)).to_arrow_table()

    def _sql(self, connection: duckdb.DuckDBPyConnection, value: Form, key: Form, records: str) -> str:
        """The query on records of these forms, made once; but what is decoded has other types by another schema."""
        forms = (value, key)
        if forms not in self._queries or Form.DECODED in forms:
            self._queries[forms] = self.mapping.query(value, key).sql(connection, records)
        return self._queries[forms]

    def _told(self, records: pa.Table) -> pa.ChunkedArray:
        """The reason why each record cannot be read, as far as its bytes tell; NULL where it may be."""
        with self._registered(_as_chunks(records.select(["payload"]))) as connection:
            told = connection.sql(f"select {self._told_by_bytes} as told from {_RECORDS}")
            return told.to_arrow_table()["told"]

    @property
    def _told_by_bytes(self) -> str:
        return _TOLD_BY_BYTES.format(most=self._max_payload_bytes)

    @contextmanager
    def _registered(self, records: pa.Table | pa.RecordBatchReader) -> Iterator[duckdb.DuckDBPyConnection]:
        self._connection.register(_RECORDS, records)
        try:
            yield self._connection
        finally:
            self._connection.unregister(_RECORDS)


def _as_chunks(records: pa.Table) -> pa.Table:
    return pa.Table.from_batches(records.to_batches(max_chunksize=_CHUNK), records.schema)


def _in_chunks(records: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    return (records.slice(first, _CHUNK) for first in range(0, records.num_rows, _CHUNK))


def _reasons(decoded: Decoded, count: int) -> pa.Array:
    reasons: list[str | None] = [None] * count
    for place, reason in decoded.unreadable.items():
        reasons[place] = reason
    return pa.array(reasons, pa.string())


def _alike(values: Sequence[_Part], keys: Sequence[_Part], count: int) -> Iterator[tuple[int, int, Places]]:
    """Places of the records whose value is in one part and whose key in another: their numbers come first."""
    if count == 0 or len(values) == len(keys) == 1:
        yield 0, 0, np.arange(count)
        return
    pairs = _numbers(values, count) * len(keys) + _numbers(keys, count)
    for pair in np.unique(pairs):
        value, key = divmod(int(pair), len(keys))
        yield value, key, np.flatnonzero(pairs == pair)


def _numbers(parts: Sequence[_Part], count: int) -> Places:
    """The number of the part that each record is in."""
    numbers = np.zeros(count, np.int64)
    for number, part in enumerate(parts):
        numbers[part.places] = number
    return numbers


def _in_order(read: Sequence[tuple[Places, pa.Table]]) -> pa.Table:
    """Rows of several tables in the order of their places."""
    if len(read) == 1:
        return read[0][1]
    order = np.argsort(np.concatenate([places for places, _ in read]))
    return pa.concat_tables([table for _, table in read]).take(pa.array(order))


def _with_coordinates(records: pa.Table, read: pa.Table) -> pa.Table:
    columns = {name: records[name] for name in COORDINATES} | {name: read[name] for name in read.column_names}
    return pa.table(columns)
