"""Records that stand in raw, read again by the mapping of their batch: what silver does not keep of them.

That is whose they are, for erasure, and the attributes of the customers. What belongs elsewhere: which mapping a batch
is read by when silver is made (`mappings.py`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import BATCH_COLUMN, SILVER_MAPPINGS, SILVER_READINGS
from bridgecart_assets.warehouse.mappings import MAPPED, mapping_of_batch
from bridgecart_assets.warehouse.storage.database import standing_tables

if TYPE_CHECKING:
    from bridgecart_assets.sources.mapping.decoding.schemas import Schemas
    from bridgecart_assets.sources.mapping.reading import MappedReader

_READ_BY_A_MAPPING = """
select batch_key, text, settings['max_payload_bytes'], settings['naive_timezone']
from silver.readings join silver.mappings using (mapping)
order by batch_key
"""
_NOT_READ = "select batch_key from raw.batches anti join silver.readings using (batch_key) order by batch_key"
_ANY_SIZE = 2**31 - 1


@dataclass(frozen=True)
class BatchReaders:
    """The readers of the batches that are read by a mapping, by the keys of the batches."""

    of_batch: "Mapping[str, MappedReader]" = field(default_factory=dict)

    def read(self, records: pa.RecordBatchReader) -> pa.Table:
        """These records as their mappings read them, in the columns of `MAPPED` and in no order.

        Nothing of records whose batch has none.
        """
        parts = (part for some in records for part in self._parts(pa.Table.from_batches([some])))
        return pa.concat_tables([MAPPED.empty_table(), *parts])

    def _parts(self, records: pa.Table) -> Iterator[pa.Table]:
        batches: dict[MappedReader, list[str]] = {}
        for key in pc.unique(records[BATCH_COLUMN]).to_pylist():
            if key in self.of_batch:
                batches.setdefault(self.of_batch[key], []).append(key)
        for reader, keys in batches.items():
            said = reader.read(records.filter(pc.is_in(records[BATCH_COLUMN], pa.array(keys))).to_reader())
            yield said.select(MAPPED.names).cast(MAPPED)


NO_READERS = BatchReaders()


def readers_on_record(connection: duckdb.DuckDBPyConnection) -> BatchReaders:
    """Of the batches that silver has read by a mapping, each as it was read."""
    if not {SILVER_READINGS.full_name, SILVER_MAPPINGS.full_name} <= standing_tables(connection):
        return NO_READERS
    rows = connection.execute(_READ_BY_A_MAPPING).fetchall()
    return _of_stored({key: _Way(text, zone, int(size)) for key, text, size, zone in rows}, connection)


def readers_of_senders(connection: duckdb.DuckDBPyConnection, settings: Settings) -> BatchReaders:
    """Of all batches with a mapping, those too that silver has not read; for all records, also those that do not count.

    Raises MappingError when the mapping of the settings is needed and cannot be used.
    """
    rows = connection.execute(_READ_BY_A_MAPPING).fetchall()
    ways = {key: _Way(text, zone) for key, text, _, zone in rows}
    for (key,) in connection.execute(_NOT_READ).fetchall():
        mapping = mapping_of_batch(connection, settings, key)
        if mapping is not None:
            ways[key] = _Way(mapping.text, settings.naive_timezone)
    return _of_stored(ways, connection)


def readers_of_arriving(connection: duckdb.DuckDBPyConnection, batch_key: str, mapping: str | None) -> BatchReaders:
    """Of a batch that is being written, whose records the mapping of this text reads; for all of them."""
    if mapping is None:
        return NO_READERS
    from bridgecart_assets.warehouse.ingest.schemas import ArrivingSchemas

    ((zone,),) = connection.execute("select current_setting('TimeZone')").fetchall()
    return _readers({batch_key: _Way(mapping, zone)}, ArrivingSchemas(connection))


@dataclass(frozen=True)
class _Way:
    """A way of reading: the text of the mapping, and the settings that it depends on.

    Without `max_payload_bytes` it is asked whose records are: also those that are too large, or that do not count.
    """

    text: str
    naive_timezone: str
    max_payload_bytes: int | None = None


def _of_stored(ways: Mapping[str, _Way], connection: duckdb.DuckDBPyConnection) -> BatchReaders:
    if not ways:
        return NO_READERS
    from bridgecart_assets.warehouse.ingest.schemas import stored_schemas

    return _readers(ways, stored_schemas(connection))


def _readers(ways: Mapping[str, _Way], schemas: "Schemas") -> BatchReaders:
    """A reader a way; batches that are read alike share it."""
    readers = {way: _reader(way, schemas) for way in dict.fromkeys(ways.values())}
    return BatchReaders({key: readers[way] for key, way in ways.items()})


def _reader(way: _Way, schemas: "Schemas") -> "MappedReader":
    # A shop without a mapping pays for none of it.
    from bridgecart_assets.sources.mapping.mapping_file import parse_mapping
    from bridgecart_assets.sources.mapping.reading import MappedReader

    mapping = parse_mapping(way.text, "mapping on record")
    if way.max_payload_bytes is None:
        mapping = replace(mapping, compiled=replace(mapping.compiled, where=None))
    return MappedReader(
        mapping,
        max_payload_bytes=way.max_payload_bytes or _ANY_SIZE,
        naive_timezone=way.naive_timezone,
        schemas=schemas,
    )
