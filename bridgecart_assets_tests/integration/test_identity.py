"""Which topic it is, and whether its history is still the one that was read: never assumed."""

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance

from bridgecart_assets.commands.run_pipeline import failure_of
from bridgecart_assets.definitions import build_defs
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.errors import HistoryRewritten, OtherCluster, TopicWithoutId
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.daemon import Daemon, asked_for
from bridgecart_assets_tests.integration.killable import Killer
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.sources.kafka.apache import ApacheKafka
from bridgecart_assets_tests.sources.kafka.older import WITHOUT_TOPIC_IDS, OlderBroker
from bridgecart_assets_tests.support.state import digests, rows

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


def put_back(kafka: ApacheKafka, copy: Path) -> None:
    """Have the broker's disk be what it was when it was copied."""
    kafka.stop_node(1)
    shutil.rmtree(kafka.data_folder())
    shutil.copytree(copy, kafka.data_folder())
    kafka.start_node(1)


@pytest.fixture
def copy(kafka: ApacheKafka, shop: Shop, tmp_path: Path) -> Path:
    """The broker's disk as it is once 60 orders were sold and 20 more were not yet."""
    shop.sell(60)
    kafka.stop_node(1)
    shutil.copytree(kafka.data_folder(), tmp_path / "copy")
    kafka.start_node(1)
    return tmp_path / "copy"


def test_a_history_that_was_rewritten_and_overtaken_stops_everything_in_one_line_until_it_is_read_anew(
    copy: Path,
    daemon: Daemon,
    kafka: ApacheKafka,
    killer: Killer,
    monkeypatch: pytest.MonkeyPatch,
    shop: Shop,
    warehouse: Warehouse,
) -> None:
    first = asked_for(daemon.tick())
    shop.sell(20)
    second = asked_for(daemon.tick())
    assert rows(warehouse, "select count(*) from raw.orders") == [(80,)]
    before = digests(warehouse, with_ledger=True)
    put_back(kafka, copy)
    shop.sell(60)
    assert topic_state(shop.connection).partitions[0].end == 120

    with pytest.raises(HistoryRewritten) as raised:
        daemon.tick()
    says = (
        f"partition 0 of topic {shop.connection.topic!r} has another record than was read at offset 79: its history "
        "was rewritten"
    )
    assert str(raised.value).startswith(says)
    ended = killer.run("run")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"bridgecart: {raised.value}\n"
    assert says in killer.run("doctor").stdout
    assert says in killer.run("status").stdout.replace("\n", " ")
    assert digests(warehouse, with_ledger=True) == before

    # What the topic still has of a batch is read again, what it has no more is not.
    assert materialize_again(daemon.instance, first).success
    again = materialize_again(daemon.instance, second)
    assert not again.success
    assert "the topic has other records in place of 20 of its own, the first at offset 60" in failure(again)
    assert digests(warehouse, with_ledger=True) == before

    # What the line says to do: everything in a topic of another name.
    sent_again = KafkaConnection(shop.connection.bootstrap_servers, f"{shop.connection.topic}-again")
    create_topic(sent_again, 1)
    produce(sent_again, [*shop.events[:60], *shop.events[80:140]])
    monkeypatch.setenv("BRIDGECART_KAFKA_TOPIC", sent_again.topic)
    asked_for(daemon.tick())
    ((orders, rejects, distinct),) = rows(
        warehouse,
        "select (select count(*) from silver.orders), (select count(distinct payload) from silver.rejected_orders), "
        "(select count(distinct payload) from raw.orders)",
    )
    assert orders + rejects == distinct


def test_a_topic_with_the_id_of_one_in_another_cluster_is_not_taken_for_it(
    copy: Path, daemon: Daemon, kafka: ApacheKafka, shop: Shop, warehouse: Warehouse
) -> None:
    asked_for(daemon.tick())
    before = digests(warehouse, with_ledger=True)
    properties = copy / "meta.properties"
    lines = properties.read_text().splitlines()
    properties.write_text("\n".join("cluster.id=AnotherCluster00000000" if "cluster.id" in x else x for x in lines))
    put_back(kafka, copy)
    shop.sell(20)
    with pytest.raises(OtherCluster, match=r"topic .* of cluster AnotherCluster00000000 has the id of the one"):
        daemon.tick()
    assert digests(warehouse, with_ledger=True) == before


def materialize_again(instance: DagsterInstance, key: str) -> dg.ExecuteInProcessResult:
    job = build_defs().resolve_job_def("ingest_batch")
    return job.execute_in_process(instance=instance, partition_key=key, raise_on_error=False)


def failure(result: dg.ExecuteInProcessResult) -> str:
    return str(failure_of(result))
