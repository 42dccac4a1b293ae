"""The KPIs of the published files, as `bridgecart kpis` and the summary for CI show them; no writer is disturbed."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.contracts import KPI_TABLES, KPIS, SEGMENT_MODEL, Kpi
from bridgecart_assets.contracts.kpi import Format
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.publishing import published_path
from bridgecart_assets.warehouse.storage.database import plain, reason_of

KpiRow = Mapping[str, Any]


class NothingPublished(BridgeCartError):
    """There are no KPIs yet."""


class PublishedUnreadable(NothingPublished):
    """The files of the KPIs are broken, or of another version."""


def kpi_rows(published: Path) -> list[KpiRow]:
    """The KPIs by period and segment, from the published Parquet files; ordered by period, then segment key.

    Raises NothingPublished before the first run, PublishedUnreadable.
    """
    files = {contract.name: published_path(published, contract) for contract in KPI_TABLES}
    if not all(file.is_file() for file in files.values()):
        raise NothingPublished("There are no KPIs yet: run `bridgecart run` or `bridgecart demo` first.")
    try:
        with duckdb.connect() as connection:
            for name, file in files.items():
                connection.read_parquet(str(file)).create_view(name)
            cursor = connection.execute(read_sql("report/kpis"))
            columns = [column[0] for column in cursor.description or ()]
            return [dict(zip(columns, map(plain, row), strict=True)) for row in cursor.fetchall()]
    except duckdb.Error as error:
        raise PublishedUnreadable(
            f"The KPIs below {published} cannot be read ({reason_of(error)}): `bridgecart run` writes them anew."
        ) from error


def segment_remarks(published: Path) -> str | None:
    """Remarks on the segments in force: why they are fewer than asked for, which traits do not count."""
    file = published_path(published, SEGMENT_MODEL)
    if not file.is_file():
        return None
    with duckdb.connect() as connection:
        connection.read_parquet(str(file)).create_view("versions")
        if "remarks" not in connection.table("versions").columns:
            return None  # Published by an earlier version of BridgeCart.
        found = connection.execute(
            "select remarks from versions where status = 'active' order by version desc limit 1"
        ).fetchone()
    return found[0] if found else None


def latest_period(rows: Sequence[KpiRow]) -> str | None:
    """The opening of the latest complete period, else of the latest one; None without rows."""
    periods = [row["period"] for row in rows if row["is_complete"]] or [row["period"] for row in rows]
    return max(periods, default=None)


def latest_matured(kpi: Kpi, rows: Sequence[KpiRow], until: str) -> tuple[str | None, Mapping[str, float | None]]:
    """The latest period up to this one that has a KPI whose window must be over, and the KPI by segment key."""
    matured = max((r["period"] for r in rows if r[kpi.column] is not None and r["period"] <= until), default=None)
    return matured, {row["segment_key"]: row[kpi.column] for row in rows if row["period"] == matured}


def kpi_texts(rows: Sequence[KpiRow], period: str, *, signed: bool = False) -> Iterator[tuple[KpiRow, list[str]]]:
    """The rows of a period, each with its customers and KPIs as people read them; with `signed`, growth has a sign."""
    matured = {kpi.column: latest_matured(kpi, rows, period)[1] for kpi in KPIS if kpi.matures}
    for row in rows:
        if row["period"] == period:
            figures = [matured[kpi.column].get(row["segment_key"]) if kpi.matures else row[kpi.column] for kpi in KPIS]
            texts = [_text(kpi.format, figure, signed=signed) for kpi, figure in zip(KPIS, figures, strict=True)]
            yield row, [f"{row['customers']:,}", *texts]


def with_unit(label: str, kpi: Kpi, currency: str | None) -> str:
    """The head of a KPI's column: amounts say their currency there."""
    return f"{label}, {currency}" if currency and kpi.format == "money" else label


def segment_text(row: KpiRow) -> str:
    """The segment of a row as people read it: key and name, or one of them where there is no other."""
    key, segment = row["segment_key"], row["segment"]
    return str(key) if key == segment else f"{key} {segment}"


def missing(rows: Sequence[KpiRow], period: str) -> Iterator[str]:
    """Sentences that say which KPI no segment has in a period, and why; a churn rate that comes later is no such."""
    of_period = [row for row in rows if row["period"] == period]
    for kpi in KPIS:
        if not kpi.matures and all(row[kpi.column] is None for row in of_period):
            reasons = sorted({kpi.reasons[row[kpi.reason]] for row in of_period})
            yield f"No {kpi.short_label}: {'; '.join(reasons)}."
    if not any(row["segment_key"].startswith("S") for row in of_period):
        yield "No segments yet: they take some dozens of customers who bought. The report says how many."


def remarks(rows: Sequence[KpiRow], period: str) -> Iterator[str]:
    """Sentences that people should read beside the KPIs of a period, because one of them alone would mislead."""
    of_period = [row for row in rows if row["period"] == period]
    for row in of_period:
        for one in (one for kpi in KPIS for one in kpi.beside):
            if one.is_remarkable(row[one.column]):
                yield f"{segment_text(row)}: {one.words.format(_text(one.format, row[one.column]))}"
    if any(row["model_changed"] for row in of_period):
        yield "The segment model changed in this period: who moved may have been relabelled."


def _text(kind: Format, figure: float | None, *, signed: bool = False) -> str:
    if kind in ("money", "ratio"):
        return "-" if figure is None else f"{figure:,.2f}"
    return percent(figure, signed=signed and kind == "signed")


def percent(value: float | None, *, signed: bool = False) -> str:
    """A share as people read it; a dash for one that does not exist."""
    if value is None:
        return "-"
    return f"{value:+.1%}" if signed else f"{value:.1%}"
