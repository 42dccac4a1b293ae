import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from confluent_kafka.admin import ConfigResource  # type: ignore[attr-defined]

from bridgecart_assets.sources.kafka.clients import open_admin
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.groups import committed_offsets
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets_tests.integration.processes import ROOT, wait_until
from bridgecart_assets_tests.sources.kafka.apache import ApacheKafka, ApacheKafkaFailed
from bridgecart_assets_tests.sources.kafka.apache_jars import KAFKA_VERSION
from bridgecart_assets_tests.sources.kafka.fixtures import only_apache
from bridgecart_assets_tests.support.compose import services
from bridgecart_assets_tests.support.requirements import missing

PARENT = """
import sys, time
from pathlib import Path
from bridgecart_assets_tests.sources.kafka.apache import ApacheKafka
with ApacheKafka(Path(sys.argv[1])):
    print("up", flush=True)
    time.sleep(60)
"""


@pytest.mark.kafka
def test_a_node_stopped_or_killed_comes_back_on_its_port_with_its_data(tmp_path: Path) -> None:
    with ApacheKafka(tmp_path) as kafka:
        connection = KafkaConnection(kafka.bootstrap_servers, "orders", timeout_seconds=20)
        create_topic(connection, 1)
        # The first question about any group, while its coordinator is being chosen: it used to end this process.
        assert committed_offsets(connection, "nobody") is None
        for count, end in enumerate((kafka.stop_node, kafka.kill_node), start=1):
            produce(connection, [(None, b"order", 1_000)])
            end(1)
            kafka.start_node(1)
            assert topic_state(connection).partitions[0].end == count


@pytest.mark.kafka
def test_no_node_outlives_a_killed_parent(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "up\n"
        family = psutil.Process(parent.pid).children(recursive=True)
        assert [process.name() for process in family if process.name() == "java"] == ["java"]
        parent.kill()
    wait_until(lambda: not any(process.is_running() for process in family), 5, "the node is gone")


@pytest.mark.kafka
def test_a_node_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(ApacheKafkaFailed, match=r"num\.partitions"):
        ApacheKafka(tmp_path, properties={"num.partitions": "none"}).start()


@only_apache
def test_every_setting_of_the_compose_file_is_one_of_kafka_itself(broker: str) -> None:
    with open_admin(KafkaConnection(broker, "orders")) as admin:
        (node, *_) = admin.client.list_topics(timeout=10).brokers
        (answer,) = admin.client.describe_configs([ConfigResource(ConfigResource.Type.BROKER, str(node))]).values()
        known = answer.result(timeout=10).keys()
    variables = services()["kafka"]["environment"].keys() - {"KAFKA_HEAP_OPTS"}
    assert len(variables) > 10
    assert {name.removeprefix("KAFKA_").lower().replace("_", ".") for name in variables} <= known


def test_docker_users_get_the_version_that_is_tested() -> None:
    assert services()["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"


@pytest.mark.parametrize(("required", "outcome"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_what_is_missing_is_skipped_and_in_continuous_integration_failed(
    monkeypatch: pytest.MonkeyPatch, required: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("BRIDGECART_REQUIRE_ALL", required)
    with pytest.raises(outcome, match="there is no Java"):
        missing("there is no Java")
