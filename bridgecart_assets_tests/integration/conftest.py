"""A shop: a topic with the settings that name it; processes to kill."""

from collections.abc import Iterator

import pytest

from bridgecart_assets.kafka.connection import KafkaConnection
from bridgecart_assets_tests.integration.killable import Killer
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.kafka.fixtures import TopicFactory


@pytest.fixture
def configured_topic(topic: TopicFactory, monkeypatch: pytest.MonkeyPatch) -> TopicFactory:
    """Makes topics; the settings of this test name the last one."""

    def make(partitions: int = 3, **configs: str) -> KafkaConnection:
        connection = topic(partitions, **configs)
        monkeypatch.setenv("BRIDGECART_KAFKA_BOOTSTRAP_SERVERS", connection.bootstrap_servers)
        monkeypatch.setenv("BRIDGECART_KAFKA_TOPIC", connection.topic)
        monkeypatch.setenv("BRIDGECART_KAFKA_TIMEOUT_SECONDS", "5")
        return connection

    return make


@pytest.fixture
def shop(configured_topic: TopicFactory) -> Shop:
    """An empty topic of three partitions; the settings of this test name it."""
    return Shop(configured_topic(3))


@pytest.fixture(scope="session")
def killer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killer]:
    """Runs commands in processes that can be killed at chosen moments."""
    with Killer(tmp_path_factory.mktemp("killer")) as killer:
        yield killer
