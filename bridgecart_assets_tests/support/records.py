"""Records of a topic, put into the raw layer as the Kafka slice would, without a broker."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from bridgecart_assets.contracts import RAW_BATCHES, RAW_ORDERS
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.storage.tables import delete_slice, prepare

TOPIC_ID = "topic-1"
_ARRIVED = pa.schema(
    [("partition", pa.int32()), ("offset", pa.int64()), ("at", pa.timestamp("us")), ("payload", pa.binary())]
)


@dataclass(frozen=True)
class Record:
    """One record; its offset is its place in the batch plus the batch's start."""

    payload: bytes | None
    kafka_timestamp: datetime | None = datetime(2030, 1, 1, tzinfo=UTC)
    partition: int = 0
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


def event(**fields: Any) -> bytes:
    """A valid order event, with fields replaced; a field set to `...` is left out."""
    document = {
        "order_id": "A1",
        "customer_id": "C1",
        "name": "Asha Rao",
        "age": 41,
        "income": 900000,
        "gender": "Female",
        "mobile": "+91 98450 00000",
        "purchase_date": "2025-03-04T10:00:00Z",
        "purchase_amount": 100.0,
        "coupon_used": False,
        "discount_amount": 0,
        "payment_method": "upi",
        "product_category": "Books",
        **fields,
    }
    return json.dumps({name: value for name, value in document.items() if value is not ...}).encode()


def store_batch(
    warehouse: Warehouse, batch_key: str, records: Sequence[Record], *, start: int = 0, topic_id: str = TOPIC_ID
) -> None:
    """Replace the batch's raw rows and ledger row; offsets count up from `start` in every partition."""
    rows = []
    offsets: dict[int, int] = {}
    for record in records:
        offset = offsets.get(record.partition, start)
        offsets[record.partition] = offset + 1
        timestamp = record.kafka_timestamp.replace(tzinfo=None) if record.kafka_timestamp else None
        rows.append({"partition": record.partition, "offset": offset, "at": timestamp, "payload": record.payload})
    ranges = [{"partition": p, "start": start, "end": end} for p, end in sorted(offsets.items())]
    with warehouse.transaction() as connection:
        for contract in (RAW_ORDERS, RAW_BATCHES):
            prepare(connection, contract)
            delete_slice(connection, contract, batch_key)
        connection.register("arrived", pa.Table.from_pylist(rows, schema=_ARRIVED))
        connection.execute(
            'insert into raw.orders select $topic_id, "partition", "offset", "at", \'create\', null, null, payload, '
            "$batch_key from arrived",
            {"topic_id": topic_id, "batch_key": batch_key},
        )
        connection.unregister("arrived")
        connection.execute(
            "insert into raw.batches values (?, 'orders', ?, 'test', ?, [], ?, ?, null, null)",
            [batch_key, topic_id, ranges, len(rows), len(rows)],
        )
