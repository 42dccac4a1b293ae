"""What `bridgecart inspect` sees in records: forms, paths, known shapes, and the mapping that it proposes."""

import itertools
import json
import tomllib
from base64 import b64decode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.inspect.forms import NO_VALUE, WITH_ID
from bridgecart_assets.commands.inspect.look import Look, look_at
from bridgecart_assets.commands.inspect.masking import masked
from bridgecart_assets.commands.inspect.paths import MOST_PATHS, paths_of, type_of
from bridgecart_assets.commands.inspect.records import Header, Records
from bridgecart_assets.commands.inspect.seeking import REQUIRED
from bridgecart_assets.sources.mapping.decoding.schemas import Schema
from bridgecart_assets.sources.mapping.mapping_file import parse_mapping
from bridgecart_assets_tests.support import topics
from bridgecart_assets_tests.support.examples import examples
from bridgecart_assets_tests.support.records import event

SAMPLES = Path(__file__).parents[2] / "samples"
FRAME = b"\0\0\0\0\7"

documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=2).map(json.dumps),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def look(*values: bytes | None, keys: Sequence[bytes | None] | None = None) -> Look:
    nothing = [None] * len(values)
    return look_at(Records("a test", values, keys or nothing, nothing), Settings())


def look_at_json(*values: Mapping[str, Any]) -> Look:
    return look(*(json.dumps(value).encode() for value in values))


def sample(name: str) -> list[bytes | None]:
    return [line.encode() for line in (SAMPLES / name).read_text(encoding="utf-8").splitlines()]


def debezium() -> list[bytes | None]:
    values = [json.loads(line or b"")["value"] for line in sample("debezium-postgres.ndjson")]
    return [None if value is None else json.dumps(value).encode() for value in values]


def proposed(shown: Look) -> dict[str, Any]:
    assert shown.mapping is not None
    return tomllib.loads(shown.mapping)


def order_fields(*values: Mapping[str, Any]) -> dict[str, str]:
    fields: dict[str, str] = proposed(look_at_json(*values))["order"]
    return fields


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Ada Muster", "aaa aaaaaa"),
        ("ada@example.com", "aaa@aaaaaaa.aaa"),
        ("+49 30 123456", "+99 99 999999"),
        ("Zoë Ångström", "aaa aaaaaaaa"),
        ("李小龙", "aaa"),
        ("٣٤", "99"),
        ("❤\n\x1b[31m", "···[99a"),
        (-12.5, "-99.9"),
        (True, "true"),
        ("x" * 100, "a" * 32 + "…"),
    ],
)
def test_a_mask_has_the_shape_of_a_value_and_none_of_its_content(value: object, shown: str):
    assert masked(value) == shown


@given(st.text())
@examples(100)
def test_no_letter_or_digit_survives_its_mask(text: str):
    assert {one for one in masked(text) if one.isalnum()} <= {"a", "9"}


def test_names_mails_and_numbers_to_call_are_nowhere_in_what_is_shown():
    shown = json.dumps(look(*sample("shopify-orders.ndjson")).to_json(), ensure_ascii=False)
    assert "customer.first_name" in shown
    assert not [
        secret for secret in ("Ada", "Muster", "ada@", "example.com", "000000", "5600000000001") if secret in shown
    ]


def test_names_within_a_document_that_are_content_are_not_shown():
    people = {f"person{'abcdefghij'[n % 10]}{'klm'[n // 10]}": {"orders": n} for n in range(30)}
    by_mail = {"ada@example.com": {"orders": 1}, "+4930123456": {"orders": 2}}
    shown = look_at_json({"carts": by_mail}, *({"totals": {name: said}} for name, said in people.items()))
    assert [path.name for path in shown.paths] == ["value.carts.*.orders", "value.totals.*.orders"]


def test_a_path_says_types_and_the_share_of_records_that_say_something():
    shown = look_at_json(
        {"total": "12.50", "lines": [{"sku": "A"}, {"sku": "B"}], "at": "2025-01-01T10:00:00Z", "note": " "},
        {"total": 3, "lines": [], "at": None, "note": None, "Order No": 1},
    )
    assert [(path.name, path.type, shown.share(path)) for path in shown.paths] == [
        ("value.total", "text: number or whole number", 1),
        ("value.lines", "list", 0.5),
        ("value.lines[].sku", "text", 0.5),
        ("value.at", "text: time", 0.5),
        ("value.note", "", 0),
        ('value."Order No"', "whole number", 0.5),
    ]


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        *((text, "text: number") for text in ("7", "-12.50", "12,5", "1.234,50", "1,234,567.89", "+3e4", "5.")),
        *((text, "text") for text in ("203.0.113.7", "1.2.3", "1,2,3", "12.50 EUR", "")),
    ],
)
def test_a_text_that_is_a_number_has_one_decimal_point(text: str, type_: str):
    assert type_of(text) == type_


def test_keys_and_headers_have_paths_as_a_mapping_names_them():
    headers: list[Header] = [{"name": "tenant", "value": b"berlin"}, {"name": "trace", "value": None}]
    shown = look_at(Records("a test", [b"{}"], [b'{"id": 7}'], [headers]), Settings())
    assert [(path.name, path.example) for path in shown.paths] == [
        ("key.id", "9"),
        ("headers['tenant']", "aaaaaa"),
        ("headers['trace']", ""),
    ]


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (b'{"a": 1}', "JSON"),
        (None, "nothing"),
        (FRAME + b'{"a": 1}', "JSON with schema id"),
        (FRAME + b"\2\4", "bytes with schema id"),
        (b"[1]", "JSON that is no object"),
        (b"a;b\n1;2", "text that is no JSON"),
        (b'{"a": NaN}', "text that is no JSON"),
        (b"\xff\xfe", "bytes of no known form"),
        (b"\x01\x02", "bytes of no known form"),
        (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "JSON nested too deeply to look at"),
        (b'{"a":' + b"9" * 10_000 + b"}", "JSON"),
        (b" " * 300_000, "longer than BRIDGECART_MAX_PAYLOAD_BYTES"),
    ],
    ids=itertools.count(),
)
def test_the_form_of_a_record_is_told_from_its_bytes(value: bytes | None, form: str):
    assert look(value).values.counts == {form: 1}


def test_records_with_the_id_of_a_schema_name_the_setting_that_is_missing():
    shown = look(FRAME + b"\2", b"\0\0\0\0\3\2", None)
    assert shown.values.text == "2 bytes with schema id, 1 nothing (schema ids 3, 7)"
    assert "BRIDGECART_SCHEMA_REGISTRY_URL" in str(shown.remedy)
    assert shown.mapping is None


@given(st.lists(st.binary(max_size=30) | st.none(), min_size=1, max_size=10))
@examples(50)
def test_any_bytes_can_be_looked_at(values: list[bytes | None]):
    shown = look(*values)
    assert shown.values.counts.total() == len(values)
    assert json.dumps(shown.to_json())


@given(st.lists(st.dictionaries(st.text(max_size=8), documents, max_size=5), min_size=1, max_size=8))
@examples(50)
def test_any_json_gives_paths_and_a_mapping_that_is_toml(values: list[dict[str, Any]]):
    shown = look_at_json(*values)
    assert proposed(shown)["format"] == 1
    assert all(0 <= shown.share(path) <= 1 for path in shown.paths)


_NAMES = st.sampled_from(
    [
        *("id", "orderId", "order", "customer", "customer_id", "email", "type", "event", "total", "amount", "price"),
        *("qty", "units", "nanos", "line_total", "currency", "createdAt", "date", "time", "ts", "updatedAt", "status"),
        *("payload", "after", "items", "lines", "refunds", "discount"),
    ]
)
_SAID = st.sampled_from(
    [
        *("7", "C-7", "12.50", "1.234,50 €", "EUR", "2025-02-03T10:00:00Z", "2025-02-03 10:00:00 +0000", "31.12.25"),
        *("10:15", "cancelled", "OrderPlaced", "OrderCancelled", "n/a", "", "{}", "E4g="),
    ]
)
_orders = st.recursive(
    _SAID | st.integers(-5, 2 * 10**9) | st.floats(0, 2e9) | st.none() | st.booleans(),
    lambda inner: (
        st.dictionaries(_NAMES, inner, max_size=5)
        | st.lists(inner, max_size=3)
        | st.dictionaries(_NAMES, inner, max_size=4).map(json.dumps)
    ),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(_NAMES, _orders, min_size=2, max_size=8), min_size=1, max_size=6))
@examples(60)
def test_whatever_looks_like_orders_gives_a_mapping_that_is_accepted_but_for_what_it_says_is_missing(
    values: list[dict[str, Any]],
):
    text = str(look_at_json(*values).mapping)
    given_all = "".join(f'{name} = "value.x.{name}"\n' for name in REQUIRED if f'# {name:16} = "value. ..."' in text)
    assert parse_mapping(text.replace("[order]\n", f"[order]\n{given_all}"), "mapping.toml").order


def test_what_only_an_order_with_an_id_can_say_is_not_proposed_without_one():
    fields = order_fields({"customer_id": "7", "total": 5, "updated_at": "2025-02-03T10:00:00Z", "status": "cancelled"})
    assert fields.keys() == {"customer_id", "purchase_amount"}


def test_of_a_path_that_is_a_value_here_and_an_object_there_the_more_common_one_is_read():
    apart: list[dict[str, Any]] = [
        {"order_id": "1", "customer": "7"},
        *[{"order_id": "1", "customer": {"id": "7"}}] * 2,
    ]
    assert order_fields(*apart)["customer_id"] == "value.customer.id"
    assert order_fields(*apart, *apart[:1] * 2)["customer_id"] == "value.customer"


def test_a_document_with_ever_new_names_has_no_more_paths_than_can_be_read():
    wide = [{f"a{chr(97 + n % 26)}{chr(97 + n // 26)}": 1} for n in range(676)]
    assert len(paths_of([{"value": one} for one in wide])) == MOST_PATHS


class Known(dict[int, Schema]):
    """A registry's schemas, by their ids."""

    def schema_of(self, schema_id: int) -> Schema | None:
        return self.get(schema_id)


def look_with(schemas: Known, *values: bytes | None) -> Look:
    nothing = [None] * len(values)
    return look_at(Records("a test", values, nothing, nothing), Settings(), lambda _: schemas)


def test_avro_is_read_by_the_schema_of_its_registry_and_proposed_as_such():
    schema = Schema("AVRO", (SAMPLES / "debezium-orders.avsc").read_text(encoding="utf-8"))
    lines = (SAMPLES / "debezium-avro.b64").read_text(encoding="utf-8").splitlines()
    shown = look_with(Known({1: schema}), *(b64decode(line) or None for line in lines))
    assert shown.values.counts == {"Avro": 10, "bytes that are not of their Avro schema": 2, WITH_ID: 1, NO_VALUE: 1}
    mapping = proposed(shown)
    assert (mapping["preset"], mapping["decode"]) == ("debezium", {"value": "avro-registry"})
    assert mapping["order"]["purchase_amount"] == "value.after.total"
    assert mapping["order"]["purchase_date"] == "make_timestamptz(value.after.created_at::bigint)"


def test_protobuf_is_named_by_its_schema():
    shown = look_with(Known({7: Schema("PROTOBUF", 'syntax = "proto3";')}), FRAME + b"\0\2\4")
    assert shown.values.counts == {"Protobuf": 1}
    assert "descriptor set" in str(shown.remedy)


def test_bridgecarts_own_event_needs_no_mapping():
    shown = look(event(), event())
    assert (shown.is_own, shown.mapping) == (True, None)


@pytest.mark.parametrize(
    ("values", "preset"),
    [
        (sample("shopify-orders.ndjson"), "shopify-order"),
        (sample("segment-order-completed.ndjson"), "segment-order-completed"),
        (debezium(), "debezium"),
    ],
    ids=["shopify", "segment", "debezium"],
)
def test_a_known_shape_is_told_with_its_preset(values: list[bytes | None], preset: str):
    assert proposed(look(*values))["preset"] == preset


def test_a_few_of_bridgecarts_own_events_among_others_do_not_make_a_mapping_unnecessary():
    assert look(event(), *sample("nested-cents.ndjson")).shape is None


def test_a_single_order_among_many_tracked_events_is_enough_to_tell_the_plan():
    page = {"type": "page", "userId": "C-1"}
    order = json.loads(sample("segment-order-completed.ndjson")[0] or b"")
    assert proposed(look_at_json(*[page] * 200, order))["preset"] == "segment-order-completed"


def test_a_shape_of_its_own_has_no_preset():
    assert look(*sample("nested-cents.ndjson")).shape is None


def test_orders_among_other_events_with_lines_in_cents_get_a_mapping_of_their_fields():
    mapping = proposed(look(*sample("nested-cents.ndjson")))
    amounts = "[l.unit_cents::bigint * l.qty::bigint for l in value.order.lines]"
    assert mapping["records"] == {"where": "value.event in ('order.cancelled', 'order.placed', 'order.updated')"}
    assert mapping["order"] == {
        "order_id": "value.order.number",
        "version": "value.order.revision",
        "is_void": "value.order.status = 'cancelled'",
        "customer_id": "value.order.customer.ref",
        "purchase_date": "to_timestamp(value.order.placed_at::bigint)",
        "purchase_amount": f"total_of({amounts})",
        "discount_amount": "value.order.discount_cents",
        "currency": "value.order.currency",
        "coupon_used": "value.order.voucher is not null",
        "payment_method": "value.order.payment.type",
        "product_category": f"largest_of([l.category for l in value.order.lines], {amounts})",
        "gender": "value.order.customer.gender",
        "age": "year(timestamp) - value.order.customer.birth_year::int",
    }
    assert mapping["money"] == {"currency": "EUR", "minor_units": True}


def test_columns_of_a_table_are_found_within_debeziums_envelope_and_its_preset_says_the_rest():
    assert proposed(look(*debezium()))["order"] == {
        "is_void": "value.op = 'd' or value.after.status = 'cancelled'",
        "customer_id": "value.after.customer_id",
        "purchase_date": "make_timestamptz(value.after.created_at::bigint)",
        "purchase_amount": "connect_decimal(value.after.total, 2)",
        "discount_amount": "connect_decimal(value.after.discount, 2)",
        "refunded_amount": "connect_decimal(value.after.refunded, 2)",
        "refunded_date": "value.after.updated_at::timestamptz",
        "currency": "value.after.currency",
        "coupon_used": "value.after.coupon_code is not null",
        "payment_method": "value.after.payment_method",
    }


def test_of_an_envelope_within_another_the_preset_is_written_out_for_its_paths():
    wrapped = [json.dumps({"schema": {}, "payload": json.loads(value)}).encode() for value in debezium() if value]
    mapping = proposed(look(*wrapped))
    assert "preset" not in mapping
    assert mapping["records"]["where"] == "value.payload.op in ('c', 'r', 'u', 'd')"
    assert mapping["order"]["order_id"] == "coalesce(value.payload.after.id, value.payload.before.id)"
    assert mapping["order"]["is_void"] == "value.payload.op = 'd' or value.payload.after.status = 'cancelled'"


@pytest.mark.parametrize("name", ["shopify-orders.ndjson", "segment-order-completed.ndjson"])
def test_a_preset_that_says_everything_leaves_nothing_to_guess_but_the_currency(name: str):
    assert proposed(look(*sample(name))).keys() == {"format", "preset", "money"}


@pytest.mark.parametrize(
    "values",
    [
        sample("nested-cents.ndjson"),
        sample("shopify-orders.ndjson"),
        sample("segment-order-completed.ndjson"),
        sample("debezium-unwrapped-mysql.ndjson"),
        debezium(),
        list(topics.shop_events()),
    ],
    ids=["nested", "shopify", "segment", "unwrapped", "debezium", "shop events"],
)
def test_a_proposed_mapping_is_one_that_is_accepted(values: list[bytes | None]):
    assert parse_mapping(str(look(*values).mapping), "mapping.toml").order


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (1767261600, "to_timestamp(value.order_date::bigint)"),
        (1767261600000, "make_timestamptz(value.order_date::bigint * 1000)"),
        ("1767261600000000", "make_timestamptz(value.order_date::bigint)"),
        (1767261600.25, "to_timestamp(value.order_date::double)"),
        ("1.76726160025E9", "to_timestamp(value.order_date::double)"),
        ("2025-03-04T10:00:00Z", "value.order_date::timestamptz"),
        ("2025-03-04 10:00", "value.order_date::timestamptz"),
        ("31/12/2025 10:00", "strptime(value.order_date, '%d/%m/%Y %H:%M')"),
        ("12/31/2025", "strptime(value.order_date, '%m/%d/%Y')"),
        ("31.12.2025 10:00:05", "strptime(value.order_date, '%d.%m.%Y %H:%M:%S')"),
        ("31.12.25, 10:00", "strptime(value.order_date, '%d.%m.%y, %H:%M')"),
        ("12/31/2025 7:05:00 PM", "strptime(value.order_date, '%m/%d/%Y %I:%M:%S %p')"),
        ("Dec 31, 2025", "strptime(value.order_date, '%b %d, %Y')"),
        ("31 December 2025 10:00", "strptime(value.order_date, '%d %B %Y %H:%M')"),
        ("Dec-31-25", "strptime(value.order_date, '%b-%d-%y')"),
        ("20251231", "strptime(value.order_date, '%Y%m%d')"),
        (20251231100005, "strptime(value.order_date, '%Y%m%d%H%M%S')"),
    ],
)
def test_times_are_read_as_they_are_written(written: object, read: str):
    assert order_fields({"order_id": "1", "order_date": written})["purchase_date"] == read


@pytest.mark.parametrize("written", [1767261600.25, 1767261600, "31.12.2025", "2025-12-31T10:00:00Z"])
def test_a_time_that_is_missing_in_words_now_and_then_keeps_none_of_the_others_from_being_read(written: object):
    values = [{"order_id": "1", "order_date": date} for date in ["n/a", *[written] * 19]]
    assert "value.order_date" in order_fields(*values)["purchase_date"]


def test_a_name_that_says_utc_makes_any_written_time_utc():
    written = {"order_id": "1", "Order date (UTC)": "31.12.2025 10:00"}
    read = "timezone('UTC', strptime(value.\"Order date (UTC)\", '%d.%m.%Y %H:%M'))"
    assert order_fields(written)["purchase_date"] == read


def test_day_or_month_first_is_asked_only_where_the_dates_do_not_tell():
    asked = "# unsure: day or month first? it has no time zone"
    dates = ["03/04/2025", "05/04/2025"]
    assert asked in str(look_at_json(*({"order_id": "1", "order_date": date} for date in dates)).mapping)
    told = look_at_json(*({"order_id": "1", "order_date": date} for date in [*dates, "04/13/2025"]))
    assert asked not in str(told.mapping)
    assert "'%m/%d/%Y'" in str(told.mapping)


def test_a_time_that_can_be_read_in_two_ways_and_one_without_a_zone_are_said_to_be_unsure():
    shown = look_at_json({"order_id": "1", "order_date": "03/04/2025"})
    assert "# unsure: day or month first? it has no time zone: BRIDGECART_NAIVE_TIMEZONE counts\n" in str(shown.mapping)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("12.50", "value.total"),
        (12, "value.total"),
        ("1.234,50", "replace(replace(value.total, '.', ''), ',', '.')"),
        ("129,90", "replace(replace(value.total, '.', ''), ',', '.')"),
        ("1,234.50", "replace(value.total, ',', '')"),
    ],
)
def test_amounts_are_read_as_they_are_written(written: object, read: str):
    assert order_fields({"order_id": "1", "total": written})["purchase_amount"] == read


def test_a_field_whose_values_do_not_fit_is_not_taken_by_its_name():
    fields = order_fields({"order_id": "1", "total": "see invoice", "amount": "3.00", "created_at": "yesterday"})
    assert fields["purchase_amount"] == "value.amount"
    assert "purchase_date" not in fields


def test_a_required_field_that_few_orders_say_is_said_to_be_unsure_with_what_else_it_may_be():
    orders = [{"order_id": str(n), "customer_id": "C" if n == 0 else None, "email": f"{n}@shop"} for n in range(9)]
    text = str(look_at_json(*orders).mapping)
    assert "# unsure: 1 of 9 orders say it; or value.email?; orders without a customer are those of guests" in text


def test_what_was_not_found_stands_in_the_mapping_as_a_gap():
    text = str(look_at_json({"ref": "x"}).mapping)
    assert '# purchase_amount  = "value. ..."   # nothing like it was found; it is required\n' in text


def test_names_with_spaces_are_quoted_in_the_mapping():
    fields = order_fields({"Order No": "1", "Customer": "C"})
    assert (fields["order_id"], fields["customer_id"]) == ('value."Order No"', "value.Customer")


def test_whole_amounts_raise_the_question_of_cents():
    assert "# minor_units = true" in str(look_at_json({"order_id": "1", "total": 1290}).mapping)
    assert "minor_units" not in str(look_at_json({"order_id": "1", "total": "12.90"}).mapping)
