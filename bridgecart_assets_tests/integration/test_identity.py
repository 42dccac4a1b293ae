"""Which topic it is, and whether its history is still the one that was read: never assumed."""

import uuid
from collections.abc import Iterator

import dagster as dg
import pytest

from bridgecart_assets.kafka.connection import KafkaConnection
from bridgecart_assets.kafka.errors import TopicWithoutId
from bridgecart_assets.kafka.positions import topic_state
from bridgecart_assets.kafka.topics import create_topic
from bridgecart_assets.warehouse.database import Warehouse
from bridgecart_assets_tests.integration.daemon import Daemon, asked_for
from bridgecart_assets_tests.integration.killable import Killer
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.kafka.apache import ApacheKafka
from bridgecart_assets_tests.kafka.older import WITHOUT_TOPIC_IDS, OlderBroker
from bridgecart_assets_tests.support.state import rows

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def proxy() -> Iterator[OlderBroker]:
    with OlderBroker() as proxy:
        yield proxy


@pytest.fixture(scope="module")
def kafka(proxy: OlderBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    advertised = {"advertised.listeners": f"PLAINTEXT://{proxy.address}"}
    kafka = ApacheKafka(tmp_path_factory.mktemp("kafka"), properties=advertised)
    proxy.forward_to(lambda: kafka.bootstrap_servers)
    with kafka:
        yield kafka


@pytest.fixture
def shop(kafka: ApacheKafka, proxy: OlderBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A topic of one partition on a broker that gives ids, as long as nothing else is said."""
    connection = KafkaConnection(proxy.address, f"orders-{uuid.uuid4().hex[:12]}", timeout_seconds=20)
    create_topic(connection, 1)
    monkeypatch.setenv("BRIDGECART_KAFKA_BOOTSTRAP_SERVERS", proxy.address)
    monkeypatch.setenv("BRIDGECART_KAFKA_TOPIC", connection.topic)
    yield Shop(connection)
    proxy.newest = {}


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Daemon(instance, job="ingest_batch")


def test_a_broker_that_gives_topics_no_ids_is_refused_in_one_line_that_says_which_do(
    daemon: Daemon, killer: Killer, proxy: OlderBroker, shop: Shop, warehouse: Warehouse
) -> None:
    shop.sell(100)
    proxy.newest = WITHOUT_TOPIC_IDS
    with pytest.raises(TopicWithoutId) as raised:
        daemon.tick()
    says = f"Kafka at {proxy.address} gives topic {shop.connection.topic!r} no id, so a topic that was created again"
    assert str(raised.value).startswith(says)
    ended = killer.run("run")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"bridgecart: {raised.value}\n"
    assert "Apache Kafka gives ids from 2.8 on" in ended.stderr
    assert says in killer.run("doctor").stdout
    assert not warehouse.exists


def test_a_broker_that_was_upgraded_and_now_gives_ids_is_read(
    daemon: Daemon, proxy: OlderBroker, shop: Shop, warehouse: Warehouse
) -> None:
    shop.sell(100)
    proxy.newest = WITHOUT_TOPIC_IDS
    with pytest.raises(TopicWithoutId):
        topic_state(shop.connection)
    proxy.newest = {}
    asked_for(daemon.tick())
    assert rows(warehouse, "select count(*) from raw.orders") == [(100,)]
