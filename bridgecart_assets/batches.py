"""The newest batch: whether it is done, how often it failed, and what is left to do for it."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from bridgecart_assets.errors import BridgeCartError
from bridgecart_assets.jobs import AFTER_RAW, BATCH_JOBS, SILVER_BATCH
from bridgecart_assets.kafka.errors import RecordsGone, TopicReplaced
from bridgecart_assets.kafka.offsets import TopicState
from bridgecart_assets.kafka.reading import verify_plan
from bridgecart_assets.partitions import newest_keys
from bridgecart_assets.runs import FINISHED
from bridgecart_assets.warehouse.database import Warehouse
from bridgecart_assets.warehouse.ledger import load_ledger

PARTITION_TAG = "dagster/partition"
# A tick must not wait for the warehouse as long as a run may.
LOOK_SECONDS = 2.0


@dataclass(frozen=True)
class OpenBatch:
    """The newest registered batch when no run has taken it in."""

    key: str
    failures: int
    last_failed_at: datetime | None


def newest_open_batch(instance: dg.DagsterInstance) -> OpenBatch | None:
    """The newest registered batch unless a run took it in. Older ones were taken in before it was planned."""
    keys = newest_keys(instance, limit=1)
    if not keys:
        return None
    records = instance.get_run_records(RunsFilter(tags={PARTITION_TAG: keys[0]}), limit=100)
    attempts = [record for record in records if _takes_in_a_batch(record.dagster_run)]
    if any(record.dagster_run.status == DagsterRunStatus.SUCCESS for record in attempts):
        return None
    failed = [record for record in attempts if record.dagster_run.status in FINISHED]
    # Newest first as they were created, whatever the clock said.
    ended = [datetime.fromtimestamp(record.end_time, UTC) for record in failed if record.end_time is not None]
    return OpenBatch(keys[0], len(failed), ended[0] if ended else None)


def assets_left(job: str, key: str, warehouse: Warehouse, state: TopicState) -> list[dg.AssetKey] | None:
    """What to select of `job` for a batch that is to be run again; None is everything.

    When the topic can never serve the batch again (it was created anew, or retention removed records), its raw rows
    stand as they were committed and everything after them is left to do.
    """
    try:
        plan = load_ledger(replace(warehouse, lock_timeout_seconds=LOOK_SECONDS), only=key).plans.get(key)
        if plan is not None:
            verify_plan(plan, state)
    except (TopicReplaced, RecordsGone):
        return AFTER_RAW[job]
    except BridgeCartError:
        # A warehouse or range that cannot be read: the run says so, and counts as an attempt.
        return None
    return None


def _takes_in_a_batch(run: dg.DagsterRun) -> bool:
    # What a person launches in the UI has another job's name, but a selection of assets.
    if run.asset_selection:
        return run.asset_selection >= SILVER_BATCH
    return run.job_name in BATCH_JOBS
