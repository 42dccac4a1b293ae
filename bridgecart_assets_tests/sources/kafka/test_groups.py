import uuid

import pytest

from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.errors import BrokerUnreachable
from bridgecart_assets.sources.kafka.groups import commit_offsets, committed_offsets
from bridgecart_assets_tests.sources.kafka.fixtures import TopicFactory


def test_a_group_that_never_committed_has_none(topic: TopicFactory) -> None:
    assert committed_offsets(topic(2), f"group-{uuid.uuid4().hex}") is None


def test_committed_offsets_can_be_read_again(topic: TopicFactory) -> None:
    connection, group = topic(3), f"group-{uuid.uuid4().hex}"
    commit_offsets(connection, group, {0: 5, 1: 0, 2: 7})
    assert committed_offsets(connection, group) == {0: 5, 1: 0, 2: 7}


def test_offsets_of_other_topics_in_the_group_are_left_out(topic: TopicFactory) -> None:
    group, other, connection = f"group-{uuid.uuid4().hex}", topic(1), topic(1)
    commit_offsets(other, group, {0: 3})
    assert committed_offsets(connection, group) is None


def test_an_unreachable_broker_is_not_taken_for_a_group_without_offsets() -> None:
    with pytest.raises(BrokerUnreachable):
        committed_offsets(KafkaConnection("127.0.0.1:1", "orders", timeout_seconds=0.5), "bridgecart")
