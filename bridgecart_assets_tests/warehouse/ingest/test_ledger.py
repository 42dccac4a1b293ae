"""The ledger: where batches stand, and which plans may be written."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bridgecart_assets.contracts import RAW_BATCHES
from bridgecart_assets.sources.kafka.continuity import KnownTopic, LastRecord
from bridgecart_assets.sources.kafka.offsets import BatchPlan, OffsetRange
from bridgecart_assets.warehouse.ingest.ledger import (
    Ledger,
    LedgerConflict,
    cluster_ids,
    history_note,
    load_ledger,
    load_position,
    newest_batches,
    read_ledger,
    verify_plan,
)
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.storage.tables import prepare
from bridgecart_assets_tests.support.records import Record, store_batch

FIRST, SECOND, THIRD = "20300101T000000Z", "20300101T000100Z", "20300101T000200Z"


def _plan(
    batch_key: str, ranges: Mapping[int, tuple[int, int]], topic_id: str = "t1", topic: str = "orders"
) -> BatchPlan:
    return BatchPlan(batch_key, topic, topic_id, {p: OffsetRange(*span) for p, span in ranges.items()})


def _ledger(*plans: BatchPlan) -> Ledger:
    ends: dict[str, dict[int, int]] = {}
    for plan in plans:
        ends.setdefault(plan.topic_id, {}).update(plan.ends)
    return Ledger({plan.batch_key: plan for plan in plans}, ends)


WRITTEN = _ledger(_plan(FIRST, {0: (0, 5), 1: (3, 3)}), _plan(SECOND, {0: (5, 9), 1: (3, 4)}))


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(_plan(THIRD, {0: (9, 12), 1: (4, 4)}), id="the next offsets"),
        pytest.param(_plan(THIRD, {0: (9, 9), 1: (4, 4)}), id="nothing new"),
        pytest.param(_plan(THIRD, {0: (9, 10), 1: (4, 4), 2: (7, 8)}), id="a partition that was added"),
        pytest.param(_plan(THIRD, {0: (0, 5), 1: (0, 1)}, topic_id="t2"), id="a new incarnation of the topic"),
        pytest.param(_plan("20200101T000000Z", {0: (9, 12), 1: (4, 4)}), id="a key older than the others"),
        pytest.param(_plan(FIRST, {0: (0, 5), 1: (3, 3)}), id="the first batch again"),
        pytest.param(_plan(SECOND, {1: (3, 4), 0: (5, 9)}), id="the last batch again"),
    ],
)
def test_a_plan_may_continue_the_ledger_or_repeat_its_own_batch(plan: BatchPlan) -> None:
    verify_plan(WRITTEN, plan)


def test_a_plan_whose_hole_starts_at_the_end_of_the_ledger_continues_it() -> None:
    hole = {0: OffsetRange(9, 11)}
    verify_plan(WRITTEN, replace(_plan(THIRD, {0: (11, 12), 1: (4, 4)}), lost=hole))
    with pytest.raises(LedgerConflict, match=r"partitions \[0\]"):
        verify_plan(WRITTEN, replace(_plan(THIRD, {0: (11, 12), 1: (4, 4)}), lost={0: OffsetRange(10, 11)}))


@pytest.mark.parametrize(
    ("plan", "complaint"),
    [
        pytest.param(_plan(THIRD, {0: (5, 9), 1: (4, 4)}), r"partitions \[0\]", id="offsets already read"),
        pytest.param(_plan(THIRD, {0: (10, 12), 1: (4, 4)}), r"partitions \[0\]", id="a gap"),
        pytest.param(_plan(THIRD, {0: (0, 1), 1: (0, 1)}), r"partitions \[0, 1\]", id="from the beginning"),
        pytest.param(_plan(THIRD, {0: (9, 9), 1: (3, 3)}), r"partitions \[1\]", id="empty, at an older place"),
        pytest.param(_plan(FIRST, {0: (0, 6), 1: (3, 3)}), "other offsets", id="its own batch, longer"),
        pytest.param(_plan(FIRST, {0: (0, 5)}), "other offsets", id="its own batch, a partition less"),
        pytest.param(_plan(FIRST, {0: (0, 5), 1: (3, 3)}, topic_id="t2"), "other offsets", id="another incarnation"),
        pytest.param(_plan(FIRST, {0: (0, 5), 1: (3, 3)}, topic="sales"), "other offsets", id="another topic"),
    ],
)
def test_any_other_plan_is_a_conflict_that_says_to_run_again(plan: BatchPlan, complaint: str) -> None:
    with pytest.raises(LedgerConflict, match=complaint) as raised:
        verify_plan(WRITTEN, plan)
    assert plan.batch_key in str(raised.value)
    assert "run it again" in str(raised.value)


def test_the_first_plan_of_all_may_start_anywhere() -> None:
    verify_plan(Ledger(), _plan(FIRST, {0: (17, 20)}))


def test_without_a_warehouse_or_a_table_the_ledger_is_empty(warehouse: Warehouse) -> None:
    assert load_ledger(warehouse) == Ledger()
    assert newest_batches(warehouse, limit=9) == []
    assert cluster_ids(warehouse) == set()
    with warehouse.transaction() as connection:
        assert read_ledger(connection) == Ledger()
    assert load_ledger(warehouse) == Ledger()
    assert cluster_ids(warehouse) == set()
    with warehouse.transaction() as connection:
        prepare(connection, RAW_BATCHES)
    assert load_ledger(warehouse) == Ledger()


def test_the_ledger_gives_back_every_plan_and_the_ends_of_each_incarnation(warehouse: Warehouse) -> None:
    store_batch(warehouse, SECOND, [Record(b"", partition=0)] * 4, start=5)
    store_batch(warehouse, FIRST, [Record(b"", partition=p) for p in (0, 0, 1, 0, 0, 0)])
    store_batch(warehouse, THIRD, [Record(b"")], topic_id="topic-2")
    ledger = load_ledger(warehouse)
    assert ledger.plans == {
        FIRST: _plan(FIRST, {0: (0, 5), 1: (0, 1)}, "topic-1"),
        SECOND: _plan(SECOND, {0: (5, 9)}, "topic-1"),
        THIRD: _plan(THIRD, {0: (0, 1)}, "topic-2"),
    }
    assert ledger.committed("topic-1") == {0: 9, 1: 1}
    assert ledger.committed("topic-2") == {0: 1}
    assert ledger.committed("never seen") == {}
    assert cluster_ids(warehouse) == {"test"}
    only = load_ledger(warehouse, only=SECOND)
    assert only == Ledger({SECOND: ledger.plans[SECOND]}, ledger.ends, ledger.known)
    assert load_position(warehouse) == Ledger({}, ledger.ends, ledger.known)
    assert newest_batches(warehouse, limit=2) == [THIRD, SECOND]


def test_the_ledger_knows_the_last_record_of_each_partition_and_the_clusters_it_was_read_from(
    warehouse: Warehouse,
) -> None:
    for key, start in ((FIRST, 0), (SECOND, 5)):
        store_batch(warehouse, key, [Record(b"")] * 5, start=start)
    known = {FIRST: [(0, 4, "a"), (1, 7, "c")], SECOND: [(0, 9, "b")]}
    with warehouse.transaction() as connection:
        for key, records in known.items():
            kept = [{"partition": p, "offset": offset, "digest": digest} for p, offset, digest in records]
            connection.execute("update raw.batches set last_records = ? where batch_key = ?", [kept, key])
    assert load_position(warehouse).known == {
        "topic-1": KnownTopic(frozenset({"test"}), {0: LastRecord(9, "b"), 1: LastRecord(7, "c")})
    }


def test_a_history_that_begins_with_its_topic_is_not_spoken_of(warehouse: Warehouse) -> None:
    assert history_note(warehouse) is None
    store_batch(warehouse, FIRST, [Record(b"a"), Record(b"b", partition=1)])
    store_batch(warehouse, SECOND, [Record(b"c")], start=1)
    # Retention or a new partition later on is another matter.
    store_batch(warehouse, THIRD, [Record(b"d", partition=2)])
    assert history_note(warehouse) is None


def test_a_history_that_begins_in_the_middle_says_at_which_offsets_and_when(warehouse: Warehouse) -> None:
    earlier, later = (Record(b"a", datetime(2025, 3, day, 10, 30, tzinfo=UTC), partition=day) for day in (1, 2))
    store_batch(warehouse, FIRST, [later, earlier], start=1_200)
    store_batch(warehouse, SECOND, [later], start=1_201)
    assert history_note(warehouse) == (
        "History begins at offset 1,200 in Kafka partition 1, 1,200 in Kafka partition 2 of topic orders (first record "
        "of 2025-03-01 10:30 UTC): 2,400 offsets before had gone when it was first read, and their orders are in no "
        "figure."
    )
    # Created anew, the topic begins at 0; its predecessor's beginning is still missing.
    store_batch(warehouse, THIRD, [Record(b"d")], topic_id="t2")
    assert str(history_note(warehouse)).startswith("History begins at offset 1,200")


def test_a_history_that_begins_in_the_middle_says_which_files_have_orders_from_before(warehouse: Warehouse) -> None:
    store_batch(warehouse, FIRST, [Record(b"a")], start=1_200)
    store_batch(warehouse, SECOND, [Record(b"b")], topic_id="file:1")
    assert str(history_note(warehouse)).endswith("when it was first read, and of their orders those in orders count.")
