"""The Kafka sensor: reads positions, never payloads, and asks for at most one batch at a time.

`decide` is the whole decision, pure. What belongs elsewhere: which offsets a batch holds; the run fixes that.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from logging import Logger

import dagster as dg

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings, unknown_variables
from bridgecart_assets.contracts import CUSTOMER_SEGMENTS, RAW_ORDERS
from bridgecart_assets.orchestration.announcements import announce_segments
from bridgecart_assets.orchestration.asset_specs import KAFKA_ORDERS, asset_key
from bridgecart_assets.orchestration.batch_status import OpenBatch, assets_left, open_batch, with_short_timeout
from bridgecart_assets.orchestration.failures import answer_of
from bridgecart_assets.orchestration.jobs import FOLLOWS_CHANGES, PRINTED, orders_batch
from bridgecart_assets.orchestration.partitions import BATCHES, expired_keys, newest_keys, next_batch_key
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.orchestration.run_limit import max_runtime
from bridgecart_assets.orchestration.runs import report_orphans, unfinished_runs
from bridgecart_assets.processes.run_lock import is_run_lock_free
from bridgecart_assets.sources.kafka.offsets import TopicState, lag
from bridgecart_assets.sources.kafka.pending import Pending, pending_records
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.warehouse.ingest.ledger import EndOffsets, Ledger, load_position, newest_batches

FIRST_BACKOFF = timedelta(seconds=5)
# A person may have added keys of another form after the newest batch.
KEYS_LOOKED_AT = 100

_warned_of: set[str] = set()


class BatchStuck(BridgeCartError):
    """A batch failed too often; a person must look."""


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


@dataclass(frozen=True)
class BatchingPolicy:
    """Conditions on which a batch starts: `min_records` wait, or `max_delay` has passed since the batch before."""

    min_records: int
    max_delay: timedelta


AT_ONCE = BatchingPolicy(min_records=1, max_delay=timedelta(0))


def decide(
    *,
    open_batch: OpenBatch | None,
    unread: Mapping[int, int] | None,
    new_key: str,
    now: datetime,
    max_attempts: int,
    last_batch_at: datetime | None = None,
    policy: BatchingPolicy = AT_ONCE,
    pending: Pending | None = None,
) -> Skip | Ask:
    """The batch that a tick asks for, or the reason to skip, when nothing is in progress.

    `unread` is the lag per Kafka partition, None when nothing tells where the ledger ends; `pending` is what waits
    for open transactions. Raises BatchStuck when the open batch has used up its attempts.
    """
    if open_batch is not None:
        return _decide_open_batch(open_batch, now=now, max_attempts=max_attempts)
    if unread is None:
        return Ask(new_key, is_new=True, reason="no batch tells where the ledger ends: this run finds out")
    waiting = sum(unread.values())
    if waiting == 0 and pending is not None:
        remedy = f". {pending.remedy}" if pending.is_hanging(now) else ""
        return Skip(f"no new records that can be read; {pending.says}{remedy}")
    if waiting == 0:
        return Skip("no new records: every record of the topic is in a batch")
    if waiting < policy.min_records and last_batch_at is not None:
        wait_until = last_batch_at + policy.max_delay
        # A clock that was set back must not make it wait until it has caught up.
        if last_batch_at <= now < wait_until:
            return Skip(
                f"{waiting} new records; a batch starts at {policy.min_records}, or at {wait_until:%H:%M:%S} UTC"
            )
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
        # A clock that was set back must not make it wait until it has caught up.
        if batch.last_failed_at <= now < wait_until:
            return Skip(
                f"batch {batch.key} failed {batch.failures} times; next attempt after {wait_until:%H:%M:%S} UTC"
            )
    return Ask(
        batch.key,
        is_new=not batch.is_registered,
        reason=f"batch {batch.key} is not done; attempt {batch.failures + 1}",
    )


@dg.sensor(
    job=orders_batch,
    minimum_interval_seconds=1,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Watches the topic. New records: one new batch, one run. Nothing new: says so.",
)
def orders_sensor(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SensorResult | dg.SkipReason:
    """One tick: compare the topic's readable end with the ledger's and ask for a batch, a retry, or nothing."""
    warn_of_unknown_variables(context.log)
    return answer_of(context, lambda: tick(context.instance, platform, context.log))


@dg.asset_sensor(
    asset_key=asset_key(CUSTOMER_SEGMENTS),
    job=announce_segments,
    minimum_interval_seconds=1,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Off until somebody switches it on: sends changes of segments and lifecycles to their Kafka topic "
    "after every batch.",
)
def segment_changes_sensor(platform: Platform) -> dg.RunRequest:
    """Customers were scored: say who changed."""
    return dg.RunRequest(run_config=PRINTED, tags=max_runtime(platform.settings.max_run_minutes))


def warn_of_unknown_variables(log: Logger) -> None:
    """Once in the life of a code server, in the log of a tick."""
    for sentence in unknown_variables(os.environ):
        if sentence not in _warned_of:
            _warned_of.add(sentence)
            log.warning(sentence)


def tick(instance: dg.DagsterInstance, platform: Platform, log: Logger) -> dg.SensorResult | dg.SkipReason:
    """The sensor's answer, from what Dagster, the topic and the warehouse say now. Raises BridgeCartError."""
    # It loads SQLAlchemy, which the definitions do not need.
    from bridgecart_assets.orchestration.pruning import prune_or_warn

    at_work = _at_work(instance, platform, log)
    if at_work is not None:
        return dg.SkipReason(f"{at_work}; the next batch will take what arrives meanwhile")
    settings = platform.settings
    warehouse = with_short_timeout(platform.warehouse)
    unfinished = open_batch(instance, warehouse)
    # Before the topic, which grows: asked after it, the ledger could be ahead of it.
    known = newest_keys(instance, limit=KEYS_LOOKED_AT)
    position = Ledger()
    if unfinished is None:
        position = load_position(warehouse)
        # An instance that lost its memory must not come upon the key of an old batch.
        known += newest_batches(warehouse, limit=KEYS_LOOKED_AT)
    state = topic_state(platform.kafka, position.known)
    unread = unread_records(position.ends, state, settings)
    pending = pending_records(platform.kafka, state)
    now = datetime.now(UTC)
    if pending is not None and pending.is_hanging(now):
        log.warning(f"{pending.says}. {pending.remedy}")
    decision = decide(
        open_batch=unfinished,
        unread=unread,
        new_key=next_batch_key(now, known),
        now=now,
        max_attempts=settings.max_batch_attempts,
        last_batch_at=_last_batch_at(instance),
        policy=BatchingPolicy(settings.min_batch_records, timedelta(seconds=settings.max_batch_delay)),
        pending=pending,
    )
    # Nothing is in progress.
    prune_or_warn(instance, settings, log.warning)
    if isinstance(decision, Skip):
        return dg.SkipReason(decision.reason)
    log.info(decision.reason)
    selection = None if unfinished is None else assets_left(orders_batch.name, decision.key, platform.warehouse, state)
    request = dg.RunRequest(
        partition_key=decision.key,
        asset_selection=selection,
        run_config={**PRINTED, **FOLLOWS_CHANGES},
        tags={"bridgecart/reason": decision.reason, **max_runtime(settings.max_run_minutes)},
    )
    return dg.SensorResult(
        run_requests=[request],
        dynamic_partitions_requests=_key_requests(instance, decision.key, settings) if decision.is_new else [],
        asset_events=[_lag_observation(state, unread)] if unread is not None else [],
    )


def unread_records(ends: EndOffsets, state: TopicState, settings: Settings) -> Mapping[int, int] | None:
    """Lag per Kafka partition; None when the warehouse has no batch that tells where the ledger ends.

    Nothing but the warehouse itself is asked. The group's offsets and the metadata of materializations outlive it:
    a warehouse that is put back from an older copy would look as if it had everything.
    """
    if not ends:
        return None
    return lag(ends.get(state.topic_id, {}), state, fail_on_data_loss=settings.fail_on_data_loss)


def _key_requests(
    instance: dg.DagsterInstance, new_key: str, settings: Settings
) -> list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest]:
    expired = expired_keys(instance, settings.max_batch_keys)
    return [BATCHES.build_add_request([new_key]), *([BATCHES.build_delete_request(expired)] if expired else [])]


def _at_work(instance: dg.DagsterInstance, platform: Platform, log: Logger) -> str | None:
    is_free = is_run_lock_free(platform.settings.data_dir)
    for orphan in report_orphans(instance, datetime.now(UTC), is_command_at_work=not is_free):
        log.warning(f"Run {orphan} was orphaned by a stopped or killed process; reported as failed.")
    running = unfinished_runs(instance)
    if running:
        return f"run {running[0].run_id} is queued or in progress"
    return None if is_free else "a bridgecart command is at work on the data directory"


def _last_batch_at(instance: dg.DagsterInstance) -> datetime | None:
    event = instance.get_latest_materialization_event(asset_key(RAW_ORDERS))
    return datetime.fromtimestamp(event.timestamp, UTC) if event else None


def _lag_observation(state: TopicState, unread: Mapping[int, int]) -> dg.AssetObservation:
    return dg.AssetObservation(
        KAFKA_ORDERS,
        metadata={
            "lag": sum(unread.values()),
            "waiting_for_transactions": sum(state.pending.values()),
            "topic": state.topic,
            "topic_id": state.topic_id,
            "end_offsets": dg.MetadataValue.json({str(p): span.end for p, span in sorted(state.partitions.items())}),
        },
    )
