"""A batch to silver by a mapping beside BridgeCart's own event, and Debezium's Avro beside Confluent's deserializer."""

import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from benchmarks.benchmark import Benchmark, Figures, Side, Sizes, Target
from benchmarks.measuring import ROOT
from benchmarks.surroundings import END, fresh_orders
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.contracts import RAW_ORDERS, SILVER_ORDERS
from bridgecart_assets.sources.mapping.decoding import Decoder
from bridgecart_assets.sources.mapping.decoding.schemas import Schema
from bridgecart_assets.sources.mapping.decoding.shapes import WHOLE
from bridgecart_assets.sources.mapping.mapping_file import load_mapping
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.queries import silver_query_of_batch
from bridgecart_assets.warehouse.storage.tables import prepare
from bridgecart_assets.warehouse.writing import write_query

OWN, SAID, NESTED = "own event", "own event, said as a mapping", "nested JSON in cents, mapped"
DECODED, DESERIALIZED = "Debezium in Avro, fields of the mapping", "Debezium in Avro, AvroDeserializer"
SAMPLES = ROOT / "bridgecart_assets_tests" / "samples"
BATCH = "20300101T000000Z"
_CUSTOMERS = 20_000
_FRAME = b"\0\0\0\0\1"


def silver(orders: int, mapping: str) -> Figures:
    """One batch of so many orders, that stand in raw, to silver."""
    settings = load_settings().model_copy(update={"mapping": SAMPLES / "mappings" / mapping if mapping else None})
    payloads = list(map(nested if mapping.startswith("nested") else bytes, own_events(orders)))
    warehouse = warehouse_from_settings(settings)
    with warehouse.transaction() as connection:
        prepare(connection, RAW_ORDERS)
        connection.register("payloads", pa.table({"payload": pa.array(payloads, pa.binary())}))
        connection.execute(
            "insert into raw.orders by name select 't' as topic_id, 0 as \"partition\", "
            "row_number() over () - 1 as \"offset\", 'create' as timestamp_type, payload, $batch_key as batch_key "
            "from payloads",
            {"batch_key": BATCH},
        )
        connection.unregister("payloads")
    with warehouse.transaction() as connection:
        return _measured(
            orders,
            lambda: write_query(connection, SILVER_ORDERS, silver_query_of_batch(connection, settings, BATCH), BATCH),
        )


def own_events(orders: int) -> Iterator[bytes]:
    """Orders as BridgeCart's own event."""
    day = (END - timedelta(days=1)).date()
    for event in fresh_orders(orders, day=day, customers=range(_CUSTOMERS), batch="m"):
        yield event.value or b""


def nested(payload: bytes) -> bytes:
    """The same order as the shop of `samples/nested-cents.ndjson` would say it."""
    said = orjson.loads(payload)
    cents = round(said["purchase_amount"] * 100)
    lines = [{"sku": "A1", "category": "Books", "unit_cents": cents // 3, "qty": 2}]
    lines.append({"sku": "B7", "category": "Toys", "unit_cents": cents - 2 * (cents // 3), "qty": 1})
    order = {
        "number": said["order_id"],
        "revision": 1,
        "placed_at": int(END.timestamp()) - 86_400,
        "status": "placed",
        "currency": "EUR",
        "customer": {"ref": said["customer_id"], "segment": "b2c", "birth_year": 1987, "gender": "f"},
        "lines": lines,
        "discount_cents": 0,
        "voucher": None,
        "payment": {"type": "credit_card", "provider": "adyen"},
    }
    return orjson.dumps({"event": "order.placed", "event_id": said["order_id"], "order": order})


def decode(records: int) -> Figures:
    """Records decoded as the mapping of the sample needs them."""
    mapping = load_mapping(SAMPLES / "mappings" / "debezium-avro.toml")
    decoder = Decoder("avro-registry", mapping.compiled.value or WHOLE, _TheSchema())
    framed = envelopes(records)
    return _measured(records, lambda: decoder.decoded(framed))


def deserialize(records: int) -> Figures:
    """Records as the client library of the registry decodes them, whole."""
    from confluent_kafka.schema_registry import Schema as Registered
    from confluent_kafka.schema_registry import SchemaRegistryClient
    from confluent_kafka.schema_registry.avro import AvroDeserializer
    from confluent_kafka.serialization import MessageField, SerializationContext

    client = SchemaRegistryClient.new_client({"url": "mock://"})
    registered = client.register_schema("orders-value", Registered(_schema_text(), "AVRO"))
    frame = b"\0" + registered.to_bytes(4, "big")
    deserializer, context = AvroDeserializer(client), SerializationContext("orders", MessageField.VALUE)
    framed = [frame + record[len(_FRAME) :] for record in envelopes(records)]
    return _measured(records, lambda: [deserializer(record, context) for record in framed])


def envelopes(records: int) -> Sequence[bytes]:
    """Debezium's envelopes of an orders table, framed."""
    import fastavro

    schema = fastavro.parse_schema(orjson.loads(_schema_text()))
    first, *_ = (line for line in (SAMPLES / "debezium-avro.b64").read_text().splitlines() if line)
    template: Any = fastavro.schemaless_reader(io.BytesIO(_unframed(first)), schema)
    return [_FRAME + _written(schema, template, number) for number in range(records)]


def _unframed(line: str) -> bytes:
    from base64 import b64decode

    return b64decode(line)[len(_FRAME) :]


def _written(schema: Any, template: Any, number: int) -> bytes:
    import fastavro

    target = io.BytesIO()
    after = {**template["after"], "id": number, "total": Decimal(number % 10_000) / 100}
    fastavro.schemaless_writer(target, schema, {**template, "after": after})
    return target.getvalue()


class _TheSchema:
    def schema_of(self, schema_id: int) -> Schema | None:
        """The sample's schema, whose id is 1."""
        return Schema("AVRO", _schema_text(), {}) if schema_id == 1 else None


def _schema_text() -> str:
    return (SAMPLES / "debezium-orders.avsc").read_text(encoding="utf-8")


def _measured(records: int, work: Callable[[], object]) -> Figures:
    started, began = time.perf_counter(), time.process_time()
    work()
    cpu, seconds = time.process_time() - began, time.perf_counter() - started
    return {"records_per_cpu_second": records / cpu, "seconds": seconds, "cpu": cpu}


@contextmanager
def sides(sizes: Sizes, _folder: Path) -> Iterator[Sequence[Side]]:
    """Batches of as many orders; records of the topic in Avro."""
    orders, records = {"orders": sizes["orders"]}, {"records": sizes["records"]}
    yield [
        Side(OWN, silver, {**orders, "mapping": ""}),
        Side(SAID, silver, {**orders, "mapping": "flat.toml"}),
        Side(NESTED, silver, {**orders, "mapping": "nested-cents.toml"}),
        Side(DECODED, decode, records),
        Side(DESERIALIZED, deserialize, records),
    ]


MAPPING = Benchmark(
    name="mapping",
    sides=sides,
    figures={"records_per_cpu_second": "Records/CPU s", "cpu": "CPU, s", "seconds": "Seconds"},
    quick={"orders": 200_000, "records": 60_000, "repeats": 3},
    full={"orders": 500_000, "records": 200_000, "repeats": 3},
    targets=(
        Target(
            "nested JSON by a mapping: 1.5 times the CPU of the own event",
            NESTED,
            "records_per_cpu_second",
            at_least=0.667,
            relative_to=OWN,
        ),
        Target(
            "Avro by a mapping: three times the AvroDeserializer",
            DECODED,
            "records_per_cpu_second",
            at_least=3,
            relative_to=DESERIALIZED,
        ),
    ),
)
