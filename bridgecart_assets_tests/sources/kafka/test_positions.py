import threading
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest

from bridgecart_assets.sources.kafka import positions
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.errors import (
    BrokerRefused,
    BrokerUnreachable,
    InvalidClientProperty,
    TopicNotFound,
)
from bridgecart_assets.sources.kafka.offsets import OffsetRange
from bridgecart_assets.sources.kafka.positions import cluster_id, topic_id, topic_state
from bridgecart_assets.sources.kafka.producing import Event, produce
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets_tests.sources.kafka.fixtures import TopicFactory

DEAD = "127.0.0.1:1"


def test_an_empty_topic_has_empty_ranges(topic: TopicFactory) -> None:
    state = topic_state(topic(3))
    assert state.partitions == {p: OffsetRange(0, 0) for p in range(3)}


def test_the_end_is_what_can_be_read_not_what_the_broker_lists(topic: TopicFactory) -> None:
    connection = topic(1)
    produce(connection, ((None, b"order", 1_000) for _ in range(200)))
    assert topic_state(connection).partitions == {0: OffsetRange(0, 200)}


def test_what_is_behind_the_listed_end_is_not_fetched_record_by_record(
    topic: TopicFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    awaited = positions._Look._awaited

    def note(look: positions._Look, partition: int) -> int:
        asked.append(partition)
        return awaited(look, partition)

    monkeypatch.setattr(positions._Look, "_awaited", note)
    connection = topic(1)
    produce(connection, ((None, b"order", 1_000) for _ in range(500)))
    assert topic_state(connection).partitions == {0: OffsetRange(0, 500)}
    assert len(asked) < 50


def test_identity_is_stable_and_names_cluster_and_topic(topic: TopicFactory) -> None:
    connection = topic(1)
    state = topic_state(connection)
    assert state.topic == connection.topic
    assert state.topic_id == topic_id(connection) == topic_state(connection).topic_id
    assert state.cluster_id == cluster_id(connection)
    assert state.topic_id != topic_id(topic(1))


def test_producers_who_keep_writing_do_not_keep_the_state_waiting(topic: TopicFactory) -> None:
    connection = topic(3)
    stop = threading.Event()
    sent: list[int] = []

    def endless() -> Iterator[Event]:
        while not stop.is_set():
            yield None, b"x" * 300, 1_000
            time.sleep(0.0001)

    producer = threading.Thread(target=lambda: sent.append(produce(connection, endless())))
    producer.start()
    try:
        totals = []
        for _ in range(10):
            started = time.monotonic()
            totals.append(sum(span.count for span in topic_state(connection).partitions.values()))
            assert time.monotonic() - started < 3
    finally:
        stop.set()
        producer.join()
    assert totals == sorted(totals)
    assert totals[-1] > totals[0]
    assert sum(span.count for span in topic_state(connection).partitions.values()) == sent[0]


def test_an_unreachable_broker_is_named_in_one_line_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BrokerUnreachable) as raised:
        topic_state(KafkaConnection(DEAD, "orders", timeout_seconds=0.5))
    text = str(raised.value)
    assert "no answer from Kafka at 127.0.0.1:1 within 0.5 s" in text
    assert "Connection refused" in text
    assert "\n" not in text
    assert capfd.readouterr() == ("", "")


def test_an_unknown_topic_is_not_created_and_existing_ones_are_named(broker: str) -> None:
    # Only the first few are named, and other tests share the broker.
    first = KafkaConnection(broker, f"0-{uuid4().hex}")
    create_topic(first, partitions=1)
    missing = KafkaConnection(broker, "no-such-topic")
    for _ in range(2):
        with pytest.raises(TopicNotFound, match=rf"has no topic 'no-such-topic'.*\(it has .*{first.topic}"):
            topic_state(missing)


def test_a_refused_client_fails_at_once_without_showing_its_password(
    broker: str, capfd: pytest.CaptureFixture[str]
) -> None:
    login = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "shop"}
    connection = KafkaConnection(broker, "orders", {**login, "sasl.password": "hunter2"}, timeout_seconds=20)
    started = time.monotonic()
    with pytest.raises(BrokerRefused) as raised:
        topic_state(connection)
    assert time.monotonic() - started < 5
    assert "hunter2" not in str(raised.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "properties", [{"security.protocol": "hunter2"}, {"no.such.property": "hunter2"}, {"ssl.key.pem": "hunter2"}]
)
def test_an_unusable_property_is_named_but_its_value_is_not(broker: str, properties: dict[str, str]) -> None:
    connection = KafkaConnection(broker, "orders", {**properties, "sasl.password": "hunter2"})
    if "ssl.key.pem" in properties:
        connection = KafkaConnection(broker, "orders", {**properties, "security.protocol": "SSL"})
    with pytest.raises(InvalidClientProperty) as raised:
        topic_state(connection)
    assert next(iter(properties)) in str(raised.value)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__context__ is None
