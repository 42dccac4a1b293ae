"""Cursor: how far the reading of a plan has come, and which polled messages belong to it."""

from collections.abc import Sequence

import pyarrow as pa
from confluent_kafka import KafkaError, Message

from bridgecart_assets.sources.kafka.clients import TOLERATED_WHEN_READING, Reports, failure, position
from bridgecart_assets.sources.kafka.errors import RecordsGone
from bridgecart_assets.sources.kafka.offsets import BatchPlan
from bridgecart_assets.sources.kafka.records import last_rows, record_batch


class Cursor:
    """Next offset per partition of a plan. A partition is read when nothing before its end can still arrive:
    its last offset was read, a later one arrived, or the broker reported the end of the partition behind it."""

    def __init__(self, plan: BatchPlan) -> None:
        self.next = {partition: span.start for partition, span in plan.ranges.items()}
        self.ends = plan.ends
        self.unread = {partition for partition, span in plan.ranges.items() if span.count}

    @property
    def remaining(self) -> int:
        """Upper bound of the records still to come."""
        return sum(self.ends[partition] - self.next[partition] for partition in self.unread)

    def accept(self, polled: Sequence[Message], reports: Reports) -> pa.RecordBatch:
        """The records of the plan among `polled`, as rows of `RECORD_SCHEMA`; moves on past them.

        Raises `KafkaFailure` for a fatal error.
        """
        errors = map(Message.error, polled)
        messages = [message for message, error in zip(polled, errors, strict=True) if error is None]
        records = record_batch(messages)
        offsets = records.column("offset").to_numpy()
        # Offsets ascend within a partition.
        reached = {partition: int(offsets[row]) + 1 for partition, row in last_rows(records).items()}
        for partition, offset in reached.items():
            self._reach(partition, offset)
        if len(messages) < len(polled):
            self._note_events(polled, reports)
        if any(offset > self.ends[partition] for partition, offset in reached.items()):
            return records.filter(pa.array(map(self._holds, messages), pa.bool_()))
        return records

    def take_finished(self) -> list[int]:
        """Partitions that are read since the last call."""
        finished = sorted(partition for partition in self.unread if self.next[partition] >= self.ends[partition])
        self.unread.difference_update(finished)
        return finished

    def _holds(self, message: Message) -> bool:
        partition, offset = position(message)
        return offset < self.ends[partition]

    def _reach(self, partition: int, offset: int) -> None:
        self.next[partition] = max(self.next[partition], min(offset, self.ends[partition]))

    def _note_events(self, polled: Sequence[Message], reports: Reports) -> None:
        for message in polled:
            error = message.error()
            if error is None or error.code() in TOLERATED_WHEN_READING:
                continue
            partition, offset = position(message)
            if error.code() == KafkaError._AUTO_OFFSET_RESET:
                raise RecordsGone(
                    f"retention removed records while they were read: partition {partition} of topic "
                    f"{message.topic()!r} no longer has offset {self.next[partition]}"
                )
            if error.code() != KafkaError._PARTITION_EOF:
                raise failure(reports, error)
            if offset >= self.ends[partition]:
                self._reach(partition, offset)
