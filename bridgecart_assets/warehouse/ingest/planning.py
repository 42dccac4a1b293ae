"""Fixing the plan of a batch: what the ledger has, or else from the ledger's end to the end of the topic or file."""

from typing import TYPE_CHECKING

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.sources.files.errors import FileChanged, FileNeeded
from bridgecart_assets.sources.files.history_file import HistoryFile, is_file
from bridgecart_assets.sources.files.reading import PARTITION
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.continuity import NOTHING_KNOWN
from bridgecart_assets.sources.kafka.offsets import BatchPlan, OffsetRange, plan_batch
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.warehouse.ingest.imports import mapping_on_record
from bridgecart_assets.warehouse.ingest.ledger import load_ledger
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.storage.outputs import FileSlice, KafkaSlice

if TYPE_CHECKING:
    from bridgecart_assets.sources.registry import SchemaSource


def plan_slice(warehouse: Warehouse, connection: KafkaConnection, settings: Settings, batch_key: str) -> KafkaSlice:
    """The slice of this batch: exactly its own offsets when the ledger has it, else the next ones within the limits.

    Raises what reading the topic's state raises, HistoryRewritten among it, and DataLoss where the settings ask for
    it, FileNeeded for a batch of a file; LedgerConflict follows at the write if another run was faster.
    """
    # The ledger first, it may have to be waited for: asked after the topic, it could be ahead of it.
    ledger = load_ledger(warehouse, only=batch_key)
    stored = ledger.plans.get(batch_key)
    if stored is not None and is_file(stored.topic_id):
        raise FileNeeded(
            f"Batch {batch_key} holds rows of {stored.topic}, a file that was imported; its rows stay. Materialize "
            "silver/orders alone, or say where the file is in the configuration of raw_batch (file)."
        )
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
    mapping, schemas = _read_by(settings)
    return KafkaSlice(
        connection=connection,
        plan=plan,
        cluster_id=state.cluster_id,
        stall_seconds=settings.kafka_stall_seconds,
        max_bytes=None if stored else settings.max_batch_bytes,
        topic_ends={partition: span.end for partition, span in state.partitions.items()},
        known=known,
        mapping=mapping,
        schemas=schemas,
    )


def _read_by(settings: Settings) -> "tuple[str | None, SchemaSource | None]":
    """The text of the topic's mapping, and where the schemas of its records come from."""
    if settings.mapping is None:
        return None, None
    # A shop without a mapping pays for none of it.
    from bridgecart_assets.sources.mapping.from_settings import topic_mapping
    from bridgecart_assets.sources.registry import schema_source

    mapping = topic_mapping(settings)
    return (None, None) if mapping is None else (mapping.text, schema_source(settings, mapping.decode))


def plan_file_slice(
    warehouse: Warehouse, file: HistoryFile, settings: Settings, batch_key: str, mapping: str | None
) -> FileSlice:
    """The slice of this batch: exactly its own rows when the ledger has it, else the next ones within the limits.

    `mapping` is of new rows; those of the ledger keep theirs. Raises FileChanged when the ledger has rows of another
    file; LedgerConflict follows at the write if another run was faster.
    """
    ledger = load_ledger(warehouse, only=batch_key)
    stored = ledger.plans.get(batch_key)
    if stored is not None and stored.topic_id != file.topic_id:
        raise FileChanged(
            f"{file.name} was changed since batch {batch_key} was read, or is not its file {stored.topic}; its rows "
            "stay"
        )
    if stored is not None:
        return FileSlice(file, stored, mapping_on_record(warehouse, batch_key))
    start = ledger.committed(file.topic_id).get(PARTITION, 0)
    end = min(start + settings.max_batch_records, file.rows.count)
    plan = BatchPlan(batch_key, file.name, file.topic_id, {PARTITION: OffsetRange(start, end)})
    return FileSlice(file, plan, mapping, max_bytes=settings.max_batch_bytes)
