"""Keys and payloads of valid events."""

from collections import defaultdict
from datetime import UTC, datetime

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.synthetic.catalog import CATEGORIES, GENDERS, SPELLINGS
from bridgecart_assets.synthetic.instants import iso_instants
from bridgecart_assets_tests.synthetic.strict import Record

FIELDS = [
    *("customer_id", "name", "age", "income", "gender", "mobile", "purchase_date", "purchase_amount"),
    *("coupon_used", "discount_amount", "payment_method", "product_category", "order_id"),
]


def test_every_payload_has_exactly_the_fields_of_the_contract(default_records: list[Record]) -> None:
    assert {tuple(record.document) for record in default_records} == {tuple(FIELDS)}


def test_the_key_is_the_customer_id(default_records: list[Record]) -> None:
    assert all(record.event.key == str(record.document["customer_id"]).encode() for record in default_records)


def test_payloads_are_json_to_a_fast_parser_too(default_records: list[Record]) -> None:
    for record in default_records[:2_000]:
        assert orjson.loads(record.event.value or b"")["order_id"] == record.order_id


def test_a_customer_is_the_same_person_in_all_its_orders(default_records: list[Record]) -> None:
    people: dict[str, set[tuple[object, ...]]] = defaultdict(set)
    for record in default_records:
        person = tuple(record.document[field] for field in ("name", "age", "income", "gender", "mobile"))
        people[record.document["customer_id"]].add(person)
    assert {len(seen) for seen in people.values()} == {1}


def test_people_are_plausible(default_records: list[Record]) -> None:
    for record in default_records:
        assert 18 <= record.document["age"] <= 90
        assert record.document["income"] > 0
        assert record.document["gender"] in GENDERS
        assert len(record.document["mobile"]) == 13


def test_some_names_need_more_than_ascii(default_records: list[Record]) -> None:
    assert any(not record.document["name"].isascii() for record in default_records)


def test_amounts_have_two_decimals_at_most_and_only_refunds_are_negative(
    default_records: list[Record],
) -> None:
    for record in default_records:
        assert record.amount == round(record.amount, 2)
        assert record.discount == round(record.discount, 2)
        assert record.is_refund == record.order_id.startswith("R")
        assert record.amount != 0


def test_a_discount_comes_with_a_coupon_and_stays_below_the_amount(default_records: list[Record]) -> None:
    for record in default_records:
        assert record.document["coupon_used"] == (record.discount > 0)
        assert record.is_refund or 0 <= record.discount < record.amount


@pytest.mark.parametrize(("field", "expected"), [("payment_method", SPELLINGS), ("product_category", CATEGORIES)])
def test_every_spelling_and_category_occurs_and_no_other(
    default_records: list[Record], field: str, expected: tuple[str, ...]
) -> None:
    assert {record.document[field] for record in default_records} == set(expected)


@given(st.lists(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)), min_size=0, max_size=5))  # noqa: DTZ001
def test_instants_read_as_python_writes_them(instants: list[datetime]) -> None:
    texts = iso_instants(np.array(instants, dtype="datetime64[ms]").astype(np.int64))
    expected = [instant.replace(tzinfo=UTC).isoformat(timespec="milliseconds") for instant in instants]
    assert [text.decode().replace("Z", "+00:00") for text in texts] == expected
