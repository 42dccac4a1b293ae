"""Telling other programs who changed segment or lifecycle: each change once, in a topic of its own.

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

# The columns are the fields of a record.
_NEXT = """
select
    c.change as number,
    c.customer_id,
    case
        when c.from_key is null then 'entered'
        when c.to_key is null then 'left'
        when c.from_key <> c.to_key then 'moved'
        else 'turned'
    end as change,
    c.from_key as "from",
    c.to_key as "to",
    c.from_lifecycle as lifecycle_from,
    c.to_lifecycle as lifecycle_to,
    c.model_version,
    c.as_of
from gold.segment_changes c
where c.change > $delivered and not c.sent
order by c.change
limit $limit
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
        found = connection.execute(_NEXT, {"delivered": delivered, "limit": CHANGES_AT_ONCE})
        fields = [column[0] for column in found.description or ()]
        changes = [dict(zip(fields, row, strict=True)) for row in found.fetchall()]
    return [Numbered(change["number"], change["customer_id"].encode(), orjson.dumps(change)) for change in changes]
