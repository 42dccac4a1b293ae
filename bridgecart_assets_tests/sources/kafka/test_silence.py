"""What is said when no answer comes, or none in time: the remedy is that of the cause."""

import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.error_hints import silence_remedy
from bridgecart_assets.sources.kafka.errors import BrokerUnreachable, ProduceFailed, ReadStalled
from bridgecart_assets.sources.kafka.offsets import plan_batch
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.sources.kafka.reading import read_slice
from bridgecart_assets_tests.integration.line import Line, line_to
from bridgecart_assets_tests.sources.kafka.apache_jars import class_path
from bridgecart_assets_tests.sources.kafka.fixtures import TopicFactory, only_apache
from bridgecart_assets_tests.support.maven import java

START = "start the broker or correct BRIDGECART_KAFKA_BOOTSTRAP_SERVERS"
ADVERTISED = "start that node, or correct its advertised.listeners"


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("a:9092/bootstrap: Connect to ipv4#10.0.0.1:9092 failed: Connection refused", START),
        ("a:9092/1: Connect to ipv4#10.0.0.1:9092 failed: Connection refused", START),
        (
            "b:9092/2: Failed to resolve 'b:9092': Name or service not known",
            f"node 2 is to be reached at b:9092: {ADVERTISED}",
        ),
        (
            "sasl_ssl://b.in:9093/12: Connection setup timed out in state CONNECT",
            f"node 12 is to be reached at b.in:9093: {ADVERTISED}",
        ),
        ("no response", START),
    ],
)
def test_a_node_that_the_cluster_names_but_nobody_reaches_is_told_from_a_wrong_setting(reason: str, says: str) -> None:
    assert says in silence_remedy("a:9092,a:9093", reason, 0)


def test_a_quota_is_named_whatever_was_reported_last() -> None:
    text = silence_remedy("a:9092", "b:9092/2: Connection refused", 12.34)
    assert text.startswith("the broker throttles this client by a quota, for 12.3 s at a time; raise its")


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    with line_to("embedded", tmp_path_factory.mktemp("line")) as line:
        yield line


@pytest.mark.parametrize("how", ["refusal", "silence"])
def test_an_advertised_address_that_cannot_be_reached_is_the_cause_that_is_named(line: Line, how: str) -> None:
    connection = KafkaConnection(line.broker.bootstrap_servers, "orders", timeout_seconds=3)
    # Several times: a client that asks for the nodes by a request learned them only if the broker was fast.
    for _ in range(3):
        (line.proxy.refuse if how == "refusal" else line.proxy.go_silent)()
        try:
            with pytest.raises(BrokerUnreachable) as raised:
                topic_state(connection)
        finally:
            line.proxy.heal()
        text = str(raised.value)
        assert (
            f"the cluster answers, and says that node 111 is to be reached at {line.proxy.address}: {ADVERTISED}"
            in text
        )
        assert START not in text


@only_apache
def test_a_quota_that_lets_nothing_through_in_time_is_the_cause_that_is_named(topic: TopicFactory) -> None:
    connection = replace(topic(1), properties={"client.id": f"throttled-{time.time_ns()}"}, timeout_seconds=20)
    produce(connection, [(None, b"x" * 1_000, 0) for _ in range(20_000)])
    plan = plan_batch(batch_key="b", committed={}, state=topic_state(connection), max_records=10**9)
    set_quota(connection, "consumer_byte_rate=1000,producer_byte_rate=1000")
    with pytest.raises(ReadStalled) as raised:
        for _ in read_slice(connection, plan, stall_seconds=3):
            pass
    says = "the broker throttles this client by a quota, for "
    assert says in str(raised.value)
    assert str(raised.value).endswith("or BRIDGECART_KAFKA_STALL_SECONDS")
    with pytest.raises(ProduceFailed) as failed:
        produce(connection, [(None, b"x" * 100_000, 0) for _ in range(300)], flush_seconds=3)
    assert says in str(failed.value)
    assert "producer_byte_rate" in str(failed.value)


@only_apache
def test_records_that_are_too_old_for_the_topic_are_not_to_be_sent_again(topic: TopicFactory) -> None:
    connection = topic(1, message_timestamp_before_max_ms="60000")
    with pytest.raises(ProduceFailed, match=r"dated too early or too late for the topic: raise its message\.timestamp"):
        produce(connection, [(None, b"order", 1_000)])


def set_quota(connection: KafkaConnection, quota: str) -> None:
    """Set a quota of the connection's client id, as an operator does."""
    command = [java(), "-cp", class_path(), "kafka.admin.ConfigCommand", "--alter", "--add-config", quota]
    command += ["--bootstrap-server", connection.bootstrap_servers, "--entity-type", "clients"]
    command += ["--entity-name", connection.properties["client.id"]]
    subprocess.run(command, check=True, capture_output=True, timeout=60, cwd=Path.cwd())
