"""Long JSON texts in SQLite, compressed: a seventh of the size for an event of Dagster's."""

import zlib
from collections.abc import Callable
from typing import Any

from sqlalchemy import Text
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import TypeEngine

_LONG = 256
# What events have in common, the most frequent last. What was written with it is read with it: it must never change.
DICTIONARY = (
    b'"asset_partitions_def": {"__class__": "DynamicPartitionsDefinition", "columns": [], "records": [{"__class__": '
    b'"TableRecord", "data": {"schema": {"__class__": "TableSchema", "columns": [{"__class__": "TableColumn", '
    b'"constraints": {"__class__": "TableColumnConstraints", "nullable": true, "other": [], "unique": false}, '
    b'"description": null, "name": "", "tags": {}, "type": "string"}], "constraints": {"__class__": '
    b'"TableConstraints", "other": []}}"AssetMaterializationPlannedData", "partition": null, "partitions_subset": '
    b'null}, "event_type_value": "ASSET_MATERIALIZATION_PLANNED", "AssetCheckEvaluationPlanned", '
    b'"ASSET_CHECK_EVALUATION_PLANNED", intends to materialize asset ["{"__class__": "FloatMetadataEntryData", '
    b'"value": 0.}, {"__class__": "EventMetadataEntry", "description": null, "entry_data": {"__class__": '
    b'"UrlMetadataEntryData", "url": "http"}, "entry_data": {"__class__": "MarkdownMetadataEntryData", "md_str": '
    b'"entry_data": {"__class__": "JsonMetadataEntryData", "data": {"entry_data": {"__class__": '
    b'"TableMetadataEntryData", "entry_data": {"__class__": "TextMetadataEntryData", "text": "entry_data": '
    b'{"__class__": "IntMetadataEntryData", "value": {"__class__": "EventLogEntry", "dagster_event": {"__class__": '
    b'"DagsterEvent", "event_specific_data": {"__class__": "StepMaterializationData", "asset_lineage": [], '
    b'"materialization": {"__class__": "AssetMaterialization", "asset_key": {"__class__": "AssetKey", "path": '
    b'["gold", "silver", "raw", "kpi"]}, "description": null, "metadata_entries": [{"__class__": '
    b'"EventMetadataEntry", "description": null, "entry_data": {"__class__": "IntMetadataEntryData", "value": 1}, '
    b'"label": "dagster/row_count"}, "label": "dagster/partition_row_count"}], "partition": null, "tags": '
    b'{"dagster/code_version": "", "dagster/data_version": "", "dagster/input_data_version/silver/orders": "", '
    b'"dagster/input_event_pointer/raw/orders": ""}}}, "event_type_value": "ASSET_MATERIALIZATION", "message": '
    b'"Materialized value gold {"__class__": "EventLogEntry", "dagster_event": {"__class__": "DagsterEvent", '
    b'"event_specific_data": {"__class__": "AssetCheckEvaluation", "asset_key": {"__class__": "AssetKey", "path": '
    b'["gold", "kpi"]}, "blocking": true, "check_name": "", "description": null, "metadata": {}, "partition": null, '
    b'"severity": {"__enum__": "AssetCheckSeverity.WARN"}, "severity": {"__enum__": "AssetCheckSeverity.ERROR"}, '
    b'"success": true, "target_materialization_data": {"__class__": '
    b'"AssetCheckEvaluationTargetMaterializationData", "run_id": "", "storage_id": 1, "timestamp": 17}}, '
    b'"event_type_value": "ASSET_CHECK_EVALUATION", "logging_tags": {}, "message": "Asset check '
    b'\'keeps_its_contract\' on \'gold/ passed.", "pid": 1, "pipeline_name": "orders_batch", "solid_handle": '
    b'{"__class__": "SolidHandle", "name": "check_gold_", "parent": null}, "step_handle": {"__class__": '
    b'"StepHandle", "key": "check_kpi_", "solid_handle": {"__class__": "SolidHandle", "name": "check_silver_", '
    b'"parent": null}}, "step_key": "check_raw_", "step_kind_value": "COMPUTE"}, "error_info": null, "level": 10, '
    b'"message": "", "pipeline_name": "orders_batch", "run_id": "", "step_key": "", "timestamp": 17, '
    b'"user_message": ""}'
)


def packed(text: str | None) -> str | bytes | None:
    """The stored form of a text: itself, unless it is a long JSON object."""
    if text is None or len(text) < _LONG or not text.startswith("{"):
        return text
    stream = zlib.compressobj(zdict=DICTIONARY)
    return stream.compress(text.encode()) + stream.flush()


def unpacked(stored: str | bytes | None) -> str | None:
    """The text that was stored, compressed or not."""
    return zlib.decompressobj(zdict=DICTIONARY).decompress(stored).decode() if isinstance(stored, bytes) else stored


class PackedText(Text):
    """A column of texts, of which the long ones are compressed."""

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        """On the way in."""
        return packed

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """On the way out."""
        return unpacked


_TYPES: dict[type[TypeEngine[Any]], type[TypeEngine[Any]]] = {**SQLiteDialect_pysqlite.colspecs, Text: PackedText}


class PackingDialect(SQLiteDialect_pysqlite):
    """SQLite with every column of texts a packed one."""

    supports_statement_cache = True
    colspecs = _TYPES
