"""A shop: a topic with the settings that name it; a market: a sold-out one; processes to kill; faults counted."""

import functools
import uuid
from collections.abc import Callable, Iterator

import dagster as dg
import pytest

from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets_tests.integration.daemon import Daemon
from bridgecart_assets_tests.integration.faults import OF_SESSION, Faults
from bridgecart_assets_tests.integration.killable import Killer
from bridgecart_assets_tests.integration.market import Market, open_market
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.sources.kafka.fixtures import TopicFactory

MARKET_ORDERS = 1_200


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark every test of this folder."""
    item.add_marker("integration")


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
def market_at(killer: Killer, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Market]:
    """The market of a broker, opened by the first who asks."""

    @functools.cache
    def opened(broker: str) -> Market:
        connection = KafkaConnection(broker, topic=f"orders-{uuid.uuid4().hex[:12]}")
        create_topic(connection, 3)
        return open_market(Shop(connection, MARKET_ORDERS), killer, tmp_path_factory.mktemp("undisturbed"))

    return opened


@pytest.fixture(scope="session")
def market(broker: str, market_at: Callable[[str], Market]) -> Market:
    """One topic for all tests that only read it, each into a data directory of its own."""
    return market_at(broker)


@pytest.fixture
def settings_of_the_market(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of this test name the market's topic."""
    market.configure(monkeypatch)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """Dagster's records, in memory."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def daemon(instance: dg.DagsterInstance) -> Daemon:
    """A daemon whose runs take in a batch and leave the rest."""
    return Daemon(instance, job="ingest_batch")


@pytest.fixture(scope="session")
def faults() -> Faults:
    """The account of all faults of this session; the summary tells it (`conftest.py` above)."""
    return OF_SESSION
