"""Protocols that lose or double records: each changes one decision, as others have it or as we once had it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import dagster as dg
import pytest

from bridgecart_assets.orchestration import batch_status, partitions, sensors
from bridgecart_assets.orchestration.metadata import LEDGER_METADATA
from bridgecart_assets.orchestration.partitions import next_batch_key
from bridgecart_assets.sources.kafka import continuity, reading
from bridgecart_assets.sources.kafka.errors import RecordsGone
from bridgecart_assets.sources.kafka.offsets import BatchPlan, OffsetRange, TopicState, lag, plan_batch
from bridgecart_assets.warehouse.ingest import ledger, planning
from bridgecart_assets.warehouse.ingest.ledger import Ledger
from bridgecart_assets.warehouse.storage.outputs import KafkaSlice
from bridgecart_assets_tests.protocol import world as processes
from bridgecart_assets_tests.protocol.fakes import Cluster, Incarnation, Row, StoreHandle, Tables
from bridgecart_assets_tests.protocol.world import Steps, World

Wrong = Callable[[pytest.MonkeyPatch], None]


def writes_without_looking_whether_another_was_faster(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ledger, "verify_plan", lambda *_: None)


def commits_the_group_before_the_write_and_reads_on_from_there(patch: pytest.MonkeyPatch) -> None:
    rightly_write = processes.write_slice

    def from_the_group(warehouse: StoreHandle, connection: Cluster, settings: Any, key: str) -> KafkaSlice:
        group, state = connection.group, connection.state()
        ends = {p: min(group.get(p, 0), span.end) for p, span in state.partitions.items()}
        plan = plan_batch(batch_key=key, committed=ends, state=state, max_records=settings.max_batch_records)
        return KafkaSlice(connection, warehouse.store.tables.plans.get(key, plan), None, 0)  # type: ignore[arg-type]

    def write(world: World, handed: KafkaSlice) -> Steps:
        world.cluster.group = handed.plan.ends
        yield "committed the group's offsets"
        yield from rightly_write(world, handed)

    writes_without_looking_whether_another_was_faster(patch)
    patch.setattr(planning, "plan_slice", from_the_group)
    patch.setattr(processes, "write_slice", write)


def believes_what_the_last_run_told_dagster(patch: pytest.MonkeyPatch) -> None:
    rightly_open = batch_status.open_batch
    asked = []

    def open_batch(instance: Any, warehouse: Any) -> batch_status.OpenBatch | None:
        asked.append(instance)
        return rightly_open(instance, warehouse)

    def told(warehouse: StoreHandle) -> Ledger:
        latest = asked[-1].latest
        if latest is None or not warehouse.exists:
            return Ledger()
        ends = latest.asset_materialization.metadata[LEDGER_METADATA].value
        return Ledger(ends={topic_id: {int(p): end for p, end in of.items()} for topic_id, of in ends.items()})

    patch.setattr(sensors, "open_batch", open_batch)
    patch.setattr(sensors, "load_position", told)


def tells_dagster_the_batchs_own_end(patch: pytest.MonkeyPatch) -> None:
    def own_end(_: Ledger, batch: BatchPlan) -> Mapping[str, Any]:
        return {LEDGER_METADATA: dg.MetadataValue.json({batch.topic_id: {str(p): e for p, e in batch.ends.items()}})}

    believes_what_the_last_run_told_dagster(patch)
    patch.setattr(processes, "ledger_metadata", own_end)


def takes_a_ledger_that_it_cannot_read_for_an_empty_one(patch: pytest.MonkeyPatch) -> None:
    def from_the_start(warehouse: StoreHandle, *, only: str | None = None) -> Ledger:
        held = warehouse.store.writer is not None
        return Ledger() if held else warehouse.store.tables.ledger

    def nobody_waits(_: World) -> Steps:
        yield from ()

    writes_without_looking_whether_another_was_faster(patch)
    patch.setattr(planning, "load_ledger", from_the_start)
    patch.setattr(processes, "wait_for_the_file", nobody_waits)


def plans_an_old_batch_anew(patch: pytest.MonkeyPatch) -> None:
    def without_plans(warehouse: StoreHandle, *, only: str | None = None) -> Ledger:
        return Ledger(ends=warehouse.store.readable.ledger.ends)

    patch.setattr(planning, "load_ledger", without_plans)
    writes_without_looking_whether_another_was_faster(patch)


def names_a_batch_by_the_clock_alone(patch: pytest.MonkeyPatch) -> None:
    def by_the_clock(now: datetime, _: object) -> str:
        return next_batch_key(now, [])

    for module in (sensors, partitions):
        patch.setattr(module, "next_batch_key", by_the_clock)


def takes_a_topic_created_again_for_the_old_one(patch: pytest.MonkeyPatch) -> None:
    rightly = Incarnation.state
    patch.setattr(Incarnation, "state", lambda topic: replace(rightly(topic), topic_id="T0"))


def does_not_look_whether_the_topic_is_still_the_same(patch: pytest.MonkeyPatch) -> None:
    rightly = reading.verify_plan

    def by_name(plan: BatchPlan, state: TopicState) -> None:
        rightly(replace(plan, topic_id=state.topic_id), state)

    patch.setattr(reading, "verify_plan", by_name)


def forgets_batches_that_dagster_forgot(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(batch_status, "batches_without_silver", lambda _: [])


def never_takes_up_a_batch_again(patch: pytest.MonkeyPatch) -> None:
    forgets_batches_that_dagster_forgot(patch)
    patch.setattr(batch_status, "newest_open_batch", lambda _: None)


def deletes_a_batch_in_a_transaction_of_its_own(patch: pytest.MonkeyPatch) -> None:
    rightly_write = processes.write_slice

    def write(world: World, handed: KafkaSlice) -> Steps:
        world.store.tables = world.store.tables.with_rows(handed.plan, [])
        yield "deleted"
        yield from rightly_write(world, handed)

    patch.setattr(processes, "write_slice", write)


def commits_the_rows_before_the_ledger_row(patch: pytest.MonkeyPatch) -> None:
    def commit(world: World, seen: Tables, plan: BatchPlan, rows: list[Row]) -> Steps:
        world.store.tables = seen.with_rows(plan, rows)
        yield "rows are committed"
        world.store.tables = seen.with_raw(plan, rows)

    patch.setattr(processes, "commit_raw", commit)


def commits_the_ledger_row_before_the_rows(patch: pytest.MonkeyPatch) -> None:
    def commit(world: World, seen: Tables, plan: BatchPlan, rows: list[Row]) -> Steps:
        world.store.tables = seen.with_plan(plan)
        yield "the ledger row is committed"
        world.store.tables = seen.with_raw(plan, rows)

    patch.setattr(processes, "commit_raw", commit)


def passes_over_what_retention_removed(patch: pytest.MonkeyPatch) -> None:
    def plan(**given: Any) -> BatchPlan:
        return replace(plan_batch(**{**given, "fail_on_data_loss": False}), lost={})

    def unread(committed: Mapping[int, int], state: TopicState, **_: Any) -> dict[int, int]:
        return lag(committed, state, fail_on_data_loss=False)

    writes_without_looking_whether_another_was_faster(patch)
    patch.setattr(planning, "plan_batch", plan)
    patch.setattr(sensors, "lag", unread)


def writes_what_is_left_of_a_batch_that_is_read_again(patch: pytest.MonkeyPatch) -> None:
    rightly_verify, rightly_read = reading.verify_plan, Cluster.read

    def verify(plan: BatchPlan, state: TopicState) -> None:
        try:
            rightly_verify(plan, state)
        except RecordsGone:
            return

    def read(cluster: Cluster, plan: BatchPlan, partition: int) -> list[Row]:
        span, held = plan.ranges[partition], cluster.topic.state().partitions.get(partition)
        low = held.start if held else 0
        left = OffsetRange(min(max(span.start, low), span.end), span.end)
        return rightly_read(cluster, replace(plan, ranges={partition: left}), partition)

    for module in (reading, batch_status):
        patch.setattr(module, "verify_plan", verify)
    patch.setattr(Cluster, "read", read)


def cuts_a_batch_but_not_its_ledger_row(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(BatchPlan, "cut", lambda plan, _: plan)


def believes_that_a_topic_keeps_its_history(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(continuity, "verify_history", lambda *_, **__: None)


def looks_at_the_history_only_before_it_reads(patch: pytest.MonkeyPatch) -> None:
    rightly_write = processes.write_slice

    def write(world: World, handed: KafkaSlice) -> Steps:
        yield from rightly_write(world, replace(handed, known={}))

    patch.setattr(processes, "write_slice", write)


WRONG_ABOUT_HISTORY: list[Wrong] = [
    believes_that_a_topic_keeps_its_history,
    looks_at_the_history_only_before_it_reads,
]

WRONG: list[Wrong] = [
    writes_without_looking_whether_another_was_faster,
    commits_the_group_before_the_write_and_reads_on_from_there,
    believes_what_the_last_run_told_dagster,
    tells_dagster_the_batchs_own_end,
    takes_a_ledger_that_it_cannot_read_for_an_empty_one,
    plans_an_old_batch_anew,
    names_a_batch_by_the_clock_alone,
    takes_a_topic_created_again_for_the_old_one,
    does_not_look_whether_the_topic_is_still_the_same,
    forgets_batches_that_dagster_forgot,
    never_takes_up_a_batch_again,
    deletes_a_batch_in_a_transaction_of_its_own,
    commits_the_rows_before_the_ledger_row,
    commits_the_ledger_row_before_the_rows,
    passes_over_what_retention_removed,
    writes_what_is_left_of_a_batch_that_is_read_again,
    cuts_a_batch_but_not_its_ledger_row,
]
