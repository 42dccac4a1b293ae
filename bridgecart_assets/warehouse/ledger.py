"""The ledger of batches (`raw.batches`): which offsets each batch holds and where the next one starts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby

import duckdb

from bridgecart_assets.contracts import RAW_BATCHES
from bridgecart_assets.kafka.offsets import BatchPlan, OffsetRange
from bridgecart_assets.warehouse.database import Warehouse, WarehouseError, table_exists

EndOffsets = Mapping[str, Mapping[int, int]]


class LedgerConflict(WarehouseError):
    """A batch does not continue where the ledger ends; nothing was written."""


@dataclass(frozen=True)
class Ledger:
    """What the warehouse holds: `plans` by batch key, `ends` as topic id -> Kafka partition -> next offset."""

    plans: Mapping[str, BatchPlan] = field(default_factory=dict)
    ends: EndOffsets = field(default_factory=dict)

    def committed(self, topic_id: str) -> Mapping[int, int]:
        """Next offset per Kafka partition of one topic incarnation; empty when nothing was read from it."""
        return self.ends.get(topic_id, {})


def load_ledger(warehouse: Warehouse) -> Ledger:
    """The ledger as committed now; empty when there is no warehouse yet."""
    if not warehouse.exists:
        return Ledger()
    with warehouse.reading() as connection:
        return read_ledger(connection)


def read_ledger(connection: duckdb.DuckDBPyConnection) -> Ledger:
    """The ledger as this connection sees it."""
    if not table_exists(connection, RAW_BATCHES):
        return Ledger()
    rows = connection.execute(
        'select b.batch_key, b.topic, b.topic_id, u.r."partition", u.r."start", u.r."end" '
        'from raw.batches b, unnest(b.ranges) as u(r) order by b.batch_key, u.r."partition"'
    ).fetchall()
    plans = {
        batch_key: BatchPlan(
            batch_key=batch_key,
            topic=topic,
            topic_id=topic_id,
            ranges={partition: OffsetRange(start, end) for *_, partition, start, end in of_batch},
        )
        for (batch_key, topic, topic_id), of_batch in groupby(rows, key=lambda row: row[:3])
    }
    return Ledger(plans=plans, ends=_end_offsets(plans))


def _end_offsets(plans: Mapping[str, BatchPlan]) -> EndOffsets:
    ends: dict[str, dict[int, int]] = {}
    for plan in plans.values():
        topic_ends = ends.setdefault(plan.topic_id, {})
        for partition, offsets in plan.ranges.items():
            topic_ends[partition] = max(topic_ends.get(partition, offsets.end), offsets.end)
    return ends


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
    moved = [p for p, offsets in plan.ranges.items() if p in committed and offsets.start != committed[p]]
    if moved:
        raise LedgerConflict(
            f"Batch {plan.batch_key} does not start at the end of the ledger (Kafka partitions {moved}): "
            "another run was faster; run it again."
        )


def cluster_ids(warehouse: Warehouse) -> set[str | None]:
    """The Kafka clusters whose records the warehouse holds."""
    if not warehouse.exists:
        return set()
    with warehouse.reading() as connection:
        if not table_exists(connection, RAW_BATCHES):
            return set()
        return {row[0] for row in connection.execute("select distinct cluster_id from raw.batches").fetchall()}
