"""Producing: many records, fast, each of them acknowledged."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from bridgecart_assets.sources.kafka.clients import Reports, failure, open_producer
from bridgecart_assets.sources.kafka.connection import KafkaConnection, redact
from bridgecart_assets.sources.kafka.error_hints import is_refusal, produce_remedy
from bridgecart_assets.sources.kafka.errors import ProduceFailed
from bridgecart_assets.sources.kafka.positions import topic_id

Event = tuple[bytes | None, bytes | None, int]
"""Key, value (None: a tombstone) and creation time in milliseconds since 1970 (0: the client's clock)."""

_DEFAULTS = {
    # The same key lands in the partition where Java clients put it.
    "partitioner": "murmur2_random",
    # One request at a time keeps the order per key when one is retried. Idempotence does so too, at half the speed
    # and half a second to start on the embedded broker; with enable.idempotence=true among the properties it is used.
    "max.in.flight.requests.per.connection": 1,
    "linger.ms": 20,
    "compression.type": "lz4",
    "message.max.bytes": 2 * 1024 * 1024,
    "queue.buffering.max.messages": 200_000,
    "queue.buffering.max.kbytes": 128 * 1024,
}
Headers = list[tuple[str, str | bytes | None]]

_POLL_EVERY = 1_000
_POLL_SECONDS = 0.1


@dataclass
class _Undelivered:
    """Counts records the broker did not acknowledge: the producer's `on_delivery`, called for failures only."""

    count: int = 0
    error: KafkaError | None = None

    def __call__(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self.count += 1
            self.error = self.error or error


def produce(
    connection: KafkaConnection,
    events: Iterable[Event],
    *,
    headers: Sequence[tuple[str, bytes]] | None = None,
    flush_seconds: float = 60.0,
) -> int:
    """Send `events` to the topic, in order per key; return their number once all are acknowledged.

    `headers` go with every record. Delivery is at least once. Raises `ProduceFailed` when a record is refused or not
    acknowledged within `flush_seconds`, `BrokerRefused` when this client may not write to the topic, and like
    `topic_state` before the first one is sent.
    """
    topic_id(connection)
    with_each: Headers | None = [*headers] if headers else None
    undelivered = _Undelivered()
    producer, reports = _open(connection, undelivered, flush_seconds)
    sent = 0
    try:
        for event in events:
            _send(producer, connection.topic, event, with_each)
            sent += 1
            if sent % _POLL_EVERY == 0:
                producer.poll(0)
                if undelivered.count:
                    break
    finally:
        # Also when `events` raises: what it handed over before is sent.
        left = _flush(producer, undelivered, flush_seconds)
        producer.close()
    if left or undelivered.count:
        if undelivered.error is not None and is_refusal(undelivered.error):
            raise failure(reports, undelivered.error)
        reason = undelivered.error.str() if undelivered.error else f"no answer within {flush_seconds:g} s"
        raise ProduceFailed(
            f"{min(sent, left + undelivered.count)} of {sent} records for topic {connection.topic!r} were not "
            f"acknowledged by Kafka at {connection.bootstrap_servers} ({redact(connection, reason)}); "
            f"{produce_remedy(undelivered.error, reports.throttled_seconds)}"
        )
    return sent


def _open(connection: KafkaConnection, undelivered: _Undelivered, flush_seconds: float) -> tuple[Producer, Reports]:
    required = {
        "acks": "all",
        "on_delivery": undelivered,
        "delivery.report.only.error": True,
        "message.timeout.ms": int(flush_seconds * 1000),
    }
    return open_producer(connection, defaults=_DEFAULTS, required=required)


def _send(producer: Producer, topic: str, event: Event, headers: Headers | None) -> None:
    key, value, timestamp_ms = event
    while True:
        try:
            producer.produce(topic, value, key, timestamp=timestamp_ms, headers=headers)
            return
        except BufferError:
            # The queue is full; records leave it when they are acknowledged or time out.
            producer.poll(_POLL_SECONDS)
        except KafkaException as error:
            reason = error.args[0].str()
            size = len(value or b"")
            raise ProduceFailed(f"a record of {size} bytes for topic {topic!r} was not accepted: {reason}") from None


def _flush(producer: Producer, undelivered: _Undelivered, seconds: float) -> int:
    deadline = time.monotonic() + seconds
    while len(producer) and not undelivered.count and time.monotonic() < deadline:
        producer.flush(_POLL_SECONDS)
    left = len(producer)
    if left:
        producer.purge()
    return left
