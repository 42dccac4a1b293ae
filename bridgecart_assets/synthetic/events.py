"""Orders as Kafka events: keys, JSON payloads and timestamps, a batch at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from bridgecart_assets.synthetic.catalog import CATEGORIES, GENDERS, SPELLINGS
from bridgecart_assets.synthetic.customers import Customers
from bridgecart_assets.synthetic.deliveries import MALFORMED_FROM, Deliveries
from bridgecart_assets.synthetic.instants import iso_instants
from bridgecart_assets.synthetic.malformed import KINDS, MALFORMED, WITHOUT_KEY, Document
from bridgecart_assets.synthetic.names import NamePools
from bridgecart_assets.synthetic.orders import Orders

CUSTOMER_TEMPLATE = (
    b'{"customer_id":"%b","name":"%b %b","age":%d,"income":%d,"gender":%b,"mobile":"+91%d","purchase_date":"'
)
ORDER_TEMPLATE = b'%b%b","purchase_amount":%a,%b,%b%09d"}'
COUPON_TEMPLATE = b'"coupon_used":true,"discount_amount":%a'
NO_COUPON = b'"coupon_used":false,"discount_amount":0.0'
CHOICES_TEMPLATE = b'"payment_method":%b,"product_category":%b,"order_id":"%b'
PURCHASE_PREFIX, REFUND_PREFIX, MALFORMED_PREFIX = b"O", b"R", b"X"


class Event(NamedTuple):
    """One Kafka record to produce; `timestamp_ms` is its explicit CreateTime in epoch milliseconds."""

    key: bytes | None
    value: bytes | None
    timestamp_ms: int


def customer_key(row: int) -> bytes:
    """The customer_id of a row of Customers, which is also the record's key: `C0000001` for row 0."""
    return b"C%07d" % (row + 1)


def encode(
    deliveries: Deliveries, *, orders: Orders, customers: Customers, names: NamePools, batch_size: int
) -> Iterator[list[Event]]:
    """The deliveries in their order, as lists of `batch_size` events (the last one may be shorter).

    Holds one fragment of JSON per customer and the events of one batch, whatever the number of deliveries.
    """
    fragments = _build_fragments(customers, names)
    for start in range(0, len(deliveries), batch_size):
        batch = deliveries.take(slice(start, start + batch_size))
        yield _encode_batch(batch, orders.take(batch.order), fragments)


@dataclass(frozen=True)
class _Fragments:
    """Parts of the JSON that many orders share, made once.

    `keys` and `customers` by row of Customers, the latter up to the opening quote of purchase_date; `choices`
    by (refund?, spelling, category) as one index, up to the letter that opens the order id.
    """

    keys: list[bytes]
    customers: list[bytes]
    choices: list[bytes]


def _build_fragments(customers: Customers, names: NamePools) -> _Fragments:
    keys = list(map(customer_key, range(len(customers))))
    columns = (
        keys,
        _choose([text[1:-1] for text in _json_texts(names.first)], customers.first_name),
        _choose([text[1:-1] for text in _json_texts(names.last)], customers.last_name),
        customers.age.tolist(),
        customers.income.tolist(),
        _choose(_json_texts(GENDERS), customers.gender),
        customers.mobile.tolist(),
    )
    combinations = product((PURCHASE_PREFIX, REFUND_PREFIX), _json_texts(SPELLINGS), _json_texts(CATEGORIES))
    return _Fragments(
        keys=keys,
        customers=list(map(CUSTOMER_TEMPLATE.__mod__, zip(*columns, strict=True))),
        choices=[CHOICES_TEMPLATE % (spelling, category, prefix) for prefix, spelling, category in combinations],
    )


def _encode_batch(batch: Deliveries, orders: Orders, fragments: _Fragments) -> list[Event]:
    keys: list[bytes | None] = [*_choose(fragments.keys, orders.customer)]
    values: list[bytes | None] = [*_payloads(orders, fragments)]
    for place in np.flatnonzero(batch.how >= MALFORMED_FROM).tolist():
        kind = KINDS[int(batch.how[place]) - MALFORMED_FROM]
        values[place] = MALFORMED[kind](_document_to_damage(values[place]))
        if kind in WITHOUT_KEY:
            keys[place] = None
    return list(map(Event, keys, values, batch.timestamp_ms.tolist()))


def _payloads(orders: Orders, fragments: _Fragments) -> Iterator[bytes]:
    """JSON of each order, spliced: what differs per order is a number, a date or an id, and needs no escape.

    `%a` writes the shortest decimal that reads back as the same float: cents / 100 has two decimals at most.
    """
    is_refund = (orders.gross_cents < 0).astype(np.int64)
    choice = (is_refund * len(SPELLINGS) + orders.spelling) * len(CATEGORIES) + orders.category
    columns = (
        _choose(fragments.customers, orders.customer),
        iso_instants(orders.ordered_ms),
        (orders.gross_cents / 100).tolist(),
        [COUPON_TEMPLATE % amount if amount else NO_COUPON for amount in (orders.discount_cents / 100).tolist()],
        _choose(fragments.choices, choice),
        orders.number.tolist(),
    )
    return map(ORDER_TEMPLATE.__mod__, zip(*columns, strict=True))


def _document_to_damage(payload: bytes | None) -> Document:
    """The document of a valid payload, under another order id: the damaged order is not the real one."""
    document: Document = orjson.loads(payload or b"{}")
    return document | {"order_id": MALFORMED_PREFIX.decode() + str(document["order_id"])[1:]}


def _choose(texts: Sequence[bytes], indices: NDArray[np.integer[Any]]) -> list[bytes]:
    return [texts[index] for index in indices.tolist()]


def _json_texts(texts: Sequence[str]) -> list[bytes]:
    """Each text as a JSON string, quoted and escaped."""
    return [orjson.dumps(text) for text in texts]
