"""The state that `bridgecart status` shows, read without disturbing a writer."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.ingest.ledger import history_note
from bridgecart_assets.warehouse.inventory import read_data_clock, read_standing
from bridgecart_assets.warehouse.mappings import mapping_in_use

if TYPE_CHECKING:
    import dagster as dg

    from bridgecart_assets.orchestration.health import Health
    from bridgecart_assets.orchestration.run_health import DaemonState, SensorState, WaitingBatch


@dataclass(frozen=True)
class Status:
    """The state of the platform at one moment.

    Attributes:
        kafka: the topic, or why it could not be read; `lag` is None then.
        last_batch: the latest batch, or one that a person named where there is no other.
        last_records_at: when the latest batch that had any record was planned.
        calendar: time zone of the shop's calendar.
        history: where it begins, if it does not begin with the topic.
        mapping: by which records of the topic are read, or why it cannot be used; None is BridgeCart's own event.

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
    calendar: str = "UTC"
    mapping: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types, instants in UTC, and how old batch and data are, seconds."""
        ages = {
            "last_batch_age_seconds": self.age(self.last_batch_at),
            "data_age_seconds": self.age(self.data_clock),
        }
        plainly: dict[str, Any] = _plainly(asdict(self))
        return {**plainly, **ages}

    def age(self, instant: datetime | None) -> float | None:
        """Time since that instant, seconds; 0 for what is yet to come."""
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
        calendar=settings.calendar_timezone,
        mapping=_mapping(settings),
    )


def _mapping(settings: Settings) -> str | None:
    try:
        return mapping_in_use(settings)
    except BridgeCartError as error:
        return str(error)


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
