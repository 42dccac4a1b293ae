"""A broker of either kind for a whole test session, and fresh topics on it."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol, Self

import pytest

from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.embedded import EmbeddedBroker
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets_tests.sources.kafka.apache import ApacheKafka
from bridgecart_assets_tests.sources.kafka.secured import SecuredKafka

APACHE = pytest.param("apache", marks=pytest.mark.kafka)

only_apache = pytest.mark.parametrize("broker_kind", [APACHE], indirect=True, scope="session")
"""For tests of what the embedded broker cannot do."""

any_broker = pytest.mark.parametrize("broker_kind", ["embedded"], indirect=True, scope="session")
"""For tests of what happens far from the broker, which needs no second look."""


class Brokers:
    """One broker of each kind that was asked for, kept until the `with` block ends: files of tests take turns."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running = ExitStack()
        self._servers: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def servers(self, kind: str) -> str:
        """`host:port` of the broker of this kind, started by the first who asks."""
        if kind not in self._servers:
            self._servers[kind] = self._start(kind)
        return self._servers[kind]

    def _start(self, kind: str) -> str:
        if kind == "apache":
            return self._running.enter_context(ApacheKafka(self._folder)).bootstrap_servers
        return self._running.enter_context(EmbeddedBroker()).bootstrap_servers


class TopicFactory(Protocol):
    """Makes topics that no other test uses."""

    def __call__(self, partitions: int = 3, **configs: str) -> KafkaConnection:
        """A connection to a new topic; `retention_ms="1"` becomes the topic's `retention.ms`."""


@pytest.fixture(scope="session", params=["embedded", APACHE])
def broker_kind(request: pytest.FixtureRequest) -> str:
    """Every test that uses a broker runs on both kinds, unless it says otherwise."""
    return str(request.param)


@pytest.fixture(scope="session")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    with Brokers(tmp_path_factory.mktemp("kafka")) as brokers:
        yield brokers


@pytest.fixture(scope="session")
def broker(broker_kind: str, brokers: Brokers) -> str:
    """`host:port` of the broker of this session."""
    return brokers.servers(broker_kind)


@pytest.fixture
def topic(broker: str) -> TopicFactory:
    def make(partitions: int = 3, **configs: str) -> KafkaConnection:
        connection = KafkaConnection(broker, topic=f"orders-{uuid.uuid4().hex[:12]}")
        create_topic(connection, partitions, {name.replace("_", "."): value for name, value in configs.items()})
        return connection

    return make


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """One cluster with TLS, passwords and access rights for all tests that ask for it."""
    with SecuredKafka(tmp_path_factory.mktemp("secured")) as kafka:
        yield kafka
