import logging
from datetime import UTC, datetime

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, TIMESTAMP_NOT_AVAILABLE, Message

from bridgecart_assets.sources.kafka.records import RECORD_SCHEMA, read_headers, record_batch


def a_message(offset: int, kind: int = TIMESTAMP_CREATE_TIME, millis: int = 1_000) -> Message:
    return Message(topic="orders", partition=4, offset=offset, value=b"order", timestamp=(kind, millis))


def headers_of(message: Message) -> object:
    """As confluent-kafka reads headers: SystemError for a name that is not UTF-8, which is that of offset 7."""
    if message.offset() == 7:
        raise SystemError("returned a result with an exception set")
    return [("place", str(message.offset()).encode())] if message.offset() != 8 else None


def test_headers_that_cannot_be_decoded_are_dropped_and_no_others(caplog: pytest.LogCaptureFixture) -> None:
    messages = [a_message(offset) for offset in (6, 7, 8, 7, 9)]
    with caplog.at_level(logging.WARNING):
        found = read_headers(messages, headers_of)
    assert found == [[("place", b"6")], None, None, None, [("place", b"9")]]
    assert caplog.text.count("partition 4, offset 7") == 2


def test_timestamps_are_instants_or_null_each_with_its_type() -> None:
    kinds = [TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, TIMESTAMP_NOT_AVAILABLE, TIMESTAMP_CREATE_TIME]
    millis = [1_700_000_000_123, 253_402_300_799_999, -1, 253_402_300_800_000]
    batch = record_batch([a_message(n, kind, at) for n, (kind, at) in enumerate(zip(kinds, millis, strict=True))])
    assert batch.schema == RECORD_SCHEMA
    assert [(row["kafka_timestamp"], row["timestamp_type"]) for row in batch.to_pylist()] == [
        (datetime(2023, 11, 14, 22, 13, 20, 123_000, UTC), "create"),
        (datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC), "append"),
        (None, None),
        (None, "create"),
    ]


def test_a_time_before_1970_is_null() -> None:
    (row,) = record_batch([a_message(0, TIMESTAMP_CREATE_TIME, -1)]).to_pylist()
    assert row["kafka_timestamp"] is None
