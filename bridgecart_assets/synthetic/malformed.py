"""Events that no strict contract accepts, each made from the document of a real order."""

from collections.abc import Callable
from datetime import datetime, timedelta

import orjson

Document = dict[str, object]

YEARS_AHEAD = timedelta(days=5 * 365)


def _not_utf8(document: Document) -> bytes:
    return orjson.dumps(document).replace(b'"name":"', b'"name":"\xe9\xff')


def _not_json(document: Document) -> bytes:
    whole = orjson.dumps(document)
    return whole[: len(whole) // 2]


def _json_array(document: Document) -> bytes:
    return orjson.dumps([document])


def _tombstone(_document: Document) -> None:
    return None


def _nan_amount(document: Document) -> bytes:
    # orjson refuses to write what JSON does not have.
    return orjson.dumps(document | {"purchase_amount": None}).replace(
        b'"purchase_amount":null', b'"purchase_amount":NaN'
    )


def _future_date(document: Document) -> bytes:
    ahead = datetime.fromisoformat(str(document["purchase_date"])) + YEARS_AHEAD
    return orjson.dumps(document | {"purchase_date": ahead.strftime("%Y-%m-%dT%H:%M:%S.000Z")})


def _without(field: str) -> Callable[[Document], bytes]:
    return lambda document: orjson.dumps({name: value for name, value in document.items() if name != field})


def _with(field: str, value: object) -> Callable[[Document], bytes]:
    return lambda document: orjson.dumps(document | {field: value})


MALFORMED: dict[str, Callable[[Document], bytes | None]] = {
    "not_utf8": _not_utf8,
    "not_json": _not_json,
    "json_array": _json_array,
    "tombstone": _tombstone,
    "missing_customer_id": _without("customer_id"),
    "missing_purchase_date": _without("purchase_date"),
    "missing_purchase_amount": _without("purchase_amount"),
    "customer_id_is_object": _with("customer_id", {"id": 17}),
    "date_is_list": _with("purchase_date", [2025, 1, 31]),
    "amount_is_words": _with("purchase_amount", "twelve hundred"),
    "nan_amount": _nan_amount,
    "huge_amount": _with("purchase_amount", 1e300),
    "future_date": _future_date,
    "impossible_date": _with("purchase_date", "2025-02-30T10:15:00.000Z"),
    "blank_customer_id": _with("customer_id", "  "),
    "date_in_seconds": _with("purchase_date", 1_735_725_600),
    "amount_with_currency": _with("purchase_amount", "$12.50"),
}
"""Kind of damage -> the payload it makes of an order's document."""

KINDS: tuple[str, ...] = tuple(MALFORMED)
"""The kinds, by index."""

WITHOUT_KEY = frozenset({"not_utf8", "not_json", "missing_customer_id"})
"""Kinds that arrive with a null key, as from a producer that could not read a customer either."""
