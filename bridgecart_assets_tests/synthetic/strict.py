"""A second, deliberately plain reading of the event contract, independent of the generator's arrays."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NoReturn

from bridgecart_assets.synthetic import Event

LARGEST_AMOUNT = Decimal(10) ** 9
ALLOWED_SKEW_MS = 5 * 60 * 1_000


@dataclass(frozen=True)
class Record:
    """An accepted event."""

    document: dict[str, Any]
    purchased_ms: int
    amount: Decimal
    discount: Decimal
    event: Event

    @property
    def order_id(self) -> str:
        return str(self.document["order_id"])

    @property
    def is_refund(self) -> bool:
        return self.amount < 0


def read_strictly(event: Event) -> Record | str:
    """The event as a record, or the reason why it is none."""
    if event.value is None:
        return "tombstone"
    try:
        document = json.loads(event.value.decode(), parse_float=Decimal, parse_constant=_refuse)
    except UnicodeDecodeError:
        return "not_utf8"
    except ValueError:
        return "not_json"
    if not isinstance(document, dict):
        return "not_object"
    return _reason(document, event.timestamp_ms) or _to_record(document, event)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _reason(document: dict[str, Any], timestamp_ms: int) -> str | None:
    for field, kind in {"customer_id": str, "purchase_date": str, "purchase_amount": int | Decimal}.items():
        if field not in document or not str(document[field]).strip():
            return f"missing_{field}"
        if not isinstance(document[field], kind):
            return f"bad_{field}"
    try:
        purchased_ms = _epoch_ms(document["purchase_date"])
    except ValueError:
        return "bad_purchase_date"
    if purchased_ms > timestamp_ms + ALLOWED_SKEW_MS:
        return "future_purchase_date"
    if abs(document["purchase_amount"]) > LARGEST_AMOUNT:
        return "out_of_range_purchase_amount"
    return None


def _to_record(document: dict[str, Any], event: Event) -> Record:
    return Record(
        document=document,
        purchased_ms=_epoch_ms(document["purchase_date"]),
        amount=Decimal(document["purchase_amount"]),
        discount=Decimal(document["discount_amount"]),
        event=event,
    )


def _epoch_ms(text: str) -> int:
    instant = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    return round(instant.timestamp() * 1_000)
