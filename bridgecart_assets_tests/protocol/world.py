"""The processes that take part, as generators: each `yield` is a place where the process may be killed or overtaken.

What they decide, the project's own functions decide: the sensor's `tick`, `plan_slice`, `verify_plan`,
`open_batch_keys`, `assets_left`, `settle_unfinished_runs`. The steps between follow Dagster's daemon,
`warehouse.slices` and the IO manager. `connect` puts the fakes where those functions ask for the topic, the ledger, the
lock and the clock.
"""

import json
import logging
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from types import SimpleNamespace
from typing import ClassVar, cast

import dagster as dg
import pytest
from dagster import DagsterRunStatus

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.commands import run_pipeline as running
from bridgecart_assets.contracts import RAW_ORDERS
from bridgecart_assets.orchestration import batch_status, pruning, sensors
from bridgecart_assets.orchestration.asset_specs import asset_key
from bridgecart_assets.orchestration.jobs import SILVER_BATCH, ingest_batch, orders_batch
from bridgecart_assets.orchestration.metadata import ledger_metadata
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.orchestration.runs import GRPC_INFO_TAG
from bridgecart_assets.processes.run_lock import CLI_LAUNCHER, LAUNCHER_TAG
from bridgecart_assets.sources.kafka import reading
from bridgecart_assets.sources.kafka.errors import BrokerUnreachable, DataLoss, HistoryRewritten, OffsetsWentBackwards
from bridgecart_assets.sources.kafka.offsets import BatchPlan, TopicState
from bridgecart_assets.warehouse.ingest import ledger, planning
from bridgecart_assets.warehouse.ingest.ledger import EndOffsets, Ledger
from bridgecart_assets.warehouse.storage.outputs import KafkaSlice
from bridgecart_assets_tests.protocol.fakes import Cluster, Instance, Lock, Row, Run, Store, StoreHandle, Tables

Steps = Generator[str, None, None]
WAITS = "waits for the warehouse"
RAW = asset_key(RAW_ORDERS)
# What retries and empty batches may need beyond one batch for every record.
BATCHES_IN_VAIN = 40
LOG = logging.getLogger("protocol")
LOG.setLevel(logging.CRITICAL)


class ProtocolBroken(AssertionError):
    """The promise does not hold."""


class Clock(datetime):
    """The wall clock, which people set."""

    told: ClassVar[datetime]

    @classmethod
    def now(cls, tz=None):
        return cls.told


@dataclass
class World:
    """Everything there is at one moment. `working` are the runs at work or in the queue."""

    cluster: Cluster
    fail_on_data_loss: bool
    store: Store = field(default_factory=Store)
    instance: Instance = field(default_factory=lambda: Instance(Clock))
    lock: Lock = field(default_factory=Lock)
    working: dict[Run, Steps] = field(default_factory=dict)
    promised_from: dict[tuple[str, int], int] = field(default_factory=dict)
    ids: Iterator[int] = field(default_factory=count)

    @property
    def dagster(self) -> dg.DagsterInstance:
        return cast(dg.DagsterInstance, self.instance)

    @property
    def platform(self) -> Platform:
        settings = SimpleNamespace(
            data_dir=self.lock,
            fail_on_data_loss=self.fail_on_data_loss,
            kafka_stall_seconds=0,
            mapping=None,
            max_batch_attempts=3,
            max_batch_bytes=4,
            max_batch_delay=60,
            max_batch_keys=2,
            max_batch_records=5,
            max_run_minutes=240,
            min_batch_records=2,
        )
        platform = SimpleNamespace(settings=settings, warehouse=StoreHandle(self.store), kafka=self.cluster)
        return cast(Platform, platform)

    def launch(
        self, key: str, *, job: str, selection: Iterable[dg.AssetKey] | None, tags: Mapping[str, str] | None = None
    ) -> Run:
        run = Run(
            run_id=f"R{next(self.ids)}",
            job_name=job,
            tags={batch_status.PARTITION_TAG: key, **(tags or {})},
            asset_selection=None if selection is None else frozenset(selection),
            create_timestamp=Clock.told,
        )
        self.instance.runs.append(run)
        return run

    def queue(self, run: Run) -> None:
        if run.status == DagsterRunStatus.NOT_STARTED:
            run.status = DagsterRunStatus.QUEUED
            self.working[run] = work(self, run)


def connect(patch: pytest.MonkeyPatch) -> None:
    """Let the project's functions see the fakes that they are given."""

    def load_ledger(warehouse: StoreHandle, *, only: str | None = None) -> Ledger:
        return warehouse.store.readable.ledger

    def newest_batches(warehouse: StoreHandle, *, limit: int) -> list[str]:
        return sorted(warehouse.store.readable.ledger.plans, reverse=True)[:limit]

    def batches_without_silver(warehouse: StoreHandle) -> list[str]:
        tables = warehouse.store.readable
        return sorted(key for key in tables.plans if tables.raw.get(key) and not tables.silver.get(key))

    def load_ends(warehouse: StoreHandle) -> EndOffsets:
        return warehouse.store.readable.ledger.ends

    def load_position(warehouse: StoreHandle) -> Ledger:
        return replace(warehouse.store.readable.ledger, plans={})

    fakes = {
        "batches_without_silver": batches_without_silver,
        "datetime": Clock,
        "is_run_lock_free": lambda lock: lock.holder is None,
        "load_ends": load_ends,
        "load_ledger": load_ledger,
        "load_position": load_position,
        "newest_batches": newest_batches,
        "topic_state": Cluster.state,
    }
    for module in (batch_status, planning, running, sensors):
        for name in fakes.keys() & vars(module).keys():
            patch.setattr(module, name, fakes[name])
    # What Dagster forgets is not of the protocol.
    patch.setattr(pruning, "prune_or_warn", lambda *_: None)


def tick(world: World) -> Steps:
    """One tick of the sensor, and what the daemon does with the answer."""
    answer = _answer(world)
    yield "evaluated"
    if isinstance(answer, dg.SkipReason):
        return
    # The lag's observation is stored here; nothing reads it.
    yield "observed"
    for request in answer.dynamic_partitions_requests or []:
        if isinstance(request, dg.AddDynamicPartitionsRequest):
            world.instance.add_dynamic_partitions(request.partitions_def_name, request.partition_keys)
        else:
            for key in request.partition_keys:
                world.instance.delete_dynamic_partition(request.partitions_def_name, key)
        yield "registered or pruned"
    for wanted in answer.run_requests or []:
        assert wanted.partition_key is not None
        run = world.launch(wanted.partition_key, job=orders_batch.name, selection=wanted.asset_selection)
        yield "created"
        world.queue(run)
        yield "launched"
    # The cursor is saved here; the sensor keeps nothing in it.


def _answer(world: World) -> dg.SensorResult | dg.SkipReason:
    tables, keys, had_news = world.store.tables, list(world.instance.keys), has_news(world)
    try:
        answer = sensors.tick(world.dagster, world.platform, LOG)
    except DataLoss:
        check_loss(world)
        raise
    except (HistoryRewritten, OffsetsWentBackwards):
        check_rewritten(world)
        raise
    for key in _new_keys(answer):
        # A batch that Dagster forgot is registered again.
        is_behind = tables.raw.get(key) and not tables.silver.get(key)
        if not is_behind and (key in keys or key in tables.plans):
            raise ProtocolBroken(f"key {key} is given to a second batch")
        if not is_behind and not (had_news or has_news(world)):
            raise ProtocolBroken(f"batch {key} is asked for although there is nothing to read")
    return answer


def _new_keys(answer: dg.SensorResult | dg.SkipReason) -> list[str]:
    requests = answer.dynamic_partitions_requests or [] if isinstance(answer, dg.SensorResult) else []
    added = [request for request in requests if isinstance(request, dg.AddDynamicPartitionsRequest)]
    return [key for request in added for key in request.partition_keys]


def has_news(world: World) -> bool:
    """Whether the topic has, or had, what no batch covers. The first batch may be empty."""
    topic = world.cluster.topic
    committed = world.store.tables.ledger.committed(topic.topic_id)
    if not world.store.tables.plans:
        return True
    return any(committed.get(partition, 0) < log.high for partition, log in enumerate(topic.logs))


def check_loss(world: World) -> None:
    """A stop is right only when records are gone that no batch holds."""
    state = world.cluster.told
    assert state is not None
    committed = world.store.tables.ledger.committed(state.topic_id)
    if not any(committed.get(partition, 0) < span.start for partition, span in state.partitions.items()):
        raise ProtocolBroken("a loss is reported, but everything that is gone had been read")


def check_rewritten(world: World) -> None:
    """A stop is right only when the topic lost records; that a batch had read them, only the ledger's end can tell."""
    if not any(log.past for topic in world.cluster.incarnations for log in topic.logs):
        raise ProtocolBroken("a topic that only ever grew is said to have another history")


def work(world: World, run: Run) -> Steps:
    """One run, from its start to its end. A killed one stays STARTED until somebody notices."""
    run.status = DagsterRunStatus.STARTED
    try:
        yield from _assets_of(world, run)
    except GeneratorExit:
        if LAUNCHER_TAG not in run.tags:
            run.tags[GRPC_INFO_TAG] = json.dumps({"socket": "/nowhere/a-code-server-that-is-gone"})
        raise
    except BridgeCartError as error:
        if isinstance(error, HistoryRewritten | OffsetsWentBackwards):
            check_rewritten(world)
        run.error = error
        run.finish(DagsterRunStatus.FAILURE, Clock.told)
    else:
        run.finish(DagsterRunStatus.SUCCESS, Clock.told)
    finally:
        _release(world, run)


def _assets_of(world: World, run: Run) -> Steps:
    key, chosen = run.tags[batch_status.PARTITION_TAG], run.asset_selection
    if chosen is None or RAW in chosen:
        yield from materialize_raw(world, run, key)
    if chosen is None or chosen >= SILVER_BATCH:
        yield "before silver"
        yield from hold_the_file(world, run)
        yield "before silver is committed"
        world.store.tables = world.store.tables.with_silver(key)
        _release(world, run)
        yield "silver stands"


def materialize_raw(world: World, run: Run, key: str) -> Steps:
    """The asset `raw/orders`: plan, write, tell."""
    yield "before planning"
    yield from wait_for_the_file(world)
    handed = planning.plan_slice(world.platform.warehouse, world.platform.kafka, world.platform.settings, key)
    promised = world.cluster.told
    assert promised is not None
    yield "planned"
    yield from hold_the_file(world, run)
    topic_id = handed.plan.topic_id
    if topic_id not in world.store.tables.ledger.ends:
        # From its first batch on, every offset of an incarnation counts; in partitions added later, from 0 on.
        world.promised_from |= {(topic_id, p): span.start for p, span in promised.partitions.items()}
    yield from write_slice(world, handed)
    _release(world, run)
    yield "committed"
    yield from wait_for_the_file(world)
    stands = world.store.readable.ledger
    yield "has read the ledger's ends"
    metadata = ledger_metadata(stands, stands.plans[key])
    with suppress(BrokerUnreachable):
        world.cluster.commit(stands.committed(topic_id))
    yield "committed the group's offsets"
    world.instance.materialize_raw(metadata)
    yield "raw is materialized"


def write_slice(world: World, handed: KafkaSlice) -> Steps:
    """One transaction: nothing is there before its end."""
    plan, seen = handed.plan, world.store.tables
    ledger.verify_plan(seen.ledger, plan)
    reading.verify_plan(plan, world.cluster.state())
    held = seen.raw.get(plan.batch_key)
    covered, rows = plan, list[Row]()
    for partition in sorted(plan.ranges):
        yield "reads"
        chunk = world.cluster.read(plan, partition)
        if handed.max_bytes is not None and rows and len(rows) + len(chunk) > handed.max_bytes:
            covered = plan.cut(_ends(rows))
            break
        rows += chunk
    yield "has read"
    if held and tuple(rows) != held:
        raise HistoryRewritten("the batch has other records in the topic")
    # Of a plan without ranges, the topic's identity is all there is to verify.
    reading.verify_plan(replace(plan, ranges={}), world.cluster.state(handed.known))
    yield "before the commit"
    yield from commit_raw(world, seen, covered, rows)


def commit_raw(world: World, seen: Tables, plan: BatchPlan, rows: list[Row]) -> Steps:
    """Rows and ledger row become true together."""
    world.store.tables = seen.with_raw(plan, rows)
    yield "rows and ledger row are committed"


def _ends(rows: list[Row]) -> dict[int, int]:
    return {row.partition: row.offset + 1 for row in rows}


def wait_for_the_file(world: World) -> Steps:
    """Nobody reads while another process writes."""
    while world.store.writer is not None:
        yield WAITS


def hold_the_file(world: World, run: Run) -> Steps:
    """Begin a transaction."""
    yield from wait_for_the_file(world)
    world.store.writer, world.store.exists = run, True
    yield "began"


def _release(world: World, run: Run) -> None:
    if world.store.writer is run:
        world.store.writer = None


def command(world: World) -> Steps:
    """`bridgecart run`, which needs neither daemon nor queue."""
    if world.lock.holder is not None:
        return
    me = world.lock.holder = object()
    try:
        running.settle_unfinished_runs(world.dagster, seconds=0, progress=lambda _: None)
        yield "settled"
        yield from wait_for_the_file(world)
        state = world.cluster.state(world.store.readable.ledger.known)
        yield "has read the topic's state"
        keys = running.open_batch_keys(world.dagster, world.platform, state)
        for _ in range(BATCHES_IN_VAIN + retained(state)):
            yield from wait_for_the_file(world)
            key = next(keys, None)
            if key is None:
                return
            yield "registered"
            left = batch_status.assets_left(ingest_batch.name, key, world.platform.warehouse, state)
            run = world.launch(key, job=ingest_batch.name, selection=left, tags={LAUNCHER_TAG: CLI_LAUNCHER})
            yield "launched"
            yield from work(world, run)
            if run.error is not None:
                raise run.error
        raise ProtocolBroken("`bridgecart run` makes batches without end")
    finally:
        if world.lock.holder is me:
            world.lock.holder = None


def retained(state: TopicState) -> int:
    """Records that can be read."""
    return sum(span.count for span in state.partitions.values())
