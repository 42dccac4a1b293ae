"""What `bridgecart kpis` and `bridgecart status` show, read without disturbing a writer."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import KPI_TABLES
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.ingest.ledger import history_note
from bridgecart_assets.warehouse.inventory import read_data_clock, read_standing
from bridgecart_assets.warehouse.publishing import published_path
from bridgecart_assets.warehouse.storage.database import plain, reason_of

if TYPE_CHECKING:
    import dagster as dg

    from bridgecart_assets.orchestration.health import Health
    from bridgecart_assets.orchestration.run_health import DaemonState, SensorState, WaitingBatch

KpiRow = Mapping[str, Any]


class NothingPublished(BridgeCartError):
    """There are no KPIs yet."""


class PublishedUnreadable(NothingPublished):
    """The files of the KPIs are broken, or of another version."""


def kpi_rows(published: Path) -> list[KpiRow]:
    """The four KPIs by period and segment, from the published Parquet files; ordered by period, then segment key.

    Raises NothingPublished before the first run, PublishedUnreadable.
    """
    files = {contract.name: published_path(published, contract) for contract in KPI_TABLES}
    if not all(file.is_file() for file in files.values()):
        raise NothingPublished("There are no KPIs yet: run `bridgecart run` or `bridgecart demo` first.")
    try:
        with duckdb.connect() as connection:
            for name, file in files.items():
                connection.read_parquet(str(file)).create_view(name)
            cursor = connection.execute(read_sql("kpis"))
            columns = [column[0] for column in cursor.description or ()]
            return [dict(zip(columns, map(plain, row), strict=True)) for row in cursor.fetchall()]
    except duckdb.Error as error:
        raise PublishedUnreadable(
            f"The KPIs below {published} cannot be read ({reason_of(error)}): `bridgecart run` writes them anew."
        ) from error


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
    """The state of the platform at one moment.

    Attributes:
        kafka: the topic, or why it could not be read; `lag` is None then.
        last_batch: the latest batch, or one that a person named where there is no other.
        last_records_at: when the latest batch that had any record was planned.
        history: where it begins, if it does not begin with the topic.

    """

    looked_at: datetime
    failed_checks: list[dict[str, str]]
    sensor: "SensorState"
    daemon: "DaemonState"
    waiting_batch: "WaitingBatch | None"
    kafka: str
    lag: int | None
    warehouse: str
    last_batch: str | None
    last_batch_at: datetime | None
    last_records_at: datetime | None
    data_clock: datetime | None
    batches: int
    rows: Mapping[str, int]
    history: str | None = None
    waiting_for_transactions: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types, instants in UTC, and how old batch and data are, seconds."""
        ages = {
            "last_batch_age_seconds": self.age(self.last_batch_at),
            "data_age_seconds": self.age(self.data_clock),
        }
        plainly: dict[str, Any] = _plainly(asdict(self))
        return {**plainly, **ages}

    def age(self, instant: datetime | None) -> float | None:
        """How long ago that was, seconds; 0 for what is yet to come."""
        return None if instant is None else max(0.0, (self.looked_at - instant).total_seconds())


def read_status(settings: Settings) -> Status:
    """Failed checks, sensor, daemon, lag, age of batch and data, rows. Raises WarehouseError, StorageFailed."""
    from bridgecart_assets.orchestration.partitions import latest_batch
    from bridgecart_assets.orchestration.run_health import DaemonState, SensorState

    warehouse = warehouse_from_settings(settings)
    now = datetime.now(UTC)
    standing = read_standing(warehouse)
    latest = latest_batch(standing.newest)
    with_records = latest_batch(standing.newest_with_records)
    with existing_instance(settings) as instance:
        health = _health(settings, instance)
        sensor, daemon, waiting = SensorState(), DaemonState(), None
        if instance is not None:
            sensor, daemon, waiting = _run_health(settings, instance, now)
    return Status(
        looked_at=now,
        failed_checks=health.failed_checks,
        sensor=sensor,
        daemon=daemon,
        waiting_batch=waiting,
        kafka=health.kafka,
        lag=health.lag,
        warehouse=str(warehouse.path) if warehouse.exists else f"not there yet ({warehouse.path})",
        last_batch=latest[0] if latest else next(iter(standing.newest), None),
        last_batch_at=latest[1] if latest else None,
        last_records_at=with_records[1] if with_records else None,
        data_clock=standing.data_clock,
        batches=standing.batches,
        rows=standing.rows,
        waiting_for_transactions=health.waiting_for_transactions,
        history=history_note(warehouse),
    )


def health_of(settings: Settings) -> "Health":
    """Lag and failed checks as of now."""
    with existing_instance(settings) as instance:
        return _health(settings, instance)


@contextmanager
def existing_instance(settings: Settings) -> "Iterator[dg.DagsterInstance | None]":
    """The Dagster instance, None before the first run: looking makes no folder."""
    from bridgecart_assets.orchestration.instance import dagster_instance

    if not settings.dagster_home.is_dir():
        yield None
        return
    with dagster_instance(settings) as instance:
        yield instance


def _health(settings: Settings, instance: "dg.DagsterInstance | None") -> "Health":
    from bridgecart_assets.orchestration.health import read_health

    return read_health(settings, instance)


def _run_health(
    settings: Settings, instance: "dg.DagsterInstance", now: datetime
) -> "tuple[SensorState, DaemonState, WaitingBatch | None]":
    from bridgecart_assets.orchestration.run_health import read_daemon, read_sensor, read_waiting_batch

    waiting = read_waiting_batch(instance, warehouse_from_settings(settings), settings.max_batch_attempts)
    return read_sensor(instance, now), read_daemon(instance, now), waiting


def _plainly(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plainly(each) for key, each in value.items()}
    return f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else value


def data_clock(settings: Settings) -> datetime | None:
    """The latest accepted purchase instant, UTC; None while there is no order."""
    return read_data_clock(warehouse_from_settings(settings))
