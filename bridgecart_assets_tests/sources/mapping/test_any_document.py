"""Whatever a record says, it is one row, and its neighbours are as if they were alone."""

import json
from collections.abc import Mapping as Entries
from functools import cache

import duckdb
import hypothesis.strategies as st
from hypothesis import given

from bridgecart_assets.contracts.event import EVENT, MAPPED_ONLY, MAPPED_TYPES, Flag, Instant, Money, Whole
from bridgecart_assets.sql import read_sql
from bridgecart_assets_tests.sources.mapping.records import Row, mapping_of, raw_records, reader, rows
from bridgecart_assets_tests.support.examples import examples

MAPPING = mapping_of(
    {
        "order_id": "value.id",
        "version": "value.version",
        "is_void": "value.status = 'void'",
        "customer_id": "coalesce(value.customer.id, 'guest:' || value.email)",
        "purchase_date": "value.at",
        "purchase_amount": "total_of([line.price::decimal(30, 6) * line.count::int for line in value.lines])",
        "discount_amount": "value.discount",
        "refunds": "[{'at': one.at, 'amount': one.amount} for one in value.refunds if one.kind = 'paid']",
        "coupon_used": "len(value.codes) > 0",
        "payment_method": "value.codes[1]",
        "product_category": "largest_of([l.name for l in value.lines], [l.price::double for l in value.lines])",
        "name": "headers['name']",
        "mobile": "key.mobile",
        "age": "value.age",
        "income": "value.income",
    },
    "[records]\nwhere = \"value.status is distinct from 'draft'\"\ntombstones = 'skip'",
)

NAMES = st.sampled_from(
    [
        *("id", "version", "status", "customer", "email", "at", "lines", "discount", "refunds", "codes", "age"),
        *("income", "price", "count", "name", "amount", "kind", "mobile"),
    ]
)
TEXTS = ["2026-01-01T10:00:00Z", "12.50", "void", "draft", "paid", "1e400", "\x00", "2026-01-01 00:00:60", "nan"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(TEXTS)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5))
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=12)
PAYLOADS = (
    st.none()
    | st.binary(max_size=12)
    | (DOCUMENTS | VALUES).map(lambda document: json.dumps(document).encode())
    | DOCUMENTS.map(lambda document: json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass"))
)


@examples(20)
@given(payloads=st.lists(PAYLOADS, min_size=1, max_size=12), data=st.data())
def test_a_record_is_read_as_if_it_were_alone(payloads: list[bytes | None], data: st.DataObject):
    together = rows(reader(MAPPING), raw_records(payloads))
    assert len(together) == len(payloads)
    number = data.draw(st.integers(0, len(payloads) - 1))
    assert rows(reader(MAPPING), raw_records([payloads[number]])) == [together[number]]


@examples(10)
@given(payloads=st.lists(PAYLOADS, max_size=12))
def test_what_cannot_be_read_or_is_skipped_has_no_fields(payloads: list[bytes | None]):
    for row in rows(reader(MAPPING), raw_records(payloads)):
        assert row["is_void"] in (True, False)
        if "unreadable" in row or "skipped" in row:
            assert len(row) == 2


# Texts that begin and end with something visible, so that none of them is blank.
WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=["C", "Z"]), min_size=1)
AMOUNTS = st.decimals(-(10**6), 10**6, places=4)
OWN: Entries[str, st.SearchStrategy[object]] = {
    "customer_id": WORDS,
    "purchase_date": st.sampled_from(["2026-01-01T10:00:00Z", "2026-01-01 10:00:00.5+02:00", "2025-12-31", "never"]),
    "purchase_amount": AMOUNTS.map(str),
    "discount_amount": AMOUNTS.map(float),
    "coupon_used": st.booleans() | st.sampled_from(["yes", "No", 0, 1]),
    "age": st.integers(-5, 200),
    "income": AMOUNTS.map(float),
    "order_id": WORDS | st.integers(),
    "name": WORDS,
    "mobile": WORDS,
    "gender": WORDS,
    "payment_method": WORDS,
    "product_category": WORDS,
    "currency": WORDS,
}
OWN_MAPPING = mapping_of({name: f"value.{name}" for name in OWN})
MACROS = {Money: "money_of", Instant: "instant_of", Flag: "flag_of", Whole: "number_of"}


@cache
def own_way() -> duckdb.DuckDBPyConnection:
    """A connection with the macros that read BridgeCart's own event."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(read_sql("silver/tmp_record_macros"))
    return connection


def read_as_own(body: str) -> Row:
    """The fields of an event as BridgeCart reads its own, without those that have no value."""
    found: dict[str, object] = {}
    for one in EVENT:
        field = f"json_extract($body, '$.{one.name}')"
        value = f"{MACROS.get(type(one.type), '')}(given_of({field}, {field}))"
        ((found[one.name],),) = own_way().execute(f"select {value}", {"body": body}).fetchall()
    return {name: value for name, value in found.items() if value is not None}


def test_every_field_of_the_event_is_compared():
    assert OWN.keys() == {one.name for one in EVENT} == MAPPED_TYPES.keys() - {one.name for one in MAPPED_ONLY}


@examples(20)
@given(event=st.fixed_dictionaries({}, optional=OWN))
def test_the_event_itself_is_read_by_a_mapping_as_it_is_without(event: dict[str, object]):
    body = json.dumps(event)
    (row,) = rows(reader(OWN_MAPPING), raw_records([body.encode()]))
    assert {name: value for name, value in row.items() if name != "bad_fields"} == read_as_own(body)
