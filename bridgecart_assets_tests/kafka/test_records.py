import logging

import pytest

from bridgecart_assets.kafka.records import record_batch


class StrangeMessage:
    """A message whose header name is not UTF-8: confluent-kafka raises SystemError for it."""

    def partition(self) -> int:
        return 4

    def offset(self) -> int:
        return 7

    def timestamp(self) -> tuple[int, int]:
        return 0, -1

    def key(self) -> bytes | None:
        return None

    def value(self) -> bytes:
        return b"order"

    def headers(self) -> list[tuple[str, bytes]]:
        raise SystemError("returned a result with an exception set")


def test_a_header_that_cannot_be_decoded_does_not_stop_the_batch(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        (row,) = record_batch([StrangeMessage()]).to_pylist()  # type: ignore[list-item]
    assert row["payload"] == b"order"
    assert row["headers"] is None
    assert "partition 4, offset 7" in caplog.text


def test_a_broker_without_timestamps_gives_nulls() -> None:
    (row,) = record_batch([StrangeMessage()]).to_pylist()  # type: ignore[list-item]
    assert row["kafka_timestamp"] is None
    assert row["timestamp_type"] is None
