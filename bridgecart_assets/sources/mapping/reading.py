"""Records read by a mapping: from their bytes to the fields of the event, in a DuckDB of its own.

What belongs elsewhere: which of them count, by the rules of the contract (`sql/silver`).
"""

from functools import cached_property
from typing import Any

import duckdb
import pyarrow as pa

from bridgecart_assets.sources.mapping.mapping_file import Mapping
from bridgecart_assets.sources.mapping.sandbox import sandbox

COORDINATES = ("topic_id", "partition", "offset", "kafka_timestamp", "batch_key")

_RECORDS = "records"
# Records that one thread takes at a time.
_CHUNK = 16_384
# Why a record cannot be read, whatever its bytes mean.
_TOLD_BY_BYTES = f"""select case
    when payload = forgotten_payload() then 'forgotten'
    when payload is null then 'tombstone'
    when octet_length(payload) > $max_payload_bytes then 'oversized' end as told
from {_RECORDS}"""


class MappedReader:
    """Reads records by a mapping; of each comes one row, in their order."""

    def __init__(self, mapping: Mapping, *, max_payload_bytes: int, naive_timezone: str, schemas: Any = None) -> None:
        self._mapping = mapping
        self._max_payload_bytes = max_payload_bytes
        self._timezone = naive_timezone

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        return sandbox(self._timezone)

    def read(self, records: pa.Table) -> pa.Table:
        """The table `mapped` of records, which have their coordinates, key, headers and payload."""
        told = self._told(records)
        read = self._read(
            pa.table(
                {
                    "value": records["payload"],
                    "key": records["key"],
                    "headers": records["headers"],
                    "kafka_timestamp": records["kafka_timestamp"],
                    "undecodable": told,
                }
            )
        )
        for column in reversed(COORDINATES):
            read = read.add_column(0, records.schema.field(column), records[column])
        return read

    def _told(self, records: pa.Table) -> pa.ChunkedArray:
        """Why each record cannot be read, told without reading it; NULL where it may be."""
        told = self._queried(records, _TOLD_BY_BYTES, {"max_payload_bytes": self._max_payload_bytes})
        return told["told"]

    def _read(self, records: pa.Table) -> pa.Table:
        self._connection.register(_RECORDS, records)
        return self._queried(records, self._mapping.query().sql(self._connection, _RECORDS))

    def _queried(self, records: pa.Table, sql: str, parameters: dict[str, object] | None = None) -> pa.Table:
        chunks = pa.Table.from_batches(records.to_batches(max_chunksize=_CHUNK), records.schema)
        self._connection.register(_RECORDS, chunks)
        try:
            return self._connection.sql(sql, params=parameters).to_arrow_table()
        finally:
            self._connection.unregister(_RECORDS)
