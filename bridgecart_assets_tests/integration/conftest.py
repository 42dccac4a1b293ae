"""A shop: a topic with the settings that name it; a market: a sold-out one; processes to kill; faults counted."""

import uuid
from collections.abc import Iterator

import pytest

from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets_tests.integration.faults import Faults
from bridgecart_assets_tests.integration.killable import Killer
from bridgecart_assets_tests.integration.market import Market, open_market
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.sources.kafka.fixtures import TopicFactory

MARKET_ORDERS = 1_200
FAULTS = Faults()


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


@pytest.fixture(scope="session")
def market(broker: str, killer: Killer, tmp_path_factory: pytest.TempPathFactory) -> Market:
    """One topic for all tests that only read it, each into a data directory of its own."""
    connection = KafkaConnection(broker, topic=f"orders-{uuid.uuid4().hex[:12]}")
    create_topic(connection, 3)
    return open_market(Shop(connection, MARKET_ORDERS), killer, tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture(scope="session")
def faults() -> Faults:
    """The account of all faults of this session."""
    return FAULTS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was broken, and what became of the records."""
    if FAULTS.accounts:
        terminalreporter.section("faults injected")
        for line in FAULTS.lines():
            terminalreporter.write_line(line)
