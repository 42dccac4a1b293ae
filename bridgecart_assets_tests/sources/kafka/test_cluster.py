"""Three brokers: leaders move while a slice is read, and nodes come and go."""

import os
import uuid
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from bridgecart_assets.sources.kafka.clients import answer, open_admin
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.errors import TopicNotFound
from bridgecart_assets.sources.kafka.groups import commit_offsets, committed_offsets
from bridgecart_assets.sources.kafka.offsets import plan_batch
from bridgecart_assets.sources.kafka.positions import topic_id, topic_state
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.sources.kafka.reading import read_slice
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets_tests.integration.processes import wait_until
from bridgecart_assets_tests.sources.kafka.apache import ApacheKafka

pytestmark = pytest.mark.kafka

# A consumer that does not fetch the whole slice ahead: what is read after a kill comes from another node.
SMALL_QUEUE = {"queued.max.messages.kbytes": "512", "fetch.message.max.bytes": "131072"}
PARTITIONS = 3
NODES = 3


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    with ApacheKafka(tmp_path_factory.mktemp("cluster"), nodes=NODES) as kafka:
        yield kafka


@pytest.fixture
def connection(cluster: ApacheKafka) -> KafkaConnection:
    name = f"orders-{uuid.uuid4().hex[:12]}"
    connection = KafkaConnection(cluster.bootstrap_servers, name, SMALL_QUEUE, timeout_seconds=30)
    create_topic(connection, PARTITIONS)
    # It is there once one node knows it. One that was just started hears of it later, and may be asked next.
    for node in range(1, NODES + 1):
        of_node = replace(connection, bootstrap_servers=cluster.address(node))
        wait_until(partial(is_known, of_node), 30, "the topic is known to every node")
    return connection


def is_known(connection: KafkaConnection) -> bool:
    try:
        return bool(topic_id(connection))
    except TopicNotFound:
        return False


def leaders(connection: KafkaConnection) -> dict[int, int]:
    with open_admin(connection) as admin:
        found = admin.client.list_topics(connection.topic, timeout=10).topics[connection.topic].partitions
    return {partition: metadata.leader for partition, metadata in found.items()}


def coordinator(connection: KafkaConnection, group: str) -> int:
    with open_admin(connection) as admin:
        described = answer(admin, admin.client.describe_consumer_groups([group])[group])
    return int(described.coordinator.id)


def test_a_slice_is_read_once_and_whole_while_its_leaders_are_killed_and_come_back(
    cluster: ApacheKafka, connection: KafkaConnection
) -> None:
    payloads = [os.urandom(8_000) for _ in range(1_500)]
    produce(replace(connection, properties={}), [(b"%d" % n, value, 0) for n, value in enumerate(payloads)])
    plan = plan_batch(batch_key="b", committed={}, state=topic_state(connection), max_records=10**9)
    killed: list[int] = []
    down: set[int] = set()
    rows = []
    try:
        for number, chunk in enumerate(read_slice(connection, plan, chunk_records=100, stall_seconds=30)):
            rows += chunk.to_pylist()
            if number == 1:
                # The one whose records are being read.
                killed.append(leaders(connection)[rows[-1]["partition"]])
                cluster.kill_node(killed[0])
                down.add(killed[0])
            if number == 8:
                cluster.start_node(killed[0])
                down.remove(killed[0])
                killed.append(next(leader for leader in leaders(connection).values() if leader != killed[0]))
                cluster.kill_node(killed[1])
                down.add(killed[1])
    finally:
        # Whatever happened: with two of its three nodes gone the cluster would answer nobody.
        for node in down:
            cluster.start_node(node)
    assert len(killed) == len(set(killed)) == 2
    assert sorted(row["payload"] for row in rows) == sorted(payloads)
    assert len({(row["partition"], row["offset"]) for row in rows}) == len(rows) == plan.records


def test_positions_and_group_offsets_are_waited_for_while_another_node_takes_over(
    cluster: ApacheKafka, connection: KafkaConnection
) -> None:
    group = f"group-{uuid.uuid4().hex}"
    produce(replace(connection, properties={}), [(b"%d" % n, b"order", 0) for n in range(300)])
    ends = {partition: span.end for partition, span in topic_state(connection).partitions.items()}
    commit_offsets(connection, group, ends)
    gone = coordinator(connection, group)
    cluster.kill_node(gone)
    try:
        # At once: in these seconds librdkafka lists offsets of partitions that have no leader.
        for state in [topic_state(connection) for _ in range(3)]:
            assert {partition: span.end for partition, span in state.partitions.items()} == ends
        assert committed_offsets(connection, group) == ends
        commit_offsets(connection, group, {0: 1})
        assert {partition: span.end for partition, span in topic_state(connection).partitions.items()} == ends
        assert produce(replace(connection, properties={}), [(b"%d" % n, b"order", 0) for n in range(300)]) == 300
        assert sum(span.end for span in topic_state(connection).partitions.values()) == 600
    finally:
        cluster.start_node(gone)
    assert committed_offsets(connection, group) == {**ends, 0: 1}
