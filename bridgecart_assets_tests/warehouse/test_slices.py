"""Slices: the records of a plan and their ledger row are stored untouched, together, or not at all."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bridgecart_assets.sources.kafka.errors import HistoryRewritten, TopicReplaced
from bridgecart_assets.sources.kafka.offsets import BatchPlan, OffsetRange, plan_batch
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.warehouse.ingest.ledger import LedgerConflict, load_ledger
from bridgecart_assets.warehouse.slices import write_kafka_slice
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.storage.outputs import KafkaSlice
from bridgecart_assets_tests.sources.kafka.fixtures import TopicFactory
from bridgecart_assets_tests.support.records import Record, event, store_batch
from bridgecart_assets_tests.support.state import digests, rows

FIRST, SECOND = "20300101T000000Z", "20300101T000100Z"


@pytest.fixture
def slice_of(topic: TopicFactory) -> KafkaSlice:
    """Six records in two partitions, all of which the plan covers."""
    connection = topic(2, message_timestamp_after_max_ms=str(2**63 - 1))
    at = int(datetime(2030, 1, 1, tzinfo=UTC).timestamp() * 1_000)
    produce(connection, [(b"key-%d" % n, payload, at + n) for n, payload in enumerate(PAYLOADS)])
    state = topic_state(connection)
    plan = plan_batch(batch_key=FIRST, committed={}, state=state, max_records=100)
    return KafkaSlice(connection, plan, state.cluster_id, stall_seconds=10)


PAYLOADS = (event(order_id="1"), bytes(range(256)), None, b"", b"\0", event(order_id="2"))


def _store(warehouse: Warehouse, handed: KafkaSlice) -> None:
    with warehouse.transaction() as connection:
        write_kafka_slice(connection, handed)


def test_a_slice_is_stored_untouched_together_with_its_ledger_row(warehouse: Warehouse, slice_of: KafkaSlice) -> None:
    _store(warehouse, slice_of)
    stored = rows(warehouse, "select key, payload, kafka_timestamp, topic_id, batch_key from raw.orders order by key")
    assert [row[:2] for row in stored] == [(b"key-%d" % n, payload) for n, payload in enumerate(PAYLOADS)]
    assert stored[3][2] == datetime(2030, 1, 1, 0, 0, 0, 3_000)  # noqa: DTZ001 - as stored: UTC without zone
    assert {row[3:] for row in stored} == {(slice_of.plan.topic_id, FIRST)}
    ((records, planned, cluster),) = rows(warehouse, "select records, planned_records, cluster_id from raw.batches")
    assert (records, planned, cluster) == (6, 6, slice_of.cluster_id)
    assert load_ledger(warehouse).plans == {FIRST: slice_of.plan}


def test_the_same_slice_again_changes_nothing(warehouse: Warehouse, slice_of: KafkaSlice) -> None:
    _store(warehouse, slice_of)
    before = digests(warehouse, with_ledger=True)
    _store(warehouse, slice_of)
    assert digests(warehouse, with_ledger=True) == before


def test_a_batch_of_which_the_topic_has_other_records_keeps_its_rows(
    warehouse: Warehouse, slice_of: KafkaSlice
) -> None:
    _store(warehouse, slice_of)
    for change in ("payload = 'other'::blob", "key = null", "kafka_timestamp = kafka_timestamp + interval 1 second"):
        with warehouse.transaction() as connection:
            connection.execute(f"update raw.orders set {change} where key = 'key-1'::blob")
        before = digests(warehouse, with_ledger=True)
        with pytest.raises(HistoryRewritten, match=f"batch {FIRST} cannot be read again: .* in place of 1 of its own"):
            _store(warehouse, slice_of)
        assert digests(warehouse, with_ledger=True) == before
        with warehouse.transaction() as connection:
            connection.execute("delete from raw.orders where key is null or key = 'key-1'::blob")
        # A row that was lost is read again.
        _store(warehouse, slice_of)
        assert rows(warehouse, "select count(*) from raw.orders") == [(6,)]


def test_the_last_record_of_each_partition_is_kept_with_the_batch_and_looked_for_after_the_next_one_was_read(
    warehouse: Warehouse, slice_of: KafkaSlice
) -> None:
    _store(warehouse, slice_of)
    known = load_ledger(warehouse).known
    last = known[slice_of.plan.topic_id].last_records
    assert {p: record.offset + 1 for p, record in last.items()} == slice_of.plan.ends
    produce(slice_of.connection, [(b"key-%d" % n, b"next", 0) for n in range(6)])
    state = topic_state(slice_of.connection, known)
    plan = plan_batch(batch_key=SECOND, committed=slice_of.plan.ends, state=state, max_records=100)
    following = replace(slice_of, plan=plan, known=known)
    other = {0: replace(last[0], digest="0" * 16)}
    rewritten = {plan.topic_id: replace(known[plan.topic_id], last_records=other)}
    before = digests(warehouse, with_ledger=True)
    with pytest.raises(HistoryRewritten, match="its history was rewritten"):
        _store(warehouse, replace(following, known=rewritten))
    assert digests(warehouse, with_ledger=True) == before
    _store(warehouse, following)
    assert rows(warehouse, "select count(*) from raw.orders") == [(12,)]


def test_a_slice_kafka_can_no_longer_serve_keeps_the_rows_it_had(warehouse: Warehouse, slice_of: KafkaSlice) -> None:
    gone = BatchPlan(FIRST, slice_of.plan.topic, "another-topic", {0: OffsetRange(0, 2), 1: OffsetRange(0, 0)})
    store_batch(warehouse, FIRST, [Record(b"kept"), Record(b"kept")], topic_id=gone.topic_id)
    with warehouse.transaction() as connection:
        ranges = [{"partition": p, "start": r.start, "end": r.end} for p, r in gone.ranges.items()]
        connection.execute("update raw.batches set topic = ?, ranges = ?", [gone.topic, ranges])
    before = digests(warehouse, with_ledger=True)
    with pytest.raises(TopicReplaced):
        _store(warehouse, KafkaSlice(slice_of.connection, gone, slice_of.cluster_id, stall_seconds=10))
    assert digests(warehouse, with_ledger=True) == before


def test_a_slice_cut_by_its_bytes_stores_how_far_it_came_and_the_next_goes_on_there(
    warehouse: Warehouse, slice_of: KafkaSlice
) -> None:
    state = topic_state(slice_of.connection)
    keys = iter(f"20300101T0000{number:02}Z" for number in range(60))
    for _ in range(6):
        committed = load_ledger(warehouse).committed(state.topic_id)
        plan = plan_batch(batch_key=next(keys), committed=committed, state=state, max_records=100)
        if plan.records:
            _store(warehouse, KafkaSlice(slice_of.connection, plan, None, stall_seconds=10, max_bytes=1))
    assert load_ledger(warehouse).committed(state.topic_id) == slice_of.plan.ends
    assert rows(warehouse, "select payload from raw.orders order by key") == [(payload,) for payload in PAYLOADS]
    assert rows(warehouse, "select count(*), max(records), max(planned_records) from raw.batches") == [(6, 1, 1)]


def test_a_hole_is_stored_with_the_batch_behind_it(warehouse: Warehouse, slice_of: KafkaSlice) -> None:
    whole = slice_of.plan.ranges[0]
    lost = OffsetRange(0, 1)
    behind = replace(slice_of.plan, ranges={0: OffsetRange(1, whole.end)}, lost={0: lost})
    _store(warehouse, replace(slice_of, plan=behind))
    assert load_ledger(warehouse).plans == {FIRST: behind}
    assert rows(warehouse, "select lost from raw.batches") == [([{"partition": 0, "start": 0, "end": 1}],)]


def test_a_plan_that_another_run_overtook_stores_nothing(warehouse: Warehouse, slice_of: KafkaSlice) -> None:
    _store(warehouse, slice_of)
    before = digests(warehouse, with_ledger=True)
    late = BatchPlan(SECOND, slice_of.plan.topic, slice_of.plan.topic_id, slice_of.plan.ranges)
    with pytest.raises(LedgerConflict):
        _store(warehouse, KafkaSlice(slice_of.connection, late, slice_of.cluster_id, stall_seconds=10))
    assert digests(warehouse, with_ledger=True) == before
