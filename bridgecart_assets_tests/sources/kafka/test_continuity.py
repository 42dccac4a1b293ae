"""Whether a topic still has the history that was read: what is compared, and what its answer means."""

from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from confluent_kafka import Producer

from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.continuity import (
    KnownTopic,
    LastRecord,
    last_records,
    retained,
    verify_cluster,
    verify_history,
)
from bridgecart_assets.sources.kafka.errors import HistoryRewritten, OtherCluster
from bridgecart_assets.sources.kafka.offsets import OffsetRange, TopicState, plan_batch
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.sources.kafka.reading import read_slice
from bridgecart_assets.sources.kafka.records import RECORD_SCHEMA
from bridgecart_assets_tests.sources.kafka.contents import delete_records
from bridgecart_assets_tests.sources.kafka.fixtures import TopicFactory, only_apache

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
A, B = LastRecord(7, "a"), LastRecord(7, "b")
LATER = LastRecord(9, "c")


def chunk(*rows: tuple[int, int, bytes | None, bytes | None], at: datetime | None = NOON) -> pa.RecordBatch:
    """Rows of partition, offset, key and payload."""
    names = RECORD_SCHEMA.names
    values = [dict(zip(names, (p, o, at, "create", key, None, value), strict=True)) for p, o, key, value in rows]
    return pa.RecordBatch.from_pylist(values, schema=RECORD_SCHEMA)


def digest(key: bytes | None, payload: bytes | None, at: datetime | None = NOON) -> str:
    return last_records(chunk((0, 5, key, payload), at=at))[0].digest


def test_of_every_partition_the_last_record_is_kept() -> None:
    found = last_records(chunk((2, 5, b"k", b"1"), (0, 1, b"k", b"2"), (2, 6, b"k", b"3"), (0, 9, b"k", b"4")))
    assert found == {0: LastRecord(9, digest(b"k", b"4")), 2: LastRecord(6, digest(b"k", b"3"))}


def test_records_that_differ_in_time_key_or_payload_have_different_digests() -> None:
    values = [None, b"", b"a", b"b", b"1:a"]
    times = [None, NOON, NOON.replace(microsecond=1_000)]
    digests = {digest(key, payload, at) for key in values for payload in values for at in times}
    assert len(digests) == len(values) ** 2 * len(times)
    assert {len(found) for found in digests} == {16}


@pytest.mark.parametrize(
    ("found", "compacted", "says"),
    [
        ({1: A}, False, None),
        ({}, False, None),
        ({1: B}, False, "has another record than was read at offset 7"),
        ({1: B}, True, "has another record than was read at offset 7"),
        ({1: LATER}, False, "has no record any more at offset 7"),
        ({1: None}, False, "has no record any more at offset 7"),
        ({1: LATER}, True, None),
        ({1: None}, True, None),
    ],
    ids=["the same", "removed", "another", "another in a compacted one", "gone", "gone at the end", "compacted", "all"],
)
def test_what_the_topic_serves_is_compared_with_what_was_read(
    found: dict[int, LastRecord | None], compacted: bool, says: str | None
) -> None:
    def verify() -> None:
        verify_history("orders", {1: A, 2: A}, {**found, 2: A}, is_compacted=lambda: compacted)

    if says is None:
        verify()
        return
    with pytest.raises(HistoryRewritten, match=f"partition 1 of topic 'orders' {says}: its history was rewritten"):
        verify()


def test_only_what_retention_has_left_is_asked_for() -> None:
    state = TopicState("orders", "id", "c", {0: OffsetRange(8, 20), 1: OffsetRange(0, 8), 2: OffsetRange(0, 7)})
    assert retained(dict.fromkeys(range(4), A), state) == {1: A}


@pytest.mark.parametrize(
    ("cluster", "read_from", "refused"),
    [("c", {"c"}, False), ("c", {"b"}, True), ("c", set(), False), (None, {"b"}, False), ("c", {"b", "c"}, False)],
)
def test_an_id_from_another_cluster_is_refused(cluster: str | None, read_from: set[str], refused: bool) -> None:
    state = TopicState("orders", "id", cluster, {})
    known = {"id": KnownTopic(frozenset(read_from)), "other": KnownTopic(frozenset({"z"}))}
    if not refused:
        verify_cluster(state, known)
        return
    with pytest.raises(OtherCluster, match="topic 'orders' of cluster c has the id of the one that was read from"):
        verify_cluster(state, known)


def known_of(connection: KafkaConnection) -> dict[str, KnownTopic]:
    """What a reader of everything knows at the end."""
    state = topic_state(connection)
    plan = plan_batch(batch_key="b", committed={}, state=state, max_records=10**9)
    read = read_slice(connection, plan, chunk_records=7)
    assert list(read)
    assert state.cluster_id is not None
    return {state.topic_id: KnownTopic(frozenset({state.cluster_id}), read.last_records)}


def test_a_topic_that_only_grew_is_still_the_one_that_was_read(topic: TopicFactory) -> None:
    connection = topic(3)
    produce(connection, [(b"%d" % n, b"order", 1_000 + n) for n in range(50)])
    known = known_of(connection)
    assert set(next(iter(known.values())).last_records) == {0, 1, 2}
    before = topic_state(connection, known)
    produce(connection, [(b"%d" % n, b"order", 2_000 + n) for n in range(50)])
    after = topic_state(connection, known)
    assert sum(span.count for span in before.partitions.values()) == 50
    assert sum(span.count for span in after.partitions.values()) == 100


def test_a_last_record_that_is_another_stops_it(topic: TopicFactory) -> None:
    connection = topic(2)
    produce(connection, [(b"%d" % n, b"order", 1_000 + n) for n in range(50)])
    ((topic_id, known),) = known_of(connection).items()
    other = {**known.last_records, 1: replace(known.last_records[1], digest="0" * 16)}
    with pytest.raises(HistoryRewritten, match="partition 1 of topic"):
        topic_state(connection, {topic_id: replace(known, last_records=other)})


@only_apache
def test_what_retention_removed_is_not_missed(topic: TopicFactory) -> None:
    connection = topic(1)
    produce(connection, [(None, b"order", 1_000 + n) for n in range(50)])
    known = known_of(connection)
    produce(connection, [(None, b"order", 2_000 + n) for n in range(5)])
    delete_records(connection, before={0: 50})
    assert topic_state(connection, known).partitions == {0: OffsetRange(50, 55)}


@only_apache
@pytest.mark.parametrize("policy", ["compact", "delete"])
def test_a_record_that_is_missing_may_be_missing_only_where_the_topic_is_compacted(
    topic: TopicFactory, policy: str
) -> None:
    connection = topic(1, cleanup_policy=policy)
    produce(connection, [(b"k", b"order", 1_000 + n) for n in range(9)])
    ((topic_id, known),) = known_of(connection).items()
    produce_aborted(connection)
    at_the_marker = {topic_id: replace(known, last_records={0: LastRecord(10, "0" * 16)})}
    if policy == "compact":
        assert topic_state(connection, at_the_marker).partitions[0].end == 11
        return
    with pytest.raises(HistoryRewritten, match="has no record any more at offset 10"):
        topic_state(connection, at_the_marker)


def produce_aborted(connection: KafkaConnection) -> None:
    """A record of an aborted transaction and the marker behind it: two offsets at which nothing is ever served."""
    config = {"bootstrap.servers": connection.bootstrap_servers, "transactional.id": connection.topic, "log_level": 0}
    producer = Producer(config)
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(connection.topic, b"order", b"k", partition=0)
    producer.flush(10)
    producer.abort_transaction(10)
    producer.close()
