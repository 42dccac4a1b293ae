"""Records as they arrive, read by a mapping: a row each, what is wrong with one costs no other."""

import json
from collections.abc import Mapping as Entries
from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import pytest

from bridgecart_assets.contracts.event import MAPPED_TYPES
from bridgecart_assets.sources.mapping.mapping_file import Mapping
from bridgecart_assets.sources.mapping.reading import COORDINATES
from bridgecart_assets.sources.mapping.sandbox import sandbox
from bridgecart_assets_tests.sources.mapping.records import SENT_AT, Row, mapping_of, raw_records, reader, rows

ORDER = {"customer": "C-1", "at": "2026-01-01T10:00:00Z", "total": 10}
STATES = {"order_id": "coalesce(value.id, key.id)", "version": "value.version"}


def order(**fields: object) -> bytes:
    """An order with these fields beside those that are required."""
    return json.dumps(ORDER | fields).encode()


def one(mapping: Mapping, payload: bytes | None) -> Row:
    """What is read of one record."""
    (row,) = rows(reader(mapping), raw_records([payload]))
    return row


def value_of(field: str, text: str, written: str) -> object:
    """A field of which the expression is `value.x`, by how x is written; its name in a list where it is bad."""
    body = json.dumps(ORDER)[:-1] + f', "x": {written}}}'
    row = one(mapping_of({field: text}), body.encode())
    return row.get("bad_fields", row.get(field))


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (None, "tombstone"),
        (b'{"forgotten": true}', "forgotten"),
        (b'{"a": "' + b"x" * 100_000 + b'"}', "oversized"),
        (b'{"customer": "\xff"}', "not_utf8"),
        (b"", "not_json"),
        (b"{", "not_json"),
        (b'{"a": 1} x', "not_json"),
        (b'{"a": 1}\x00', "not_json"),
        (b"[1]", "not_object"),
        (b"null", "not_object"),
        (b'"text"', "not_object"),
        (b"[" * 50_000, "not_json"),
        (b'{"a":' * 15_000, "not_json"),
    ],
)
def test_a_record_that_cannot_be_read_says_why_and_nothing_else(payload: bytes | None, reason: str):
    read = rows(reader(mapping_of({"currency": "'EUR'"})), raw_records([order(), payload, order()]))
    assert read[1] == {"unreadable": reason}
    assert read[0] == read[2]
    assert read[0]["customer_id"] == "C-1"


def test_an_object_may_have_white_space_before_it():
    assert one(mapping_of(), b" \n" + order())["customer_id"] == "C-1"


@pytest.mark.parametrize(
    "payload",
    [
        b'{"customer": {"customer": "C-1"}, "at": [], "total": {}}',
        b'{"customer": "C-1", "customer": "C-2", "at": "2026-01-01", "total": 1}',
        b'{"lines": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"lines": ' + b'{"a":' * 9_000 + b"1" + b"}" * 9_000 + b"}",
        b'{"lines": [' + b"1," * 45_000 + b"1]}",
        b'{"lines": [' + b"{}," * 30_000 + b"{}]}",
        b'{"lines": {"sku": "x"}}',
        b'{"lines": "x"}',
        b"{}",
    ],
)
def test_a_record_of_another_shape_is_a_row_and_leaves_its_neighbours_as_they_are(payload: bytes):
    mapping = mapping_of({"product_category": "[line.sku for line in value.lines][1]"})
    alone = one(mapping, order(lines=[{"sku": "A"}]))
    read = rows(reader(mapping), raw_records([order(lines=[{"sku": "A"}]), payload, order(lines=[{"sku": "A"}])]))
    assert len(read) == 3
    assert read[0] == read[2] == alone
    assert "unreadable" not in read[1]


def test_of_names_that_come_twice_the_first_counts():
    assert one(mapping_of(), b'{"customer": "C-1", "customer": "C-2"}')["customer_id"] == "C-1"


def test_what_two_expressions_share_and_fail_at_costs_that_record_alone():
    fields = {"purchase_amount": "value.total::int + 1", "discount_amount": "value.total::int + 2"}
    payloads = [order(total=1), order(total="many"), order(total=3)] * 2_000
    read = rows(reader(mapping_of(fields)), raw_records(payloads))
    assert [row.get("bad_fields") for row in read] == [None, ["purchase_amount", "discount_amount"], None] * 2_000
    assert [row.get("discount_amount") for row in read[:3]] == [Decimal(3), None, Decimal(5)]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1.005", Decimal("1.01")),
        ("-1.005", Decimal("-1.01")),
        ('"1.005"', Decimal("1.01")),
        ("0.00499999999999999999999999999999", Decimal("0.00")),
        ("1234567890123.4549999999", Decimal("1234567890123.45")),
        ("9007199254740993.01", Decimal("9007199254740993.01")),
        ("12e1", Decimal(120)),
        ('" 12.5 "', Decimal("12.50")),
        ('""', None),
        ('"   "', None),
        ("null", None),
        ("NaN", None),
        ("-NaN", None),
        ('"NaN"', ["purchase_amount"]),
        ("Infinity", ["purchase_amount"]),
        ('"12,50"', ["purchase_amount"]),
        ('"0x1F"', ["purchase_amount"]),
        ('"1_000"', ["purchase_amount"]),
        ("true", ["purchase_amount"]),
        ("[]", ["purchase_amount"]),
        ("1e30", ["purchase_amount"]),
    ],
)
def test_money_is_rounded_once_from_all_digits(written: str, value: object):
    assert value_of("purchase_amount", "value.x", written) == value


@pytest.mark.parametrize(
    ("currency", "written", "value"),
    [
        ("EUR", "1290", Decimal("12.90")),
        ("EUR", "1290.4999999999999999999999999", Decimal("12.90")),
        ("EUR", "1290.5", Decimal("12.91")),
        ("EUR", "-1290", Decimal("-12.90")),
        ("JPY", "1290", Decimal("1290.00")),
        ("KWD", "1294", Decimal("1.29")),
        ("KWD", "1295", Decimal("1.30")),
        ("CLF", "12949", Decimal("1.29")),
        ("EUR", '"x"', None),
    ],
)
def test_minor_units_are_divided_by_those_of_their_currency(currency: str, written: str, value: object):
    money = f"[money]\ncurrency = '{currency}'\nminor_units = true"
    for expression in ("value.total", "value.total::decimal(30, 8)"):
        body = json.dumps(ORDER | {"total": 0}).replace('"total": 0', f'"total": {written}')
        row = one(mapping_of({"purchase_amount": expression}, money), body.encode())
        assert row.get("purchase_amount") == value
        if "9999" in written:
            break


def test_of_minor_units_refunds_are_divided_and_the_income_of_a_customer_is_not():
    mapping = mapping_of(
        {
            "order_id": "value.id",
            "income": "value.income",
            "refunds": "[{'at': refund.at, 'amount': refund.cents} for refund in value.refunds]",
        },
        "[money]\ncurrency = 'EUR'\nminor_units = true",
    )
    refunds = [{"at": "2026-01-02T00:00:00Z", "cents": 250}, {"at": None, "cents": 0}]
    row = one(mapping, order(id="1", income=50_000, refunds=refunds))
    assert row["refunds"] == [{"at": datetime(2026, 1, 2, tzinfo=UTC), "amount": Decimal("2.50")}]
    assert row["income"] == Decimal(50_000)


@pytest.mark.parametrize(
    "refunds", [[{"at": None, "amount": 1}], [{"at": "x", "amount": 1}], [{"at": "2026-01-01", "amount": None}], [{}]]
)
def test_a_refund_without_instant_or_amount_is_bad(refunds: object):
    mapping = mapping_of(
        {"order_id": "value.id", "refunds": "[{'at': one.at, 'amount': one.amount} for one in value.refunds]"}
    )
    row = one(mapping, order(id="1", refunds=refunds))
    assert row["bad_fields"] == ["refunds"]
    assert "refunds" not in row


@pytest.mark.parametrize(
    ("refunded", "refunds", "bad"),
    [
        ({"refunded": 5, "refunded_at": "2026-01-02"}, [datetime(2026, 1, 2, tzinfo=UTC)], None),
        ({"refunded": 0, "refunded_at": "2026-01-02"}, None, None),
        ({"refunded": 0}, None, None),
        ({}, None, None),
        ({"refunded": 5}, None, ["refunded_date"]),
        ({"refunded": "x", "refunded_at": "y"}, None, ["refunded_amount", "refunded_date"]),
    ],
)
def test_an_amount_that_was_refunded_is_one_refund(refunded: Entries[str, object], refunds: object, bad: object):
    fields = {"order_id": "value.id", "refunded_amount": "value.refunded", "refunded_date": "value.refunded_at"}
    row = one(mapping_of(fields), order(id="1", **refunded))
    found = row.get("refunds")
    assert (found and [refund["at"] for refund in found]) == refunds  # type: ignore[attr-defined]
    assert row.get("bad_fields") == bad


@pytest.mark.parametrize(
    ("field", "written", "value"),
    [
        ("order_id", "123456789012345678901234567890", "123456789012345678901234567890"),
        ("order_id", '"\\u00e9\\ud83d\\ude00\\n"', "é😀"),
        ("order_id", '"\\u0000a"', "a"),
        ("order_id", '"  O-1\\u00a0\\u200b"', "O-1"),
        ("order_id", '"\\u3000"', None),
        ("order_id", "true", "true"),
        ("order_id", "NaN", None),
        ("order_id", '"x: nan, 1234567890.123"', "x: nan, 1234567890.123"),
        ("order_id", "0.12345678901234567890", "0.12345678901234567890"),
        ("age", "41", 41),
        ("age", '"41"', 41),
        ("age", "41.0", 41),
        ("age", "41.5", ["age"]),
        ("age", "9999999999", ["age"]),
        ("coupon_used", "true", True),
        ("coupon_used", '"No"', False),
        ("coupon_used", "1", True),
        ("coupon_used", "1.0", True),
        ("coupon_used", "2", ["coupon_used"]),
        ("purchase_date", '"2026-01-01T10:00:00+02:00"', datetime(2026, 1, 1, 8, tzinfo=UTC)),
        ("purchase_date", '"2026-01-01t10:00:00,5z"', datetime(2026, 1, 1, 10, 0, 0, 500_000, tzinfo=UTC)),
        ("purchase_date", '"2016-12-31T23:59:60Z"', datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("purchase_date", '"2026/01/01 10:00"', datetime(2026, 1, 1, 10, tzinfo=UTC)),
        ("purchase_date", '"2026-01-01T10:00:00+99:00"', ["purchase_date"]),
        ("purchase_date", '"yesterday"', ["purchase_date"]),
        ("purchase_date", "1767261600", ["purchase_date"]),
    ],
)
def test_a_text_is_read_as_that_of_the_event_itself(field: str, written: str, value: object):
    assert value_of(field, "value.x", written) == value


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1", Decimal(1)),
        ('"00000000000000000000000000000000000042"', Decimal(42)),
        ("99999999999999999999999999999999999999", Decimal(10**38 - 1)),
        ("-3", Decimal(-3)),
        ("1.5", ["version"]),
        ("1e400", ["version"]),
        ('"0/16B3748"', ["version"]),
        ("null", None),
    ],
)
def test_a_version_is_a_whole_number_of_any_length(written: str, value: object):
    body = json.dumps(ORDER)[:-1] + f', "id": 1, "version": {written}}}'
    row = one(mapping_of(STATES), body.encode())
    assert row.get("bad_fields", row.get("version")) == value
    assert row["is_void"] is False


def test_without_version_there_is_nothing_to_say_of_void():
    assert "is_void" not in one(mapping_of(), order())


@pytest.mark.parametrize(
    ("tombstones", "row"),
    [
        ("reject", {"unreadable": "tombstone", "is_void": False}),
        ("skip", {"skipped": "tombstone", "is_void": False}),
        ("delete", {"order_id": "7", "is_void": True}),
    ],
)
def test_a_tombstone_is_what_the_file_says(tombstones: str, row: Row):
    mapping = mapping_of(STATES, f"[records]\ntombstones = '{tombstones}'\nwhere = 'value.total is not null'")
    records = raw_records([order(id="1"), None], keys=[b'{"id": 1}', b'{"id": 7}'])
    assert rows(reader(mapping), records)[1] == row


def test_a_tombstone_of_something_else_deletes_nothing():
    where = "headers['type'] = 'order'"
    mapping = mapping_of(STATES, f'[records]\ntombstones = "delete"\nwhere = "{where}"')
    records = raw_records(
        [None, None], keys=[b'{"id": 7}', b'{"id": 8}'], headers=[[("type", b"order")], [("type", b"cart")]]
    )
    assert [row.get("skipped") for row in rows(reader(mapping), records)] == [None, "where"]


@pytest.mark.parametrize(
    ("where", "total", "row"),
    [
        ("value.total = '10'", 10, None),
        ("value.total = '10'", 11, {"skipped": "where"}),
        ("value.total = '10'", None, {"skipped": "where"}),
        ("value.total::int > 5", "x", {"unreadable": "bad_where"}),
        ("value.total", "yes", None),
        ("value.total", "x", {"unreadable": "bad_where"}),
    ],
)
def test_a_record_that_the_condition_does_not_want_is_skipped(where: str, total: object, row: Row | None):
    read = one(mapping_of({"purchase_amount": "1"}, f'[records]\nwhere = "{where}"'), order(total=total))
    if row is None:
        assert read["customer_id"] == "C-1"
    else:
        assert read == row


def test_what_is_skipped_is_not_read_so_nothing_in_it_is_bad():
    mapping = mapping_of({"purchase_amount": "value.total::int"}, "[records]\nwhere = \"value.customer <> 'C-1'\"")
    assert one(mapping, order(total="x")) == {"skipped": "where"}


@pytest.mark.parametrize(
    ("key", "whole", "part"),
    [
        (b"O-1", "O-1", None),
        (b'"O-1"', "O-1", None),
        (b"17", "17", None),
        (b'{"id":5}', '{"id":5}', "5"),
        (b'{"id": ', '{"id":', None),
        (b"\xff", None, None),
        (None, None, None),
    ],
)
def test_a_key_is_read_as_a_whole_or_in_parts(key: bytes | None, whole: str | None, part: str | None):
    records = raw_records([order()], keys=[key])
    for text, expected in (("key", whole), ("key.id", part)):
        (row,) = rows(reader(mapping_of({"order_id": text})), records)
        assert row.get("order_id") == expected


def test_what_mongodb_deleted_is_named_by_its_key():
    id_of = "json_extract_string(value.{}, '$._id.\"$oid\"')"
    ids = f"coalesce({id_of.format('after')}, {id_of.format('before')}, json_extract_string(key.id, '$.\"$oid\"'))"
    states = {"order_id": ids, "version": "value.source.ord", "is_void": "value.op = 'd'"}
    mapping = mapping_of(states, '[decode]\nkey = "json"')
    key = json.dumps({"id": json.dumps({"$oid": "5f"})}).encode()
    kept = order(after=json.dumps({"_id": {"$oid": "5f"}}), before=None, op="c", source={"ord": 1})
    gone = order(after=None, before=None, op="d", source={"ord": 2})
    read = rows(reader(mapping), raw_records([kept, gone], keys=[key, key]))
    assert [(row["order_id"], row["version"], row["is_void"]) for row in read] == [("5f", 1, False), ("5f", 2, True)]


def test_a_header_is_the_last_of_its_name():
    headers = [("type", b"a"), ("type", b"b"), ("Type", b"c"), ("strange", b"\xff")]
    records = raw_records([order(), order()], headers=[headers, None])
    fields = {"name": "headers['type']", "mobile": "headers['strange']", "gender": "headers['none']"}
    read = rows(reader(mapping_of(fields)), records)
    assert read[0]["name"] == "b"
    assert not {"mobile", "gender", "bad_fields"} & read[0].keys()
    assert "name" not in read[1]


def test_the_time_of_a_record_is_an_instant():
    row = one(mapping_of({"purchase_date": "timestamp", "age": "year(timestamp) - 2000"}), order())
    assert row["purchase_date"] == SENT_AT
    assert row["age"] == 26


def test_a_calendar_in_an_expression_is_that_of_times_without_zone():
    mapping = mapping_of({"age": "date_part('day', value.at::timestamptz)"})
    (row,) = rows(reader(mapping, zone="Asia/Kolkata"), raw_records([order(at="2026-01-01T23:00:00Z")]))
    assert row["age"] == 2


@pytest.mark.parametrize(
    ("expression", "lines", "value"),
    [
        ("total_of([l.a::int for l in value.lines])", [{"a": 1}, {"a": 2}], Decimal(3)),
        ("total_of([l.a::int for l in value.lines])", [{"a": 1}, {}], None),
        ("total_of([l.a::int for l in value.lines])", [], Decimal(0)),
        ("total_of([l.a::int for l in value.lines])", None, None),
        ("total_of([l.a::int for l in value.lines])", [{"a": "x"}], ["purchase_amount"]),
        ("connect_decimal(value.lines, 2)", "E4g=", Decimal("50.00")),
        ("connect_decimal(value.lines, 2)", "7Hg=", Decimal("-50.00")),
        ("connect_decimal(value.lines, 0)", "E4g=", Decimal(5000)),
        ("connect_decimal(value.lines, 3)", "BQ==", Decimal("0.01")),
        ("connect_decimal(value.lines, 2)", "AA==", Decimal("0.00")),
        ("connect_decimal(value.lines, 2)", "/w==", Decimal("-0.01")),
        ("connect_decimal(value.lines, 2)", "", ["purchase_amount"]),
        (
            "total_of([connect_decimal(number.a, number.b)::double for number in value.lines])",
            [{"a": "E4g=", "b": 1}],
            500,
        ),
        ("connect_decimal(value.lines, 30)", "E4g=", Decimal(0)),
        ("connect_decimal('E4g=', value.lines::int)", 2_000_000_000, ["purchase_amount"]),
        ("connect_decimal('E4g=', value.lines::int)", -1, ["purchase_amount"]),
        ("connect_decimal(value.lines, 2)", "f////////////////////w==", ["purchase_amount"]),
        ("connect_decimal(value.lines, 2)", None, None),
        ("connect_decimal(value.lines, 2)", "__debezium_unavailable_value", ["purchase_amount"]),
    ],
)
def test_a_helper_adds_up_lines_or_reads_what_kafka_connect_wrote(expression: str, lines: object, value: object):
    row = one(mapping_of({"purchase_amount": expression}), order(lines=lines))
    assert row.get("bad_fields", row.get("purchase_amount")) == value


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        ([["Books", 1], ["Toys", 3], ["Home", 2]], "Toys"),
        ([["Toys", 3], ["Books", 3]], "Toys"),
        ([["Books", 3], ["Toys", 3]], "Books"),
        ([["Books", 3], ["Toys", None]], "Books"),
        ([[None, 3], ["Toys", 1]], None),
        ([["Toys", None]], None),
        ([], None),
    ],
)
def test_the_largest_is_the_first_of_those_that_are_as_large(lines: list[list[object]], name: str | None):
    text = "largest_of([l.name for l in value.lines], [l.amount::decimal(18, 2) for l in value.lines])"
    described = [{"name": name, "amount": amount} for name, amount in lines]
    assert one(mapping_of({"product_category": text}), order(lines=described)).get("product_category") == name


def test_a_reader_gives_a_row_a_record_in_their_order_with_their_coordinates():
    records = raw_records([order(), None, b"x"] * 20_000)
    read = reader(mapping_of()).read(records.to_reader())
    assert read.select(list(COORDINATES)).equals(records.select(list(COORDINATES)))
    assert read.column("unreadable").to_pylist() == [None, "tombstone", "not_json"] * 20_000


def test_no_record_is_read_as_no_row():
    assert reader(mapping_of()).read(raw_records([]).to_reader()).num_rows == 0


@pytest.mark.parametrize(
    "statement",
    [
        *("select * from read_csv('/etc/passwd')", "copy (select 1) to '/tmp/x.csv'", "attach '/tmp/x.duckdb'"),
        *("install httpfs", "load httpfs", "set enable_external_access = true", "set memory_limit = '90GB'"),
        "reset lock_configuration",
    ],
)
def test_what_an_expression_may_not_do_its_database_does_not_do_either(statement: str):
    with sandbox("UTC") as connection, pytest.raises(duckdb.Error):
        connection.execute(statement)


def test_a_field_that_is_null_by_the_file_has_its_type():
    null = {name: "null" for name in MAPPED_TYPES if not name.startswith("refunded")}
    said = reader(mapping_of({"order_id": "value.id", "version": "1"})).read(raw_records([order()]).to_reader())
    assert reader(mapping_of(null)).read(raw_records([order()]).to_reader()).schema == said.schema
