"""A broker for a whole test session, and fresh topics on it."""

import uuid
from collections.abc import Iterator
from typing import Protocol

import pytest

from bridgecart_assets.kafka.connection import KafkaConnection
from bridgecart_assets.kafka.embedded import EmbeddedBroker
from bridgecart_assets.kafka.topics import create_topic


class TopicFactory(Protocol):
    """Makes topics that no other test uses."""

    def __call__(self, partitions: int = 3, **configs: str) -> KafkaConnection:
        """A connection to a new topic; `retention_ms="1"` becomes the topic's `retention.ms`."""


@pytest.fixture(scope="session")
def broker() -> Iterator[str]:
    with EmbeddedBroker() as running:
        yield running.bootstrap_servers


@pytest.fixture
def topic(broker: str) -> TopicFactory:
    def make(partitions: int = 3, **configs: str) -> KafkaConnection:
        connection = KafkaConnection(broker, topic=f"orders-{uuid.uuid4().hex[:12]}")
        create_topic(connection, partitions, {name.replace("_", "."): value for name, value in configs.items()})
        return connection

    return make
