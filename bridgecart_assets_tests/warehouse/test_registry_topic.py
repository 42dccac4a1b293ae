"""A topic of Avro with a schema registry: from the broker to silver, whatever becomes of the registry meanwhile."""

from collections.abc import Sequence

import pytest

from bridgecart_assets.base.settings import Settings, load_settings
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.sources.registry import NoRegistry, RegistryFailure
from bridgecart_assets.warehouse.duckdb_engine import DuckDBEngine
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.remap import remap
from bridgecart_assets_tests.sources.kafka.fixtures import TopicFactory, any_broker
from bridgecart_assets_tests.sources.mapping.decoding.records import SAMPLES, debezium
from bridgecart_assets_tests.sources.registry.answers import Answers, answering
from bridgecart_assets_tests.sources.registry.apicurio import Apicurio
from bridgecart_assets_tests.support.pipeline import run_silver
from bridgecart_assets_tests.support.state import rows

BATCH = "20260110T000000Z"
AT = 1_768_003_200_000
ENDS = """
select "offset", 'orders' as stands_in, order_id || ' ' || net_amount as says from silver.orders
union all select "offset", standing, null from silver.superseded_orders
union all select "offset", 'duplicate', null from silver.duplicate_orders
union all select "offset", 'rejected', array_to_string(reasons, ',') from silver.rejected_orders
union all select -1, reason, sum(records)::varchar from silver.skipped_records group by reason
order by all
"""
EXPECTED = [
    (-1, "tombstone", "1"),
    (0, "orders", "7000 50.00"),
    (1, "superseded", None),
    (2, "duplicate", None),
    (3, "superseded", None),
    (4, "orders", "7001 119.90"),
    (5, "void", None),
    (6, "superseded", None),
    (7, "void", None),
    (9, "rejected", "missing_purchase_amount"),
    (10, "orders", "7005 -30.00"),
    (10, "orders", "7005 80.00"),
    (11, "rejected", "bad_avro"),
    (12, "rejected", "bad_avro"),
    (13, "rejected", "unknown_schema"),
]


def with_ids(records: Sequence[bytes | None], known: int, unknown: int) -> list[bytes | None]:
    """The sample's records with the ids of a registry instead of 1 and 999."""
    ids = {1: known, 999: unknown}
    return [
        None if one is None else b"\0" + ids[int.from_bytes(one[1:5], "big")].to_bytes(4, "big") + one[5:]
        for one in records
    ]


def arranged(monkeypatch: pytest.MonkeyPatch, topic: KafkaConnection, registry: str) -> Settings:
    """The settings of the topic and its registry, whose client gives up at once."""
    variables = {
        "KAFKA_BOOTSTRAP_SERVERS": topic.bootstrap_servers,
        "KAFKA_TOPIC": topic.topic,
        "MAPPING": str(SAMPLES / "mappings" / "debezium-avro.toml"),
        "SCHEMA_REGISTRY_URL": registry,
        "SCHEMA_REGISTRY_MAX_RETRIES": "0",
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"BRIDGECART_{name}", value)
    return load_settings()


def sent(topic: TopicFactory, records: Sequence[bytes | None]) -> KafkaConnection:
    connection = topic(1, message_timestamp_after_max_ms=str(2**63 - 1))
    produce(connection, [(b"k", one, AT) for one in records])
    return connection


@any_broker
def test_the_sample_ends_as_its_shop_says_and_again_without_its_registry(
    topic: TopicFactory, apicurio: Apicurio, monkeypatch: pytest.MonkeyPatch
):
    schema, records = debezium()
    known = apicurio.register("shop.orders-value", schema.text)
    settings = arranged(monkeypatch, sent(topic, with_ids(records, known, known + 1_000_000)), apicurio.url)
    warehouse = warehouse_from_settings(settings)
    Platform().ingest(BATCH)
    run_silver(warehouse, settings, BATCH)
    assert rows(warehouse, ENDS) == EXPECTED
    assert rows(warehouse, "select sum(net_amount)::varchar from silver.orders") == [("219.90",)]
    run_silver(warehouse, settings, BATCH)
    assert rows(warehouse, ENDS) == EXPECTED


@any_broker
def test_a_registry_that_is_down_stores_nothing_and_one_that_learns_a_schema_mends_silver(
    topic: TopicFactory, monkeypatch: pytest.MonkeyPatch
):
    schema, records = debezium()
    connection = sent(topic, records)
    with answering(Answers(otherwise=(503, {"error_code": 50301, "message": "starting"}))) as registry:
        settings = arranged(monkeypatch, connection, registry.url)
        warehouse = warehouse_from_settings(settings)
        with pytest.raises(RegistryFailure, match="starting"):
            Platform().ingest(BATCH)
        assert rows(warehouse, "select count(*) from duckdb_tables() where schema_name in ('raw', 'silver')") == [(0,)]
        registry.otherwise = Answers().otherwise
        Platform().ingest(BATCH)
        run_silver(warehouse, settings, BATCH)
        rejected = "select count(*) from silver.rejected_orders where reasons = ['unknown_schema']"
        assert rows(warehouse, rejected) == [(13,)]
        registry.know(1, schema.text)
        run_silver(warehouse, settings, BATCH)
        assert rows(warehouse, ENDS) == EXPECTED
        registry.know(999, schema.text)
        remap(DuckDBEngine(warehouse), settings, lambda *_: None)
        assert {(1, "duplicate", None), (13, "superseded", None)} <= set(rows(warehouse, ENDS))
    # Gone for good: every schema is in the warehouse.
    run_silver(warehouse, settings, BATCH)
    assert {(1, "duplicate", None), (13, "superseded", None)} <= set(rows(warehouse, ENDS))


@any_broker
def test_a_mapping_that_needs_a_registry_says_which_setting_names_it(
    topic: TopicFactory, monkeypatch: pytest.MonkeyPatch
):
    arranged(monkeypatch, sent(topic, [b"x"]), "")
    with pytest.raises(NoRegistry, match=r"^The mapping decodes records by a schema registry: set BRIDGECART_SCHEMA"):
        Platform().ingest(BATCH)
