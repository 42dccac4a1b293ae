"""Taking an order back: its records are rejected as `withdrawn`, now and whenever they are read again.

A list says which orders these are (`raw.withdrawn_orders`), and silver keeps to it (`sql/silver/tmp_accepted.sql`): so
nothing more is done here than to write the list and to read again the batches that have the order. Killed in between,
the same again goes on. What belongs elsewhere: bringing the other tables up to date (`commands/withdraw_order.py`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import (
    BATCH_COLUMN,
    ID_COLUMN,
    PURCHASE_MODEL,
    SEGMENT_MODEL,
    SILVER_ORDERS,
    SILVER_REJECTS,
    TABLES,
    WITHDRAWN_ORDERS,
    Contract,
)
from bridgecart_assets.warehouse.inventory import read_data_clock
from bridgecart_assets.warehouse.remap import make_silver
from bridgecart_assets.warehouse.storage.database import Warehouse, standing_tables
from bridgecart_assets.warehouse.storage.engine import Engine
from bridgecart_assets.warehouse.storage.tables import prepare

_ORDER_ID = "order_id"
# The end of the clock's day, in whichever calendar.
_DAYS_AHEAD = 2


class UnknownOrder(BridgeCartError):
    """No order has this id; nothing was changed."""


class AmbiguousOrder(BridgeCartError):
    """Several customers have an order with this id; nothing was changed."""


@dataclass(frozen=True)
class OrderName:
    """An order by its id, and by its customer where ids of orders are used twice."""

    order_id: str
    customer_id: str | None = None


def withdraw(engine: Engine, settings: Settings, order: OrderName, *, reason: str, at: datetime) -> int:
    """Put the order on the list and read its batches again; how many records were rejected for it.

    Raises UnknownOrder, AmbiguousOrder, WarehouseMissing.
    """
    warehouse = engine.warehouse
    with warehouse.reading() as connection:
        customer_id = _only_customer(order, _customers(connection, order))
        batches = _batches_with(connection, order.order_id, customer_id)
    _strike(warehouse, order.order_id, customer_id)
    with warehouse.transaction() as connection:
        connection.execute(
            f"insert into {WITHDRAWN_ORDERS.full_name} values (?, ?, ?, ?)",
            [order.order_id, customer_id, reason, at.astimezone(UTC).replace(tzinfo=None)],
        )
    return _read_again(engine, settings, batches)


def restore(engine: Engine, settings: Settings, order: OrderName) -> int:
    """Take the order off the list and read its batches again; how many records count again.

    Raises UnknownOrder, AmbiguousOrder, WarehouseMissing.
    """
    warehouse = engine.warehouse
    with warehouse.reading() as connection:
        listed = _listed(connection, order)
        customer_id = _only_customer(order, listed)
        batches = _batches_with_withdrawn(connection)
    _strike(warehouse, order.order_id, customer_id)
    return -_read_again(engine, settings, batches)


def _strike(warehouse: Warehouse, order_id: str, customer_id: str) -> None:
    with warehouse.transaction() as connection:
        prepare(connection, WITHDRAWN_ORDERS)
        connection.execute(
            f"delete from {WITHDRAWN_ORDERS.full_name} where order_id = ? and customer_id = ?", [order_id, customer_id]
        )


def _read_again(engine: Engine, settings: Settings, batches: Sequence[str]) -> int:
    """Read the batches from raw again; how many records more are rejected as withdrawn than before."""
    warehouse = engine.warehouse
    clock, before = read_data_clock(warehouse), _withdrawn_records(warehouse)
    for key in batches:
        make_silver(engine, settings, key)
    _forget_models_of_days_to_come(warehouse, clock)
    return _withdrawn_records(warehouse) - before


def _forget_models_of_days_to_come(warehouse: Warehouse, clock: datetime | None) -> None:
    """Drop versions fitted as of a day that only the order told of: others would not be due for as long."""
    now = read_data_clock(warehouse)
    if clock is None or now is None or now.date() == clock.date():
        return
    with warehouse.transaction() as connection:
        for contract in (PURCHASE_MODEL, SEGMENT_MODEL):
            if contract.full_name in standing_tables(connection):
                connection.execute(
                    f"delete from {contract.full_name} where as_of > ?::date + {_DAYS_AHEAD} "
                    f"and as_of <= ?::date + {_DAYS_AHEAD}",
                    [now.date(), clock.date()],
                )


def _only_customer(order: OrderName, customers: Sequence[str]) -> str:
    if not customers:
        whose = "" if order.customer_id is None else " of this customer"
        raise UnknownOrder(f"There is no order with this id{whose}, and nothing was changed: ids are as in the events.")
    if len(customers) > 1:
        raise AmbiguousOrder(
            f"{len(customers)} customers have an order with this id, and nothing was changed: say whose it is with "
            "--customer CUSTOMER_ID."
        )
    return customers[0]


def _customers(connection: duckdb.DuckDBPyConnection, order: OrderName) -> list[str]:
    """Customers with an order of this id, also those whose order was withdrawn before."""
    found = set(_listed(connection, order))
    for table in _tables_of_orders(connection):
        # Of an order with states the one that holds says whose it is.
        counts = "true" if table == SILVER_ORDERS else "is_void is null"
        sql = f"select {ID_COLUMN} from {table.full_name} where {_IS_THE_ORDER} and {counts}"
        found |= set(_column(connection, sql, order))
    return sorted(found)


_IS_THE_ORDER = f"order_id = $order_id and coalesce({ID_COLUMN} = $customer_id, true)"


def _listed(connection: duckdb.DuckDBPyConnection, order: OrderName) -> list[str]:
    if WITHDRAWN_ORDERS.full_name not in standing_tables(connection):
        return []
    return _column(connection, f"select {ID_COLUMN} from {WITHDRAWN_ORDERS.full_name} where {_IS_THE_ORDER}", order)


def _batches_with(connection: duckdb.DuckDBPyConnection, order_id: str, customer_id: str) -> list[str]:
    found: set[str] = set()
    for table in _tables_of_orders(connection):
        # All states of an order are of one, whoever had it and whether they say so.
        sql = (
            f"select {BATCH_COLUMN} from {table.full_name} "
            f"where order_id = $order_id and ({ID_COLUMN} = $customer_id or is_void is not null)"
        )
        found |= set(_column(connection, sql, OrderName(order_id, customer_id)))
    return sorted(found)


def _batches_with_withdrawn(connection: duckdb.DuckDBPyConnection) -> list[str]:
    sql = f"select distinct {BATCH_COLUMN} from {SILVER_REJECTS.full_name} where {_IS_WITHDRAWN} order by all"
    return [str(key) for (key,) in connection.execute(sql).fetchall()]


_IS_WITHDRAWN = "reasons = ['withdrawn']"


def _withdrawn_records(warehouse: Warehouse) -> int:
    sql = f"select count(*) from {SILVER_REJECTS.full_name} where {_IS_WITHDRAWN}"
    with warehouse.reading() as connection:
        ((count,),) = connection.execute(sql).fetchall()
    return int(count)


def _tables_of_orders(connection: duckdb.DuckDBPyConnection) -> Iterator[Contract]:
    """Every table that has the events of orders."""
    standing = standing_tables(connection)
    for table in TABLES.values():
        if {_ORDER_ID, ID_COLUMN, BATCH_COLUMN} <= set(table.column_names) and table.full_name in standing:
            yield table


def _column(connection: duckdb.DuckDBPyConnection, sql: str, order: OrderName) -> list[str]:
    parameters = {"order_id": order.order_id, "customer_id": order.customer_id}
    return [str(value) for (value,) in connection.execute(sql, parameters).fetchall()]
