import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime

import psutil
import pyarrow as pa
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.embedded import EmbeddedBroker
from bridgecart_assets.sources.kafka.errors import (
    BrokerUnreachable,
    RangeNotReadable,
    ReadStalled,
    RecordsGone,
    TopicNotFound,
    TopicReplaced,
)
from bridgecart_assets.sources.kafka.offsets import BatchPlan, OffsetRange, TopicState, plan_batch
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.sources.kafka.producing import Event, produce
from bridgecart_assets.sources.kafka.reading import _CHUNKS_AHEAD, read_slice, verify_plan
from bridgecart_assets.sources.kafka.records import RECORD_SCHEMA
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets_tests.sources.kafka.fixtures import TopicFactory

MEBIBYTE = 1024 * 1024


def plan_all(connection: KafkaConnection, committed: dict[int, int] | None = None, cap: int = 10**9) -> BatchPlan:
    return plan_batch(batch_key="b1", committed=committed or {}, state=topic_state(connection), max_records=cap)


def rows(chunks: Iterable[pa.RecordBatch]) -> list[dict[str, object]]:
    return [row for chunk in chunks for row in chunk.to_pylist()]


def numbered(count: int) -> Iterator[Event]:
    return ((b"key-%d" % (i % 50), b"%d" % i, 1_000 + i) for i in range(count))


def replace_topic(connection: KafkaConnection, partitions: int) -> None:
    admin = AdminClient({"bootstrap.servers": connection.bootstrap_servers})
    admin.delete_topics([connection.topic])[connection.topic].result(10)
    deadline = time.monotonic() + 10
    while not create_topic(connection, partitions):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_records_arrive_untouched_with_their_coordinates(topic: TopicFactory) -> None:
    connection = topic(1)
    payload = bytes(range(256))
    produce(connection, [(b"\xff\x00key", payload, 1_700_000_000_123)], headers=[("source", b"\x00\xffshop")])
    (row,) = rows(read_slice(connection, plan_all(connection)))
    assert row == {
        "partition": 0,
        "offset": 0,
        "kafka_timestamp": datetime.fromtimestamp(1_700_000_000.123, UTC),
        "timestamp_type": "create",
        "key": b"\xff\x00key",
        "headers": [{"name": "source", "value": b"\x00\xffshop"}],
        "payload": payload,
    }


def test_null_empty_and_missing_are_three_things(topic: TopicFactory) -> None:
    connection = topic(1)
    produce(connection, [(None, b"no key", 1), (b"", b"", 2), (b"tombstone", None, 3)])
    found = rows(read_slice(connection, plan_all(connection)))
    assert [(row["key"], row["payload"], row["headers"]) for row in found] == [
        (None, b"no key", None),
        (b"", b"", None),
        (b"tombstone", None, None),
    ]


def test_the_schema_is_the_same_for_every_chunk(topic: TopicFactory) -> None:
    connection = topic(1)
    produce(connection, [(None, None, 1)])
    assert [chunk.schema for chunk in read_slice(connection, plan_all(connection))] == [RECORD_SCHEMA]


def test_a_timestamp_beyond_every_calendar_is_null(topic: TopicFactory) -> None:
    # Apache Kafka takes such records only if the topic allows them.
    connection = topic(1, message_timestamp_after_max_ms=str(2**63 - 1))
    produce(connection, [(None, b"microseconds by mistake", 1_700_000_000_000_000), (None, b"sane", 1)])
    first, second = rows(read_slice(connection, plan_all(connection)))
    assert first["kafka_timestamp"] is None
    assert second["kafka_timestamp"] == datetime.fromtimestamp(0.001, UTC)


def test_large_values_pass_and_chunks_stay_bounded_in_bytes(topic: TopicFactory) -> None:
    connection = topic(2)
    value = b"x" * MEBIBYTE
    produce(connection, ((b"%d" % i, value, 1_000) for i in range(20)))
    chunks = list(read_slice(connection, plan_all(connection), chunk_bytes=4 * MEBIBYTE))
    assert max(chunk.nbytes for chunk in chunks) <= 4 * MEBIBYTE
    assert [row["payload"] == value for row in rows(chunks)] == [True] * 20


def test_chunks_stay_bounded_in_records_and_offsets_ascend(topic: TopicFactory) -> None:
    connection = topic(3)
    produce(connection, numbered(5_000))
    chunks = list(read_slice(connection, plan_all(connection), chunk_records=700))
    assert max(chunk.num_rows for chunk in chunks) <= 700
    seen: dict[object, int] = {}
    for row in rows(chunks):
        assert row["offset"] == seen.get(row["partition"], -1) + 1
        seen[row["partition"]] = row["offset"]
    assert sum(seen.values()) + len(seen) == 5_000


def test_a_range_in_mid_topic_gives_exactly_that_range(topic: TopicFactory) -> None:
    connection = topic(2)
    produce(connection, numbered(2_000))
    state = topic_state(connection)
    wanted = BatchPlan("b1", connection.topic, state.topic_id, {0: OffsetRange(17, 423), 1: OffsetRange(100, 100)})
    found = rows(read_slice(connection, wanted))
    assert [(row["partition"], row["offset"]) for row in found] == [(0, offset) for offset in range(17, 423)]


def test_slices_of_capped_plans_add_up_to_the_topic(topic: TopicFactory) -> None:
    connection = topic(3)
    produce(connection, numbered(1_000))
    payloads: list[object] = []
    committed: dict[int, int] = {}
    while (plan := plan_all(connection, committed, cap=300)).records:
        found = rows(read_slice(connection, plan))
        assert len(found) == plan.records <= 300
        payloads += [row["payload"] for row in found]
        committed = plan.ends
    assert sorted(payloads, key=str) == sorted((b"%d" % i for i in range(1_000)), key=str)


def test_reading_a_slice_again_gives_the_same_records(topic: TopicFactory) -> None:
    connection = topic(3)
    produce(connection, numbered(1_000))
    plan = plan_all(connection)
    produce(connection, numbered(500))
    by_place = [
        sorted(rows(read_slice(connection, plan)), key=lambda row: (row["partition"], row["offset"])) for _ in range(2)
    ]
    assert by_place[0] == by_place[1]
    assert len(by_place[0]) == 1_000


def test_an_empty_plan_reads_nothing(topic: TopicFactory) -> None:
    connection = topic(3)
    assert rows(read_slice(connection, plan_all(connection))) == []


def test_transaction_markers_leave_gaps_and_no_hang(topic: TopicFactory) -> None:
    connection = topic(1)
    producer = Producer(
        {"bootstrap.servers": connection.bootstrap_servers, "transactional.id": connection.topic, "log_level": 0}
    )
    producer.init_transactions(10)
    for number, commit in enumerate([True, False, True]):
        producer.begin_transaction()
        producer.produce(connection.topic, b"%d" % number, partition=0)
        producer.flush(10)
        (producer.commit_transaction if commit else producer.abort_transaction)(10)
    plan = plan_all(connection)
    started = time.monotonic()
    found = rows(read_slice(connection, plan, stall_seconds=5))
    assert time.monotonic() - started < 4
    # The embedded broker serves the records of aborted transactions as well.
    assert [row["payload"] for row in found] in ([b"0", b"2"], [b"0", b"1", b"2"])
    assert plan.records > len(found)


def test_a_topic_created_again_is_never_read_with_old_offsets(topic: TopicFactory) -> None:
    connection = topic(1)
    produce(connection, numbered(10))
    plan = plan_all(connection)
    replace_topic(connection, 1)
    produce(connection, numbered(10))
    with pytest.raises(TopicReplaced, match="was deleted and created again"):
        read_slice(connection, plan)


def test_a_topic_replaced_before_the_slice_is_complete_spoils_it(topic: TopicFactory) -> None:
    connection = topic(1)
    produce(connection, numbered(100))
    chunks = iter(read_slice(connection, plan_all(connection)))
    # The consumer is closed when the last chunk is handed out. Earlier would crash: for a topic re-created under a
    # consumer the embedded broker sends a leader hint without topic id, which librdkafka 2.16 does not survive.
    assert next(chunks).num_rows == 100
    replace_topic(connection, 1)
    with pytest.raises(TopicReplaced):
        next(chunks)


def test_a_range_beyond_the_end_is_an_error_and_no_hang(topic: TopicFactory) -> None:
    connection = topic(1)
    produce(connection, numbered(10))
    state = topic_state(connection)
    beyond = BatchPlan("b1", connection.topic, state.topic_id, {0: OffsetRange(5, 11)})
    started = time.monotonic()
    with pytest.raises(RangeNotReadable, match=r"needs offsets up to 11, partition 0 .* can be read up to 10"):
        read_slice(connection, beyond)
    assert time.monotonic() - started < 3


def test_records_that_retention_removed_are_named_before_anything_is_read() -> None:
    plan = BatchPlan("b1", "orders", "id-1", {0: OffsetRange(0, 0), 1: OffsetRange(2, 9)})
    state = TopicState("orders", "id-1", None, {0: OffsetRange(40, 50), 1: OffsetRange(6, 9)})
    with pytest.raises(RecordsGone, match=r"removed 4 of its records, partition 1 .* now starts at 6"):
        verify_plan(plan, state)


def test_a_broker_that_dies_in_mid_slice_is_reported_with_the_position() -> None:
    with EmbeddedBroker() as doomed:
        connection = KafkaConnection(doomed.bootstrap_servers, "orders", timeout_seconds=1)
        create_topic(connection, 1)
        values = (bytes([i]) * MEBIBYTE for i in range(90))
        # Not compressed: the slice has to be larger than what the consumer fetches ahead.
        produce(
            KafkaConnection(doomed.bootstrap_servers, "orders", {"compression.type": "none"}),
            ((None, value, 1_000) for value in values),
        )
        chunks = iter(read_slice(connection, plan_all(connection), chunk_records=1, stall_seconds=1))
        next(chunks)
        doomed.stop()
        with pytest.raises(ReadStalled, match=r"batch b1: partition 0 .* at offset \d+, 90 is needed"):
            list(chunks)


def test_an_unreachable_broker_fails_in_time() -> None:
    plan = BatchPlan("b1", "orders", "id-1", {0: OffsetRange(0, 1)})
    with pytest.raises(BrokerUnreachable):
        read_slice(KafkaConnection("127.0.0.1:1", "orders", timeout_seconds=0.5), plan)


def test_an_unknown_topic_fails_before_anything_is_read(broker: str) -> None:
    plan = BatchPlan("b1", "gone", "id-1", {0: OffsetRange(0, 1)})
    with pytest.raises(TopicNotFound):
        read_slice(KafkaConnection(broker, "gone"), plan)


def test_an_abandoned_slice_closes_its_consumer(topic: TopicFactory) -> None:
    connection = topic(1)
    produce(connection, numbered(3_000))
    plan = plan_all(connection)
    before = settled_threads()
    chunks = iter(read_slice(connection, plan, chunk_records=100))
    assert next(chunks).num_rows <= 100
    assert psutil.Process().num_threads() > before
    chunks.close()
    assert settled_threads() <= before


def test_a_slice_read_ahead_is_the_same_slice(topic: TopicFactory) -> None:
    connection = topic(1)
    produce(connection, numbered(3_000))
    plan = plan_all(connection)
    ahead = list(read_slice(connection, plan, chunk_records=700).ahead())
    assert max(chunk.num_rows for chunk in ahead) <= 700
    assert rows(ahead) == rows(read_slice(connection, plan))


def test_reading_ahead_is_a_few_chunks_ahead_and_no_more(topic: TopicFactory) -> None:
    connection = topic(1)
    produce(connection, numbered(3_000))
    read = read_slice(connection, plan_all(connection), chunk_records=100)
    made: list[pa.RecordBatch] = []
    read._chunks = noting(read._chunks, made)
    with closing(read.ahead()) as chunks:
        for taken in range(1, 5):
            next(chunks)
            wait_until(lambda: len(made) == taken + _CHUNKS_AHEAD)  # noqa: B023 - called at once
            time.sleep(0.1)
            assert len(made) == taken + _CHUNKS_AHEAD


def noting(
    chunks: Generator[pa.RecordBatch, None, None], made: list[pa.RecordBatch]
) -> Generator[pa.RecordBatch, None, None]:
    with closing(chunks):
        for chunk in chunks:
            made.append(chunk)
            yield chunk


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_slice_read_ahead_closes_its_consumer_when_it_is_abandoned(topic: TopicFactory) -> None:
    connection = topic(1)
    produce(connection, numbered(3_000))
    plan = plan_all(connection)
    before = settled_threads()
    chunks = read_slice(connection, plan, chunk_records=100).ahead()
    assert next(chunks).num_rows <= 100
    assert psutil.Process().num_threads() > before
    chunks.close()
    assert settled_threads() <= before


def test_an_abandoned_reading_does_not_wait_for_a_broker_that_serves_nothing() -> None:
    with EmbeddedBroker() as doomed:
        connection = KafkaConnection(doomed.bootstrap_servers, "orders", timeout_seconds=1)
        create_topic(connection, 1)
        produce(connection, numbered(3_000))
        chunks = read_slice(connection, plan_all(connection), chunk_records=1, stall_seconds=10**6).ahead()
        next(chunks)
        doomed.stop()
        # Without end, if the reading went on.
        chunks.close()


def test_an_error_of_the_reading_thread_is_raised_where_the_chunks_are_taken() -> None:
    with EmbeddedBroker() as doomed:
        connection = KafkaConnection(doomed.bootstrap_servers, "orders", timeout_seconds=1)
        create_topic(connection, 1)
        produce(connection, numbered(10))
        read = read_slice(connection, plan_all(connection), stall_seconds=0.5)
        doomed.stop()
        with pytest.raises(ReadStalled, match="batch b1: partition 0"):
            list(read.ahead())


def test_a_slice_leaves_no_position_in_any_group(topic: TopicFactory) -> None:
    connection = topic(1)
    produce(connection, numbered(10))
    rows(read_slice(connection, plan_all(connection)))
    admin = AdminClient({"bootstrap.servers": connection.bootstrap_servers})
    groups = [group.group_id for group in admin.list_consumer_groups(request_timeout=5).result().valid]
    assert not [group for group in groups if group.startswith("bridgecart-read-")]
    assert TopicPartition(connection.topic, 0).offset < 0


def settled_threads() -> int:
    """librdkafka ends its threads a moment after a client is closed."""
    process, counts = psutil.Process(), [-1, -2, -3]
    deadline = time.monotonic() + 5
    while len(set(counts[-3:])) > 1 and time.monotonic() < deadline:
        time.sleep(0.1)
        counts.append(process.num_threads())
    return counts[-1]


def test_a_limit_of_bytes_ends_the_slice_before_it_is_exceeded_and_says_where(topic: TopicFactory) -> None:
    connection = topic(3)
    produce(connection, [(bytes([number]), bytes(1_000), 1_000) for number in range(250)])
    whole = plan_all(connection)
    seen: list[tuple[object, object]] = []
    plan, slices = whole, 0
    while plan.records:
        cut = read_slice(connection, plan, max_bytes=20_000)
        chunks = list(cut)
        assert sum(chunk.nbytes for chunk in chunks) <= 20_000
        seen += [(row["partition"], row["offset"]) for row in rows(chunks)]
        plan, slices = plan_all(connection, committed=cut.covered.ends), slices + 1
    assert 13 < slices < 40
    assert sorted(seen) == [(p, o) for p, span in sorted(whole.ranges.items()) for o in range(span.start, span.end)]


def test_a_record_larger_than_the_limit_is_a_slice_of_its_own(topic: TopicFactory) -> None:
    connection = topic(1)
    produce(connection, [(None, bytes(50_000), 1_000)] * 3)
    first = read_slice(connection, plan_all(connection), max_bytes=1_000)
    assert [chunk.num_rows for chunk in first] == [1]
    assert first.covered.ends == {0: 1}
