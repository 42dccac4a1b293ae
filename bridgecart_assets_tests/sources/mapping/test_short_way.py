"""Records are read in one pass: what it finds is what the JSON functions and each expression say of a record alone."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache

import duckdb
import hypothesis.strategies as st
from hypothesis import example, given

from bridgecart_assets.base.quoting import sql_text
from bridgecart_assets.contracts.event import MAPPED_TYPES
from bridgecart_assets.sources.mapping.sandbox import sandbox
from bridgecart_assets.sources.mapping.values import field_value
from bridgecart_assets_tests.sources.mapping.records import (
    Row,
    mapping_of,
    raw_records,
    reader,
    rows,
)
from bridgecart_assets_tests.sources.mapping.test_any_document import VALUES
from bridgecart_assets_tests.support.examples import examples

MAPPING = mapping_of(
    {
        "order_id": "coalesce(value.id, value.lines[1].sku)",
        "discount_amount": "value.off::decimal(18, 2) * 2",
        "coupon_used": "value.coupon",
        "payment_method": "value.paid.by",
        "product_category": "largest_of([l.sku for l in value.lines], [l.n::int for l in value.lines])",
        "age": "value.born::int - 1900",
        "income": "null",
        "gender": "[name for name in [value.id] if name <> 'x'][1]",
        "name": "[age for age in [value.id] if age <> 'x'][1]",
    }
)
NAMES = st.sampled_from(("customer", "at", "total", "id", "lines", "sku", "n", "off", "coupon", "paid", "by", "born"))
SAID = st.sampled_from(
    (
        *(
            "2026-01-01T10:00:00Z",
            "2026-13-01",
            "12.50",
            " 7 ",
            "",
            "yes",
            "maybe",
            "x",
            "nan",
            "1e400",
            "\ufeff",
            "\0",
        ),
        *("1234567890123.4549", 0.1234567890123, 12345678901.25, 1e30, float("nan"), float("inf"), 2**70, -3),
    )
)
INSIDE = st.recursive(
    VALUES | SAID, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=8
)
DOCUMENTS = st.dictionaries(NAMES, INSIDE, max_size=12).map(json.dumps)
BODIES = st.one_of(
    DOCUMENTS,
    st.tuples(DOCUMENTS, DOCUMENTS).map(lambda two: two[0][:-1] + ", " + two[1][1:] if len(two[0]) > 2 else two[1]),
    st.tuples(
        st.sampled_from(("", " ", "\r\n\t", "\ufeff", "\f", "x")), DOCUMENTS, st.sampled_from(("", "\n", " x", "\0"))
    ).map("".join),
    INSIDE.map(json.dumps),
    DOCUMENTS.map(lambda body: body.replace('"', '"\\ud800', 1)),
    st.text(max_size=8),
)


@cache
def definition() -> tuple[duckdb.DuckDBPyConnection, str]:
    """A connection, and the query of a body: why it cannot be read, and each field as a list, NULL where it fails."""
    connection = sandbox("UTC")
    shape = sql_text(json.dumps(MAPPING.compiled.value))
    unreadable = "case when not json_valid(body) then 'not_json' when json_type(body) <> 'OBJECT' then 'not_object' end"
    told = f"select *, {unreadable} as unreadable from (select $body::varchar as body)"
    value = f"json_transform(case when unreadable is null then with_all_digits(body) end, {shape})"
    roots = f"select unreadable, {value} as value from ({told})"

    def alone(name: str, expression: str) -> str:
        def type_of(part: str) -> str:
            return str(connection.sql(f"select ({expression}){part} from ({roots})", params={"body": "{}"}).types[0])

        return f"try([{field_value(MAPPED_TYPES[name], f'({expression})', type_of, None)}])"

    fields = ", ".join(alone(name, one.sql) for name, one in MAPPING.compiled.fields.items())
    return connection, f"select unreadable, {fields} from ({roots})"


def defined(body: str) -> Row:
    connection, query = definition()
    ((unreadable, *fields),) = connection.execute(query, {"body": body}).fetchall()
    if unreadable is not None:
        return {"unreadable": unreadable}
    told = dict(zip(MAPPING.compiled.fields, fields, strict=True))
    bad = [name for name, value in told.items() if value is None]
    there = {name: _aware(value[0]) for name, value in told.items() if value is not None and value[0] is not None}
    return there | ({"bad_fields": bad} if bad else {})


def _aware(value: object) -> object:
    """DuckDB gives an infinite instant to Python without a zone, whatever its type."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def read(bodies: Sequence[str]) -> list[Row]:
    found = rows(reader(MAPPING), raw_records([body.encode("utf-8", "surrogatepass") for body in bodies]))
    return [{name: value for name, value in row.items() if name != "is_void"} for row in found]


@examples(10)
@given(st.lists(BODIES, min_size=1, max_size=6))
@example(['{"at": Infinity}', "{}"])
def test_whatever_a_record_says_is_what_each_expression_says_alone(bodies: list[str]):
    assert read(bodies) == [defined(body) for body in bodies]


TEXTS = st.tuples(
    st.sampled_from(("", " ", "\u00a0", "\u200b", "\t")),
    st.sampled_from(("", "7", "-7.0", "+12.50", ".5", "1e3", "1e400", "yes", "TRUE", "0", "nan", "x", "7 7", "9" * 40)),
    st.sampled_from(("", " ", "\n", "\ufeff")),
).map("".join)


@examples(30)
@given(text=TEXTS, macro=st.sampled_from(("number_from", "money_from", "whole_from", "flag_from")))
def test_a_text_says_what_it_says_without_the_white_space_around_it(text: str, macro: str):
    connection, _ = definition()
    both = f"select try([{macro}(text)]), try([{macro}(trimmed(text))]) from (select $text::varchar as text)"
    ((found, expected),) = connection.execute(both, {"text": text}).fetchall()
    assert found == expected
