import pytest

from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.errors import BrokerUnreachable
from bridgecart_assets.sources.kafka.positions import topic_id, topic_state
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets_tests.sources.kafka.fixtures import TopicFactory


def test_creating_a_topic_twice_leaves_the_first_as_it_is(topic: TopicFactory) -> None:
    connection = topic(3)
    first = topic_id(connection)
    assert create_topic(connection, 7) is False
    assert topic_id(connection) == first
    assert len(topic_state(connection).partitions) == 3


def test_a_new_topic_can_be_seen_at_once(broker: str) -> None:
    connection = KafkaConnection(broker, "fresh-topic")
    assert create_topic(connection, 2, {"retention.ms": "600000"}) is True
    assert len(topic_state(connection).partitions) == 2


def test_creating_on_an_unreachable_broker_fails_in_time() -> None:
    with pytest.raises(BrokerUnreachable):
        create_topic(KafkaConnection("127.0.0.1:1", "orders", timeout_seconds=0.5), 1)
