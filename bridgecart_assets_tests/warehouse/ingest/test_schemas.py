"""Schemas in the warehouse: fetched while raw is written, in its transaction, and never asked for twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from bridgecart_assets.base.settings import Settings, load_settings
from bridgecart_assets.contracts import RAW_ORDERS
from bridgecart_assets.sources.kafka.offsets import plan_batch
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.sources.mapping.decoding.schemas import Schema
from bridgecart_assets.sources.registry import (
    NoRegistry,
    Registry,
    RegistryFailure,
    SchemaSource,
    registry_name,
    schema_source,
)
from bridgecart_assets.warehouse.ingest.schemas import (
    fetch_missing,
    keep_schemas,
    keep_schemas_of_batch,
    stored_schemas,
)
from bridgecart_assets.warehouse.slices import write_kafka_slice
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.storage.outputs import KafkaSlice
from bridgecart_assets.warehouse.storage.tables import prepare
from bridgecart_assets_tests.sources.kafka.fixtures import TopicFactory, any_broker
from bridgecart_assets_tests.sources.mapping.decoding.records import framed
from bridgecart_assets_tests.sources.registry.answers import Answers, answering, properties_of
from bridgecart_assets_tests.sources.registry.apicurio import Apicurio
from bridgecart_assets_tests.support.records import Record, store_batch

LONG = '"long"'
BATCH = "20260101T000000.000Z"
AT = int(datetime(2030, 1, 1, tzinfo=UTC).timestamp() * 1_000)


@dataclass(frozen=True)
class Avro:
    """Values, and keys where one says so, that need a registry."""

    value: str = "avro-registry"
    key: str = "json"


def configured(monkeypatch: pytest.MonkeyPatch, url: str) -> Settings:
    monkeypatch.setenv("BRIDGECART_SCHEMA_REGISTRY_URL", url)
    for name, value in properties_of().items():
        monkeypatch.setenv(f"BRIDGECART_SCHEMA_REGISTRY_{name.replace('.', '_').upper()}", value)
    return load_settings()


def source_of(server: Answers, *columns: str) -> SchemaSource:
    return SchemaSource(Registry(server.url, properties_of()), columns or ("payload",))


def records(*payloads: bytes | None, keys: Sequence[bytes | None] | None = None) -> pa.RecordBatch:
    of_keys = keys or [None] * len(payloads)
    return pa.record_batch({"key": pa.array(of_keys, pa.binary()), "payload": pa.array(payloads, pa.binary())})


def keep(warehouse: Warehouse, source: SchemaSource, batch: pa.RecordBatch) -> None:
    with warehouse.transaction() as connection:
        prepare(connection, RAW_ORDERS)
        keep_schemas(connection, source, batch)


def kept(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    with warehouse.reading() as connection:
        sql = 'select schema_id, kind, schema, "references" from raw.schemas order by all'
        return connection.sql(sql).fetchall()


def test_schemas_that_records_name_are_kept_once_with_those_that_they_refer_to(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
):
    with answering(Answers()) as server:
        server.know(7, LONG, references=[{"name": "shop.A", "subject": "a", "version": 1}])
        server.know(8, '"string"')
        server.by_path["/subjects/a/versions/1"] = (200, {"id": 5, "subject": "a", "version": 1, "schema": LONG})
        batch = records(framed(b"x", 7), framed(b"y", 7), None, b"", b"\1abcdefg", keys=[framed(b"", 8), *[None] * 4])
        keep(warehouse, source_of(server, "payload", "key"), batch)
        rows = [(5, "AVRO", LONG, "[]"), (7, "AVRO", LONG, '[{"name": "shop.A", "schema_id": 5}]')]
        assert kept(warehouse) == [*rows, (8, "AVRO", '"string"', "[]")]
        asked = list(server.asked)
        keep(warehouse, source_of(server, "payload", "key"), batch)
        assert server.asked == asked
        settings = configured(monkeypatch, server.url)
    # The registry is gone now.
    with warehouse.reading() as connection:
        schemas = stored_schemas(connection, registry_name(settings))
        assert schemas.schema_of(7) == Schema("AVRO", LONG, {"shop.A": Schema("AVRO", LONG)})
        assert schemas.schema_of(9) is None
    fetch_missing(warehouse, settings, Avro(), BATCH)


def test_schemas_of_records_that_stand_already_are_kept(warehouse: Warehouse):
    store_batch(warehouse, BATCH, [Record(framed(b"x", 7)), Record(None)])
    with answering(Answers()) as server:
        server.know(7, LONG)
        with warehouse.transaction() as connection:
            keep_schemas_of_batch(connection, source_of(server), BATCH)
        assert kept(warehouse) == [(7, "AVRO", LONG, "[]")]


def test_columns_that_need_no_schema_are_not_looked_at(warehouse: Warehouse, settings: Settings):
    assert schema_source(settings, Avro("json", "json-registry")) is None
    with pytest.raises(NoRegistry):
        schema_source(settings, Avro("protobuf-registry"))
    with answering(Answers()) as server:
        keep(warehouse, source_of(server, "key"), records(framed(b"x", 7)))
        assert server.asked == []


def test_ids_without_end_are_asked_for_a_bounded_number_of_times_the_frequent_ones_first(warehouse: Warehouse):
    with answering(Answers()) as server:
        server.know(4_000, LONG)
        noise = [framed(b"", number) for number in range(3_000)]
        too_large = [framed(b"", 2**31)]
        keep(warehouse, source_of(server), records(*noise, *too_large, framed(b"", 4_000), framed(b"", 4_000)))
        assert len(server.asked) == 1_000
        assert kept(warehouse) == [(4_000, "AVRO", LONG, "[]")]


def test_an_id_that_is_registered_later_is_found_when_silver_is_made_again(
    warehouse: Warehouse, apicurio: Apicurio, monkeypatch: pytest.MonkeyPatch
):
    settings = configured(monkeypatch, apicurio.url)
    coming = apicurio.register("before", '{"type": "array", "items": "string"}') + 1
    store_batch(warehouse, BATCH, [Record(framed(b"", coming)), Record(None)])
    fetch_missing(warehouse, settings, Avro(), BATCH)
    with warehouse.reading() as connection:
        assert stored_schemas(connection).schema_of(coming) is None
    assert apicurio.register("coming", '{"type": "map", "values": "long"}') == coming
    fetch_missing(warehouse, settings, Avro(), BATCH)
    with warehouse.reading() as connection:
        found = stored_schemas(connection).schema_of(coming)
    assert found is not None
    assert "map" in found.text


def test_a_registry_that_is_down_fails_the_second_asking_too(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch):
    store_batch(warehouse, BATCH, [Record(framed(b"", 7))])
    with pytest.raises(RegistryFailure, match=r"^No answer from the schema registry at http://127\.0\.0\.1:9 "):
        fetch_missing(warehouse, configured(monkeypatch, "http://127.0.0.1:9"), Avro(), BATCH)


@any_broker
def test_while_the_registry_is_down_nothing_of_a_batch_is_stored_and_once_it_is_back_all_of_it(
    warehouse: Warehouse, topic: TopicFactory
):
    connection = topic(1, message_timestamp_after_max_ms=str(2**63 - 1))
    produce(connection, [(b"k", framed(b"\2", 7), AT), (b"k", framed(b"\4", 999), AT)])
    state = topic_state(connection)
    plan = plan_batch(batch_key=BATCH, committed={}, state=state, max_records=10)
    with answering(Answers(otherwise=(503, {"error_code": 50302, "message": "not yet"}))) as server:
        handed = KafkaSlice(connection, plan, state.cluster_id, stall_seconds=10, schemas=source_of(server))
        with pytest.raises(RegistryFailure, match="not yet"), warehouse.transaction() as transaction:
            write_kafka_slice(transaction, handed)
        with warehouse.reading() as reading:
            assert reading.sql("select table_name from duckdb_tables() where schema_name = 'raw'").fetchall() == []
        server.otherwise = Answers().otherwise
        server.know(7, LONG)
        with warehouse.transaction() as transaction:
            write_kafka_slice(transaction, handed)
        assert kept(warehouse) == [(7, "AVRO", LONG, "[]")]
        with warehouse.reading() as reading:
            assert reading.sql("select count(*) from raw.orders").fetchall() == [(2,)]
    # Read again without a registry: the id that was never found would be asked for.
    with pytest.raises(RegistryFailure), warehouse.transaction() as transaction:
        write_kafka_slice(transaction, handed)
