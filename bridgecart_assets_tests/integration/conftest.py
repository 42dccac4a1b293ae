"""A shop: a topic with the settings that name it; processes to kill."""

from collections.abc import Iterator

import pytest

from bridgecart_assets_tests.integration.killable import Killer
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.kafka.fixtures import TopicFactory


@pytest.fixture
def shop(topic: TopicFactory, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """An empty topic of three partitions; the settings of this test name it."""
    connection = topic(3)
    monkeypatch.setenv("BRIDGECART_KAFKA_BOOTSTRAP_SERVERS", connection.bootstrap_servers)
    monkeypatch.setenv("BRIDGECART_KAFKA_TOPIC", connection.topic)
    monkeypatch.setenv("BRIDGECART_KAFKA_TIMEOUT_SECONDS", "5")
    return Shop(connection)


@pytest.fixture(scope="session")
def killer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killer]:
    """Runs commands in processes that can be killed at chosen moments."""
    with Killer(tmp_path_factory.mktemp("killer")) as killer:
        yield killer
