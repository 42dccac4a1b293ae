"""The newest batch: whether it is done, how often it failed, and what is left to do for it."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.orchestration.jobs import AFTER_RAW, BATCH_JOBS, SILVER_BATCH
from bridgecart_assets.orchestration.partitions import BATCHES, newest_keys
from bridgecart_assets.orchestration.runs import FINISHED
from bridgecart_assets.sources.kafka.errors import RecordsGone, TopicReplaced
from bridgecart_assets.sources.kafka.offsets import TopicState
from bridgecart_assets.sources.kafka.reading import verify_plan
from bridgecart_assets.warehouse.ingest.ledger import load_ledger
from bridgecart_assets.warehouse.ingest.unfinished import batches_without_silver
from bridgecart_assets.warehouse.storage.database import Warehouse

PARTITION_TAG = "dagster/partition"
_SHORT_TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True)
class OpenBatch:
    """A batch that no run has taken in."""

    key: str
    failures: int
    last_failed_at: datetime | None
    is_registered: bool = True


def open_batch(instance: dg.DagsterInstance, warehouse: Warehouse) -> OpenBatch | None:
    """The batch to take in before a new one: the newest registered, or one that stands in raw and not in silver."""
    newest = newest_open_batch(instance)
    if newest is not None:
        return newest
    behind = batches_without_silver(warehouse)
    if not behind:
        return None
    # Whatever Dagster calls them, its runs were in vain.
    in_vain = _ended_attempts(instance, behind[0])
    is_registered = instance.has_dynamic_partition(str(BATCHES.name), behind[0])
    return OpenBatch(behind[0], len(in_vain), _last_end(in_vain), is_registered)


def newest_open_batch(instance: dg.DagsterInstance) -> OpenBatch | None:
    """The newest registered batch unless a run took it in."""
    keys = newest_keys(instance, limit=1)
    if not keys:
        return None
    attempts = _ended_attempts(instance, keys[0])
    if any(record.dagster_run.status == DagsterRunStatus.SUCCESS for record in attempts):
        return None
    return OpenBatch(keys[0], len(attempts), _last_end(attempts))


def assets_left(job: str, key: str, warehouse: Warehouse, state: TopicState) -> list[dg.AssetKey] | None:
    """Assets of `job` to select for a batch that is to be run again; None is everything.

    When the topic can never serve the batch again (it was created anew, or retention removed records), its raw rows
    stand as they were committed and everything after them is left to do.
    """
    try:
        plan = load_ledger(with_short_timeout(warehouse), only=key).plans.get(key)
        if plan is not None:
            verify_plan(plan, state)
    except (TopicReplaced, RecordsGone):
        return AFTER_RAW[job]
    except BridgeCartError:
        # A warehouse or range that cannot be read: the run says so, and counts as an attempt.
        return None
    return None


def with_short_timeout(warehouse: Warehouse, seconds: float = _SHORT_TIMEOUT_SECONDS) -> Warehouse:
    """The warehouse for a tick of a sensor, which must not wait for it as long as a run may."""
    return replace(warehouse, lock_timeout_seconds=seconds)


def _ended_attempts(instance: dg.DagsterInstance, key: str) -> list[dg.RunRecord]:
    records = instance.get_run_records(RunsFilter(tags={PARTITION_TAG: key}, statuses=list(FINISHED)), limit=100)
    return [record for record in records if _takes_in_a_batch(record.dagster_run)]


def _last_end(records: list[dg.RunRecord]) -> datetime | None:
    # Newest first as they were created, whatever the clock said.
    ends = [datetime.fromtimestamp(record.end_time, UTC) for record in records if record.end_time is not None]
    return ends[0] if ends else None


def _takes_in_a_batch(run: dg.DagsterRun) -> bool:
    # What a person launches in the UI has another job's name, but a selection of assets.
    if run.asset_selection:
        return run.asset_selection >= SILVER_BATCH
    return run.job_name in BATCH_JOBS
