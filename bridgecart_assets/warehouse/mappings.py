"""The reader of a batch's records: none where they are BridgeCart's own event, else that of their mapping.

What belongs elsewhere: the mapping itself and how it reads (`sources/mapping`), and what becomes of its values
(`sql/silver/tmp_mapped_events.sql`).
"""

from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import RAW_BATCHES
from bridgecart_assets.contracts.event import (
    MAPPED_COLUMNS,
    Flag,
    Instant,
    MappedType,
    Money,
    Refunds,
    Text,
    Version,
    Whole,
)
from bridgecart_assets.sources.files.history_file import is_file
from bridgecart_assets.warehouse.storage.database import Warehouse, table_exists

if TYPE_CHECKING:
    from bridgecart_assets.sources.mapping.mapping_file import Mapping
    from bridgecart_assets.sources.mapping.reading import MappedReader

_INSTANT = pa.timestamp("us", tz="UTC")
_MONEY = pa.decimal128(18, 2)


def _arrow_type(kind: MappedType) -> pa.DataType:
    match kind:
        case Text():
            return pa.string()
        case Instant():
            return _INSTANT
        case Money():
            return _MONEY
        case Whole():
            return pa.int32()
        case Flag():
            return pa.bool_()
        case Version():
            return pa.decimal128(38, 0)
        case Refunds():
            return pa.list_(pa.struct({"at": _INSTANT, "amount": _MONEY}))


MAPPED = pa.schema(
    {
        "topic_id": pa.string(),
        "partition": pa.int32(),
        "offset": pa.int64(),
        "kafka_timestamp": pa.timestamp("us"),
        "batch_key": pa.string(),
        "unreadable": pa.string(),
        "skipped": pa.string(),
        "bad_fields": pa.list_(pa.string()),
        **{name: _arrow_type(kind) for name, kind in MAPPED_COLUMNS.items()},
    }
)
"""Columns of what a mapping reads: why a record cannot be read or is left out, which fields failed, and the fields."""


def mapping_of_batch(connection: duckdb.DuckDBPyConnection, settings: Settings, batch_key: str) -> "Mapping | None":
    """The mapping that the records of a batch are read by: that of its file, or of the topic. Raises MappingError.

    None is BridgeCart's own event.
    """
    topic, text, is_imported = _on_record(connection, batch_key)
    if is_imported and text is not None:
        from bridgecart_assets.sources.mapping.mapping_file import parse_mapping

        return parse_mapping(text, f"mapping of {topic}")
    return None if is_imported else _topic_mapping(settings)


def topic_mapping_sha256(settings: Settings) -> str | None:
    """The hash of the mapping by which batches of the topic are read now. Raises MappingError."""
    mapping = _topic_mapping(settings)
    return None if mapping is None else mapping.sha256


def mapping_in_use(settings: Settings) -> str | None:
    """The name and the beginning of the hash of the topic's mapping, for people. Raises MappingError."""
    mapping = _topic_mapping(settings)
    return None if mapping is None else f"{mapping.name} ({mapping.sha256[:12]})"


def _topic_mapping(settings: Settings) -> "Mapping | None":
    if settings.mapping is None:
        return None
    from bridgecart_assets.sources.mapping.from_settings import topic_mapping

    return topic_mapping(settings)


def reader_of_batch(connection: duckdb.DuckDBPyConnection, settings: Settings, batch_key: str) -> "MappedReader | None":
    """The reader of a batch's records by their mapping; None where they are BridgeCart's own event.

    Raises MappingError.
    """
    mapping = mapping_of_batch(connection, settings, batch_key)
    if mapping is None:
        return None
    if "currency" in mapping.order and (mapping.currency or settings.currency) is None:
        raise _no_currency(mapping)
    from bridgecart_assets.sources.mapping.reading import MappedReader
    from bridgecart_assets.sources.registry import registry_name
    from bridgecart_assets.warehouse.ingest.schemas import stored_schemas

    return MappedReader(
        mapping,
        max_payload_bytes=settings.max_payload_bytes,
        naive_timezone=settings.naive_timezone,
        schemas=stored_schemas(connection, registry_name(settings)),
    )


def fetch_schemas_of_batch(warehouse: Warehouse, settings: Settings, batch_key: str) -> None:
    """Ask once more for schemas that records of a batch name and nobody had; before its silver is made.

    Raises MappingError, RegistryFailure, NoRegistry. Where every schema is known no registry is asked.
    """
    if settings.mapping is None:
        return
    from bridgecart_assets.warehouse.ingest.schemas import fetch_missing

    with warehouse.reading() as connection:
        mapping = mapping_of_batch(connection, settings, batch_key)
    if mapping is not None:
        fetch_missing(warehouse, settings, mapping.decode, batch_key)


def _no_currency(mapping: "Mapping") -> BridgeCartError:
    """The error of a mapping that reads currencies of which none is said to count: their amounts are no sum."""
    from bridgecart_assets.sources.mapping.errors import MappingError

    return MappingError(
        f"{mapping.name} [order] currency: nothing says which one counts; write currency under [money], for example "
        "EUR, or set BRIDGECART_CURRENCY"
    )


def _on_record(connection: duckdb.DuckDBPyConnection, batch_key: str) -> tuple[str, str | None, bool]:
    """The name of the topic or file of a batch, the text of a file's mapping, and whether it is a file."""
    if not table_exists(connection, RAW_BATCHES):
        return "", None, False
    found = connection.execute(
        f"select topic, mapping, topic_id from {RAW_BATCHES.full_name} where batch_key = ?", [batch_key]
    ).fetchone()
    if found is None:
        return "", None, False
    topic, text, topic_id = found
    return topic, text, is_file(topic_id)


def not_mapped(_records: pa.RecordBatchReader) -> pa.Table:
    """No row: the records of a batch of BridgeCart's own event are read without a mapping."""
    return MAPPED.empty_table()
