"""Offsets: where a topic stands, what a batch covers, and how the next batch is planned.

Pure arithmetic on `[start, end)` ranges; reading positions from a broker is in `positions`. An end is the end
that can be *read*, and every plan starts exactly where the ledger ends, so chained plans have no gap and no overlap
but the holes that a plan itself names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from bridgecart_assets.sources.kafka.errors import DataLoss, OffsetsWentBackwards

READ_ANEW = (
    "put back the log that was read, or copy the records to a new topic and name that in BRIDGECART_KAFKA_TOPIC: all "
    "are then read, and orders that stand already are not counted twice"
)
_CHECK_CLUSTER = (
    "check that BRIDGECART_KAFKA_BOOTSTRAP_SERVERS names the cluster of this warehouse; if the cluster lost records, "
    f"{READ_ANEW}"
)
_NAMED = 5  # partitions, in a message


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
    """A topic at one moment: per partition the earliest offset retained and the end that can be read.

    `pending` are the offsets behind that end which an open transaction holds back, of partitions that have any.
    """

    topic: str
    topic_id: str
    cluster_id: str | None
    partitions: Mapping[int, OffsetRange]
    pending: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class BatchPlan:
    """Offsets of one batch: a range for every partition of the topic, empty ones included.

    `lost` are the holes right before the ranges: offsets that retention removed before any batch had read them.
    """

    batch_key: str
    topic: str
    topic_id: str
    ranges: Mapping[int, OffsetRange]
    lost: Mapping[int, OffsetRange] = field(default_factory=dict)

    @property
    def records(self) -> int:
        """Upper bound of the records in the batch."""
        return sum(span.count for span in self.ranges.values())

    @property
    def ends(self) -> dict[int, int]:
        """The next offset to read per partition once this batch is committed."""
        return {partition: self.ranges[partition].end for partition in sorted(self.ranges)}

    @property
    def continues_at(self) -> dict[int, int]:
        """Ends that the ledger must have for this plan to follow it: the starts, or those of the holes before them."""
        return {p: self.lost[p].start if p in self.lost else span.start for p, span in sorted(self.ranges.items())}

    def cut(self, ends: Mapping[int, int]) -> Self:
        """The plan with earlier ends; a partition without one ends where it starts."""
        cut = {p: OffsetRange(span.start, ends.get(p, span.start)) for p, span in self.ranges.items()}
        return replace(self, ranges=cut)


def plan_batch(
    *,
    batch_key: str,
    committed: Mapping[int, int],
    state: TopicState,
    max_records: int,
    fail_on_data_loss: bool = True,
) -> BatchPlan:
    """The next batch: from the ledger's ends to the topic's, at most `max_records` offsets in total.

    `committed` holds the ledger's ends for this topic id. Empty, everything starts at the earliest offset retained;
    else a partition it does not have was added since, and starts at 0. A cap is shared in proportion to the lag.
    Raises `OffsetsWentBackwards`, and `DataLoss` unless holes are to be recorded as `lost`.
    """
    if max_records < 1:
        raise ValueError(f"max_records must be at least 1, got {max_records}")
    lost = _lost(committed, state)
    if lost and fail_on_data_loss:
        raise _data_loss(lost, state)
    unread = _unread(committed, state)
    shares = _share({partition: span.count for partition, span in unread.items()}, max_records)
    ranges = {partition: OffsetRange(span.start, span.start + shares[partition]) for partition, span in unread.items()}
    return BatchPlan(batch_key, state.topic, state.topic_id, ranges, lost)


def plan_newest(*, batch_key: str, state: TopicState, max_records: int) -> BatchPlan:
    """The last offsets of the topic, at most `max_records`, shared in proportion to what each partition has."""
    shares = _share({partition: span.count for partition, span in sorted(state.partitions.items())}, max_records)
    ends = {partition: span.end for partition, span in state.partitions.items()}
    ranges = {partition: OffsetRange(ends[partition] - share, ends[partition]) for partition, share in shares.items()}
    return BatchPlan(batch_key, state.topic, state.topic_id, ranges)


def lag(committed: Mapping[int, int], state: TopicState, *, fail_on_data_loss: bool = True) -> dict[int, int]:
    """Unread offsets per partition, with those that were lost: the next batch records the hole.

    Raises like `plan_batch`, as a wrong ledger must not look like lag 0.
    """
    lost = _lost(committed, state)
    if lost and fail_on_data_loss:
        raise _data_loss(lost, state)
    unread = _unread(committed, state)
    return {p: span.count + (lost[p].count if p in lost else 0) for p, span in unread.items()}


def _unread(committed: Mapping[int, int], state: TopicState) -> dict[int, OffsetRange]:
    missing = sorted(committed.keys() - state.partitions.keys())
    if missing:
        raise OffsetsWentBackwards(
            f"offsets went backwards: topic {state.topic!r} no longer has partition {missing[0]}; {_CHECK_CLUSTER}"
        )
    return {
        partition: _unread_of(partition, _begin(partition, committed, state), state)
        for partition in sorted(state.partitions)
    }


def _begin(partition: int, committed: Mapping[int, int], state: TopicState) -> int:
    return committed.get(partition, 0) if committed else state.partitions[partition].start


def _unread_of(partition: int, committed: int, state: TopicState) -> OffsetRange:
    held = state.partitions[partition]
    if held.end < committed:
        raise OffsetsWentBackwards(
            f"offsets went backwards: partition {partition} of topic {state.topic!r} ends at {held.end}, the ledger "
            f"at {committed}; {_CHECK_CLUSTER}"
        )
    return OffsetRange(max(held.start, committed), held.end)


def _lost(committed: Mapping[int, int], state: TopicState) -> dict[int, OffsetRange]:
    """Offsets that retention removed between the ledger's ends and the earliest offsets."""
    return {
        partition: OffsetRange(begin, state.partitions[partition].start)
        for partition in sorted(state.partitions)
        if (begin := _begin(partition, committed, state)) < state.partitions[partition].start
    }


def _data_loss(lost: Mapping[int, OffsetRange], state: TopicState) -> DataLoss:
    named = [f"partition {partition} [{span.start}, {span.end})" for partition, span in list(lost.items())[:_NAMED]]
    more = f" and {len(lost) - _NAMED} more partitions" if len(lost) > _NAMED else ""
    return DataLoss(
        f"retention removed {sum(span.count for span in lost.values())} records of topic {state.topic!r} that no batch "
        f"had read: {', '.join(named)}{more}; raise retention.ms (or mend producers that give Kafka seconds for "
        "milliseconds: it takes their records for those of January 1970 and removes them at once), and set "
        "BRIDGECART_FAIL_ON_DATA_LOSS=false to record the hole in the ledger and go on"
    )


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
