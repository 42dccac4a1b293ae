"""Fixing the plan of a batch: what the ledger has, or else from the ledger's end to the topic's end."""

from bridgecart_assets.kafka.connection import KafkaConnection
from bridgecart_assets.kafka.offsets import plan_batch
from bridgecart_assets.kafka.positions import topic_state
from bridgecart_assets.warehouse.database import Warehouse
from bridgecart_assets.warehouse.handover import KafkaSlice
from bridgecart_assets.warehouse.ledger import load_ledger


def plan_slice(
    warehouse: Warehouse, connection: KafkaConnection, *, batch_key: str, max_records: int, stall_seconds: float
) -> KafkaSlice:
    """The slice of this batch: its own offsets when the ledger has it, else the next ones, at most `max_records`.

    Raises what reading the topic's state raises; LedgerConflict follows at the write if another run was faster.
    """
    state = topic_state(connection)
    ledger = load_ledger(warehouse)
    plan = ledger.plans.get(batch_key) or plan_batch(
        batch_key=batch_key, committed=ledger.committed(state.topic_id), state=state, max_records=max_records
    )
    return KafkaSlice(connection=connection, plan=plan, cluster_id=state.cluster_id, stall_seconds=stall_seconds)
