"""The schemas by which records are decoded, kept in the warehouse: a record can be read again without its registry.

They are fetched while raw is written, in its transaction. An id that the registry does not have is kept nowhere: it is
asked for again whenever silver is made. What belongs elsewhere: asking the registry (`sources/registry.py`) and
decoding (`sources/mapping/decoding/`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import RAW_SCHEMAS
from bridgecart_assets.sources.mapping.decoding.schemas import NO_SCHEMAS, Schema, Schemas
from bridgecart_assets.sources.registry import (
    Decode,
    FetchedSchema,
    KnownSchemas,
    SchemaSource,
    fetch_schemas,
    schema_source,
)
from bridgecart_assets.warehouse.storage.database import Warehouse, table_exists

_LARGEST_ID = 2**31 - 1
# Schemas are few. Of more ids than this the most frequent are asked for: the rest is noise that looks like ids.
_MOST_ASKED = 1_000
_OF_BATCH = "raw.orders where batch_key = $batch_key"


def keep_schemas(connection: duckdb.DuckDBPyConnection, source: SchemaSource, records: pa.RecordBatch) -> None:
    """Fetch and store the schemas that records as they arrive name and that the warehouse does not have.

    Raises RegistryFailure: then none is stored.
    """
    connection.register("arriving", records)
    known, missing = _known_and_missing(connection, source, "arriving", {})
    connection.unregister("arriving")
    _store(connection, source, _fetched(source, known, missing))


def keep_schemas_of_batch(connection: duckdb.DuckDBPyConnection, source: SchemaSource, batch_key: str) -> None:
    """As `keep_schemas`, of the records of a batch that stand in raw."""
    known, missing = _known_and_missing(connection, source, _OF_BATCH, {"batch_key": batch_key})
    _store(connection, source, _fetched(source, known, missing))


def fetch_missing(warehouse: Warehouse, settings: Settings, decode: Decode, batch_key: str) -> None:
    """Ask once more for schemas that the records of a batch name and nobody had; before its silver is made.

    Raises RegistryFailure, NoRegistry. Where every schema is known no registry is asked.
    """
    source = schema_source(settings, decode)
    if source is None:
        return
    with warehouse.reading() as connection:
        known, missing = _known_and_missing(connection, source, _OF_BATCH, {"batch_key": batch_key})
    # Outside of any transaction: a registry may take its time.
    fetched = _fetched(source, known, missing)
    if fetched:
        with warehouse.transaction() as connection:
            _store(connection, source, fetched)


def stored_schemas(connection: duckdb.DuckDBPyConnection, registry: str | None = None) -> Schemas:
    """The schemas that the warehouse has of a registry; without one, of any, and of two with one id the later."""
    if not table_exists(connection, RAW_SCHEMAS):
        return NO_SCHEMAS
    rows = connection.execute(
        'select schema_id, kind, schema, "references" from raw.schemas where coalesce(registry = $registry, true) '
        "order by rowid",
        {"registry": registry},
    ).fetchall()
    return KnownSchemas(
        {schema_id: FetchedSchema(schema_id, kind, text, _named(said)) for schema_id, kind, text, said in rows}
    )


def _named(references: str) -> dict[str, int]:
    return {one["name"]: one["schema_id"] for one in json.loads(references)}


@dataclass(frozen=True)
class ArrivingSchemas:
    """The schemas that a transaction has stored so far, while it lasts."""

    connection: duckdb.DuckDBPyConnection

    def schema_of(self, schema_id: int) -> Schema | None:
        """The schema, as it is stored now."""
        return stored_schemas(self.connection).schema_of(schema_id)


def _known_and_missing(
    connection: duckdb.DuckDBPyConnection, source: SchemaSource, records: str, parameters: Mapping[str, str]
) -> tuple[frozenset[int], Sequence[int]]:
    """Ids whose schemas the warehouse has, and those in the frames of records that it does not, the most frequent."""
    known = frozenset(
        _ids(connection, "select schema_id from raw.schemas where registry = ?", [source.registry.name])
        if table_exists(connection, RAW_SCHEMAS)
        else ()
    )
    of_columns = " union all ".join(f"select {column} as record from {records}" for column in source.columns)
    framed = _ids(
        connection,
        f"select ('0x' || hex(record[2:5]))::bigint as schema_id from ({of_columns}) "
        "where octet_length(record) >= 5 and hex(record[1:1]) = '00' "
        "group by schema_id order by count(*) desc, schema_id",
        parameters,
    )
    missing = [schema_id for schema_id in framed if schema_id not in known and schema_id <= _LARGEST_ID]
    return known, missing[:_MOST_ASKED]


def _ids(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[str] | Mapping[str, str]
) -> Iterator[int]:
    return (int(schema_id) for (schema_id,) in connection.execute(sql, parameters).fetchall())


def _fetched(source: SchemaSource, known: frozenset[int], missing: Sequence[int]) -> Sequence[FetchedSchema]:
    return fetch_schemas(source.registry, missing, known.__contains__) if missing else ()


def _store(connection: duckdb.DuckDBPyConnection, source: SchemaSource, schemas: Sequence[FetchedSchema]) -> None:
    if not schemas:
        return
    connection.execute(RAW_SCHEMAS.ddl())
    for schema in schemas:
        references = [{"name": name, "schema_id": referred} for name, referred in schema.references.items()]
        connection.execute(
            "insert into raw.schemas select * from (values ($registry, $schema_id, $kind, $text, $references)) as rows "
            "where not exists (from raw.schemas where registry = $registry and schema_id = $schema_id)",
            {
                "registry": source.registry.name,
                "schema_id": schema.schema_id,
                "kind": schema.kind,
                "text": schema.text,
                "references": json.dumps(references),
            },
        )
