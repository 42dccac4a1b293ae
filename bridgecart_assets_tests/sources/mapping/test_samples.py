"""Samples of real topics are read as the shops that sent them meant them."""

import json
from base64 import b64decode
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from struct import pack

import fastavro

from bridgecart_assets.sources.mapping.decoding.schemas import Schema
from bridgecart_assets.sources.mapping.mapping_file import parse_mapping
from bridgecart_assets_tests.sources.mapping.records import (
    SAMPLES,
    SENT_AT,
    Row,
    mapping_of,
    raw_records,
    reader,
    rows,
    sample_lines,
    sample_mapping,
)


class OneSchema:
    """A registry that knows the schema of the sample, by the id 1."""

    def schema_of(self, schema_id: int) -> Schema | None:
        return Schema("AVRO", (SAMPLES / "debezium-orders.avsc").read_text()) if schema_id == 1 else None


def sample_rows(mapping: str, records: str) -> list[Row]:
    """What a mapping reads of a sample."""
    return rows(reader(sample_mapping(mapping)), raw_records(sample_lines(records)))


def avro_rows() -> list[Row]:
    """What is read of an orders table in Avro."""
    lines = (SAMPLES / "debezium-avro.b64").read_text().split("\n")[:-1]
    payloads = [b64decode(line) or None for line in lines]
    return rows(reader(sample_mapping("debezium-avro"), schemas=OneSchema()), raw_records(payloads))


def test_nested_json_in_cents_is_read_with_its_lines_added_up():
    read = sample_rows("nested-cents", "nested-cents")
    assert [row.get("purchase_amount") for row in read] == [
        *(Decimal("75.79"), Decimal("25.80"), None, Decimal("75.79")),
        *(None, Decimal("75.79"), Decimal("75.79"), Decimal("75.79")),
    ]
    assert read[7] == {
        "order_id": "10-2",
        "version": Decimal(2),
        "is_void": False,
        "customer_id": "C-42",
        "purchase_date": datetime(2026, 1, 1, 11, tzinfo=UTC),
        "purchase_amount": Decimal("75.79"),
        "discount_amount": Decimal("2.58"),
        "currency": "EUR",
        "coupon_used": True,
        "payment_method": "credit_card",
        "product_category": "Toys",
        "gender": "f",
        "age": 39,
    }


def test_of_nested_json_each_record_ends_as_it_should():
    read = sample_rows("nested-cents", "nested-cents")
    assert read[2] == {"skipped": "where", "is_void": False}
    assert read[3]["is_void"] is True
    assert read[4]["bad_fields"] == ["purchase_amount", "product_category"]
    assert read[5]["currency"] == "USD"
    assert "customer_id" not in read[6]
    assert [number for number, row in enumerate(read) if "bad_fields" in row] == [4]


def test_webhooks_of_a_shop_are_read_with_the_refunds_inside_their_orders():
    read = sample_rows("shopify", "shopify-orders")
    refunded_at = datetime(2026, 1, 9, 7, 29, 58, tzinfo=UTC)
    assert read[3] == {
        "order_id": "5600000000001",
        "version": Decimal(1767943800000000),
        "is_void": False,
        "customer_id": "7300000000042",
        "purchase_date": datetime(2026, 1, 1, 10, tzinfo=UTC),
        "purchase_amount": Decimal("129.90"),
        "discount_amount": Decimal("10.00"),
        "refunds": [{"at": refunded_at, "amount": Decimal("29.70")}],
        "currency": "EUR",
        "coupon_used": True,
        "payment_method": "paypal",
        "product_category": "Home",
        "name": "Ada Muster",
        "mobile": "+49 30 000000",
    }


def test_of_webhooks_a_guest_has_a_customer_id_a_cancelled_order_is_void_and_a_test_is_skipped():
    read = sample_rows("shopify", "shopify-orders")
    assert str(read[2]["customer_id"]).startswith("guest:")
    assert "name" not in read[2]
    assert [row["is_void"] for row in read] == [False, False, False, False, True, False]
    assert [row.get("skipped") for row in read] == [None] * 5 + ["where"]


def test_a_time_without_a_zone_is_of_the_zone_of_the_settings():
    payload = b'{"Order No":"10-1","Customer":"C-42","Date":"2025-03-01 10:00","Total":"129,90","Status":"Completed"}'
    (row,) = rows(reader(sample_mapping("history"), zone="Europe/Berlin"), raw_records([payload]))
    assert row["purchase_date"] == datetime(2025, 3, 1, 9, tzinfo=UTC)
    assert row["purchase_amount"] == Decimal("129.90")
    assert row["version"] == Decimal(0)


def test_a_table_in_avro_is_read_with_its_versions_deletes_and_refunds():
    read = avro_rows()
    assert [row.get("version") for row in read[:8]] == [
        *(Decimal(24000000), Decimal(24023128), Decimal(24023900), Decimal(24024000)),
        *(Decimal(24023900), Decimal(24024400), Decimal(24024500), Decimal(24024700)),
    ]
    assert [number for number, row in enumerate(read) if row["is_void"]] == [5, 7]
    assert read[7] == {"order_id": "7003", "version": Decimal(24024700), "is_void": True, "coupon_used": False}
    refunded_at = datetime(2026, 1, 1, 10, 5, tzinfo=UTC)
    assert read[10]["refunds"] == [{"at": refunded_at, "amount": Decimal("30.00")}]
    assert [number for number, row in enumerate(read) if "refunds" in row] == [10]


def test_of_a_table_in_avro_a_record_that_cannot_be_read_says_why():
    read = avro_rows()
    assert read[8] == {"skipped": "tombstone", "is_void": False}
    assert "purchase_amount" not in read[9]
    assert [row.get("unreadable") for row in read[9:]] == [None, None, "bad_avro", "bad_avro", "unknown_schema"]
    assert [number for number, row in enumerate(read) if "bad_fields" in row] == []


def test_a_table_in_json_is_read_by_the_preset_and_the_columns_of_the_table():
    """Decimals are Kafka Connect's, in base64."""
    order = {
        "customer_id": "value.after.customer_id",
        "purchase_date": "make_timestamptz(value.after.created_at::bigint)",
        "purchase_amount": "connect_decimal(value.after.total, 2)",
        "discount_amount": "connect_decimal(value.after.discount, 2)",
        "refunded_amount": "connect_decimal(value.after.refunded, 2)",
        "refunded_date": "value.after.updated_at",
        "is_void": "value.op = 'd' or value.after.status = 'cancelled'",
    }
    fields = "\n".join(f'{name} = "{text}"' for name, text in order.items())
    mapping = parse_mapping(f"preset = 'debezium'\nformat = 1\n[order]\n{fields}", "mapping.toml")
    documents = [json.loads(line) for line in sample_lines("debezium-postgres")]
    payloads = [json.dumps(one["value"]).encode() if one["value"] else None for one in documents]
    read = rows(reader(mapping), raw_records(payloads))
    avro = avro_rows()
    for number, row in enumerate(read):
        of_avro = next(one for one in avro if one.get("version") == row.get("version"))
        shared = row.keys() & of_avro.keys()
        assert {name: row[name] for name in shared} == {name: of_avro[name] for name in shared}, number
    assert [row.get("bad_fields") for row in read if "bad_fields" in row] == [["purchase_amount"]]


def test_of_a_table_only_rows_are_read_and_no_truncation_message_or_tombstone():
    mapping = parse_mapping(
        "preset = 'debezium'\nformat = 1\n[order]\ncustomer_id = 'value.after.customer'\n"
        "purchase_date = 'value.after.at'\npurchase_amount = 'value.after.total'",
        "mapping.toml",
    )
    payloads = [json.dumps({"op": op, "source": {"lsn": 1}}).encode() for op in ("t", "m")]
    assert [row.get("skipped") for row in rows(reader(mapping), raw_records([*payloads, None]))] == [
        "where",
        "where",
        "tombstone",
    ]


def test_a_table_of_mysql_whose_envelope_was_taken_off_has_versions_too():
    order = {
        "order_id": "value.id",
        "version": "split_part(value.__source_file, '.', -1)::hugeint * 10000000000000 + value.__source_pos::hugeint",
        "is_void": "value.__deleted = 'true'",
        "customer_id": "value.customer_id",
        "purchase_date": "epoch_ms(value.created_at::bigint)",
        "purchase_amount": "value.total",
        "discount_amount": "value.discount",
    }
    read = rows(reader(mapping_of(order)), raw_records(sample_lines("debezium-unwrapped-mysql")))
    assert [(row["version"], row["is_void"]) for row in read] == [
        (Decimal(30_000_000_004_711), False),
        (Decimal(30_000_000_005_022), True),
    ]
    assert read[0]["purchase_date"] == datetime(2026, 1, 1, 10, tzinfo=UTC)


def test_an_order_of_a_tracking_plan_is_one_among_other_events():
    mapping = parse_mapping("format = 1\npreset = 'segment-order-completed'", "mapping.toml")
    assert rows(reader(mapping), raw_records(sample_lines("segment-order-completed"))) == [
        {
            "order_id": "10-1",
            "customer_id": "C-42",
            "purchase_date": datetime(2026, 1, 1, 10, tzinfo=UTC),
            "purchase_amount": Decimal("129.90"),
            "discount_amount": Decimal("10.00"),
            "currency": "EUR",
            "coupon_used": True,
            "product_category": "Home",
        },
        {"skipped": "where"},
    ]


def test_the_preset_of_a_shop_reads_as_the_sample_of_its_mapping():
    preset = parse_mapping("format = 1\npreset = 'shopify-order'", "mapping.toml")
    records = raw_records(sample_lines("shopify-orders"))
    assert rows(reader(preset), records) == rows(reader(sample_mapping("shopify")), records)


def test_a_batch_of_nothing_but_tombstones_deletes_what_its_keys_name():
    """Nothing tells the types of values then."""
    text = sample_mapping("debezium-avro").text.replace('tombstones = "skip"', 'tombstones = "delete"')
    text = text.replace('key   = "avro-registry"', 'key = "json"').replace(
        "value.before.id)", "value.before.id, key.id)"
    )
    records = raw_records([None, None], keys=[b'{"id": 7003}', b'{"id": 7004}'])
    read = rows(reader(parse_mapping(text, "mapping.toml"), schemas=OneSchema()), records)
    assert [(row["order_id"], row["is_void"]) for row in read] == [("7003", True), ("7004", True)]


def test_json_of_a_topic_with_a_registry_is_read_behind_its_frame():
    mapping = mapping_of(rest="[decode]\nvalue = 'json-registry'")
    body = b'{"customer": "C-1", "at": "2026-01-01T10:00:00Z", "total": 5}'
    frame = b"\x00\x00\x00\x00\x07"
    read = rows(reader(mapping), raw_records([frame + body, body, frame + b"{", None, frame + body]))
    assert [row.get("unreadable") for row in read] == [None, "bad_framing", "not_json", "tombstone", None]
    assert read[0] == read[4]
    assert read[0]["purchase_amount"] == Decimal(5)


_LINE = {"type": "record", "name": "Line", "fields": [{"name": "sku", "type": "string"}]}
_DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
_FIELDS = [{"name": "customer", "type": "string"}, {"name": "total", "type": "double"}]
_LATER_FIELDS = [
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "discount", "type": ["null", _DECIMAL]},
    {"name": "lines", "type": {"type": "array", "items": _LINE}},
]


class TwoVersions:
    """A registry with a schema and the one before it, which had neither times nor discounts nor lines."""

    def schema_of(self, schema_id: int) -> Schema:
        fields = _FIELDS if schema_id == 1 else [*_FIELDS, *_LATER_FIELDS]
        return Schema("AVRO", json.dumps({"type": "record", "name": "Order", "fields": fields}))

    def framed(self, schema_id: int, record: dict[str, object]) -> bytes:
        body = BytesIO()
        fastavro.schemaless_writer(body, json.loads(self.schema_of(schema_id).text), record)
        return pack(">BI", 0, schema_id) + body.getvalue()


def test_of_two_versions_of_a_schema_in_a_batch_each_is_read_by_its_own():
    registry = TwoVersions()
    order = {
        "purchase_date": "coalesce(value.at, timestamp)",
        "discount_amount": "value.discount",
        "product_category": "[line.sku for line in value.lines][1]",
    }
    mapping = mapping_of(order, "[decode]\nvalue = 'avro-registry'")
    earlier: dict[str, object] = {"customer": "C-1", "total": 1.005}
    later = {**earlier, "at": datetime(2026, 1, 1, tzinfo=UTC), "discount": Decimal("0.50"), "lines": [{"sku": "A"}]}
    payloads = [registry.framed(1, earlier), registry.framed(2, later), None, registry.framed(1, earlier)]
    read = rows(reader(mapping, schemas=registry), raw_records(payloads))
    assert read[0] == read[3] == {"customer_id": "C-1", "purchase_date": SENT_AT, "purchase_amount": Decimal("1.01")}
    assert read[1] == {
        "customer_id": "C-1",
        "purchase_date": datetime(2026, 1, 1, tzinfo=UTC),
        "purchase_amount": Decimal("1.01"),
        "discount_amount": Decimal("0.50"),
        "product_category": "A",
    }
    assert read[2] == {"unreadable": "tombstone"}
