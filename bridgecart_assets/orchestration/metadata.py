"""Metadata of assets in Dagster's UI: figures that it plots, small tables, offsets, and the link to the report."""

from collections.abc import Mapping

import dagster as dg
import duckdb
import pandas as pd

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import BATCH_COLUMN, Kpi
from bridgecart_assets.sources.kafka.offsets import BatchPlan, OffsetRange
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.ingest.ledger import EndOffsets, Ledger
from bridgecart_assets.warehouse.storage.database import rows_of
from bridgecart_assets.warehouse.storage.outputs import Query

LEDGER_METADATA = "bridgecart/ledger_end_offsets"
_UI_TYPES = {"b": "bool", "i": "int", "f": "float"}


def table_metadata(frame: pd.DataFrame) -> dg.TableMetadataValue:
    """A small frame as a table in the UI, typed like its columns; what is not known stays empty."""
    columns = [dg.TableColumn(name, _UI_TYPES.get(frame[name].dtype.kind, "string")) for name in frame.columns]
    records = [
        dg.TableRecord({str(name): None if pd.isna(value) else _plain(value) for name, value in row.items()})
        for row in frame.to_dict("records")
    ]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns=columns))


def kpi_figures(connection: duckdb.DuckDBPyConnection, kpi: Kpi, currency: str | None) -> dict[str, float | str]:
    """A KPI of each segment in the latest period that has it, under names that stay: `churn_rate S01`.

    A figure that does not exist is left out. Beside money stands its currency.
    """
    figure, table = kpi.column, kpi.table.full_name
    rows = connection.execute(
        f"select period, segment_key, {figure}::double from {table} where {figure} is not null and period = "
        f"(select max(period) from {table} where is_complete and {figure} is not null) order by segment_key"
    ).fetchall()
    figures: dict[str, float | str] = {f"{figure} {key}": value for _, key, value in rows}
    unit = {"currency": currency} if currency and kpi.format == "money" else {}
    return {"period": str(rows[0][0]), **unit, **figures} if rows else {}


def batch_figures(connection: duckdb.DuckDBPyConnection, batch_key: str | None) -> dict[str, int]:
    """Numbers of the batch's records by where they ended."""
    columns, rows = rows_of(connection, read_sql("report/ends_of_batch"), {BATCH_COLUMN: batch_key})
    return {name: int(str(count)) for name, count in zip(columns, rows[0], strict=True)}


def report_link(settings: Settings) -> dict[str, dg.MetadataValue]:
    """The report: a link where it is served, else its file."""
    if settings.report_url is not None:
        return {"report": dg.MetadataValue.url(settings.report_url)}
    return {"report": dg.MetadataValue.path(settings.report_path)}


def ledger_metadata(ledger: Ledger, batch: BatchPlan) -> dict[str, str | dg.JsonMetadataValue]:
    """Metadata of a materialization of `raw/orders`: its batch, and the end of the ledger."""
    metadata: dict[str, str | dg.JsonMetadataValue] = {
        "topic": batch.topic,
        "topic_id": batch.topic_id,
        "offsets": _json_offsets(batch.ranges),
        LEDGER_METADATA: dg.MetadataValue.json(_json_keys(ledger.ends)),
    }
    if batch.lost:
        metadata["lost_offsets"] = _json_offsets(batch.lost)
    return metadata


def mapping_metadata(query: Query) -> dict[str, str | dg.MarkdownMetadataValue]:
    """By which mapping a batch is read; nothing where its records are BridgeCart's own event."""
    mapping, text = query.parameters["mapping"], query.parameters["mapping_text"]
    if mapping is None:
        return {}
    # Types of Protobuf are bytes, and nobody reads them.
    written, _, _ = str(text).partition("\n[descriptors]")
    return {"mapping": str(mapping), "mapping_text": dg.MetadataValue.md(f"````toml\n{written.rstrip()}\n````")}


def _json_offsets(offsets: Mapping[int, OffsetRange]) -> dg.JsonMetadataValue:
    return dg.MetadataValue.json({str(p): f"[{span.start}, {span.end})" for p, span in sorted(offsets.items())})


def _json_keys(ends: EndOffsets) -> dict[str, dict[str, int]]:
    return {topic_id: {str(p): end for p, end in sorted(of.items())} for topic_id, of in ends.items()}


def _plain(value: object) -> str | int | float | bool:
    return value if isinstance(value, str | int | float | bool) else str(value)
