"""A topic, a warehouse and a Dagster instance in memory: what the protocol sees of them, and nothing else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from bridgecart_assets.sources.kafka import continuity
from bridgecart_assets.sources.kafka.continuity import NOTHING_KNOWN, KnownTopic, KnownTopics, LastRecord
from bridgecart_assets.sources.kafka.errors import BrokerUnreachable, ReadStalled
from bridgecart_assets.sources.kafka.offsets import BatchPlan, OffsetRange, TopicState
from bridgecart_assets.warehouse.ingest.ledger import Ledger
from bridgecart_assets.warehouse.storage.database import WarehouseLocked


@dataclass(frozen=True)
class Row:
    """A record in the warehouse; `payload` is unique among all records ever produced."""

    topic_id: str
    partition: int
    offset: int
    payload: str


@dataclass
class Log:
    """A Kafka partition: every payload ever produced, of which those before `low` are removed.

    `past` are the histories that it had before it was rewritten.
    """

    payloads: list[str] = field(default_factory=list)
    low: int = 0
    past: list[list[str]] = field(default_factory=list)

    @property
    def high(self) -> int:
        return len(self.payloads)

    def rewrite(self, lost: int) -> None:
        """Lose the last records that it holds, as when a disk is put back from a copy."""
        self.past.append(self.payloads)
        self.payloads = self.payloads[: max(self.low, self.high - lost)]

    def had(self, offset: int, payload: str) -> bool:
        """Whether this stood there, now or in an earlier history."""
        return any(history[offset : offset + 1] == [payload] for history in (self.payloads, *self.past))


@dataclass
class Incarnation:
    """A topic between its creation and its deletion."""

    topic_id: str
    logs: list[Log]

    def produce(self, partition: int, count: int) -> None:
        log = self.logs[partition]
        version = len(log.past)
        log.payloads += [f"{self.topic_id}-{partition}-{log.high + i}-{version}" for i in range(count)]

    def state(self) -> TopicState:
        held = {partition: OffsetRange(log.low, log.high) for partition, log in enumerate(self.logs)}
        return TopicState("orders", self.topic_id, "cluster", held)

    def last_records(self, offsets: Mapping[int, int]) -> dict[int, LastRecord]:
        """What stands at these offsets."""
        return {p: LastRecord(offset, self.logs[p].payloads[offset]) for p, offset in offsets.items()}


@dataclass
class Cluster:
    """The broker: one topic name, its incarnations (the last one exists), and the offsets of a consumer group."""

    incarnations: list[Incarnation]
    unanswered: int = 0
    group: dict[int, int] = field(default_factory=dict)
    meanwhile: Callable[[], object] | None = None
    told: TopicState | None = None

    @property
    def topic(self) -> Incarnation:
        return self.incarnations[-1]

    def create_topic(self, partitions: int) -> None:
        self.incarnations.append(Incarnation(f"T{len(self.incarnations)}", [Log() for _ in range(partitions)]))

    def state(self, known: KnownTopics = NOTHING_KNOWN) -> TopicState:
        """What a client is told; what happens `meanwhile`, happens before the caller can act on it."""
        self._be_asked()
        topic, state, meanwhile = self.topic, self.topic.state(), self.meanwhile
        continuity.verify_cluster(state, known)
        last = continuity.retained(known.get(state.topic_id, KnownTopic()).last_records, state)
        found = topic.last_records({p: record.offset for p, record in last.items()})
        continuity.verify_history(state.topic, last, found, is_compacted=lambda: False)
        self.meanwhile = None
        if meanwhile is not None:
            meanwhile()
        self.told = state
        return state

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Set the group's offsets."""
        self._be_asked()
        self.group = dict(offsets)

    def _be_asked(self) -> None:
        if self.unanswered:
            self.unanswered -= 1
            raise BrokerUnreachable("no broker answers")

    def read(self, plan: BatchPlan, partition: int) -> list[Row]:
        """As a consumer reads: by the topic's name, whatever incarnation that is by now."""
        self._be_asked()
        logs, span = self.topic.logs, plan.ranges[partition]
        if span.count and (partition >= len(logs) or not logs[partition].low <= span.start <= logs[partition].high):
            raise ReadStalled("offset out of range")
        if span.count and logs[partition].high < span.end:
            raise ReadStalled("nothing arrives")
        return [Row(plan.topic_id, partition, o, logs[partition].payloads[o]) for o in range(span.start, span.end)]


@dataclass(frozen=True)
class Tables:
    """What one transaction sees or makes: ledger, raw and silver rows by batch. Never changed in place."""

    plans: Mapping[str, BatchPlan] = field(default_factory=dict)
    raw: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    silver: Mapping[str, Sequence[Row]] = field(default_factory=dict)

    @cached_property
    def ledger(self) -> Ledger:
        ends: dict[str, dict[int, int]] = {}
        for plan in self.plans.values():
            so_far = ends.setdefault(plan.topic_id, {})
            so_far |= {p: max(span.end, so_far.get(p, 0)) for p, span in plan.ranges.items()}
        last: dict[str, dict[int, LastRecord]] = {}
        for row in (row for rows in self.raw.values() for row in rows):
            of_topic = last.setdefault(row.topic_id, {})
            if row.partition not in of_topic or of_topic[row.partition].offset < row.offset:
                of_topic[row.partition] = LastRecord(row.offset, row.payload)
        known = {topic_id: KnownTopic(frozenset({"cluster"}), last.get(topic_id, {})) for topic_id in ends}
        return Ledger(plans=self.plans, ends=ends, known=known)

    def with_raw(self, plan: BatchPlan, rows: Sequence[Row]) -> "Tables":
        return self.with_plan(plan).with_rows(plan, rows)

    def with_plan(self, plan: BatchPlan) -> "Tables":
        return replace(self, plans={**self.plans, plan.batch_key: plan})

    def with_rows(self, plan: BatchPlan, rows: Sequence[Row]) -> "Tables":
        return replace(self, raw={**self.raw, plan.batch_key: tuple(rows)})

    def with_silver(self, key: str) -> "Tables":
        return replace(self, silver={**self.silver, key: self.raw.get(key, ())})


class Store:
    """The warehouse file: committed tables, and the one writer that holds the file."""

    def __init__(self) -> None:
        self.exists = False
        self.tables = Tables()
        self.writer: object = None

    @property
    def readable(self) -> Tables:
        if self.writer is not None:
            raise WarehouseLocked("the file is held")
        return self.tables


@dataclass(frozen=True)
class StoreHandle:
    """What stands in for a `Warehouse`."""

    store: Store
    lock_timeout_seconds: float = 0

    @property
    def exists(self) -> bool:
        return self.store.exists


class Lock:
    """The run lock of the data directory."""

    def __init__(self) -> None:
        self.holder: object = None


@dataclass(eq=False)
class Run:
    """A run record. `asset_selection` None is the whole job."""

    run_id: str
    job_name: str
    tags: dict[str, str]
    asset_selection: frozenset[dg.AssetKey] | None
    create_timestamp: datetime
    status: DagsterRunStatus = DagsterRunStatus.NOT_STARTED
    end_time: float | None = None
    error: Exception | None = None

    @property
    def dagster_run(self) -> "Run":
        return self

    def finish(self, status: DagsterRunStatus, now: datetime) -> None:
        self.status, self.end_time = status, now.timestamp()


class Instance:
    """The part of `DagsterInstance` that the protocol uses."""

    def __init__(self, clock: type[datetime]) -> None:
        self._clock = clock
        self.keys: list[str] = []
        self.runs: list[Run] = []
        self.latest: SimpleNamespace | None = None

    @property
    def _now(self) -> datetime:
        return self._clock.now(UTC)

    def add_dynamic_partitions(self, _name: str, keys: Sequence[str]) -> None:
        self.keys += [key for key in keys if key not in self.keys]

    def get_paginated_dynamic_partitions(self, _name: str, *, limit: int, ascending: bool) -> SimpleNamespace:
        ordered = self.keys if ascending else self.keys[::-1]
        return SimpleNamespace(results=ordered[:limit])

    def delete_dynamic_partition(self, _name: str, key: str) -> None:
        self.keys = [known for known in self.keys if known != key]

    def has_dynamic_partition(self, _name: str, key: str) -> bool:
        return key in self.keys

    def get_dynamic_partitions(self, _name: str) -> list[str]:
        return list(self.keys)

    def materialize_raw(self, metadata: Mapping[str, Any]) -> None:
        event = SimpleNamespace(metadata=metadata)
        self.latest = SimpleNamespace(asset_materialization=event, timestamp=self._now.timestamp())

    def get_runs(self, filters: RunsFilter) -> list[Run]:
        return [run for run in reversed(self.runs) if run.status in filters.statuses]

    def get_run_records(self, filters: RunsFilter, *, limit: int | None = None) -> list[Run]:
        found = [run for run in self.get_runs(filters) if filters.tags.items() <= run.tags.items()]
        return found[:limit]

    def report_run_failed(self, run: Run, _message: str) -> None:
        run.finish(DagsterRunStatus.FAILURE, self._now)

    def get_daemon_heartbeats(self) -> dict[str, SimpleNamespace]:
        return {"SENSOR": SimpleNamespace(timestamp=self._now.timestamp())}

    def get_latest_materialization_event(self, _key: dg.AssetKey) -> SimpleNamespace | None:
        return self.latest
