"""Avro with a schema registry: what expressions see of records, and what a record costs that cannot be read."""

import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from bridgecart_assets.sources.mapping.decoding import Decoded, Decoder
from bridgecart_assets.sources.mapping.decoding.schemas import DecoderMissing, Schema
from bridgecart_assets.sources.mapping.decoding.shapes import Shape
from bridgecart_assets_tests.sources.mapping.decoding.records import Known, avro, debezium, framed, record, written

AFTER = "id customer_id created_at updated_at status total discount refunded currency coupon_code payment_method"
SHAPE: Shape = {
    "op": "VARCHAR",
    "before": {"id": "VARCHAR"},
    "source": {"lsn": "VARCHAR"},
    "after": dict.fromkeys(AFTER.split(), "VARCHAR"),
}
INSTANT = {"type": "long"}
LOCAL = datetime.fromisoformat("2026-01-02T03:00")
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}


def read(records: Sequence[bytes | None], shape: Any, *schemas: Schema) -> Decoded:
    return Decoder("avro-registry", shape, Known(dict(enumerate(schemas, start=1)))).decoded(records)


def seen(definition: Any, value: Any, shape: Any = "VARCHAR") -> Any:
    """What expressions see of one value."""
    decoded = read([written(definition, value)], shape, avro(definition))
    assert decoded.unreadable == {}
    return decoded.groups[0].column.to_pylist()[0]


def reasons(definition: Any, *bodies: bytes, shape: Any = "VARCHAR") -> list[str | None]:
    decoded = read([framed(body) for body in bodies], shape, avro(definition))
    return [decoded.unreadable.get(place) for place in range(len(bodies))]


def test_a_table_through_debezium_is_read_as_its_database_holds_it():
    schema, records = debezium()
    decoded = read(records, SHAPE, schema)
    (group,) = decoded.groups
    rows = dict(zip(group.places.to_pylist(), group.column.to_pylist(), strict=True))
    assert decoded.unreadable == {11: "bad_avro", 12: "bad_avro", 13: "unknown_schema"}
    assert sorted(rows) == [0, 1, 2, 3, 4, 5, 6, 7, 9, 10]
    assert rows[4]["after"] == {
        "id": 7001,
        "customer_id": 42,
        "created_at": 1_767_261_600_000_000,
        "status": "paid",
        "currency": "EUR",
        "total": Decimal("129.90"),
        "discount": Decimal("10.00"),
        "refunded": Decimal("0.00"),
        "updated_at": "2026-01-01T10:01:00.000000Z",
        "coupon_code": "NEW10",
        "payment_method": "paypal",
    }
    assert (rows[7]["op"], rows[7]["after"], rows[7]["before"]) == ("d", None, {"id": 7003})
    assert rows[9]["after"]["total"] is None
    assert rows[10]["after"]["refunded"] == Decimal("30.00")


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("long", 2**63 - 1, 2**63 - 1),
        ("int", -(2**31), -(2**31)),
        ("boolean", True, True),
        ("double", 0.1, 0.1),
        ("string", "Grüße", "Grüße"),
        ("bytes", b"\0\xff", b"\0\xff"),
        ("null", None, None),
        (["null", "string"], None, None),
        ({"type": "enum", "name": "E", "symbols": ["PAID", "OPEN"]}, "OPEN", "OPEN"),
        ({"type": "fixed", "name": "F", "size": 2}, b"ab", b"ab"),
        ({"type": "array", "items": "long"}, [1, 2], [1, 2]),
        ({"type": "map", "values": "string"}, {"a": "b"}, [("a", "b")]),
        (DECIMAL, Decimal("-0.01"), Decimal("-0.01")),
        (DECIMAL, Decimal("9999999999.99"), Decimal("9999999999.99")),
        (DECIMAL | {"type": "fixed", "name": "D", "size": 9}, Decimal("-12.34"), Decimal("-12.34")),
        (DECIMAL | {"precision": 64, "scale": 4}, Decimal("0.0001"), Decimal("0.0001")),
        ({"type": "int", "logicalType": "date"}, date(2026, 1, 2), date(2026, 1, 2)),
        (
            INSTANT | {"logicalType": "timestamp-millis"},
            datetime(2026, 1, 2, 3, 4, 5, 6000, UTC),
            datetime(2026, 1, 2, 3, 4, 5, 6000, UTC),
        ),
        (
            INSTANT | {"logicalType": "timestamp-micros"},
            datetime(1969, 1, 2, 3, 4, 5, 6, UTC),
            datetime(1969, 1, 2, 3, 4, 5, 6, UTC),
        ),
        (INSTANT | {"logicalType": "local-timestamp-micros"}, LOCAL, LOCAL),
        ({"type": "long", "connect.name": "io.debezium.time.MicroTimestamp"}, 5, 5),
        ({"type": "string", "logicalType": "uuid"}, "0e4f", "0e4f"),
    ],
)
def test_a_field_is_seen_with_all_its_digits_and_its_own_type(kind, value, expected):
    assert seen(record(("a", kind)), {"a": value}, {"a": "VARCHAR"}) == {"a": expected}


def test_decimals_in_lists_of_records_keep_their_places():
    line = record(("sku", "string"), ("price", ["null", DECIMAL]), name="Line")
    order = record(("lines", ["null", {"type": "array", "items": ["null", line]}]))
    value = {"lines": [{"sku": "a", "price": Decimal("1.10")}, None, {"sku": "b", "price": None}]}
    shape = {"lines": [{"price": "VARCHAR"}]}
    assert seen(order, value, shape) == {"lines": [{"price": Decimal("1.10")}, None, {"price": None}]}
    assert seen(order, {"lines": None}, shape) == {"lines": None}
    assert seen(order, {"lines": []}, shape) == {"lines": []}


def test_a_map_is_read_by_its_names_where_a_mapping_says_them():
    order = record(("extra", {"type": "map", "values": DECIMAL}))
    value = {"extra": {"tax": Decimal("1.00"), "tip": Decimal("2.00")}}
    assert seen(order, value, {"extra": {"tip": "VARCHAR", "fee": "VARCHAR"}}) == {"extra": {"tip": 2, "fee": None}}
    assert seen(order, value, {"extra": "VARCHAR"}) == {"extra": [("tax", Decimal("1.00")), ("tip", Decimal("2.00"))]}


def test_a_path_that_a_schema_lacks_or_has_in_another_form_is_null():
    order = record(("id", "long"))
    shape = {"id": "VARCHAR", "note": "VARCHAR", "address": {"city": "VARCHAR"}, "lines": [{"sku": "VARCHAR"}]}
    assert seen(order, {"id": 1}, shape) == {"id": 1, "note": None, "address": None, "lines": None}
    assert seen(order, {"id": 1}, {"id": {"part": "VARCHAR"}}) == {"id": None}
    assert seen(order, {"id": 1}, {"id": ["VARCHAR"]}) == {"id": None}


def test_a_record_as_a_whole_has_all_its_fields():
    customer = record(("id", "long"), ("tags", {"type": "array", "items": "string"}), name="Customer")
    order = record(("customer", ["null", customer]))
    value = {"customer": {"id": 1, "tags": ["a"]}}
    assert seen(order, value, {"customer": "VARCHAR"}) == value


def test_a_key_that_is_no_record_is_seen_as_it_is():
    assert seen("long", 7, "VARCHAR") == 7


def test_values_of_several_types_are_seen_as_the_wider_number_or_as_text():
    assert seen(record(("a", ["int", "long", "null"])), {"a": 2**40}, {"a": "VARCHAR"}) == {"a": 2**40}
    for value, text in [(5, "5"), ("x", "x"), (True, "true"), (Decimal("1.50"), "1.50"), (None, None)]:
        kind = ["null", "long", "string", "boolean", DECIMAL]
        assert seen(record(("a", kind)), {"a": value}, {"a": "VARCHAR"}) == {"a": text}


def test_of_several_kinds_of_records_all_fields_are_seen():
    placed = record(("id", "long"), ("total", DECIMAL), name="Placed")
    voided = record(("id", "long"), ("why", "string"), name="Voided")
    shape = {"id": "VARCHAR", "total": "VARCHAR", "why": "VARCHAR"}
    assert seen([placed, voided], ("Voided", {"id": 1, "why": "x"}), shape) == {"id": 1, "total": None, "why": "x"}
    assert seen([placed, voided], ("Placed", {"id": 2, "total": Decimal("3.00")}), shape)["total"] == Decimal("3.00")


def test_two_versions_of_a_schema_in_one_batch_are_read_by_their_own():
    older, newer = record(("id", "long")), record(("id", "string"), ("note", "string"))
    records = [
        written(older, {"id": 1}, 1),
        written(newer, {"id": "b", "note": "n"}, 2),
        written(older, {"id": 3}, 1),
        written(older, {"id": 4}, 3),
    ]
    decoded = read(records, {"id": "VARCHAR", "note": "VARCHAR"}, avro(older), avro(newer), avro(older))
    groups = [(group.places.to_pylist(), group.column.to_pylist()) for group in decoded.groups]
    assert groups == [
        ([0, 2, 3], [{"id": 1, "note": None}, {"id": 3, "note": None}, {"id": 4, "note": None}]),
        ([1], [{"id": "b", "note": "n"}]),
    ]


def test_types_of_other_schemas_are_found_by_reference():
    money = record(("amount", DECIMAL), name="Money", namespace="shop.types")
    order = record(("total", "shop.types.Money"), ("again", ["null", "shop.types.Money"]), namespace="shop")
    value = {"total": {"amount": Decimal("1.00")}, "again": None}
    body = written([money, order], ("shop.Order", value))[6:]
    decoded = read([framed(body)], {"total": {"amount": "VARCHAR"}}, avro(order, money=avro(money)))
    assert decoded.groups[0].column.to_pylist() == [{"total": {"amount": Decimal("1.00")}}]


def test_a_type_within_itself_is_read_as_deep_as_a_person_nests():
    category = record(("name", "string"), ("parent", ["null", "Category"]), name="Category")
    nested: Any = None
    for depth in range(20):
        nested = {"name": str(depth), "parent": nested}
    assert seen(category, nested, {"parent": {"name": "VARCHAR"}}) == {"parent": {"name": "18"}}


def test_a_record_that_nests_without_end_costs_itself_alone():
    category = record(("parent", ["null", "Category"]), name="Category")
    assert reasons(category, b"\2" * 200_000 + b"\0", b"\0") == ["bad_avro", None]


def test_bytes_left_over_or_missing_cost_their_record_alone():
    order = record(("id", "long"), ("note", "string"))
    good = written(order, {"id": 1, "note": "abc"})[5:]
    assert reasons(order, good, good + b"\0", good[:-1], b"", good) == [None, "bad_avro", "bad_avro", "bad_avro", None]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ({"type": "array", "items": "string"}, b"\xfe" + b"\xff" * 8 + b"\1abc"),
        ({"type": "array", "items": "string"}, b"\xff" * 9 + b"\1\0"),
        ({"type": "map", "values": "null"}, b"\xfe" + b"\xff" * 8 + b"\1\2a"),
        ("string", b"\xff" * 8 + b"\x7fabc"),
        ("string", b"\1abc"),
        ("string", b"\4\xff\xfe"),
        ("bytes", b"\xfe" + b"\xff" * 8 + b"\1abc"),
        ("long", b"\xff" * 200_000),
        (["null", "string"], b"\x0e\2a"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, b"\x0e"),
        (DECIMAL, b"\x10\x7f" + b"\xff" * 7),
        (DECIMAL, b"\xc8\1" + b"\x7f" * 100),
        ({"type": "long", "logicalType": "timestamp-millis"}, b"\xfe" + b"\xff" * 8 + b"\1"),
        ({"type": "long", "logicalType": "timestamp-micros"}, b"\xfe" + b"\xff" * 8 + b"\1"),
    ],
)
def test_lengths_and_values_that_no_record_has_cost_it_alone(kind, body):
    order = record(("a", kind), ("b", "string"))
    empty = written(order, {"a": _some(kind), "b": ""})[5:]
    assert reasons(order, empty, body + b"\0", empty, shape={"a": "VARCHAR"}) == [None, "bad_avro", None]


def _some(kind: Any) -> Any:
    """A value of the type."""
    if kind == DECIMAL:
        return Decimal(1)
    name = kind["type"] if isinstance(kind, dict) else kind
    values = {"array": [], "map": {}, "string": "", "bytes": b"", "long": 0, "enum": "A"}
    return values[name] if isinstance(name, str) else None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "5",
        "[]]",
        '"x"',
        '{"type": "record"}',
        '{"type": "record", "name": "A", "fields": [{"name": "a", "type": "B"}]}',
        '{"type": "array", "items": "null"}',
        '{"type": "fixed", "name": "F"}',
        "[" * 100_000,
        '["null"' + ', "long"' * 20_000 + "]",
    ],
)
def test_a_schema_that_cannot_be_used_is_the_reason_of_its_records(text):
    decoded = read([framed(b"\0")], {"a": "VARCHAR"}, Schema("AVRO", text))
    assert decoded.unreadable == {0: "bad_schema"}


def test_types_that_name_each_other_many_times_over_are_read_in_little_memory():
    pairs = [record(("x", f"T{n - 1}"), ("y", f"T{n - 1}"), name=f"T{n}") for n in range(1, 60)]
    base = record(("x", "int"), name="T0")
    doubled = record(("a", [base, *pairs, "null"]))
    decoded = read([framed(b"\x78")], {"a": "VARCHAR"}, avro(doubled))
    assert decoded.unreadable == {0: "bad_schema"}


def test_items_without_a_byte_are_found_however_often_types_name_each_other():
    nothing = record(("x", "null"), name="T0")
    pairs = [record(("x", f"T{n - 1}"), ("y", f"T{n - 1}"), name=f"T{n}") for n in range(1, 60)]
    many = record(("a", [nothing, *pairs, "null"]), ("items", {"type": "array", "items": "T59"}))
    assert reasons(many, b"\x78\xff\xff\xff\xff\x0f\0") == ["bad_schema"]


def test_texts_that_no_expression_reads_need_not_be_texts():
    order = record(("id", "string"), ("note", "string"), ("tag", ["null", "string"]), ("either", ["string", "bytes"]))
    body = b"\2a" + b"\2\xff" + b"\2\2\xff" + b"\2\2\xff"
    assert reasons(order, body, shape={"id": "VARCHAR"}) == [None]
    assert reasons(order, body, shape={"note": "VARCHAR"}) == ["bad_avro"]
    assert reasons(order, body, shape="VARCHAR") == ["bad_avro"]


def test_a_schema_of_another_kind_is_told_and_an_unknown_one_is_asked_for_once():
    schemas = Known({1: Schema("JSON", "{}")})
    decoder = Decoder("avro-registry", "VARCHAR", schemas)
    records = [framed(b"\0", 1), framed(b"\0", 9), framed(b"\0", 9), b"\1\0\0\0\1a", b"\0\0", b"", None]
    assert decoder.decoded(records).unreadable == {
        0: "bad_schema",
        1: "unknown_schema",
        2: "unknown_schema",
        **dict.fromkeys((3, 4, 5), "bad_framing"),
    }
    assert schemas.asked == [1, 9]


@pytest.mark.parametrize("kind", ["avro", "protobuf"])
def test_without_the_packages_a_line_says_what_to_install(kind, monkeypatch: pytest.MonkeyPatch):
    # As an import fails of a package that is not there.
    monkeypatch.setitem(sys.modules, f"bridgecart_assets.sources.mapping.decoding.{kind}", None)
    decoder = Decoder(f"{kind}-registry", "VARCHAR", Known({1: Schema(kind.upper(), "")}))
    with pytest.raises(DecoderMissing) as raised:
        decoder.decoded([framed(b"")])
    assert str(raised.value) == (
        f"{kind}-registry needs packages that are not installed: pip install 'bridgecart[registry]'."
    )


def test_json_with_a_registry_is_what_its_frame_holds():
    decoded = Decoder("json-registry", {"a": "VARCHAR"}).decoded([framed(b'{"a": 1}', 77), b"{}", None, framed(b"")])
    (group,) = decoded.groups
    assert decoded.unreadable == {1: "bad_framing"}
    assert (group.places.to_pylist(), group.column.to_pylist()) == ([0, 3], [b'{"a": 1}', b""])


def test_many_records_in_parts_stay_in_their_places():
    order = record(("id", "long"), ("note", "bytes"))
    records = [written(order, {"id": n, "note": b"x" * (n % 7 * 1000)}) for n in range(3_000)]
    records[1234] = records[1234][:-1] if len(records[1234]) > 7 else records[1234] + b"\0"
    decoded = read(list(records), {"id": "VARCHAR"}, avro(order))
    (group,) = decoded.groups
    assert decoded.unreadable == {1234: "bad_avro"}
    assert group.places.to_pylist() == [n for n in range(3_000) if n != 1234]
    assert [row["id"] for row in group.column.to_pylist()] == group.places.to_pylist()
