"""The Kafka sensor: reads positions, never payloads, and asks for at most one batch at a time.

`decide` is the whole decision, pure. What belongs elsewhere: which offsets a batch holds; the run fixes that.
"""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from bridgecart_assets.assets.specs import KAFKA_ORDERS, asset_key
from bridgecart_assets.contracts import RAW_ORDERS
from bridgecart_assets.errors import BridgeCartError
from bridgecart_assets.jobs import BATCH_JOBS, orders_batch
from bridgecart_assets.kafka.errors import TopicNotFound
from bridgecart_assets.kafka.groups import committed_offsets
from bridgecart_assets.kafka.offsets import TopicState, lag
from bridgecart_assets.kafka.positions import topic_state
from bridgecart_assets.partitions import BATCHES, next_batch_key
from bridgecart_assets.platform import Platform
from bridgecart_assets.runlock import CLI_LAUNCHER, LAUNCHER_TAG, is_run_lock_free
from bridgecart_assets.warehouse.io_manager import LEDGER_METADATA

PARTITION_TAG = "dagster/partition"
GRPC_INFO_TAG = ".dagster/grpc_info"
FIRST_BACKOFF = timedelta(seconds=5)
FINISHED = (DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED)
UNFINISHED = [status for status in DagsterRunStatus if status not in FINISHED]


class BatchStuck(BridgeCartError):
    """A batch failed too often; a person must look."""


@dataclass(frozen=True)
class OpenBatch:
    """The newest registered batch when no run of it has succeeded."""

    key: str
    failures: int
    last_failed_at: datetime | None


@dataclass(frozen=True)
class Skip:
    """Ask for nothing, and why."""

    reason: str


@dataclass(frozen=True)
class Ask:
    """Ask for one run of this batch; `is_new` when its key must be registered first."""

    key: str
    is_new: bool
    reason: str


def decide(
    *,
    run_in_progress: str | None,
    open_batch: OpenBatch | None,
    unread: Mapping[int, int] | None,
    new_key: str,
    now: datetime,
    max_attempts: int,
) -> Skip | Ask:
    """What one tick does. `unread` is the lag per Kafka partition, None when nothing tells where the ledger ends.

    Raises BatchStuck when the open batch has used up its attempts.
    """
    if run_in_progress is not None:
        return Skip(f"run {run_in_progress} is queued or in progress; the next batch will take what arrives meanwhile")
    if open_batch is not None:
        return _decide_open_batch(open_batch, now=now, max_attempts=max_attempts)
    if unread is None:
        return Ask(new_key, is_new=True, reason="no batch tells where the ledger ends: this run finds out")
    waiting = sum(unread.values())
    if waiting == 0:
        return Skip("no new records: every record of the topic is in a batch")
    return Ask(
        new_key, is_new=True, reason=f"{waiting} new records in {sum(1 for n in unread.values() if n)} partitions"
    )


def _decide_open_batch(batch: OpenBatch, *, now: datetime, max_attempts: int) -> Skip | Ask:
    if batch.failures >= max_attempts:
        raise BatchStuck(
            f"Batch {batch.key} failed {batch.failures} times and nothing after it is read. Look at its runs, mend "
            f"the cause, then materialize batch {batch.key} in the UI or run `bridgecart run`."
        )
    if batch.last_failed_at is not None:
        wait_until = batch.last_failed_at + FIRST_BACKOFF * 2 ** (batch.failures - 1)
        if now < wait_until:
            return Skip(
                f"batch {batch.key} failed {batch.failures} times; next attempt after {wait_until:%H:%M:%S} UTC"
            )
    return Ask(
        batch.key, is_new=False, reason=f"batch {batch.key} is registered but not done; attempt {batch.failures + 1}"
    )


@dg.sensor(
    job=orders_batch,
    minimum_interval_seconds=1,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Watches the topic. New records: one new batch, one run. Nothing new: says so.",
)
def orders_sensor(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SensorResult | dg.SkipReason:
    """One tick: compare the topic's readable end with the ledger's and ask for a batch, a retry, or nothing."""
    instance = context.instance
    for orphan in report_orphans(instance, platform):
        context.log.warning(f"Run {orphan} was orphaned by a stopped or killed process; reported as failed.")
    running = unfinished_runs(instance)
    state: TopicState | None = None
    if not running:
        try:
            state = topic_state(platform.kafka)
        except TopicNotFound as error:
            return dg.SkipReason(str(error))
    unread = unread_records(instance, platform, state) if state else None
    now = datetime.now(UTC)
    decision = decide(
        run_in_progress=running[0] if running else None,
        open_batch=newest_open_batch(instance),
        unread=unread,
        new_key=next_batch_key(now, newest_keys(instance, limit=1)),
        now=now,
        max_attempts=platform.settings.max_batch_attempts,
    )
    if isinstance(decision, Skip):
        return dg.SkipReason(decision.reason)
    context.log.info(decision.reason)
    return dg.SensorResult(
        run_requests=[dg.RunRequest(partition_key=decision.key, tags={"bridgecart/reason": decision.reason})],
        dynamic_partitions_requests=[BATCHES.build_add_request([decision.key])] if decision.is_new else [],
        asset_events=[_lag_observation(state, unread)] if state and unread is not None else [],
    )


def unfinished_runs(instance: dg.DagsterInstance) -> list[str]:
    """Ids of runs that are queued or in progress, whoever asked for them."""
    records = instance.get_run_records(RunsFilter(statuses=UNFINISHED), limit=5)
    return [record.dagster_run.run_id for record in records]


def newest_keys(instance: dg.DagsterInstance, *, limit: int) -> list[str]:
    """The batch keys registered last, newest first."""
    page = instance.get_paginated_dynamic_partitions(str(BATCHES.name), limit=limit, ascending=False)
    return list(page.results)


def newest_open_batch(instance: dg.DagsterInstance) -> OpenBatch | None:
    """The newest registered batch if no batch job has succeeded for it. Older ones succeeded before it was planned."""
    keys = newest_keys(instance, limit=1)
    if not keys:
        return None
    runs = instance.get_run_records(RunsFilter(tags={PARTITION_TAG: keys[0]}), limit=100)
    batch_runs = [record for record in runs if record.dagster_run.job_name in BATCH_JOBS]
    if any(record.dagster_run.status == DagsterRunStatus.SUCCESS for record in batch_runs):
        return None
    failed_at = [
        datetime.fromtimestamp(record.end_time, UTC)
        for record in batch_runs
        if record.dagster_run.status in FINISHED and record.end_time is not None
    ]
    failures = sum(1 for record in batch_runs if record.dagster_run.status in FINISHED)
    return OpenBatch(keys[0], failures, max(failed_at, default=None))


def unread_records(instance: dg.DagsterInstance, platform: Platform, state: TopicState) -> Mapping[int, int] | None:
    """Lag per Kafka partition; None when neither a materialization nor the group tells where the ledger ends."""
    ledger_ends = _ledger_end_offsets(instance)
    if ledger_ends is not None:
        committed = {int(partition): end for partition, end in ledger_ends.get(state.topic_id, {}).items()}
        return lag(committed, state)
    group_ends = committed_offsets(platform.kafka, platform.settings.kafka_group)
    return lag(group_ends, state) if group_ends is not None else None


def report_orphans(instance: dg.DagsterInstance, platform: Platform) -> list[str]:
    """Report runs as failed whose process died with everything around it; Dagster keeps them STARTED for ever.

    A run knows its launcher: the code server's socket, or the lock that `bridgecart run` holds while it works.
    """
    records = instance.get_run_records(RunsFilter(statuses=[DagsterRunStatus.STARTING, DagsterRunStatus.STARTED]))
    orphans = [record.dagster_run for record in records if _is_orphan(record.dagster_run.tags, platform)]
    for run in orphans:
        instance.report_run_failed(run, "Orphaned: the process that worked on this run is gone.")
    return [run.run_id for run in orphans]


def _is_orphan(tags: Mapping[str, str], platform: Platform) -> bool:
    if tags.get(LAUNCHER_TAG) == CLI_LAUNCHER:
        return is_run_lock_free(platform.settings.data_dir)
    if GRPC_INFO_TAG not in tags:
        return False
    return not _answers(json.loads(tags[GRPC_INFO_TAG]))


def _answers(grpc_info: Mapping[str, Any]) -> bool:
    family, address = (
        (socket.AF_UNIX, grpc_info["socket"])
        if grpc_info.get("socket")
        else (socket.AF_INET, (grpc_info["host"], grpc_info["port"]))
    )
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(2.0)
        try:
            probe.connect(address)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            # Slow or out of reach is not gone.
            return True
    return True


def _ledger_end_offsets(instance: dg.DagsterInstance) -> Mapping[str, Mapping[str, int]] | None:
    event = instance.get_latest_materialization_event(asset_key(RAW_ORDERS))
    materialization = event.asset_materialization if event else None
    if materialization is None or LEDGER_METADATA not in materialization.metadata:
        return None
    return cast(Mapping[str, Mapping[str, int]], materialization.metadata[LEDGER_METADATA].value)


def _lag_observation(state: TopicState, unread: Mapping[int, int]) -> dg.AssetObservation:
    return dg.AssetObservation(
        KAFKA_ORDERS,
        metadata={
            "lag": sum(unread.values()),
            "topic": state.topic,
            "topic_id": state.topic_id,
            "end_offsets": dg.MetadataValue.json({str(p): span.end for p, span in sorted(state.partitions.items())}),
        },
    )
