"""How records of a batch are read: as BridgeCart's own event, or by a mapping.

What belongs elsewhere: the mapping itself and how it reads (`sources/mapping`), and what becomes of its values
(`sql/silver/tmp_mapped_events.sql`).
"""

import pyarrow as pa

_INSTANT = pa.timestamp("us", tz="UTC")
_MONEY = pa.decimal128(18, 2)

MAPPED = pa.schema(
    {
        "topic_id": pa.string(),
        "partition": pa.int32(),
        "offset": pa.int64(),
        "kafka_timestamp": pa.timestamp("us"),
        "batch_key": pa.string(),
        "unreadable": pa.string(),
        "skipped": pa.string(),
        "bad_fields": pa.list_(pa.string()),
        "order_id": pa.string(),
        "version": pa.decimal128(38, 0),
        "is_void": pa.bool_(),
        "customer_id": pa.string(),
        "purchase_date": _INSTANT,
        "purchase_amount": _MONEY,
        "discount_amount": _MONEY,
        "refunds": pa.list_(pa.struct({"at": _INSTANT, "amount": _MONEY})),
        "currency": pa.string(),
        "coupon_used": pa.bool_(),
        "payment_method": pa.string(),
        "product_category": pa.string(),
        "name": pa.string(),
        "mobile": pa.string(),
        "gender": pa.string(),
        "age": pa.int32(),
        "income": _MONEY,
    }
)
"""What a mapping says of a record: why it cannot be read or is left out, which fields failed, and the fields."""


def not_mapped(_records: pa.Table) -> pa.Table:
    """What no mapping says of the records of a batch that is read as BridgeCart's own event."""
    return MAPPED.empty_table()
