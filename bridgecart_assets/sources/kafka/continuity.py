"""Continuity: whether a topic still has the history that was read from it.

An id outlives its records: a broker's disk may be put back from a copy, an unclean leader lacks what others had
(KIP-320), and a copied cluster has the ids of the first. New records then stand at offsets that were read already. So
the last record that was read of each partition is looked at again before anything after it is believed.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from bridgecart_assets.sources.kafka.errors import HistoryRewritten, OtherCluster
from bridgecart_assets.sources.kafka.offsets import READ_ANEW, TopicState
from bridgecart_assets.sources.kafka.records import last_rows

_DIGEST_BYTES = 8
_COMPARED = ["partition", "offset", "kafka_timestamp", "key", "payload"]


@dataclass(frozen=True)
class LastRecord:
    """Offset of the last record that was read of a partition, and a digest of its time, key and payload."""

    offset: int
    digest: str


@dataclass(frozen=True)
class KnownTopic:
    """Clusters from which a topic id was read, and the last record of each of its partitions."""

    cluster_ids: frozenset[str] = frozenset()
    last_records: Mapping[int, LastRecord] = field(default_factory=dict)


KnownTopics = Mapping[str, KnownTopic]
"""By topic id."""

NOTHING_KNOWN: KnownTopics = {}


def last_records(chunk: pa.RecordBatch) -> dict[int, LastRecord]:
    """The last record of each partition in rows of `RECORD_SCHEMA`, offsets ascending within a partition."""
    rows = [chunk.slice(row, 1).select(_COMPARED).to_pylist() for row in last_rows(chunk).values()]
    return {row["partition"]: LastRecord(row["offset"], _digest(row)) for (row,) in rows}


def verify_cluster(state: TopicState, known: KnownTopics) -> None:
    """Raise `OtherCluster` when this topic id was read from another cluster."""
    read_from = known.get(state.topic_id, KnownTopic()).cluster_ids
    if read_from and state.cluster_id is not None and state.cluster_id not in read_from:
        raise OtherCluster(
            f"topic {state.topic!r} of cluster {state.cluster_id} has the id of the one that was read from cluster "
            f"{min(read_from)}, as in the copy of a cluster; name that one in BRIDGECART_KAFKA_BOOTSTRAP_SERVERS, or "
            "set BRIDGECART_DATA_DIR to another folder for this one"
        )


def retained(last: Mapping[int, LastRecord], state: TopicState) -> dict[int, LastRecord]:
    """Those that the topic should still have; what ends before one of them is found to have gone backwards."""
    held = state.partitions
    return {p: record for p, record in last.items() if p in held and held[p].start <= record.offset < held[p].end}


def verify_history(
    topic: str,
    known: Mapping[int, LastRecord],
    found: Mapping[int, LastRecord | None],
    *,
    is_compacted: Callable[[], bool],
) -> None:
    """Raise `HistoryRewritten` unless the topic still has the last records that were read of it.

    `found` is per partition the first record that the topic serves from there on, None where it serves none; a
    partition whose record retention has removed is not among them. A record may be missing where compaction took it.
    """
    changed = [p for p, last in sorted(known.items()) if p in found and found[p] != last]
    if not changed:
        return
    first = changed[0]
    offset, stands = known[first].offset, found[first]
    if all(_is_missing(known[p], found[p]) for p in changed) and is_compacted():
        return
    what = "no record any more" if _is_missing(known[first], stands) else "another record than was read"
    raise HistoryRewritten(
        f"partition {first} of topic {topic!r} has {what} at offset {offset}: its history was rewritten, as by a "
        "broker's disk put back from a copy or an unclean leader election, and records before that offset may be "
        f"in no batch; {READ_ANEW}"
    )


def _is_missing(last: LastRecord, found: LastRecord | None) -> bool:
    return found is None or found.offset != last.offset


def _digest(row: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    for value in (str(row["kafka_timestamp"]).encode(), row["key"], row["payload"]):
        # With its length, so that nothing can move from one into the next; None is not b"".
        digest.update(b"-" if value is None else b"%d:%b" % (len(value), value))
    return digest.hexdigest()[: 2 * _DIGEST_BYTES]
