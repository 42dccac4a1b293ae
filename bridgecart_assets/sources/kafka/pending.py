"""Pending records: those of open transactions and all behind them, which no reader of committed records is served.

A producer that died without ending its transaction holds them back until the broker ends it; a hanging one for ever.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, TopicPartition

from bridgecart_assets.sources.kafka.clients import open_consumer
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.offsets import TopicState

LONGEST_TRANSACTION = timedelta(minutes=15)
"""By default brokers let none last longer (transaction.max.timeout.ms)."""

_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Pending:
    """Number of records that wait; of the partition that waits longest, from which offset on and since when."""

    topic: str
    records: int
    partition: int
    offset: int
    since: datetime | None

    def is_hanging(self, now: datetime) -> bool:
        """True if they wait for longer than a transaction may last. An unknown time is no reason to say so."""
        return self.since is not None and now - self.since > LONGEST_TRANSACTION

    @property
    def says(self) -> str:
        """In words."""
        since = f", the first of them since {self.since:%Y-%m-%d %H:%M:%S} UTC" if self.since else ""
        return f"{self.records:,} records wait for an open transaction of a producer{since}"

    @property
    def remedy(self) -> str:
        """The remedy when it does not end."""
        return (
            "If its producer is gone, end it with `kafka-transactions.sh abort --topic "
            f"{self.topic} --partition {self.partition} --start-offset {self.offset}` (`find-hanging` lists all), and "
            "keep the producers' transaction.timeout.ms short."
        )


def pending_records(connection: KafkaConnection, state: TopicState) -> Pending | None:
    """Records that wait for open transactions, None without any. Since when is unknown if the broker does not say."""
    if not state.pending:
        return None
    first = {partition: state.partitions[partition].end for partition in state.pending}
    times = _times(connection, first)
    partition = min(first, key=lambda p: (times.get(p, datetime.max.replace(tzinfo=UTC)), p))
    return Pending(state.topic, sum(state.pending.values()), partition, first[partition], since=times.get(partition))


def _times(connection: KafkaConnection, offsets: dict[int, int]) -> dict[int, datetime]:
    """The times of the records at these offsets, of those that are served in time."""
    times: dict[int, datetime] = {}
    deadline = time.monotonic() + connection.timeout_seconds
    with open_consumer(connection, isolation="read_uncommitted") as (consumer, _):
        consumer.assign([TopicPartition(connection.topic, partition, offset) for partition, offset in offsets.items()])
        while len(times) < len(offsets) and time.monotonic() < deadline:
            for message in consumer.consume(len(offsets), timeout=_POLL_SECONDS):
                partition = message.partition()
                kind, millis = message.timestamp()
                if message.error() is None and partition is not None and kind != TIMESTAMP_NOT_AVAILABLE:
                    times.setdefault(partition, datetime.fromtimestamp(millis / 1000, UTC))
    return times
