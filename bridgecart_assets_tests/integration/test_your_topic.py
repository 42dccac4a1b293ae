"""The guides from a company's own topic, or file, to the KPIs: every command in them, as it stands there."""

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from confluent_kafka import Producer

from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets_tests.sources.kafka.fixtures import TopicFactory, only_apache
from bridgecart_assets_tests.sources.registry.apicurio import Apicurio, apicurio
from bridgecart_assets_tests.support import topics

__all__ = ["apicurio"]

DOCS = Path(__file__).parents[2] / "docs"


def send(connection: KafkaConnection, values: Iterable[bytes | None]) -> None:
    producer = Producer({"bootstrap.servers": connection.bootstrap_servers})
    for value in values:
        producer.produce(connection.topic, value, key=b"k")
        producer.poll(0)
    assert producer.flush(30) == 0


def follow(page: str, folder: Path, **instead: str) -> str:
    """All commands of a page, in one shell; the values of these variables are replaced. What they print."""
    text = (DOCS / page).read_text(encoding="utf-8")
    script = "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    for name, value in instead.items():
        script, replaced = re.subn(rf"^export {name}=.*$", f"export {name}={value}", script, flags=re.MULTILINE)
        assert replaced, name
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGECART_DATA_DIR")}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**environment, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def net_sales(folder: Path) -> Decimal:
    with duckdb.connect(str(folder / "data" / "bridgecart.duckdb"), read_only=True) as connection:
        ((total,),) = connection.execute("select sum(net_amount) from silver.orders").fetchall()
    return Decimal(total)


def assert_kpis(shown: str, folder: Path) -> None:
    """The page ends with the table of the KPIs, and the warehouse has every order once."""
    assert "KPIs by segment, period from 2025-" in shown
    assert net_sales(folder) == topics.net_sales()


@only_apache
@pytest.mark.parametrize(
    ("page", "records"),
    [
        ("your-topic.md", topics.shop_events),
        ("topic-webhooks.md", topics.webhooks),
        ("topic-tracking-plan.md", topics.tracked),
    ],
)
def test_a_guide_leads_from_a_topic_to_the_kpis(
    page: str, records: "type[Iterable[bytes]]", topic: TopicFactory, tmp_path: Path
) -> None:
    connection = topic(3)
    send(connection, records())
    shown = follow(
        page,
        tmp_path,
        BRIDGECART_KAFKA_BOOTSTRAP_SERVERS=connection.bootstrap_servers,
        BRIDGECART_KAFKA_TOPIC=connection.topic,
    )
    assert_kpis(shown, tmp_path)


@only_apache
def test_the_guide_of_a_table_leads_from_avro_with_a_registry_to_the_kpis(
    topic: TopicFactory, apicurio: Apicurio, tmp_path: Path
) -> None:
    connection = topic(3)
    schema = (topics.SAMPLES / "debezium-orders.avsc").read_text(encoding="utf-8")
    send(connection, topics.changes(apicurio.register(connection.topic, schema)))
    shown = follow(
        "topic-debezium.md",
        tmp_path,
        BRIDGECART_KAFKA_BOOTSTRAP_SERVERS=connection.bootstrap_servers,
        BRIDGECART_KAFKA_TOPIC=connection.topic,
        BRIDGECART_SCHEMA_REGISTRY_URL=apicurio.url,
    )
    assert_kpis(shown, tmp_path)


def test_the_guide_of_a_file_leads_to_the_kpis_without_kafka(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text(topics.exported(), encoding="utf-8")
    assert_kpis(follow("history.md", tmp_path), tmp_path)
