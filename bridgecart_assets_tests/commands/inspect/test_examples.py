"""Masked examples of rejected records show what their field is read from, and no more."""

import json
from typing import Any

import pytest

from bridgecart_assets.commands.inspect.examples import Examples

MAPPING = {
    "order_id": "value.order.number",
    "purchase_amount": "total_of([l.cents::bigint for l in value.order.lines])",
    "purchase_date": "value.order.at::timestamptz",
    "currency": "value.order.currency",
}


def shown(reason: str, value: object) -> str:
    payload = value if isinstance(value, bytes | None) else json.dumps(value).encode()
    record = {"partition": 1, "offset": 7, "payload": payload}
    told = Examples(MAPPING, 10_000).of(reason, record)
    assert told.startswith("partition 1, offset 7: ")
    return told.removeprefix("partition 1, offset 7: ")


@pytest.mark.parametrize(
    ("reason", "order", "told"),
    [
        ("bad_purchase_date", {"at": "yesterday", "number": "10-1"}, "value.order.at = aaaaaaaaa"),
        ("future_purchase_date", {"at": "2999-01-01"}, "value.order.at = 9999-99-99"),
        ("other_currency", {"currency": "USD"}, "value.order.currency = aaa"),
        ("bad_purchase_amount", {"lines": [{"cents": "12,5", "sku": "A"}]}, "value.order.lines[].cents = 99,9"),
        ("missing_order_id", {"at": "2025-01-01"}, "nothing there"),
        ("bad_order_id", {"number": {"of": "Ada"}}, "value.order.number.of = aaa"),
        ("bad_where", {"number": "1"}, "nothing there"),
    ],
)
def test_an_example_shows_what_the_field_of_the_reason_is_read_from(reason: str, order: dict[str, Any], told: str):
    assert shown(reason, {"order": order}) == told


@pytest.mark.parametrize(
    ("value", "told"), [(None, "nothing"), (b"\xff", "bytes of no known form"), (b"Ada", "text that is no JSON")]
)
def test_a_record_that_cannot_be_read_is_told_by_its_form(value: bytes | None, told: str):
    assert shown("not_json", value) == told
