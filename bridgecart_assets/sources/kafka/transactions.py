"""Producing exactly once: numbered records, and in the same Kafka transaction how far they go.

The number of the last record is committed as the offset of a consumer group that nobody reads with, at partition 0 of
the topic. So records and number become true together, and whoever comes after a crash asks Kafka where to go on.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from bridgecart_assets.sources.kafka.clients import Reports, failure, open_consumer, open_producer
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.groups import committed_offsets

_DEFAULTS = {"partitioner": "murmur2_random", "linger.ms": 20, "compression.type": "lz4"}
_MARKED_PARTITION = 0


@dataclass(frozen=True)
class Numbered:
    """A record and its number, which is greater than that of every record before it."""

    number: int
    key: bytes
    value: bytes


@dataclass(frozen=True)
class Transactions:
    """A producer that nobody else of the same group can go on beside: an older one is refused from now on."""

    connection: KafkaConnection
    group: str
    producer: Producer
    consumer: Consumer
    reports: Reports

    def delivered(self) -> int:
        """Number of the last record that was sent; 0 before the first. Raises `KafkaFailure`."""
        return (committed_offsets(self.connection, self.group) or {}).get(_MARKED_PARTITION, 0)

    def send(self, records: Sequence[Numbered]) -> None:
        """Send the records, all of them or none. Raises `KafkaFailure`; this object is of no use after that."""
        seconds = self.connection.timeout_seconds
        marker = TopicPartition(self.connection.topic, _MARKED_PARTITION, records[-1].number)
        try:
            self.producer.begin_transaction()
            for record in records:
                self.producer.produce(self.connection.topic, record.value, record.key)
            self.producer.send_offsets_to_transaction([marker], self.consumer.consumer_group_metadata(), seconds)
            self.producer.commit_transaction(seconds)
        except KafkaException as error:
            # What cannot be aborted either, the broker aborts once it is given up.
            with suppress(KafkaException):
                self.producer.abort_transaction(seconds)
            raise failure(self.reports, error.args[0]) from None


@contextmanager
def transactions(connection: KafkaConnection, group: str) -> Iterator[Transactions]:
    """Begin to send for this group; what a producer before left unfinished is finished or undone.

    Raises `KafkaFailure`.
    """
    required = {"transactional.id": group, "acks": "all"}
    producer, reports = open_producer(connection, defaults=_DEFAULTS, required=required)
    try:
        with open_consumer(connection, group) as (consumer, _):
            try:
                producer.init_transactions(connection.timeout_seconds)
            except KafkaException as error:
                raise failure(reports, error.args[0]) from None
            yield Transactions(connection, group, producer, consumer, reports)
    finally:
        # One that a newer producer has shut out says so once more.
        with suppress(KafkaException):
            producer.close()
