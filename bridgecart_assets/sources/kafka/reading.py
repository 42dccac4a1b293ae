"""Reading: the records of one batch plan, streamed in record batches of bounded memory.

A slice is bounded by position, not by count: transaction markers and compaction leave gaps between offsets.
Nothing is committed and no group is joined, so a slice can be read again as long as the broker retains it.
"""

import sys
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import pyarrow as pa
from confluent_kafka import TopicPartition

from bridgecart_assets.sources.kafka.clients import Reports, open_consumer
from bridgecart_assets.sources.kafka.connection import KafkaConnection, redact
from bridgecart_assets.sources.kafka.continuity import NOTHING_KNOWN, KnownTopics, LastRecord, last_records
from bridgecart_assets.sources.kafka.cursor import Cursor
from bridgecart_assets.sources.kafka.error_hints import quota_remedy
from bridgecart_assets.sources.kafka.errors import RangeNotReadable, ReadStalled, RecordsGone, TopicReplaced
from bridgecart_assets.sources.kafka.offsets import BatchPlan, TopicState
from bridgecart_assets.sources.kafka.positions import topic_state

_POLL_SECONDS = 0.1
# Every poll takes as long as fifty of its records; that many still fit into the processor's cache.
_POLL_RECORDS = 2_000
_POLL_BYTES = 16 * 1024 * 1024
# What is polled is added whole or not at all: small parts fill a chunk, and chunks a limit, nearly.
_POLLS_IN_CHUNK = 4
_CHUNKS_IN_LIMIT = 4
# As many records as DuckDB compresses at once, while nobody takes any.
_CHUNKS_AHEAD = 8


@dataclass(frozen=True)
class _PollLimit:
    """Number of records to ask for at once, so that neither their number nor their bytes go out of hand."""

    records: int
    bytes: int

    def after(self, records: pa.RecordBatch) -> int:
        """The next number, judging by the size of the last records."""
        mean_bytes = int(records.nbytes // records.num_rows) + 1
        return max(1, min(self.records, self.bytes // mean_bytes))


def read_slice(
    connection: KafkaConnection,
    plan: BatchPlan,
    *,
    chunk_records: int = 16_000,
    chunk_bytes: int = 8 * 1024 * 1024,
    stall_seconds: float = 30.0,
    max_bytes: int | None = None,
    known: KnownTopics = NOTHING_KNOWN,
) -> "Slice":
    """Exactly the records of `plan` as `RECORD_SCHEMA`, offsets ascending within a partition.

    The call itself verifies that the topic can still serve the plan and raises `TopicReplaced`, `RecordsGone` or
    `RangeNotReadable` before anything is read. Iterating raises `ReadStalled` when nothing arrives for
    `stall_seconds`. A chunk holds at most `chunk_records` rows and, unless records suddenly grow, `chunk_bytes`.
    With `max_bytes` reading ends before the chunk that would exceed it, the first one excepted. At the end the topic
    has to have what is `known` of it.
    """
    verify_plan(plan, topic_state(connection))
    limit = max_bytes or sys.maxsize
    chunk_bytes = min(chunk_bytes, limit // _CHUNKS_IN_LIMIT)
    abandoned = threading.Event()
    chunks = _chunks(connection, plan, chunk_records, chunk_bytes, stall_seconds, abandoned)
    return Slice(connection, plan, chunks, abandoned, max_bytes=limit, known=known)


class Slice:
    """The chunks of one plan, to be iterated once.

    At the end, `covered` is the plan as far as it was read, and `last_records` are the last ones of each partition.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        plan: BatchPlan,
        chunks: Generator[pa.RecordBatch, None, None],
        abandoned: threading.Event,
        *,
        max_bytes: int,
        known: KnownTopics,
    ) -> None:
        self.covered = plan
        self.last_records: dict[int, LastRecord] = {}
        self._known = known
        self._connection = connection
        self._chunks = chunks
        self._abandoned = abandoned
        self._max_bytes = max_bytes

    def __iter__(self) -> Generator[pa.RecordBatch, None, None]:
        """The chunks, as many as the limit of bytes allows. Raises `TopicReplaced` or `HistoryRewritten` at the end."""
        with closing(self._chunks):
            yield from self._within_limit()
        # A topic re-created while it was read serves other records under the same offsets.
        _verify_topic(self.covered, topic_state(self._connection, self._known).topic_id)

    def ahead(self) -> Generator[pa.RecordBatch, None, None]:
        """The chunks as by iteration, read in another thread while the caller works on those before them.

        At most a few chunks are read ahead. Closing the generator ends the reading, wherever it is.
        """
        with closing(iter(self)) as chunks, ThreadPoolExecutor(1, "read-ahead") as reader:
            following = deque(reader.submit(next, chunks, None) for _ in range(_CHUNKS_AHEAD))
            try:
                while (chunk := following.popleft().result()) is not None:
                    following.append(reader.submit(next, chunks, None))
                    yield chunk
            finally:
                self._abandoned.set()
                reader.shutdown(cancel_futures=True)

    def _within_limit(self) -> Iterator[pa.RecordBatch]:
        size = 0
        for chunk in self._chunks:
            if size and size + chunk.nbytes > self._max_bytes:
                self.covered = self.covered.cut({p: last.offset + 1 for p, last in self.last_records.items()})
                return
            size += chunk.nbytes
            self.last_records |= last_records(chunk)
            yield chunk


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
    connection: KafkaConnection,
    plan: BatchPlan,
    chunk_records: int,
    chunk_bytes: int,
    stall_seconds: float,
    abandoned: threading.Event,
) -> Generator[pa.RecordBatch, None, None]:
    pieces: list[pa.RecordBatch] = []
    rows = size = 0
    limit = _PollLimit(min(chunk_records, _POLL_RECORDS), min(chunk_bytes // _POLLS_IN_CHUNK, _POLL_BYTES))
    for piece in _pieces(connection, plan, limit, stall_seconds, abandoned):
        if pieces and (rows + piece.num_rows > chunk_records or size + piece.nbytes > chunk_bytes):
            yield pa.concat_batches(pieces)
            pieces, rows, size = [], 0, 0
        pieces.append(piece)
        rows, size = rows + piece.num_rows, size + piece.nbytes
    if pieces:
        yield pa.concat_batches(pieces)


def _pieces(
    connection: KafkaConnection,
    plan: BatchPlan,
    limit: _PollLimit,
    stall_seconds: float,
    abandoned: threading.Event,
) -> Iterator[pa.RecordBatch]:
    cursor = Cursor(plan)
    if not cursor.unread:
        return
    with open_consumer(connection) as (consumer, reports):
        consumer.assign([TopicPartition(plan.topic, partition, cursor.next[partition]) for partition in cursor.unread])
        wanted = 1
        progress = time.monotonic()
        while cursor.unread and not abandoned.is_set():
            polled = consumer.consume(min(wanted, cursor.remaining), timeout=_POLL_SECONDS)
            records = cursor.accept(polled, reports)
            finished = cursor.take_finished()
            if finished:
                consumer.pause([TopicPartition(plan.topic, partition) for partition in finished])
            if records.num_rows:
                wanted = limit.after(records)
                yield records
            reports.raise_refusal()
            if records.num_rows or finished:
                # Taken after the yield: the time the caller needs for a chunk is not the broker's.
                progress = time.monotonic()
            elif time.monotonic() - progress > stall_seconds:
                raise _stalled(cursor, plan, reports, stall_seconds)


def _stalled(cursor: Cursor, plan: BatchPlan, reports: Reports, stall_seconds: float) -> ReadStalled:
    partition = min(cursor.unread)
    because = redact(reports.connection, f"; last report: {reports.last.str()}") if reports.last else ""
    cure = f"try again when the broker is healthy{because}"
    if reports.throttled_seconds:
        cure = f"{quota_remedy(reports.throttled_seconds)}, or BRIDGECART_KAFKA_STALL_SECONDS"
    return ReadStalled(
        f"batch {plan.batch_key}: partition {partition} of topic {plan.topic!r} served nothing for {stall_seconds:g} s "
        f"at offset {cursor.next[partition]}, {cursor.ends[partition]} is needed; {cure}"
    )
