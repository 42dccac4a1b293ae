"""Decoding: framed records of a topic with a schema registry as columns, and why a record cannot be read."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from bridgecart_assets.sources.mapping.decoding.arrow_types import FieldType, column_of, same
from bridgecart_assets.sources.mapping.decoding.framing import HEADER_BYTES, body_of, schema_id_of
from bridgecart_assets.sources.mapping.decoding.schemas import (
    NO_SCHEMAS,
    Schema,
    Schemas,
    SchemaUnusable,
    UnreadableRecord,
    decoder_missing,
)
from bridgecart_assets.sources.mapping.decoding.shapes import Shape

NEEDS_SCHEMAS = MappingProxyType({"avro-registry": "AVRO", "protobuf-registry": "PROTOBUF"})
"""Ways of decoding that ask for a record's schema, and the kind that it has to be. JSON is read without its schema."""

BAD_FRAMING = "bad_framing"
UNKNOWN_SCHEMA = "unknown_schema"
BAD_SCHEMA = "bad_schema"
BAD_AVRO = "bad_avro"
BAD_PROTOBUF = "bad_protobuf"

# Records that are Python's at a time: few, whatever they hold, as a byte can become an object of hundreds.
_MOST_RECORDS = 2_000
_MOST_BYTES = 1024 * 1024

Read = Callable[[bytes], Any]


@dataclass(frozen=True)
class Group:
    """Records that have the same fields: their places, ascending, among those that were given, and their values."""

    places: pa.Array
    column: pa.Array


@dataclass(frozen=True)
class Decoded:
    """Readable records in groups, and the reasons of those that are not, by place. One without value is in neither."""

    groups: Sequence[Group]
    unreadable: dict[int, str]


@dataclass(frozen=True)
class _Reader:
    """A function that reads a record, and the type of the fields that a mapping uses."""

    read: Read
    field_type: FieldType


@dataclass
class Decoder:
    """Reads the records of a topic, `kind` being one of the mapping's ways of decoding.

    `shape` says which paths are used: {field: shape} for parts, [shape] for items of a list, a text for a value as a
    whole. `descriptors` and `message` are Protobuf's. Raises DecoderMissing without the packages for it.
    """

    kind: str
    shape: Shape
    schemas: Schemas = NO_SCHEMAS
    descriptors: bytes = b""
    message: str = ""
    _readers: dict[int, _Reader | str] = field(default_factory=dict, init=False, repr=False)

    def decoded(self, records: Sequence[bytes | None]) -> Decoded:
        """Records as columns. None is passed over."""
        unreadable: dict[int, str] = {}
        columns: dict[pa.DataType, list[tuple[list[int], pa.Array]]] = {}
        for schema_id, places in _by_schema(records, unreadable).items():
            reader = self._reader(schema_id)
            if isinstance(reader, str):
                unreadable |= dict.fromkeys(places, reader)
                continue
            for some in _in_parts(records, places):
                columns.setdefault(reader.field_type.seen, []).append(self._column(reader, records, some, unreadable))
        return Decoded([_group(parts) for parts in columns.values()], unreadable)

    def _column(
        self, reader: _Reader, records: Sequence[bytes | None], places: Sequence[int], unreadable: dict[int, str]
    ) -> tuple[list[int], pa.Array]:
        read: list[int] = []
        values: list[Any] = []
        for place in places:
            try:
                values.append(reader.read(body_of(records[place] or b"")))
                read.append(place)
            except UnreadableRecord:
                unreadable[place] = self._unreadable
        unfit: set[int] = set()
        column = _fitting(values, reader.field_type, 0, unfit)
        unreadable |= dict.fromkeys((read[index] for index in unfit), self._unreadable)
        return [place for index, place in enumerate(read) if index not in unfit], column

    @property
    def _unreadable(self) -> str:
        return BAD_PROTOBUF if self.kind == "protobuf-registry" else BAD_AVRO

    def _reader(self, schema_id: int) -> _Reader | str:
        """The reader of a schema, or why there is none."""
        if self.kind not in NEEDS_SCHEMAS:
            return _Reader(bytes, same(pa.binary()))
        if schema_id not in self._readers:
            schema = self.schemas.schema_of(schema_id)
            self._readers[schema_id] = UNKNOWN_SCHEMA if schema is None else self._made(schema)
        return self._readers[schema_id]

    def _made(self, schema: Schema) -> _Reader | str:
        if schema.kind != NEEDS_SCHEMAS[self.kind]:
            return BAD_SCHEMA
        try:
            return _Reader(*self._read_function(schema))
        except SchemaUnusable:
            return BAD_SCHEMA

    def _read_function(self, schema: Schema) -> tuple[Read, FieldType]:
        try:
            if self.kind == "avro-registry":
                from bridgecart_assets.sources.mapping.decoding.avro import avro_reader

                return avro_reader(schema, self.shape)
            from bridgecart_assets.sources.mapping.decoding.protobuf import protobuf_reader

            return protobuf_reader(self.descriptors, self.message, self.shape)
        except ImportError:
            raise decoder_missing(self.kind) from None


def _by_schema(records: Sequence[bytes | None], unreadable: dict[int, str]) -> dict[int, list[int]]:
    """Places of the records by the ids of their schemas; those without a frame are noted as unreadable."""
    by_header: dict[bytes, list[int]] = {}
    for place, record in enumerate(records):
        if record is not None:
            by_header.setdefault(record[:HEADER_BYTES], []).append(place)
    by_schema = {}
    for header, places in by_header.items():
        schema_id = schema_id_of(header)
        if schema_id is None:
            unreadable |= dict.fromkeys(places, BAD_FRAMING)
        else:
            by_schema[schema_id] = places
    return by_schema


def _in_parts(records: Sequence[bytes | None], places: Sequence[int]) -> Iterator[Sequence[int]]:
    """Places in parts of bounded size."""
    size = sum(len(records[place] or b"") for place in places[:_MOST_RECORDS])
    if len(places) > _MOST_RECORDS:
        for first in range(0, len(places), _MOST_RECORDS):
            yield from _in_parts(records, places[first : first + _MOST_RECORDS])
    elif size <= _MOST_BYTES or len(places) == 1:
        yield places
    else:
        half = len(places) // 2
        yield from _in_parts(records, places[:half])
        yield from _in_parts(records, places[half:])


def _fitting(values: Sequence[Any], kind: FieldType, first: int, unfit: set[int]) -> pa.Array:
    """The values that fit their type, as a column; the others are noted, found by halving."""
    try:
        return column_of(values, kind)
    except (ValueError, OverflowError, pa.ArrowException):
        if len(values) == 1:
            unfit.add(first)
            return column_of([], kind)
    half = len(values) // 2
    return pa.concat_arrays(
        [_fitting(values[:half], kind, first, unfit), _fitting(values[half:], kind, first + half, unfit)]
    )


def _group(parts: Sequence[tuple[list[int], pa.Array]]) -> Group:
    places = pa.array([place for some, _ in parts for place in some], pa.int64())
    column = pa.concat_arrays([column for _, column in parts])
    if all(before[-1:] < after[:1] for (before, _), (after, _) in pairwise(parts)):
        return Group(places, column)
    # Of several schemas with the same fields they take turns.
    order = pc.sort_indices(places)
    return Group(places.take(order), column.take(order))
