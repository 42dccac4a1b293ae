"""`bridgecart inspect` on a broker: whatever is in the topic, it is looked at and left as it was."""

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from confluent_kafka import Producer

from bridgecart_assets.sources.kafka.clients import open_admin
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets_tests.sources.kafka.fixtures import TopicFactory, any_broker
from bridgecart_assets_tests.sources.mapping.decoding.records import framed, order_descriptors
from bridgecart_assets_tests.sources.mapping.decoding.test_protobuf import INDEX, order
from bridgecart_assets_tests.sources.registry.answers import Answers, answering
from bridgecart_assets_tests.sources.registry.apicurio import Apicurio, apicurio
from bridgecart_assets_tests.support.command_line import Bridgecart, assert_one_line, bridgecart
from bridgecart_assets_tests.support.topics import changes, net_sales

__all__ = ["apicurio", "bridgecart"]

SAMPLES = Path(__file__).parents[1] / "samples"
SHOPIFY = SAMPLES / "shopify-orders.ndjson"
PROTOBUF_MAPPING = """
format = 1

[decode]
value       = "protobuf-registry"
descriptors = "order.desc"
message     = "shop.v1.Order"

[records]
tombstones = "skip"

[order]
order_id        = "value.number"
version         = "value.revision"
is_void         = "value.status = 'CANCELLED'"
customer_id     = "value.customer_ref"
purchase_date   = "value.placed_at"
purchase_amount = "value.total_cents"
currency        = "value.currency"

[money]
currency    = "EUR"
minor_units = true
"""


def name_topic(connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch) -> KafkaConnection:
    monkeypatch.setenv("BRIDGECART_KAFKA_BOOTSTRAP_SERVERS", connection.bootstrap_servers)
    monkeypatch.setenv("BRIDGECART_KAFKA_TOPIC", connection.topic)
    return connection


def send(connection: KafkaConnection, *values: bytes | None) -> None:
    producer = Producer({"bootstrap.servers": connection.bootstrap_servers})
    for number, value in enumerate(values):
        producer.produce(connection.topic, value, key=f"k{number}")
    assert producer.flush(10) == 0


def groups(connection: KafkaConnection) -> set[str]:
    with open_admin(connection) as admin:
        return {group.group_id for group in admin.client.list_consumer_groups().result().valid}


@pytest.mark.story
def test_a_topic_of_webhooks_is_looked_at_and_gets_a_mapping_and_nothing_is_left_behind(
    bridgecart: Bridgecart, topic: TopicFactory, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = name_topic(topic(2), monkeypatch)
    send(connection, *SHOPIFY.read_bytes().splitlines(), None, b"\xff")
    before = topic_state(connection), groups(connection)
    done = bridgecart("inspect", "--write", str(tmp_path / "mapping.toml"))
    assert done.code == 0, done.err
    first, values, keys, shape, *_ = done.out.splitlines()
    assert first == f"8 records of topic '{connection.topic}', 2 partitions, the newest"
    assert (values, keys) == (
        "values: 6 JSON, 1 nothing, 1 bytes of no known form",
        "keys:   8 text that is no JSON",
    )
    assert shape == 'It looks like orders of Shopify\'s webhooks (preset = "shopify-order").'
    assert "value.customer.email" in done.out
    assert not [secret for secret in ("Ada", "Muster", "example.com", "000000") if secret in done.out + done.err]
    assert tomllib.loads((tmp_path / "mapping.toml").read_text())["preset"] == "shopify-order"
    assert (topic_state(connection), groups(connection)) == before
    assert not data_dir.exists()


@any_broker
def test_as_many_of_the_newest_records_are_looked_at_as_asked_for(
    bridgecart: Bridgecart, topic: TopicFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = name_topic(topic(1), monkeypatch)
    produce(connection, [(b"k", json.dumps({"n" if n < 90 else "newest": n}).encode(), 1_000) for n in range(100)])
    shown = json.loads(bridgecart("inspect", "--json", "--records", "10").out)
    assert (shown["records"], [path["path"] for path in shown["paths"]]) == (10, ["value.newest"])


@any_broker
def test_a_topic_of_a_thousand_partitions_is_looked_at(
    bridgecart: Bridgecart, topic: TopicFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = name_topic(topic(1_000), monkeypatch)
    send(connection, *[b'{"a": 1}'] * 200)
    done = bridgecart("inspect", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["records"] == 200


@any_broker
def test_huge_records_are_counted_and_not_looked_into(
    bridgecart: Bridgecart, topic: TopicFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = name_topic(topic(1), monkeypatch)
    send(connection, *[b'{"a": "' + b"x" * 900_000 + b'"}'] * 5, b'{"b": 1}')
    shown = json.loads(bridgecart("inspect", "--json").out)
    assert shown["values"] == {"longer than BRIDGECART_MAX_PAYLOAD_BYTES": 5, "JSON": 1}
    assert [path["path"] for path in shown["paths"]] == ["value.b"]


def test_an_empty_topic_and_one_that_is_not_there_are_one_line(
    bridgecart: Bridgecart, topic: TopicFactory, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = name_topic(topic(1), monkeypatch)
    assert_one_line(bridgecart("inspect"), connection.topic, "has no records yet", "send some")
    monkeypatch.setenv("BRIDGECART_KAFKA_TOPIC", "nowhere")
    # Of the topics there are it names some; other tests have theirs beside this one.
    assert_one_line(bridgecart("inspect"), "has no topic 'nowhere'", "correct the topic's name", "orders-")
    assert not data_dir.exists()


@any_broker
def test_avro_is_read_with_the_schemas_of_the_registry_and_a_mapping_is_tried_on_it(
    bridgecart: Bridgecart, topic: TopicFactory, apicurio: Apicurio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = name_topic(topic(1), monkeypatch)
    schema_id = apicurio.register(connection.topic, (SAMPLES / "debezium-orders.avsc").read_text(encoding="utf-8"))
    send(connection, *changes(schema_id), b"\0" + schema_id.to_bytes(4) + b"\xff")
    blind = bridgecart("inspect").out
    assert "values: 817 bytes with schema id, 8 nothing (schema ids" in blind
    assert "! They begin with the id of a schema: set BRIDGECART_SCHEMA_REGISTRY_URL" in blind

    monkeypatch.setenv("BRIDGECART_SCHEMA_REGISTRY_URL", apicurio.url)
    mapping = str(tmp_path / "mapping.toml")
    shown = json.loads(bridgecart("inspect", "--json", "--write", mapping).out)
    assert shown["values"] == {"Avro": 816, "bytes that are not of their Avro schema": 1, "nothing": 8}
    assert shown["preset"] == "debezium"
    assert {"value.after.customer_id", "value.source.lsn"} <= {path["path"] for path in shown["paths"]}

    tried = json.loads(bridgecart("inspect", "--mapping", mapping, "--json").out)
    counts = {name: count for name, count in tried["events"].items() if count}
    assert counts == {"records": 825, "orders": 400, "superseded": 408, "void": 8, "skipped": 8, "rejected": 1}
    assert sum(round(month["net_sales"] * 100) for month in tried["months"]) == net_sales() * 100
    (rejection,) = tried["rejections"]
    assert (rejection["reason"], rejection["examples"]) == (
        "bad_avro",
        ["partition 0, offset 824: bytes that are not of their Avro schema"],
    )
    monkeypatch.setenv("BRIDGECART_SCHEMA_REGISTRY_URL", "http://127.0.0.1:9")
    for arguments in ([], ["--mapping", mapping]):
        assert_one_line(bridgecart("inspect", *arguments), "No answer from the schema registry at http://127.0.0.1:9")


@any_broker
def test_protobuf_is_named_and_a_mapping_is_tried_on_it_and_shows_nothing_unmasked(
    bridgecart: Bridgecart, topic: TopicFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = name_topic(topic(1), monkeypatch)
    placed = {"customer_ref": "Ada-Muster", "placed_at": datetime(2026, 1, 2, tzinfo=UTC), "currency": "EUR"}
    sent = [order(**placed, number=f"10-{number}", status=1, total_cents=1_050) for number in range(5)]
    changed = order(**placed, number="10-0", revision=1, status=2, total_cents=1_050)
    nameless = order(number="10-9", placed_at=placed["placed_at"], currency="EUR", total_cents=1)
    send(connection, *(framed(INDEX + body) for body in (*sent, changed, nameless)), framed(INDEX + b"\xff"), None)
    (tmp_path / "order.desc").write_bytes(order_descriptors().SerializeToString())
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(PROTOBUF_MAPPING)
    with answering(Answers()) as registry:
        registry.know(1, (SAMPLES / "order.proto").read_text(), "PROTOBUF")
        monkeypatch.setenv("BRIDGECART_SCHEMA_REGISTRY_URL", registry.url)
        looked = bridgecart("inspect")
        tried = bridgecart("inspect", "--mapping", str(mapping), "--json")
        shown = bridgecart("inspect", "--mapping", str(mapping))
    assert looked.code == 0, looked.err
    assert "8 Protobuf, 1 nothing" in looked.out
    assert not [secret for secret in ("Ada", "Muster") if secret in looked.out + tried.out + shown.out]
    counts = {name: count for name, count in json.loads(tried.out)["events"].items() if count}
    assert counts == {"records": 9, "orders": 4, "superseded": 1, "void": 1, "skipped": 1, "rejected": 2}
    assert [one["reason"] for one in json.loads(tried.out)["rejections"]] == ["bad_protobuf", "missing_customer_id"]
