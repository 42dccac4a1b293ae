"""A mapping file says what is wrong in it in one line, with its place and what to do."""

from pathlib import Path

import pytest

from bridgecart_assets.contracts.event import EVENT
from bridgecart_assets.sources.mapping.currencies import minor_digits_of
from bridgecart_assets.sources.mapping.errors import MappingError
from bridgecart_assets.sources.mapping.mapping_file import PRESETS, load_mapping, parse_mapping
from bridgecart_assets_tests.docs import ROOT
from bridgecart_assets_tests.sources.mapping.records import SAMPLES, mapping_of

REQUIRED = 'customer_id = "value.c"\npurchase_date = "value.d"\npurchase_amount = "value.a"\n'
SMALLEST = f"format = 1\n[order]\n{REQUIRED}"


def error_of(text: str) -> str:
    """The error of a file of this text."""
    with pytest.raises(MappingError) as raised:
        parse_mapping(text, "mapping.toml")
    (line,) = str(raised.value).splitlines()
    return line


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "mapping.toml format: it is not 1; write format = 1 above all tables"),
        ("format = 2", "mapping.toml format: it is not 1; write format = 1 above all tables"),
        ("format = 1\n[ordr]", "mapping.toml ordr: there is no such name; did you mean order?"),
        ("format = 1\norder = 3", "mapping.toml order: it is no table; write [order]"),
        ("format = 1\n[order]", "mapping.toml [order]: customer_id is missing; without it no record is an order"),
        (f"{SMALLEST}adress = 'value.a'", "there is no such name; there are order_id, version"),
        (f"{SMALLEST}produkt_category = 'value.a'", "did you mean product_category?"),
        (f"{SMALLEST}order_id = 3", "mapping.toml [order] order_id: it is no text; write it in quotes"),
        (
            f"{SMALLEST}[records]\nwere = 'true'",
            "mapping.toml [records] were: there is no such name; did you mean where?",
        ),
        (f"{SMALLEST}[records]\nwhere = 'now()'", "mapping.toml [records] where: now() is not allowed in it"),
        (f"{SMALLEST}[records]\ntombstones = 'drop'", "tombstones: drop is none; there are reject, skip, delete"),
        (
            f"{SMALLEST}[decode]\nvalue = 'avro'",
            "[decode] value: avro is none; there are json, json-registry, avro-registry",
        ),
        (f"{SMALLEST}[decode]\nvalue = 'protobuf-registry'", "mapping.toml [decode]: Protobuf needs descriptors"),
        (f"{SMALLEST}[money]\ncurrency = 'euro'", "[money] currency: it is no code of ISO 4217, for example EUR"),
        (f"{SMALLEST}[money]\nminor_units = true", "[money] minor_units: set currency too"),
        (f"{SMALLEST}[money]\ncurrency = 'EUR'\nminor_units = 2", "[money] minor_units: write true or false"),
        (f"{SMALLEST}[descriptors]\nbase64 = '?'", "mapping.toml [descriptors] base64: it is no base64"),
        ("preset = 'shopify'\nformat = 1", "mapping.toml preset: shopify is none; did you mean shopify-order?"),
        ("preset = 3\nformat = 1", "mapping.toml preset: it is no text; write it in quotes"),
        ("format = ", "mapping.toml: it is no TOML ("),
        ("format = " + "[" * 100_000, "mapping.toml: its values are nested too deeply; write texts only"),
    ],
)
def test_an_error_says_its_place_and_what_to_do(text: str, error: str):
    assert error in error_of(text)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"version": "value.v"}, "version: it needs order_id too"),
        ({"order_id": "value.o", "is_void": "value.v = '1'"}, "is_void: it needs version too"),
        ({"refunds": "[]"}, "refunds: it needs order_id too"),
        ({"order_id": "value.o", "refunded_amount": "value.r"}, "refunded_amount: it needs refunded_date too"),
        ({"order_id": "value.o", "refunded_date": "value.r"}, "refunded_date: it needs refunded_amount too"),
        (
            {"order_id": "value.o", "refunded_date": "value.r", "refunded_amount": "value.s", "refunds": "null"},
            "refunds: refunded_amount says the same; keep one of them",
        ),
    ],
)
def test_a_field_that_says_nothing_without_another_is_refused_alone(fields: dict[str, str], error: str):
    with pytest.raises(MappingError) as raised:
        mapping_of(fields)
    assert str(raised.value) == f"mapping.toml [order] {error}"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"purchase_date": "value.at::bigint"}, "its value is a BIGINT, of which no TIMESTAMPTZ is made"),
        ({"purchase_amount": "value.at::timestamp"}, "its value is a TIMESTAMP, of which no DECIMAL(18,2) is made"),
        ({"coupon_used": "value.at::date"}, "its value is a DATE, of which no BOOLEAN is made"),
        ({"age": "value.age = '4'"}, "its value is a BOOLEAN, of which no INTEGER is made"),
        ({"name": "value.a + 'x'"}, "Binder Error"),
        ({"name": "lower(value.a, value.b)"}, "Binder Error"),
    ],
)
def test_an_expression_of_another_type_than_its_field_is_refused_before_any_record(fields: dict[str, str], error: str):
    (name,) = fields
    with pytest.raises(MappingError) as raised:
        mapping_of(fields)
    assert str(raised.value).startswith(f"mapping.toml [order] {name}: {error}")


def test_refunds_are_a_list_of_instants_and_amounts():
    with pytest.raises(MappingError, match=r"refunds: it is no list of \{'at': ..., 'amount': ...\}"):
        mapping_of({"order_id": "value.o", "refunds": "[{'at': value.r, 'sum': value.s}]"})


def test_a_condition_is_true_or_false():
    with pytest.raises(MappingError, match=r"\[records\] where: its value is a TIMESTAMP"):
        mapping_of(rest="[records]\nwhere = 'value.at::timestamp'")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, "delete needs [order] version"),
        ({"order_id": "value.o", "version": "value.v"}, "delete needs an order_id that is read from key"),
    ],
)
def test_a_tombstone_deletes_what_its_key_names(fields: dict[str, str], error: str):
    with pytest.raises(MappingError) as raised:
        mapping_of(fields, "[records]\ntombstones = 'delete'")
    assert str(raised.value) == f"mapping.toml [records] tombstones: {error}"


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_fills_what_a_file_does_not_say(preset: str):
    table = "value.after." if preset == "debezium" else "value."
    own = {"customer_id": f"{table}c", "purchase_date": f"{table}d", "purchase_amount": f"{table}e"}
    lines = "\n".join(f"{name} = '{text}'" for name, text in own.items())
    mapping = parse_mapping(f"format = 1\npreset = '{preset}'\n[order]\n{lines}", "mapping.toml")
    assert mapping.order["customer_id"] == f"{table}c"
    assert "order_id" in mapping.order
    assert mapping.where is not None


@pytest.mark.parametrize("preset", [preset for preset in PRESETS if preset != "debezium"])
def test_a_preset_of_a_known_shape_needs_nothing_else(preset: str):
    assert parse_mapping(f"format = 1\npreset = '{preset}'", "mapping.toml").order


def test_the_text_of_a_mapping_makes_it_again():
    for file in sorted((SAMPLES / "mappings").glob("*.toml")):
        mapping = load_mapping(file)
        again = parse_mapping(mapping.text, mapping.name)
        assert again == mapping
        assert again.sha256 == mapping.sha256


def test_the_text_of_a_mapping_has_what_its_preset_said_when_it_was_loaded(tmp_path: Path):
    (tmp_path / "mapping.toml").write_text("format = 1\npreset = 'shopify-order'\n", encoding="utf-8")
    mapping = load_mapping(tmp_path / "mapping.toml")
    assert parse_mapping(mapping.text, "mapping.toml") == mapping
    of_another_version = mapping.text.replace("value.processed_at", "value.created_at")
    assert of_another_version != mapping.text
    assert parse_mapping(of_another_version, "mapping.toml").order["purchase_date"] == "value.created_at"


def test_a_descriptor_set_is_in_the_text_of_its_mapping(tmp_path: Path):
    (tmp_path / "order.desc").write_bytes(b"\x00described\xff")
    decode = "[decode]\nvalue = 'protobuf-registry'\ndescriptors = 'order.desc'\nmessage = 'shop.v1.Order'\n"
    (tmp_path / "mapping.toml").write_text(f"{SMALLEST}{decode}", encoding="utf-8")
    mapping = load_mapping(tmp_path / "mapping.toml")
    assert mapping.decode.descriptors == b"\x00described\xff"
    assert parse_mapping(mapping.text, "mapping.toml") == mapping


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"\xff", "mapping.toml: it is no UTF-8; save it as UTF-8"),
        (b"#" * 2_000_000, "mapping.toml: the file is larger than 1,000,000 bytes, which no mapping needs"),
        (None, "mapping.toml: the file cannot be read (No such file or directory); name one that there is"),
        (b"format = 1\n[decode]\ndescriptors = 'x.desc'", "mapping.toml [decode] descriptors: the file cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_says_so_without_its_folder(tmp_path: Path, content: bytes | None, error: str):
    if content is not None:
        (tmp_path / "mapping.toml").write_bytes(content)
    with pytest.raises(MappingError) as raised:
        load_mapping(tmp_path / "mapping.toml")
    assert str(raised.value).startswith(error)
    assert str(tmp_path) not in str(raised.value)


def test_every_field_of_the_event_can_be_mapped():
    mapping = mapping_of({one.name: f"value.{one.name}" for one in EVENT})
    assert set(mapping.order) == {one.name for one in EVENT}


@pytest.mark.parametrize(("currency", "digits"), [("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4)])
def test_a_currency_has_digits_of_its_own(currency: str, digits: int):
    assert minor_digits_of(currency) == digits


def test_the_file_of_the_documents_is_a_mapping():
    text = (ROOT / "docs" / "mapping.md").read_text(encoding="utf-8")
    _, _, rest = text.partition("```toml\n")
    example, _, _ = rest.partition("```")
    assert parse_mapping(example, "mapping.toml").has_states
