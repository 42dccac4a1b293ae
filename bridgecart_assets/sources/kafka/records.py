"""Records: Kafka messages as Arrow columns, every byte as it arrived."""

import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import numpy as np
import pyarrow as pa
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

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

# By the client's code of the type, which is an index here.
_TIMESTAMP_TYPES = pa.array([None, "create", "append"], pa.string())
# The end of the year 9999: later instants, such as microseconds sent as milliseconds, have no Python datetime.
_LAST_MILLISECOND = 253_402_300_799_999

Headers = list[tuple[str, bytes | None]]


def record_batch(messages: Sequence[Message]) -> pa.RecordBatch:
    """Messages without error as rows of `RECORD_SCHEMA`, in the order given.

    NULL stands for: no timestamp (or one before 1970 or after 9999), no key, no headers, a tombstone's payload.
    """
    # Columns come from methods mapped over the messages, which takes a third of the time of a comprehension. And
    # nothing that the garbage collector would have to look at is kept per message.
    columns = [
        pa.array(np.fromiter(map(Message.partition, messages), np.int32, len(messages))),
        pa.array(np.fromiter(map(Message.offset, messages), np.int64, len(messages))),
        *_timestamps(messages),
        pa.array(list(map(Message.key, messages)), pa.binary()),
        _headers(messages),
        pa.array(list(map(Message.value, messages)), pa.binary()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=RECORD_SCHEMA)


def last_rows(records: pa.RecordBatch) -> dict[int, int]:
    """The last row of each partition in rows of `RECORD_SCHEMA`."""
    partitions = records.column("partition").to_numpy()
    # Dicts keep the last value, and hundreds of neighbours are of one partition.
    ends = np.flatnonzero(np.append(partitions[1:] != partitions[:-1], True))[: len(partitions)]
    return dict(zip(partitions[ends].tolist(), ends.tolist(), strict=True))


def _timestamps(messages: Sequence[Message]) -> tuple[pa.Array, pa.Array]:
    flat = itertools.chain.from_iterable(map(Message.timestamp, messages))
    kinds, millis = np.fromiter(flat, np.int64, 2 * len(messages)).reshape(-1, 2).T
    missing = (kinds == TIMESTAMP_NOT_AVAILABLE) | (millis < 0) | (millis > _LAST_MILLISECOND)
    instants = pa.array(np.where(missing, 0, millis) * 1000, _INSTANT, mask=missing)
    return instants, _TIMESTAMP_TYPES.take(pa.array(kinds))


def _headers(messages: Sequence[Message]) -> pa.Array:
    found = read_headers(messages)
    if found.count(None) == len(found):
        return pa.nulls(len(found), _HEADERS)
    return pa.array(found, _HEADERS)


def read_headers(
    messages: Sequence[Message], headers_of: Callable[[Message], object] = Message.headers
) -> list[Headers | None]:
    """The headers of each message; None for those without, and for those that cannot be decoded."""
    found: list[Headers | None] = []
    reading = cast(Iterator[Headers | None], map(headers_of, messages))
    while len(found) < len(messages):
        try:
            # Up to the first that raises: what came before it stays in the list.
            found.extend(reading)
        except (SystemError, UnicodeDecodeError):
            # A header name that is not UTF-8. One strange record must not stop every later batch, and a second
            # call would return a list with a NULL pointer in it.
            strange = messages[len(found)]
            logger.warning(
                "partition %s, offset %s: headers dropped, a name is not UTF-8", strange.partition(), strange.offset()
            )
            found.append(None)
    return found
