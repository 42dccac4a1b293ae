"""The pipeline's state for machines that ask again and again: read seldom, briefly, and remembered.

A run may hold the warehouse, the broker may be down: then what was known last stands, with its age.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.orchestration.monitoring.causes import (
    batch_causes,
    check_causes,
    daemon_causes,
    data_causes,
    sensor_causes,
)
from bridgecart_assets.orchestration.status import existing_instance
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.inventory import Standing, read_standing
from bridgecart_assets.warehouse.storage.database import Warehouse, WarehouseLocked

if TYPE_CHECKING:
    from bridgecart_assets.orchestration.health import Health
    from bridgecart_assets.orchestration.run_health import DaemonState, SensorState, WaitingBatch

LOCK_SECONDS = 0.5
KAFKA_SECONDS = 3.0
# How long an answer stands, seconds.
RECORDS_STAND = 5.0
TOPIC_STANDS = 10.0
SIZES_STAND = 60.0

T = TypeVar("T")


@dataclass(frozen=True)
class Records:
    """Dagster's records: sensor, daemon, checks, the batch that waits."""

    sensor: "SensorState"
    daemon: "DaemonState"
    relies_on_daemon: bool
    waiting_batch: "WaitingBatch | None"
    checks: int
    failed_checks: list[dict[str, str]]


@dataclass
class _Remembered(Generic[T]):
    """The last answer to a question, when it was given, and what hindered a newer one."""

    value: T | None = None
    answered_at: float | None = None
    asked_at: float | None = None
    hindrance: BridgeCartError | None = None

    def ask(self, read: Callable[[], T], stands_seconds: float) -> T | None:
        """The answer, a new one where the last question is older than that."""
        now = time.monotonic()
        if self.asked_at is None or now - self.asked_at >= stands_seconds:
            self.asked_at = now
            try:
                self.value, self.answered_at, self.hindrance = read(), time.monotonic(), None
            except BridgeCartError as error:
                self.hindrance = error
        return self.value

    @property
    def age(self) -> float | None:
        """Age of the answer, seconds."""
        return None if self.answered_at is None else time.monotonic() - self.answered_at


class Observer:
    """Answers for one process; one question at a time is passed on, whoever asks."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = Lock()
        self._records: _Remembered[Records | None] = _Remembered()
        self._waiting: _Remembered[WaitingBatch | None] = _Remembered()
        self._standing: _Remembered[Standing] = _Remembered()
        self._topic: _Remembered[Health] = _Remembered()
        self._sizes: _Remembered[Mapping[str, int]] = _Remembered()
        self._stamp: object = None

    def records(self) -> Records | None:
        """Dagster's records; None before the first run."""
        with self._lock:
            return self._records.ask(self._read_records, RECORDS_STAND)

    def standing(self) -> tuple[Standing | None, float | None]:
        """Contents of the warehouse, and the age of that answer; not read again while its file is the same."""
        with self._lock:
            stamp = _stamp(self.settings.warehouse_path)
            if stamp == self._stamp and self._standing.hindrance is None and self._standing.value is not None:
                return self._standing.value, 0.0
            before = self._standing.asked_at
            value = self._standing.ask(lambda: read_standing(self._warehouse), RECORDS_STAND)
            if self._standing.asked_at != before:
                self._stamp = stamp
            return value, self._standing.age

    def topic(self) -> "Health | None":
        """Lag, and what waits for transactions; None where that cannot be told now."""
        with self._lock:
            answer = self._topic.ask(self._read_topic, TOPIC_STANDS)
            return None if answer is None or answer.lag is None or self._topic.hindrance is not None else answer

    def sizes(self) -> Mapping[str, int]:
        """Bytes by what takes them."""
        with self._lock:
            return self._sizes.ask(self._read_sizes, SIZES_STAND) or {}

    def problems(self, now: datetime) -> list[str]:
        """Problems and their remedies, a line each; the broker is not asked."""
        records, (standing, _) = self.records(), self.standing()
        causes = []
        if records is not None:
            stuck = records.waiting_batch is not None and records.waiting_batch.is_stuck
            if records.relies_on_daemon:
                causes += [*daemon_causes(records.daemon), *sensor_causes(records.sensor, is_stuck=stuck)]
            causes += [*batch_causes(records.waiting_batch), *check_causes(records.failed_checks)]
        if standing is not None:
            causes += data_causes(latest_instant(standing), self.settings.alert_no_data_hours, now)
        hindrances = [self._records.hindrance, self._standing.hindrance]
        # A run at work holds the warehouse: nothing is wrong.
        unreadable = [str(error) for error in hindrances if error and not isinstance(error, WarehouseLocked)]
        return [cause.says for cause in causes] + unreadable

    @property
    def _warehouse(self) -> Warehouse:
        return replace(warehouse_from_settings(self.settings), lock_timeout_seconds=LOCK_SECONDS)

    def _read_records(self) -> Records | None:
        from bridgecart_assets.orchestration.health import read_checks
        from bridgecart_assets.orchestration.run_health import (
            read_daemon,
            read_last_command,
            read_sensor,
            read_waiting_batch,
            relies_on_daemon,
        )

        now = datetime.now(UTC)
        with existing_instance(self.settings) as instance:
            if instance is None:
                return None
            daemon = read_daemon(instance, now)
            checks, failed = read_checks(instance)
            return Records(
                sensor=read_sensor(instance, now),
                daemon=daemon,
                relies_on_daemon=relies_on_daemon(daemon, read_last_command(instance)),
                waiting_batch=self._waiting.ask(
                    lambda: read_waiting_batch(instance, self._warehouse, self.settings.max_batch_attempts), 0.0
                ),
                checks=checks,
                failed_checks=failed,
            )

    def _read_topic(self) -> "Health":
        from bridgecart_assets.orchestration.health import read_health

        seconds = min(self.settings.kafka_timeout_seconds, KAFKA_SECONDS)
        hasty = self.settings.model_copy(
            update={"kafka_timeout_seconds": seconds, "lock_timeout_seconds": LOCK_SECONDS}
        )
        return read_health(hasty, None)

    def _read_sizes(self) -> Mapping[str, int]:
        folders = {"dagster_home": self.settings.dagster_home, "published": self.settings.published_dir}
        return {"warehouse": _size(self.settings.warehouse_path), **{name: _size(f) for name, f in folders.items()}}


def latest_instant(standing: Standing) -> datetime | None:
    """Instant at which the latest batch that had any record was planned."""
    from bridgecart_assets.orchestration.partitions import latest_batch

    latest = latest_batch(standing.newest_with_records)
    return latest[1] if latest else None


def _stamp(path: Path) -> object:
    """A stamp that changes whenever the warehouse does: a commit stands in the file or in its log."""
    return [_changed(file) for file in (path, path.with_name(f"{path.name}.wal"))]


def _changed(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; those that go meanwhile do not count."""
    changed = _changed(path)
    if changed is None or not path.is_dir():
        return 0 if changed is None else changed[2]
    total = 0
    for folder, _, files in os.walk(path):
        total += sum(found[2] for name in files if (found := _changed(Path(folder, name))) is not None)
    return total
