"""The pipeline's state in Prometheus' text form. A figure that cannot be told is left out, never 0."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from bridgecart_assets.contracts import SILVER_CONFLICTS, SILVER_DUPLICATES, SILVER_ORDERS, SILVER_REJECTS
from bridgecart_assets.orchestration.monitoring.observing import Observer, Records, latest_instant
from bridgecart_assets.warehouse.inventory import Standing

if TYPE_CHECKING:
    from bridgecart_assets.orchestration.health import Health

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SEVERITIES = ("ERROR", "WARN")
_OF_SILVER = {
    "orders": SILVER_ORDERS,
    "duplicates": SILVER_DUPLICATES,
    "conflicts": SILVER_CONFLICTS,
    "rejects": SILVER_REJECTS,
}


@dataclass(frozen=True)
class Metric:
    """One metric: its name without `bridgecart_`, what it says, and its values by value of its one label, if any."""

    name: str
    says: str
    values: Mapping[str, float]
    label: str | None = None
    kind: Literal["gauge", "counter"] = field(default="gauge")

    def lines(self) -> Iterator[str]:
        """As Prometheus reads it."""
        yield f"# HELP bridgecart_{self.name} {self.says}"
        yield f"# TYPE bridgecart_{self.name} {self.kind}"
        for value_of_label, value in self.values.items():
            labels = f'{{{self.label}="{value_of_label}"}}' if self.label else ""
            yield f"bridgecart_{self.name}{labels} {value:.15g}"


def exposition(observer: Observer, now: datetime) -> str:
    """All metrics that can be told now."""
    metrics = [*_of_topic(observer.topic()), *_of_warehouse(*observer.standing(), now)]
    records = observer.records()
    if records is not None:
        metrics += _of_records(records, now)
    metrics.append(Metric("size_bytes", "Bytes on the disk.", observer.sizes(), label="of"))
    return "".join(f"{line}\n" for metric in metrics for line in metric.lines())


def _of_topic(health: "Health | None") -> Iterator[Metric]:
    yield _single("kafka_up", "Whether the topic could be read: 1 or 0.", float(health is not None))
    if health is None:
        return
    if health.lag is not None:
        yield _single("lag_records", "Records of the topic that are in no batch.", health.lag)
    if health.waiting_for_transactions is not None:
        says = "Records that wait for an open transaction of a producer."
        yield _single("transaction_waiting_records", says, health.waiting_for_transactions)


def _of_warehouse(standing: Standing | None, age: float | None, now: datetime) -> Iterator[Metric]:
    if standing is None or age is None:
        return
    yield _single("warehouse_read_age_seconds", "Age of the figures from the warehouse, which a run may hold.", age)
    yield _counter("batches_total", "Batches taken in.", standing.batches)
    yield _counter("records_total", "Records taken in.", standing.records)
    for name, table in _OF_SILVER.items():
        if table.full_name in standing.rows:
            yield _single(name, f"Rows of {table.full_name}.", standing.rows[table.full_name])
    yield from _age("last_batch", "the latest batch that had any record", latest_instant(standing), now)
    yield from _age("data", "the latest purchase", standing.data_clock, now)


def _of_records(records: Records, now: datetime) -> Iterator[Metric]:
    failed = [check["severity"] for check in records.failed_checks]
    yield _single("checks", "Checks that were ever evaluated.", records.checks)
    yield Metric(
        "failed_checks",
        "Checks whose latest evaluation failed.",
        {severity.lower(): failed.count(severity) for severity in _SEVERITIES},
        label="severity",
    )
    yield _single("sensor_on", "Whether the orders sensor is on: 1 or 0.", float(records.sensor.is_on))
    yield _single("sensor_failing", "Whether its ticks fail for minutes.", float(records.sensor.failing is not None))
    yield _single("daemon_alive", "Whether Dagster's daemon was heard lately: 1 or 0.", float(records.daemon.is_alive))
    yield from _age("daemon_heartbeat", "the daemon's last sign of life", records.daemon.last_heard_at, now)
    batch = records.waiting_batch
    yield _single("batch_failures", "Failed runs of the batch that is to be done.", batch.failures if batch else 0)
    yield _single("batch_stuck", "Whether that batch is tried no more.", float(batch is not None and batch.is_stuck))


def _age(name: str, what: str, instant: datetime | None, now: datetime) -> Iterator[Metric]:
    if instant is not None:
        age = max(0.0, (now - instant).total_seconds())
        yield _single(f"{name}_age_seconds", f"Seconds since {what}.", age)
        yield _single(f"{name}_timestamp_seconds", f"Instant of {what}, seconds since 1970.", instant.timestamp())


def _single(name: str, says: str, value: float) -> Metric:
    return Metric(name, says, {"": value})


def _counter(name: str, says: str, value: float) -> Metric:
    return Metric(name, says, {"": value}, kind="counter")
