"""What `bridgecart kpis` and `bridgecart status` show, read without disturbing a writer."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from bridgecart_assets.contracts import KPI_TABLES, RAW_BATCHES, SILVER_ORDERS, TABLES
from bridgecart_assets.errors import BridgeCartError
from bridgecart_assets.settings import Settings
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.database import Warehouse, plain, table_exists
from bridgecart_assets.warehouse.ledger import newest_batches
from bridgecart_assets.warehouse.publishing import published_path
from bridgecart_assets.warehouse.writing import count_rows

if TYPE_CHECKING:
    from bridgecart_assets.health import Health

KpiRow = Mapping[str, Any]


class NothingPublished(BridgeCartError):
    """There are no KPIs yet."""


def kpi_rows(published: Path) -> list[KpiRow]:
    """The four KPIs by period and segment, from the published Parquet files; ordered by period, then segment key.

    Raises NothingPublished before the first run.
    """
    files = {contract.name: published_path(published, contract) for contract in KPI_TABLES}
    if not all(file.is_file() for file in files.values()):
        raise NothingPublished("There are no KPIs yet: run `bridgecart run` or `bridgecart demo` first.")
    with duckdb.connect() as connection:
        for name, file in files.items():
            connection.read_parquet(str(file)).create_view(name)
        cursor = connection.execute(read_sql("kpis"))
        columns = [column[0] for column in cursor.description or ()]
        return [dict(zip(columns, map(plain, row), strict=True)) for row in cursor.fetchall()]


def latest_period(rows: Sequence[KpiRow]) -> str | None:
    """The opening of the latest complete period, else of the latest one; None without rows."""
    periods = [row["period"] for row in rows if row["is_complete"]] or [row["period"] for row in rows]
    return max(periods, default=None)


def latest_churn(rows: Sequence[KpiRow], until: str) -> tuple[str | None, Mapping[str, float | None]]:
    """The latest period up to this one whose churn window is over, and its churn rate by segment key."""
    matured = max((r["period"] for r in rows if r["churn_rate"] is not None and r["period"] <= until), default=None)
    return matured, {row["segment_key"]: row["churn_rate"] for row in rows if row["period"] == matured}


def percent(value: float | None, *, signed: bool = False) -> str:
    """A share as people read it; a dash for one that does not exist."""
    if value is None:
        return "-"
    return f"{value:+.1%}" if signed else f"{value:.1%}"


@dataclass(frozen=True)
class Status:
    """The state of the platform. `lag` is None when the topic could not be read; `kafka` then says why."""

    warehouse: str
    kafka: str
    lag: int | None
    last_batch: str | None
    batches: int
    rows: Mapping[str, int]
    failed_checks: list[dict[str, str]]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def read_status(settings: Settings) -> Status:
    """Lag, last batch, rows per table, and checks whose latest evaluation failed."""
    warehouse = Warehouse.from_settings(settings)
    newest = next(iter(newest_batches(warehouse, limit=1)), None)
    health = health_of(settings)
    rows = _rows(warehouse)
    return Status(
        warehouse=str(warehouse.path) if warehouse.exists else f"not there yet ({warehouse.path})",
        kafka=health.kafka,
        lag=health.lag,
        last_batch=newest,
        batches=rows.get(RAW_BATCHES.full_name, 0),
        rows=rows,
        failed_checks=health.failed_checks,
    )


def _rows(warehouse: Warehouse) -> dict[str, int]:
    if not warehouse.exists:
        return {}
    with warehouse.reading() as connection:
        return {
            name: count_rows(connection, contract)
            for name, contract in TABLES.items()
            if table_exists(connection, contract)
        }


def health_of(settings: Settings) -> "Health":
    """Lag and failed checks as of now."""
    from bridgecart_assets.health import read_health
    from bridgecart_assets.operations.home import dagster_instance

    if not settings.dagster_home.is_dir():
        return read_health(settings, None)
    with dagster_instance(settings) as instance:
        return read_health(settings, instance)


def data_clock(settings: Settings) -> datetime | None:
    """The latest accepted purchase instant, UTC; None while there is no order."""
    warehouse = Warehouse.from_settings(settings)
    if not warehouse.exists:
        return None
    with warehouse.reading() as connection:
        if not table_exists(connection, SILVER_ORDERS):
            return None
        (row,) = connection.execute("select max(purchased_at) from silver.orders").fetchall()
    return row[0].replace(tzinfo=UTC) if row[0] is not None else None
