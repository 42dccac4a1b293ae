"""Records as raw has them, for tests that read them by a mapping."""

from collections.abc import Mapping as Entries
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from bridgecart_assets.sources.mapping.decoding.schemas import NO_SCHEMAS, Schemas
from bridgecart_assets.sources.mapping.mapping_file import Mapping, load_mapping, parse_mapping
from bridgecart_assets.sources.mapping.reading import COORDINATES, MappedReader

SAMPLES = Path(__file__).parents[2] / "samples"
_SPAN = (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
SENT_AT = datetime(2026, 1, 10, tzinfo=UTC)
Row = Entries[str, object]

_HEADERS = pa.list_(pa.struct([("name", pa.string()), ("value", pa.binary())]))
_REQUIRED = {
    "customer_id": "value.customer",
    "purchase_date": "value.at",
    "purchase_amount": "value.total",
}


def sample_mapping(name: str) -> Mapping:
    """A mapping of the samples."""
    return load_mapping(SAMPLES / "mappings" / f"{name}.toml")


def sample_lines(name: str) -> list[bytes]:
    """The records of a sample."""
    return (SAMPLES / f"{name}.ndjson").read_bytes().splitlines()


def mapping_of(order: Entries[str, str] | None = None, rest: str = "") -> Mapping:
    """A mapping with these expressions beside those of the required fields."""
    fields = "\n".join(f"{name} = '''{text}'''" for name, text in (_REQUIRED | dict(order or {})).items())
    return _parsed(f"format = 1\n{rest}\n[order]\n{fields}\n")


@cache
def _parsed(text: str) -> Mapping:
    return parse_mapping(text, "mapping.toml")


def raw_records(
    payloads: Sequence[bytes | None],
    *,
    keys: Sequence[bytes | None] | None = None,
    headers: Sequence[Sequence[tuple[str, bytes]] | None] | None = None,
) -> pa.Table:
    """Records of one partition, one after the other."""
    count = len(payloads)
    named = [None if one is None else [{"name": n, "value": v} for n, v in one] for one in headers or [None] * count]
    return pa.table(
        {
            "topic_id": pa.array(["topic"] * count, pa.string()),
            "partition": pa.array([0] * count, pa.int32()),
            "offset": pa.array(range(count), pa.int64()),
            "kafka_timestamp": pa.array([SENT_AT.replace(tzinfo=None)] * count, pa.timestamp("us")),
            "batch_key": pa.array(["20260110T000000Z"] * count, pa.string()),
            "key": pa.array(keys or [None] * count, pa.binary()),
            "headers": pa.array(named, _HEADERS),
            "payload": pa.array(payloads, pa.binary()),
        }
    )


def reader(mapping: Mapping, *, zone: str = "UTC", schemas: Schemas = NO_SCHEMAS) -> MappedReader:
    """A reader of payloads up to a hundred thousand bytes."""
    if schemas is NO_SCHEMAS:
        return _reader(mapping.text, zone)
    return MappedReader(mapping, max_payload_bytes=100_000, naive_timezone=zone, schemas=schemas)


@cache
def _reader(text: str, zone: str) -> MappedReader:
    return MappedReader(_parsed(text), max_payload_bytes=100_000, naive_timezone=zone)


def rows(reader: MappedReader, records: pa.Table) -> list[Row]:
    """What is read of each record, without what is NULL and without coordinates."""
    read = reader.read(records.to_reader()).drop_columns(list(COORDINATES))
    told = pa.table({name: _in_python(read[name]) for name in read.column_names})
    return [{name: value for name, value in row.items() if value is not None} for row in told.to_pylist()]


def _in_python(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Infinite instants as DuckDB gives them to Python, where Arrow fails."""
    if not pa.types.is_timestamp(column.type):
        return column
    first, last = (pa.scalar(instant, column.type) for instant in _SPAN)
    from_first = pc.if_else(pc.less(column, first), first, column)
    return pc.if_else(pc.greater(from_first, last), last, from_first)
