"""A third reading of the event contract, in plain Python: what it is sure of, and an honest "unclear" for the rest.

Written for fuzzed bytes: it never says more than a reader of the contract could say without knowing our SQL.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, NoReturn

Verdict = Decimal | Literal["refused", "unclear"]
"""An order with this net amount; certainly none; or bytes about which two careful readers may disagree."""

_SKEW = timedelta(minutes=5)
_REQUIRED = ("customer_id", "purchase_date", "purchase_amount")
_INSTANT = re.compile(r"(19[9]|20[0-9])[0-9]-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?Z")
_ID = re.compile(r"[A-Za-z0-9]{1,50}")
_MONEY = re.compile(r"-?(0|[1-9][0-9]{0,7})([.][0-9]{1,2})?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LAST_COMMA = re.compile(r",\s*[}\]]")


class _Unclear(Exception):
    """Readers may differ about this document."""


class _Number(str):
    """A JSON number as it is written."""

    __slots__ = ()


def verdict(payload: bytes | None, kafka_timestamp: datetime | None, *, longest: int) -> Verdict:
    """What has to become of a record; `kafka_timestamp` is UTC without zone, None where the broker has none."""
    if payload is None or len(payload) > longest:
        return "refused"
    try:
        document = _read(payload.decode())
        if not isinstance(document, dict) or any(_is_no_value(document.get(field)) for field in _REQUIRED):
            return "refused"
        return _net_amount(document, kafka_timestamp)
    except ValueError:
        return "refused"
    except (_Unclear, RecursionError):
        return "unclear"


def _read(text: str) -> object:
    try:
        return json.loads(
            text, parse_int=_Number, parse_float=_Number, parse_constant=_unclear, object_pairs_hook=_object
        )
    except json.JSONDecodeError:
        # Lenient readers, DuckDB's among them, take a comma before a closing bracket.
        if _LAST_COMMA.search(text):
            raise _Unclear from None
        raise


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if any(_has_surrogates(name) or _has_surrogates(value) for name, value in pairs):
        raise _Unclear
    # Of a field that comes twice the first counts.
    return dict(reversed(pairs))


def _has_surrogates(value: object) -> bool:
    # A list is looked at as Python writes it.
    return _SURROGATE.search(str(value)) is not None or "\\ud" in repr(value)


def _unclear(_constant: str) -> NoReturn:
    raise _Unclear


def _is_no_value(value: object) -> bool:
    """Missing, blank, or of a type that no reader takes for a text or a number."""
    return value is None or isinstance(value, dict | list | bool) or not str(value).strip(" ")


def _net_amount(document: Mapping[str, Any], kafka_timestamp: datetime | None) -> Verdict:
    _expect(_ID, document["customer_id"])
    instant = _instant(document["purchase_date"])
    if kafka_timestamp is not None and instant - _SKEW > kafka_timestamp:
        return "refused"
    amount = _money(document["purchase_amount"])
    # A wrong optional field costs no order; of all of them only the discount is money.
    discount = document.get("discount_amount", _Number("0"))
    discount = Decimal(0) if isinstance(discount, dict | list) else _money(discount)
    if discount != 0 and not 0 < discount <= amount:
        raise _Unclear
    return amount - discount


def _instant(text: object) -> datetime:
    _expect(_INSTANT, text)
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC).replace(tzinfo=None)
    except ValueError:
        raise _Unclear from None


def _money(value: object) -> Decimal:
    _expect(_MONEY, value, _Number)
    return Decimal(str(value))


def _expect(pattern: re.Pattern[str], value: object, kind: type = str) -> None:
    if isinstance(value, dict | list):
        raise ValueError("a required field is no object and no list")
    if type(value) is not kind or pattern.fullmatch(str(value)) is None:
        raise _Unclear
