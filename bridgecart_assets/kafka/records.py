"""Records: Kafka messages as Arrow columns, every byte as it arrived."""

import logging
from collections.abc import Sequence
from typing import cast

import pyarrow as pa
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, Message

logger = logging.getLogger(__name__)

_INSTANT = pa.timestamp("us", tz="UTC")
_HEADERS = pa.list_(pa.struct([pa.field("name", pa.string()), pa.field("value", pa.binary())]))

RECORD_SCHEMA = pa.schema(
    [
        pa.field("partition", pa.int32(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("kafka_timestamp", _INSTANT),
        pa.field("timestamp_type", pa.string()),
        pa.field("key", pa.binary()),
        pa.field("headers", _HEADERS),
        pa.field("payload", pa.binary()),
    ]
)

_TIMESTAMP_TYPES = {TIMESTAMP_CREATE_TIME: "create", TIMESTAMP_LOG_APPEND_TIME: "append"}
# The end of the year 9999: later instants, such as microseconds sent as milliseconds, have no Python datetime.
_LAST_MILLISECOND = 253_402_300_799_999

Headers = list[tuple[str, bytes | None]]


def record_batch(messages: Sequence[Message]) -> pa.RecordBatch:
    """Messages without error as rows of `RECORD_SCHEMA`, in the order given.

    NULL stands for: no timestamp (or one before 1970 or after 9999), no key, no headers, a tombstone's payload.
    """
    timestamps = [message.timestamp() for message in messages]
    instants = [millis if kind and 0 <= millis <= _LAST_MILLISECOND else None for kind, millis in timestamps]
    columns = [
        pa.array([message.partition() for message in messages], pa.int32()),
        pa.array([message.offset() for message in messages], pa.int64()),
        pa.array(instants, pa.timestamp("ms", tz="UTC")).cast(_INSTANT),
        pa.array([_TIMESTAMP_TYPES.get(kind) for kind, _ in timestamps], pa.string()),
        pa.array([message.key() for message in messages], pa.binary()),
        pa.array(_headers(messages), _HEADERS),
        pa.array([message.value() for message in messages], pa.binary()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=RECORD_SCHEMA)


def _headers(messages: Sequence[Message]) -> list[Headers | None]:
    found: list[Headers | None] = []
    for message in messages:
        try:
            found.append(cast(Headers | None, message.headers()))
        except (SystemError, UnicodeDecodeError):
            # A header name that is not UTF-8. One strange record must not stop every later batch, and a second
            # call would return a list with a NULL pointer in it.
            logger.warning(
                "partition %s, offset %s: headers dropped, a name is not UTF-8",
                message.partition(),
                message.offset(),
            )
            found.append(None)
    return found
