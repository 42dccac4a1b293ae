import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.embedded import EmbeddedBroker
from bridgecart_assets.sources.kafka.errors import BrokerUnreachable, ProduceFailed, TopicNotFound
from bridgecart_assets.sources.kafka.producing import Event, produce
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets_tests.sources.kafka.contents import records_of
from bridgecart_assets_tests.sources.kafka.fixtures import TopicFactory

# Hashes of Apache Kafka's own test of its murmur2.
JAVA_MURMUR2 = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}


def test_every_event_is_acknowledged_and_counted(topic: TopicFactory) -> None:
    connection = topic(3)
    assert produce(connection, ((b"%d" % i, b"value", 1_000) for i in range(5_000))) == 5_000
    assert len(records_of(connection)) == 5_000


def test_an_idempotent_producer_sends_every_event_once_and_in_order(topic: TopicFactory) -> None:
    connection = topic(1)
    idempotent = replace(connection, properties={"enable.idempotence": "true"})
    assert produce(idempotent, ((b"key", b"%d" % i, 1_000) for i in range(3_000))) == 3_000
    assert [row["payload"] for row in records_of(connection)] == [b"%d" % i for i in range(3_000)]


def test_order_per_key_is_kept(topic: TopicFactory) -> None:
    connection = topic(3)
    produce(connection, ((b"key-%d" % (i % 7), b"%d" % i, 1_000) for i in range(20_000)))
    last: dict[object, int] = {}
    for row in records_of(connection):
        number = int(row["payload"])  # type: ignore[call-overload]
        assert number > last.get(row["key"], -1)
        last[row["key"]] = number


def test_keys_land_where_java_clients_put_them(topic: TopicFactory) -> None:
    connection = topic(12)
    produce(connection, ((key, b"value", 1_000) for key in JAVA_MURMUR2))
    found = {row["key"]: row["partition"] for row in records_of(connection)}
    assert found == {key: (value & 0x7FFFFFFF) % 12 for key, value in JAVA_MURMUR2.items()}


def test_a_record_that_is_too_large_fails_and_says_so(topic: TopicFactory) -> None:
    with pytest.raises(ProduceFailed, match="3000000 bytes"):
        produce(topic(1), [(None, b"x" * 3_000_000, 1_000)])


def test_what_was_handed_over_before_an_error_is_sent(topic: TopicFactory) -> None:
    connection = topic(1)

    def broken() -> Iterator[Event]:
        yield None, b"first", 1_000
        raise LookupError("no more orders")

    with pytest.raises(LookupError):
        produce(connection, broken())
    assert [row["payload"] for row in records_of(connection)] == [b"first"]


def test_an_unreachable_broker_fails_before_anything_is_sent() -> None:
    with pytest.raises(BrokerUnreachable):
        produce(KafkaConnection("127.0.0.1:1", "orders", timeout_seconds=0.5), [(None, b"x", 1_000)])


def test_an_unknown_topic_is_not_created(broker: str) -> None:
    with pytest.raises(TopicNotFound):
        produce(KafkaConnection(broker, "never-created"), [(None, b"x", 1_000)])


def test_records_a_broker_does_not_acknowledge_are_reported_in_time() -> None:
    with EmbeddedBroker() as doomed:
        connection = KafkaConnection(doomed.bootstrap_servers, "orders")
        create_topic(connection, 1)

        def events() -> Iterator[Event]:
            yield None, b"first", 1_000
            doomed.stop()
            yield None, b"second", 1_000

        started = time.monotonic()
        with pytest.raises(ProduceFailed, match=r"1 of 2 records|2 of 2 records"):
            produce(connection, events(), flush_seconds=1.5)
        assert time.monotonic() - started < 6
