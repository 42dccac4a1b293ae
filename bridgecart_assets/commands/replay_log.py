"""A replay: the orders of a real purchase log through Kafka and the whole pipeline, among no other orders.

They are years old and another shop's: in somebody's warehouse or topic they would spoil every figure for good. So all
that is there already has to be records of the same log, byte for byte.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from decimal import Decimal

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.commands.generate_orders import PARTITIONS, TOPIC_CONFIG
from bridgecart_assets.commands.own_broker import own_broker
from bridgecart_assets.commands.run_pipeline import Summary, run_holding_lock
from bridgecart_assets.contracts import RAW_ORDERS
from bridgecart_assets.orchestration.instance import prepare_home
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.processes.run_lock import run_lock, serve_lock
from bridgecart_assets.sources.files.purchase_log import PurchaseLog
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.offsets import BatchPlan
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.sources.kafka.reading import read_slice
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.storage.database import Warehouse, table_exists


class ReplayAmongOthers(BridgeCartError):
    """The data directory or the topic holds records that are not the log's."""


class ReplayMismatch(BridgeCartError):
    """The pipeline's figures are not those of the log."""


@dataclass(frozen=True)
class _Payloads:
    """Payloads of the log's records; everything else is somebody else's."""

    name: str
    known: frozenset[bytes | None]

    def require_in_warehouse(self, warehouse: Warehouse) -> None:
        """Raise ReplayAmongOthers when a record of the warehouse is not the log's."""
        if not warehouse.exists:
            return
        with warehouse.reading() as connection:
            found = (
                table_exists(connection, RAW_ORDERS)
                and connection.execute(
                    "select 1 from raw.orders anti join (select unnest(?) as payload) using (payload) limit 1",
                    [list(self.known)],
                ).fetchone()
            )
        if found:
            raise ReplayAmongOthers(
                f"{warehouse.path.parent} holds other records than the {self.name} log's, which must not be mixed: "
                "set BRIDGECART_DATA_DIR to another folder for the replay."
            )

    def require_in_topic(self, connection: KafkaConnection, stall_seconds: float) -> None:
        """Raise ReplayAmongOthers when a record of the topic is not the log's, or can no longer be read."""
        state = topic_state(connection)
        everything = BatchPlan("of the replay", state.topic, state.topic_id, state.partitions)
        chunks = read_slice(connection, everything, chunk_records=1_000, stall_seconds=stall_seconds)
        if any(span.start > 0 for span in state.partitions.values()) or not all(
            self.known.issuperset(chunk.column("payload").to_pylist()) for chunk in chunks
        ):
            raise ReplayAmongOthers(
                f"Topic {connection.topic} at {connection.bootstrap_servers} holds, or held, other records than the "
                f"{self.name} log's, which must not be mixed: set BRIDGECART_KAFKA_TOPIC to the name of a new topic."
            )


def run_replay(log: PurchaseLog, *, progress: Callable[[str], None]) -> Summary:
    """Send the log's orders, run everything, and reconcile; on the configured broker, else on one of our own.

    Another replay of the same log adds duplicates and no order. Raises ReplayAmongOthers before anything is sent,
    AlreadyRunning when another command works on the data directory, ReplayMismatch when a figure is off.
    """
    settings = load_settings()
    prepare_home(settings)
    payloads = _Payloads(log.name, frozenset(payload for _, payload, _ in log.events()))
    is_configured = settings.kafka_bootstrap_servers is not None
    with serve_lock(settings.data_dir), run_lock(settings.data_dir):
        payloads.require_in_warehouse(warehouse_from_settings(settings))
        with nullcontext() if is_configured else own_broker(settings.data_dir / "broker.log"):
            connection = Platform().kafka
            create_topic(connection, PARTITIONS, TOPIC_CONFIG)
            payloads.require_in_topic(connection, settings.kafka_stall_seconds)
            progress(f"{log.name} orders to the topic")
            produce(connection, log.events())
            summary = run_holding_lock(load_settings(), progress=progress)
    _reconcile(log)
    return summary


def _reconcile(log: PurchaseLog) -> None:
    _, rows = Platform().query("select count(*), coalesce(sum(net_amount), 0) from silver.orders", {})
    orders, sales = rows[0]
    if (orders, Decimal(str(sales))) != (len(log.orders), log.sales):
        raise ReplayMismatch(
            f"the {log.name} log has {len(log.orders)} orders and sales {log.sales}, silver has {orders} and {sales}: "
            "something else wrote to the topic meanwhile, or this is a bug"
        )
