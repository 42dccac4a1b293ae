"""Offsets: where a topic stands, what a batch covers, and how the next batch is planned.

Pure arithmetic on `[start, end)` ranges; reading positions from a broker is in `positions`. An end is the end
that can be *read*, and every plan starts exactly where the ledger ends, so chained plans have no gap and no overlap.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from bridgecart_assets.kafka.errors import DataLoss, OffsetsWentBackwards


@dataclass(frozen=True, order=True)
class OffsetRange:
    """Offsets of one partition, half-open: `start` is included, `end` is not."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"an offset range needs 0 <= start <= end, got [{self.start}, {self.end})")

    @property
    def count(self) -> int:
        """Number of offsets; an upper bound of the records, as markers and compaction leave gaps."""
        return self.end - self.start


@dataclass(frozen=True)
class TopicState:
    """A topic at one moment: per partition the earliest offset retained and the end that can be read."""

    topic: str
    topic_id: str
    cluster_id: str | None
    partitions: Mapping[int, OffsetRange]


@dataclass(frozen=True)
class BatchPlan:
    """What one batch covers: a range for every partition of the topic, empty ones included."""

    batch_key: str
    topic: str
    topic_id: str
    ranges: Mapping[int, OffsetRange]

    @property
    def records(self) -> int:
        """Upper bound of the records in the batch."""
        return sum(span.count for span in self.ranges.values())

    @property
    def ends(self) -> dict[int, int]:
        """The next offset to read per partition once this batch is committed."""
        return {partition: self.ranges[partition].end for partition in sorted(self.ranges)}

    def to_json(self) -> dict[str, Any]:
        """A dict of plain JSON types, partitions ascending: the same plan always gives the same text."""
        ranges = {str(partition): self.ranges[partition] for partition in sorted(self.ranges)}
        return {
            "batch_key": self.batch_key,
            "topic": self.topic,
            "topic_id": self.topic_id,
            "ranges": {partition: [span.start, span.end] for partition, span in ranges.items()},
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """The plan `to_json` wrote. Raises KeyError or ValueError on any other document."""
        ranges = {int(partition): OffsetRange(*span) for partition, span in document["ranges"].items()}
        return cls(document["batch_key"], document["topic"], document["topic_id"], ranges)


def plan_batch(*, batch_key: str, committed: Mapping[int, int], state: TopicState, max_records: int) -> BatchPlan:
    """The next batch: from the ledger's ends to the topic's, at most `max_records` offsets in total.

    `committed` holds the ledger's ends for this topic id; a partition it does not have starts at the earliest
    offset retained. A cap is shared in proportion to the lag. Raises `OffsetsWentBackwards`, `DataLoss`.
    """
    if max_records < 1:
        raise ValueError(f"max_records must be at least 1, got {max_records}")
    unread = _unread(committed, state)
    shares = _share({partition: span.count for partition, span in unread.items()}, max_records)
    ranges = {partition: OffsetRange(span.start, span.start + shares[partition]) for partition, span in unread.items()}
    return BatchPlan(batch_key, state.topic, state.topic_id, ranges)


def lag(committed: Mapping[int, int], state: TopicState) -> dict[int, int]:
    """Unread offsets per partition. Raises like `plan_batch`, as a wrong ledger must not look like lag 0."""
    return {partition: span.count for partition, span in _unread(committed, state).items()}


def _unread(committed: Mapping[int, int], state: TopicState) -> dict[int, OffsetRange]:
    missing = sorted(committed.keys() - state.partitions.keys())
    if missing:
        raise OffsetsWentBackwards(
            f"offsets went backwards: topic {state.topic!r} no longer has partition {missing[0]}; "
            "check that BRIDGECART_KAFKA_BOOTSTRAP_SERVERS names the cluster of this warehouse"
        )
    return {
        partition: _unread_of(partition, committed.get(partition, state.partitions[partition].start), state)
        for partition in sorted(state.partitions)
    }


def _unread_of(partition: int, start: int, state: TopicState) -> OffsetRange:
    held = state.partitions[partition]
    if held.end < start:
        raise OffsetsWentBackwards(
            f"offsets went backwards: partition {partition} of topic {state.topic!r} ends at {held.end}, the ledger "
            f"at {start}; check that BRIDGECART_KAFKA_BOOTSTRAP_SERVERS names the cluster of this warehouse"
        )
    if held.start > start:
        raise DataLoss(
            f"retention removed {held.start - start} unread records: partition {partition} of topic {state.topic!r} "
            f"starts at {held.start}, the ledger ends at {start}; raise retention.ms, and read what the topic has "
            "into a new BRIDGECART_DATA_DIR"
        )
    return OffsetRange(start, held.end)


def _share(lags: Mapping[int, int], limit: int) -> dict[int, int]:
    total = sum(lags.values())
    if total <= limit:
        return dict(lags)
    shares = {partition: count * limit // total for partition, count in lags.items()}
    # Largest remainder: the few offsets that rounding left over go where it took most, low partitions first.
    by_remainder = sorted(lags, key=lambda partition: (-(lags[partition] * limit % total), partition))
    for partition in by_remainder[: limit - sum(shares.values())]:
        shares[partition] += 1
    return shares
