"""Silver alone, in memory: records in, what became of each of them out."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import (
    BESIDE_ORDERS,
    RAW_ORDERS,
    SILVER_CUSTOMERS,
    SILVER_ORDERS,
    SILVER_REJECTS,
    Contract,
)
from bridgecart_assets.sql import read_sql
from bridgecart_assets.sql.chain import files_before
from bridgecart_assets.warehouse.mapped_records import readers_on_record
from bridgecart_assets.warehouse.queries import customers_query
from bridgecart_assets.warehouse.storage.database import rows_of
from bridgecart_assets.warehouse.storage.outputs import Parameter
from bridgecart_assets.warehouse.storage.tables import prepare, run_steps
from bridgecart_assets.warehouse.writing import write_query
from bridgecart_assets_tests.sql.history import MemoryWarehouse
from bridgecart_assets_tests.support.pipeline import run_silver
from bridgecart_assets_tests.support.records import TOPIC_ID, Record, event, store_batch

BATCH = "20300101T000000Z"
BLOCKING = (
    "silver_reconciles_with_raw",
    "silver_orders_are_unique",
    "silver_duplicates_have_a_winner",
    "silver_lines_add_up",
    "silver_sums_tie_to_orders",
)

Row = dict[str, Any]


@dataclass(frozen=True)
class SilverWarehouse(MemoryWarehouse):
    """A warehouse in memory that reads naive times as the warehouse file does."""

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor in the time zone of the settings."""
        with super().reading() as cursor:
            cursor.execute(f"set TimeZone = '{self.naive_timezone}'")
            yield cursor


@dataclass(frozen=True)
class Outcome:
    """Where the records of a batch ended, by offset."""

    orders: dict[int, Row]
    duplicates: dict[int, Row]
    conflicts: dict[int, Row]
    superseded: dict[int, Row]
    lines: dict[int, Row]
    rejects: dict[int, Row]

    def of(self, offset: int) -> Row | list[str]:
        """The order's row, or the reasons for which the record was refused."""
        return self.orders[offset] if offset in self.orders else self.rejects[offset]["reasons"]

    def assert_complete(self, records: int) -> None:
        """Every record of one partition stands in exactly one table."""
        of_one_event = [offset for offset, row in self.orders.items() if row["lines"] == 1]
        beside = [*self.duplicates, *self.conflicts, *self.superseded, *self.lines]
        found = sorted([*of_one_event, *beside, *self.rejects])
        assert found == list(range(records))


def judge(records: Sequence[Record | bytes | None], **changed: Any) -> Outcome:
    """One batch through silver; `changed` are settings."""
    settings = Settings(**changed)
    warehouse = SilverWarehouse(naive_timezone=settings.naive_timezone)
    store_batch(warehouse, BATCH, [one if isinstance(one, Record) else Record(one) for one in records])
    run_silver(warehouse, settings, BATCH)
    outcome = Outcome(*(by_offset(warehouse, table) for table in (SILVER_ORDERS, *BESIDE_ORDERS, SILVER_REJECTS)))
    outcome.assert_complete(len(records))
    return outcome


def judge_events(*changes: Row, **settings: Any) -> list[Row | list[str]]:
    """What becomes of valid events with these fields changed; each has an order id of its own."""
    payloads = [event(**{"order_id": f"E{n}", **fields}) for n, fields in enumerate(changes)]
    outcome = judge(payloads, **settings)
    return [outcome.of(n) for n in range(len(payloads))]


def by_offset(warehouse: SilverWarehouse, contract: Contract) -> dict[int, Row]:
    """The rows of a table by Kafka offset."""
    with warehouse.reading() as connection:
        rows = connection.execute(f"select * from {contract.full_name}").fetchall()
    records = [dict(zip(contract.column_names, row, strict=True)) for row in rows]
    found = {row["offset"]: row for row in records}
    assert len(found) == len(records)
    return found


def with_json(field: str, text: str, order_id: str) -> bytes:
    """A valid event in which one field is this JSON text, valid or not."""
    document = json.loads(event(order_id=order_id))
    document.pop(field, None)
    return f'{json.dumps(document)[:-1]}, "{field}": {text}}}'.encode("utf-8", "surrogatepass")


@dataclass(frozen=True)
class Placed:
    """A record at its place in the topic: partition as in the record, and this offset."""

    record: Record
    offset: int
    topic_id: str = TOPIC_ID


def place(records: Sequence[Record]) -> list[Placed]:
    """Records in order of arrival; offsets count up in each partition."""
    ends: dict[int, int] = {}
    placed = []
    for record in records:
        placed.append(Placed(record, ends.get(record.partition, 0)))
        ends[record.partition] = placed[-1].offset + 1
    return placed


def store_raw(warehouse: MemoryWarehouse, batch_key: str, records: Sequence[Placed]) -> None:
    """Replace the batch's raw rows."""
    rows = [
        (
            one.topic_id,
            one.record.partition,
            one.offset,
            one.record.kafka_timestamp.replace(tzinfo=None) if one.record.kafka_timestamp else None,
            one.record.payload,
            batch_key,
        )
        for one in records
    ]
    with warehouse.transaction() as connection:
        prepare(connection, RAW_ORDERS)
        connection.execute("delete from raw.orders where batch_key = ?", [batch_key])
        if rows:
            connection.executemany("insert into raw.orders values (?, ?, ?, ?, null, null, null, ?, ?)", rows)


def run_customers(warehouse: SilverWarehouse) -> list[Row]:
    """The customers of the orders that stand."""
    with warehouse.transaction() as connection:
        write_query(connection, SILVER_CUSTOMERS, customers_query(readers=readers_on_record(connection)), None)
    with warehouse.reading() as connection:
        rows = connection.execute("select * from silver.customers order by customer_id").fetchall()
    return [dict(zip(SILVER_CUSTOMERS.column_names, row, strict=True)) for row in rows]


def broken_rules(warehouse: SilverWarehouse, batch_key: str) -> list[str]:
    """The blocking silver checks of a batch that fail."""
    failed = []
    parameters: dict[str, Parameter] = {"batch_key": batch_key, "only_changes": True}
    with warehouse.reading() as connection:
        run_steps(connection, files_before(*(f"checks/{check}" for check in BLOCKING)), {})
        for check in BLOCKING:
            if rows_of(connection, read_sql(f"checks/{check}"), parameters)[1]:
                failed.append(f"{check} of {batch_key}")
    return failed
