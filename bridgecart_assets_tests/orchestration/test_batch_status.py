from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
import pytest
from dagster import DagsterEvent, DagsterEventType, DagsterRunStatus
from dagster._core.test_utils import create_run_for_test

from bridgecart_assets.orchestration.batch_status import (
    PARTITION_TAG,
    OpenBatch,
    assets_left,
    newest_open_batch,
    open_batch,
)
from bridgecart_assets.orchestration.jobs import AFTER_RAW, SILVER_BATCH
from bridgecart_assets.orchestration.partitions import BATCHES
from bridgecart_assets.sources.kafka.offsets import OffsetRange, TopicState
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.support.records import TOPIC_ID, Record, event, store_batch

KEY, LATER = "20260131T070510Z", "20260131T070600Z"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(str(BATCHES.name), [KEY])
        yield instance


def run(
    instance: dg.DagsterInstance,
    status: str,
    *,
    key: str = KEY,
    job: str = "orders_batch",
    assets: frozenset[dg.AssetKey] | None = None,
) -> None:
    create_run_for_test(
        instance, job, status=DagsterRunStatus[status], tags={PARTITION_TAG: key}, asset_selection=assets
    )


def topic(*, topic_id: str = TOPIC_ID, start: int = 0, end: int = 9) -> TopicState:
    return TopicState("orders", topic_id, "test", {0: OffsetRange(start, end)})


def test_without_a_key_no_batch_is_open() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert newest_open_batch(instance) is None


def test_a_key_without_a_run_is_open_and_has_not_failed(instance: dg.DagsterInstance) -> None:
    batch = newest_open_batch(instance)
    assert batch is not None
    assert (batch.key, batch.failures, batch.last_failed_at) == (KEY, 0, None)


def test_failed_and_cancelled_runs_count_as_attempts(instance: dg.DagsterInstance) -> None:
    for status in ("FAILURE", "CANCELED", "STARTED"):
        run(instance, status)
    batch = newest_open_batch(instance)
    assert batch is not None
    assert batch.failures == 2


def test_the_last_failure_is_that_of_the_last_attempt_whatever_the_clock_said(instance: dg.DagsterInstance) -> None:
    before_the_clock_was_set_back, last = (datetime(2026, 1, 31, hour, tzinfo=UTC) for hour in (9, 7))
    for ended in (before_the_clock_was_set_back, last):
        run(instance, "STARTED")
        attempt = instance.get_runs(limit=1)[0]
        failed = DagsterEvent(DagsterEventType.RUN_FAILURE.value, attempt.job_name)
        instance.report_dagster_event(failed, attempt.run_id, timestamp=ended.timestamp())
    batch = newest_open_batch(instance)
    assert batch is not None
    assert (batch.failures, batch.last_failed_at) == (2, last)


@pytest.mark.parametrize("job", ["orders_batch", "ingest_batch"])
def test_a_batch_is_done_once_one_of_its_runs_succeeded(instance: dg.DagsterInstance, job: str) -> None:
    run(instance, "FAILURE")
    run(instance, "SUCCESS", job=job)
    run(instance, "FAILURE")
    assert newest_open_batch(instance) is None


def test_a_person_takes_a_batch_in_by_materializing_its_silver_tables(instance: dg.DagsterInstance) -> None:
    raw = frozenset({dg.AssetKey(["raw", "orders"]), dg.AssetKey(["raw", "batches"])})
    run(instance, "SUCCESS", job="__ASSET_JOB", assets=raw)
    run(instance, "SUCCESS", job="orders_batch", assets=raw)
    assert newest_open_batch(instance) is not None
    run(instance, "SUCCESS", job="__ASSET_JOB", assets=raw | SILVER_BATCH)
    assert newest_open_batch(instance) is None


def test_runs_of_other_jobs_and_other_batches_do_not_count(instance: dg.DagsterInstance) -> None:
    run(instance, "SUCCESS", job="refresh")
    run(instance, "SUCCESS", key=LATER)
    assert newest_open_batch(instance) is not None


def test_the_batch_registered_last_is_the_one_that_may_be_open(instance: dg.DagsterInstance) -> None:
    run(instance, "SUCCESS")
    instance.add_dynamic_partitions(str(BATCHES.name), [LATER])
    batch = newest_open_batch(instance)
    assert batch is not None
    assert batch.key == LATER


def test_a_batch_that_stands_in_raw_only_is_open_although_dagster_forgot_it(warehouse: Warehouse) -> None:
    store_batch(warehouse, KEY, [Record(event())])
    with dg.DagsterInstance.ephemeral() as forgetful:
        assert open_batch(forgetful, warehouse) == OpenBatch(KEY, 0, None, is_registered=False)


def test_the_newest_batch_is_finished_before_one_that_was_left_behind(
    instance: dg.DagsterInstance, warehouse: Warehouse
) -> None:
    store_batch(warehouse, KEY, [Record(event())])
    run(instance, "FAILURE")
    instance.add_dynamic_partitions(str(BATCHES.name), [LATER])
    assert open_batch(instance, warehouse) == OpenBatch(LATER, 0, None)
    run(instance, "SUCCESS", key=LATER)
    behind = open_batch(instance, warehouse)
    assert behind is not None
    assert (behind.key, behind.failures, behind.is_registered) == (KEY, 1, True)


def test_a_batch_left_behind_is_not_tried_for_ever_even_if_its_runs_succeed(
    instance: dg.DagsterInstance, warehouse: Warehouse
) -> None:
    store_batch(warehouse, KEY, [Record(event())])
    for _ in range(2):
        run(instance, "SUCCESS")
    behind = open_batch(instance, warehouse)
    assert behind is not None
    assert behind.failures == 2


@pytest.mark.parametrize("job", ["orders_batch", "ingest_batch"])
@pytest.mark.parametrize("state", [topic(topic_id="another"), topic(start=2)], ids=["topic created anew", "retention"])
def test_raw_rows_that_cannot_be_read_again_stand_and_the_rest_is_left(
    warehouse: Warehouse, job: str, state: TopicState
) -> None:
    store_batch(warehouse, KEY, [Record(event()), Record(event()), Record(event())])
    left = assets_left(job, KEY, warehouse, state)
    assert left == AFTER_RAW[job]
    assert set(left or []) >= SILVER_BATCH
    assert not any(asset.path[0] == "raw" for asset in left or [])


@pytest.mark.parametrize(
    "state", [topic(), topic(end=2)], ids=["the topic serves it", "the topic is too short, which its run will say"]
)
def test_otherwise_the_whole_batch_is_run(warehouse: Warehouse, state: TopicState) -> None:
    assert assets_left("ingest_batch", KEY, warehouse, topic()) is None
    store_batch(warehouse, KEY, [Record(event()), Record(event()), Record(event())])
    assert assets_left("ingest_batch", KEY, warehouse, state) is None
    assert assets_left("ingest_batch", LATER, warehouse, topic(topic_id="another")) is None


def test_a_warehouse_that_cannot_be_read_is_left_to_the_run_to_report(warehouse: Warehouse) -> None:
    warehouse.path.parent.mkdir(parents=True)
    warehouse.path.write_bytes(b"not a warehouse")
    assert assets_left("ingest_batch", KEY, warehouse, topic()) is None
