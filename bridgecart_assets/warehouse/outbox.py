"""Telling other programs about customers who changed their segment: each change once, in a topic of its own.

The changes are written to an outbox in the warehouse first, together with what they change, and sent from there.
"""

from collections.abc import Sequence

import orjson

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.contracts import CUSTOMER_SEGMENTS, OUTBOX_TABLES, SEGMENT_CHANGES
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets.sources.kafka.transactions import Numbered, transactions
from bridgecart_assets.warehouse.storage.database import Warehouse, table_exists
from bridgecart_assets.warehouse.storage.tables import prepare, run_steps

PARTITIONS = 3
# Of one Kafka transaction; a reader of committed records sees none before it ends.
CHANGES_AT_ONCE = 10_000

_NEXT = """
select change, customer_id, from_key, to_key, model_version, as_of
from gold.segment_changes
where change > ? and not sent
order by change
limit ?
"""


class NothingToAnnounce(BridgeCartError):
    """There are no segments yet."""


def announce(warehouse: Warehouse, connection: KafkaConnection, group: str) -> int:
    """Send what has changed since the last time to the connection's topic; how many changes that were.

    The first time everybody enters. `group` is the consumer group that keeps how far the topic is told. The topic is
    created where it is missing. Raises NothingToAnnounce before the first refresh, KafkaFailure; what was not sent
    then is sent the next time.
    """
    if not warehouse.exists:
        raise NothingToAnnounce("There are no segments yet: run `bridgecart run` or `bridgecart demo` first.")
    create_topic(connection, PARTITIONS)
    with transactions(connection, group) as sending:
        delivered = sending.delivered()
        _fill_outbox(warehouse, delivered)
        sent = 0
        while changes := _next(warehouse, delivered):
            sending.send(changes)
            delivered = changes[-1].number
            sent += len(changes)
    if sent:
        # Kafka forgets a marker that nobody has moved for a week.
        with warehouse.transaction() as writing:
            writing.execute(f"update {SEGMENT_CHANGES.full_name} set sent = true where change <= ?", [delivered])
    return sent


def _fill_outbox(warehouse: Warehouse, delivered: int) -> None:
    with warehouse.transaction() as connection:
        if not table_exists(connection, CUSTOMER_SEGMENTS):
            raise NothingToAnnounce("There are no segments yet: run `bridgecart run` first.")
        for contract in OUTBOX_TABLES:
            prepare(connection, contract)
        run_steps(connection, ("internal/announce_changes",), {"delivered": delivered})


def _next(warehouse: Warehouse, delivered: int) -> Sequence[Numbered]:
    with warehouse.reading() as connection:
        rows = connection.execute(_NEXT, [delivered, CHANGES_AT_ONCE]).fetchall()
    return [
        Numbered(
            number,
            str(customer_id).encode(),
            orjson.dumps(
                {
                    "number": number,
                    "customer_id": customer_id,
                    "change": "entered" if from_key is None else "left" if to_key is None else "moved",
                    "from": from_key,
                    "to": to_key,
                    "model_version": model_version,
                    "as_of": as_of,
                }
            ),
        )
        for number, customer_id, from_key, to_key, model_version, as_of in rows
    ]
