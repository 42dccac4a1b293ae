"""Reading: the records of one batch plan, streamed in record batches of bounded memory.

A slice is bounded by position, not by count: transaction markers and compaction leave gaps between offsets.
Nothing is committed and no group is joined, so a slice can be read again as long as the broker retains it.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from confluent_kafka import Message, TopicPartition

from bridgecart_assets.kafka.clients import Reports, open_consumer
from bridgecart_assets.kafka.connection import KafkaConnection, redact
from bridgecart_assets.kafka.cursor import Cursor
from bridgecart_assets.kafka.errors import RangeNotReadable, ReadStalled, RecordsGone, TopicReplaced
from bridgecart_assets.kafka.offsets import BatchPlan, TopicState
from bridgecart_assets.kafka.positions import topic_id, topic_state
from bridgecart_assets.kafka.records import record_batch

_POLL_SECONDS = 0.1
# Small polls keep messages in the processor's cache: 500 at a time is twice as fast as 5,000.
_POLL_RECORDS = 500
_POLL_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class _PollLimit:
    """How many records to ask for at once, so that neither their number nor their bytes go out of hand."""

    records: int
    bytes: int

    def after(self, messages: list[Message]) -> int:
        """The next number, judging by the size of the last messages."""
        mean_bytes = sum(map(len, messages)) // len(messages) + 1
        return max(1, min(self.records, self.bytes // mean_bytes))


def read_slice(
    connection: KafkaConnection,
    plan: BatchPlan,
    *,
    chunk_records: int = 50_000,
    chunk_bytes: int = 64 * 1024 * 1024,
    stall_seconds: float = 30.0,
) -> Iterator[pa.RecordBatch]:
    """Exactly the records of `plan` as `RECORD_SCHEMA`, offsets ascending within a partition.

    The call itself verifies that the topic can still serve the plan and raises `TopicReplaced`, `RecordsGone` or
    `RangeNotReadable` before anything is read. Iterating raises `ReadStalled` when nothing arrives for
    `stall_seconds`. A chunk holds at most `chunk_records` rows and, unless records suddenly grow, `chunk_bytes`.
    """
    verify_plan(plan, topic_state(connection))
    return _chunks(connection, plan, chunk_records, chunk_bytes, stall_seconds)


def verify_plan(plan: BatchPlan, state: TopicState) -> None:
    """Raise `TopicReplaced`, `RecordsGone` or `RangeNotReadable` unless the topic serves all of `plan`."""
    _verify_topic(plan, state.topic_id)
    for partition, span in plan.ranges.items():
        if not span.count:
            continue
        where = f"partition {partition} of topic {plan.topic!r}"
        held = state.partitions.get(partition)
        if held is None or held.end < span.end:
            end = "is missing" if held is None else f"can be read up to {held.end}"
            raise RangeNotReadable(
                f"batch {plan.batch_key} needs offsets up to {span.end}, {where} {end}; "
                "check that BRIDGECART_KAFKA_BOOTSTRAP_SERVERS names the cluster of this warehouse"
            )
        if held.start > span.start:
            raise RecordsGone(
                f"batch {plan.batch_key} cannot be read again: retention removed "
                f"{min(held.start, span.end) - span.start} of its records, {where} now starts at {held.start}"
            )


def _verify_topic(plan: BatchPlan, found: str) -> None:
    if found != plan.topic_id:
        raise TopicReplaced(
            f"topic {plan.topic!r} was deleted and created again (id {found}, batch {plan.batch_key} was planned "
            f"on {plan.topic_id}); its records are gone, new batches read the new topic"
        )


def _chunks(
    connection: KafkaConnection, plan: BatchPlan, chunk_records: int, chunk_bytes: int, stall_seconds: float
) -> Iterator[pa.RecordBatch]:
    pieces: list[pa.RecordBatch] = []
    rows = size = 0
    limit = _PollLimit(min(chunk_records, _POLL_RECORDS), min(chunk_bytes, _POLL_BYTES))
    for messages in _messages(connection, plan, limit, stall_seconds):
        piece = record_batch(messages)
        if pieces and (rows + piece.num_rows > chunk_records or size + piece.nbytes > chunk_bytes):
            yield pa.concat_batches(pieces)
            pieces, rows, size = [], 0, 0
        pieces.append(piece)
        rows, size = rows + piece.num_rows, size + piece.nbytes
    if pieces:
        yield pa.concat_batches(pieces)
    # A topic re-created while it was read serves other records under the same offsets.
    _verify_topic(plan, topic_id(connection))


def _messages(
    connection: KafkaConnection, plan: BatchPlan, limit: _PollLimit, stall_seconds: float
) -> Iterator[list[Message]]:
    cursor = Cursor(plan)
    if not cursor.unread:
        return
    with open_consumer(connection) as (consumer, reports):
        consumer.assign([TopicPartition(plan.topic, partition, cursor.next[partition]) for partition in cursor.unread])
        wanted = 1
        progress = time.monotonic()
        while cursor.unread:
            polled = consumer.consume(min(wanted, cursor.remaining), timeout=_POLL_SECONDS)
            messages = cursor.accept(polled, reports)
            finished = cursor.take_finished()
            if finished:
                consumer.pause([TopicPartition(plan.topic, partition) for partition in finished])
            if messages:
                wanted = limit.after(messages)
                yield messages
            reports.raise_refusal()
            if messages or finished:
                # Taken after the yield: the time the caller needs for a chunk is not the broker's.
                progress = time.monotonic()
            elif time.monotonic() - progress > stall_seconds:
                raise _stalled(cursor, plan, reports, stall_seconds)


def _stalled(cursor: Cursor, plan: BatchPlan, reports: Reports, stall_seconds: float) -> ReadStalled:
    partition = min(cursor.unread)
    because = redact(reports.connection, f"; last report: {reports.last.str()}") if reports.last else ""
    return ReadStalled(
        f"batch {plan.batch_key}: partition {partition} of topic {plan.topic!r} served nothing for {stall_seconds:g} s "
        f"at offset {cursor.next[partition]}, {cursor.ends[partition]} is needed; try again when the broker is "
        f"healthy{because}"
    )
