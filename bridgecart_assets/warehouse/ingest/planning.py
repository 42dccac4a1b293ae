"""Fixing the plan of a batch: what the ledger has, or else from the ledger's end to the topic's end."""

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.continuity import NOTHING_KNOWN
from bridgecart_assets.sources.kafka.offsets import plan_batch
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.warehouse.ingest.ledger import load_ledger
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.storage.outputs import KafkaSlice


def plan_slice(warehouse: Warehouse, connection: KafkaConnection, settings: Settings, batch_key: str) -> KafkaSlice:
    """The slice of this batch: exactly its own offsets when the ledger has it, else the next ones within the limits.

    Raises what reading the topic's state raises, HistoryRewritten among it, and DataLoss where the settings ask for
    it; LedgerConflict follows at the write if another run was faster.
    """
    # The ledger first, it may have to be waited for: asked after the topic, it could be ahead of it.
    ledger = load_ledger(warehouse, only=batch_key)
    stored = ledger.plans.get(batch_key)
    # What is read again is compared with the rows that stand, whatever became of later records.
    known = NOTHING_KNOWN if stored else ledger.known
    state = topic_state(connection, known)
    plan = stored or plan_batch(
        batch_key=batch_key,
        committed=ledger.committed(state.topic_id),
        state=state,
        max_records=settings.max_batch_records,
        fail_on_data_loss=settings.fail_on_data_loss,
    )
    return KafkaSlice(
        connection=connection,
        plan=plan,
        cluster_id=state.cluster_id,
        stall_seconds=settings.kafka_stall_seconds,
        max_bytes=None if stored else settings.max_batch_bytes,
        topic_ends={partition: span.end for partition, span in state.partitions.items()},
        known=known,
    )
