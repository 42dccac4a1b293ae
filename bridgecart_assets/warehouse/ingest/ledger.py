"""The ledger of batches (`raw.batches`): which offsets each batch holds and where the next one starts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import duckdb

from bridgecart_assets.contracts import RAW_BATCHES, RAW_ORDERS
from bridgecart_assets.sources.files.history_file import FILE_ID
from bridgecart_assets.sources.kafka.continuity import KnownTopic, KnownTopics, LastRecord
from bridgecart_assets.sources.kafka.offsets import BatchPlan, OffsetRange
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.storage.database import Warehouse, WarehouseError, table_exists

_NAMED = 3

EndOffsets = Mapping[str, Mapping[int, int]]


class LedgerConflict(WarehouseError):
    """A batch does not continue where the ledger ends; nothing was written."""


@dataclass(frozen=True)
class Ledger:
    """The ledger: `plans` by batch key, `ends` as topic id -> Kafka partition -> next offset.

    `known` is what the topics have to have still.
    """

    plans: Mapping[str, BatchPlan] = field(default_factory=dict)
    ends: EndOffsets = field(default_factory=dict)
    known: KnownTopics = field(default_factory=dict)

    def committed(self, topic_id: str) -> Mapping[int, int]:
        """Next offset per Kafka partition of one topic incarnation; empty when nothing was read from it."""
        return self.ends.get(topic_id, {})


def load_ledger(warehouse: Warehouse, *, only: str | None = None) -> Ledger:
    """The ledger as committed now; empty when there is no warehouse yet. `only`: of the plans just this batch's."""
    if not warehouse.exists:
        return Ledger()
    with warehouse.reading() as connection:
        return read_ledger(connection, only=only)


def read_ledger(connection: duckdb.DuckDBPyConnection, *, only: str | None = None) -> Ledger:
    """The ledger as this connection sees it."""
    if not table_exists(connection, RAW_BATCHES):
        return Ledger()
    rows = connection.execute(
        "select batch_key, topic, topic_id, ranges, lost from raw.batches where coalesce(batch_key = ?, true) "
        "order by batch_key",
        [only],
    ).fetchall()
    plans = {
        batch_key: BatchPlan(batch_key, topic, topic_id, _offsets(ranges), _offsets(lost))
        for batch_key, topic, topic_id, ranges, lost in rows
    }
    return Ledger(plans=plans, ends=_end_offsets(connection), known=_known_topics(connection))


def load_position(warehouse: Warehouse) -> Ledger:
    """The ledger without its plans: where it ends now, and what is known of the topics; empty without any batch."""
    return load_ledger(warehouse, only="")


def load_ends(warehouse: Warehouse) -> EndOffsets:
    """Ends of the ledger now: topic id -> Kafka partition -> next offset; empty without any batch."""
    return load_position(warehouse).ends


def newest_batches(warehouse: Warehouse, *, limit: int) -> list[str]:
    """Keys of the ledger's last batches, latest first."""
    if not warehouse.exists:
        return []
    with warehouse.reading() as connection:
        if not table_exists(connection, RAW_BATCHES):
            return []
        rows = connection.execute("select batch_key from raw.batches order by batch_key desc limit ?", [limit])
        return [key for (key,) in rows.fetchall()]


def _offsets(stored: Iterable[Mapping[str, int]]) -> dict[int, OffsetRange]:
    return {span["partition"]: OffsetRange(span["start"], span["end"]) for span in stored}


def _end_offsets(connection: duckdb.DuckDBPyConnection) -> EndOffsets:
    rows = connection.execute(
        'select b.topic_id, u.r."partition", max(u.r."end") from raw.batches b, unnest(b.ranges) as u(r) '
        "group by all order by all"
    ).fetchall()
    ends: dict[str, dict[int, int]] = {}
    for topic_id, partition, end in rows:
        ends.setdefault(topic_id, {})[partition] = end
    return ends


def _known_topics(connection: duckdb.DuckDBPyConnection) -> KnownTopics:
    pairs = connection.execute("select distinct topic_id, cluster_id from raw.batches order by all").fetchall()
    read_from: dict[str, set[str]] = {topic_id: set() for topic_id, _ in pairs}
    for topic_id, cluster_id in pairs:
        if cluster_id is not None:
            read_from[topic_id].add(cluster_id)
    rows = connection.execute(
        'select b.topic_id, u.r."partition", max(u.r."offset"), max_by(u.r.digest, u.r."offset") '
        "from raw.batches b, unnest(b.last_records) as u(r) group by all order by all"
    ).fetchall()
    last: dict[str, dict[int, LastRecord]] = {}
    for topic_id, partition, offset, digest in rows:
        last.setdefault(topic_id, {})[partition] = LastRecord(offset, digest)
    return {topic_id: KnownTopic(frozenset(ids), last.get(topic_id, {})) for topic_id, ids in read_from.items()}


def verify_plan(ledger: Ledger, plan: BatchPlan) -> None:
    """Check inside the writing transaction that the plan still continues the ledger.

    Raises LedgerConflict when another run has moved the ledger since the plan was made.
    """
    known = ledger.plans.get(plan.batch_key)
    if known is not None:
        if known != plan:
            raise LedgerConflict(f"Batch {plan.batch_key} is in the ledger with other offsets: run it again.")
        return
    committed = ledger.committed(plan.topic_id)
    moved = [p for p, start in plan.continues_at.items() if p in committed and start != committed[p]]
    if moved:
        raise LedgerConflict(
            f"Batch {plan.batch_key} does not start at the end of the ledger (Kafka partitions {moved}): "
            "another run was faster; run it again."
        )


@dataclass(frozen=True)
class HistoryStart:
    """A Kafka partition whose first record here is not its first: what came before had gone when it was first read."""

    topic: str
    topic_id: str
    partition: int
    offset: int
    since: datetime | None


def history_starts(connection: duckdb.DuckDBPyConnection) -> list[HistoryStart]:
    """Starts of the history in the middle of a topic; empty where it begins with the topic."""
    if not all(table_exists(connection, table) for table in (RAW_BATCHES, RAW_ORDERS)):
        return []
    return [HistoryStart(*row) for row in connection.execute(read_sql("internal/history_begins")).fetchall()]


def history_sentence(connection: duckdb.DuckDBPyConnection) -> str | None:
    """A sentence on the start of the history, for people; None where nothing is missing."""
    starts = history_starts(connection)
    if not starts:
        return None
    named = ", ".join(f"{start.offset:,} in Kafka partition {start.partition}" for start in starts[:_NAMED])
    more = f" and {len(starts) - _NAMED} more" if len(starts) > _NAMED else ""
    topics = " and ".join(dict.fromkeys(start.topic for start in starts))
    instants = [start.since for start in starts if start.since is not None]
    since = f" (first record of {min(instants):%Y-%m-%d %H:%M} UTC)" if instants else ""
    files = imported_files(connection)
    orders = f"of their orders those in {_enumerated(files)} count" if files else "their orders are in no figure"
    return (
        f"History begins at offset {named}{more} of topic {topics}{since}: "
        f"{sum(start.offset for start in starts):,} offsets before had gone when it was first read, and {orders}."
    )


def imported_files(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Names of the files that were imported."""
    sql = "select distinct topic from raw.batches where starts_with(topic_id, ?) order by topic"
    return [str(name) for (name,) in connection.execute(sql, [FILE_ID]).fetchall()]


def _enumerated(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more files" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def history_note(warehouse: Warehouse) -> str | None:
    """`history_sentence` of the warehouse as it is now."""
    if not warehouse.exists:
        return None
    with warehouse.reading() as connection:
        return history_sentence(connection)


def cluster_ids(warehouse: Warehouse) -> set[str | None]:
    """The Kafka clusters whose records the warehouse holds."""
    if not warehouse.exists:
        return set()
    with warehouse.reading() as connection:
        if not table_exists(connection, RAW_BATCHES):
            return set()
        return {row[0] for row in connection.execute("select distinct cluster_id from raw.batches").fetchall()}
