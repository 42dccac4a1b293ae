"""The sides that `bridgecart doctor` compares, looked at without changing anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import TABLES, Contract
from bridgecart_assets.orchestration.asset_specs import asset_key
from bridgecart_assets.orchestration.batch_status import OpenBatch, open_batch
from bridgecart_assets.orchestration.partitions import BATCHES
from bridgecart_assets.orchestration.run_health import (
    DaemonState,
    SensorState,
    read_daemon,
    read_last_command,
    read_sensor,
)
from bridgecart_assets.orchestration.runs import orphaned_runs
from bridgecart_assets.processes.run_lock import is_run_lock_free
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.continuity import KnownTopics
from bridgecart_assets.sources.kafka.from_settings import kafka_connection
from bridgecart_assets.sources.kafka.groups import committed_offsets
from bridgecart_assets.sources.kafka.offsets import TopicState
from bridgecart_assets.sources.kafka.pending import Pending, pending_records
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.sql import read_sql
from bridgecart_assets.sql.chain import files_before
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.ingest.ledger import Ledger, history_note, load_ledger
from bridgecart_assets.warehouse.storage.database import Warehouse, table_exists
from bridgecart_assets.warehouse.storage.tables import run_steps

BATCH_TABLES = [contract for contract in TABLES.values() if contract.partitioned]


@dataclass(frozen=True)
class Sides:
    """Everything that is compared, as it is at one moment. `topic` and `group` are None when Kafka did not answer."""

    settings: Settings
    instance: dg.DagsterInstance
    warehouse: Warehouse
    ledger: Ledger
    wrong_raw: Sequence[str]
    incomplete_silver: Sequence[str]
    registered: Sequence[str]
    materialized: Mapping[Contract, set[str]]
    open_batch: OpenBatch | None
    orphans: Sequence[dg.DagsterRun]
    sensor: SensorState
    daemon: DaemonState
    last_command_at: datetime | None
    connection: KafkaConnection | None
    topic: TopicState | None
    group: Mapping[int, int] | None
    kafka_says: str | None
    pending: Pending | None
    history: str | None


def look(settings: Settings, instance: dg.DagsterInstance, *, is_command_at_work: bool | None = None) -> Sides:
    """Everything as it is now. `is_command_at_work`: whether a command holds the run lock, when the caller knows."""
    warehouse = warehouse_from_settings(settings)
    now = datetime.now(UTC)
    at_work = not is_run_lock_free(settings.data_dir) if is_command_at_work is None else is_command_at_work
    ledger = load_ledger(warehouse)
    connection, topic, group, kafka_says = _look_at_kafka(settings, ledger.known)
    return Sides(
        settings=settings,
        instance=instance,
        warehouse=warehouse,
        ledger=ledger,
        wrong_raw=_batches(warehouse, "internal/doctor_raw"),
        incomplete_silver=_batches(warehouse, "internal/doctor_silver"),
        registered=instance.get_dynamic_partitions(str(BATCHES.name)),
        materialized={
            contract: set(instance.get_materialized_partitions(asset_key(contract))) for contract in BATCH_TABLES
        },
        open_batch=open_batch(instance, warehouse),
        orphans=orphaned_runs(instance, now, is_command_at_work=at_work),
        sensor=read_sensor(instance, now),
        daemon=read_daemon(instance, now),
        last_command_at=read_last_command(instance),
        connection=connection,
        topic=topic,
        group=group,
        kafka_says=kafka_says,
        pending=pending_records(connection, topic) if connection is not None and topic is not None else None,
        history=history_note(warehouse),
    )


def _look_at_kafka(
    settings: Settings, known: KnownTopics
) -> tuple[KafkaConnection | None, TopicState | None, Mapping[int, int] | None, str | None]:
    connection = None
    try:
        connection = kafka_connection(settings)
        topic = topic_state(connection, known)
        return connection, topic, committed_offsets(connection, settings.kafka_group) or {}, None
    except BridgeCartError as error:
        return connection, None, None, str(error)


def _batches(warehouse: Warehouse, sql: str) -> list[str]:
    if not warehouse.exists:
        return []
    with warehouse.reading() as connection:
        if not all(table_exists(connection, contract) for contract in BATCH_TABLES):
            return []
        run_steps(connection, files_before(sql), {})
        return [str(row[0]) for row in connection.execute(read_sql(sql)).fetchall()]
