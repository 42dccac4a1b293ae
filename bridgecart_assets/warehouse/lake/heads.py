"""Heads: of each table in the lake the snapshot that counts, and the view through which the warehouse reads it.

A head moves in the warehouse's own transaction, together with the ledger and whatever else was written. So what is
committed to the lake counts from that moment on, and never did if the transaction fails. What belongs elsewhere: the
snapshots themselves (`iceberg.py`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import duckdb

from bridgecart_assets.base.quoting import sql_name, sql_names, sql_text
from bridgecart_assets.contracts import (
    BATCH_COLUMN,
    CUSTOMER_HASH,
    ID_COLUMN,
    IN_LAKE,
    LAKE_HEADS,
    LAKE_OWNER,
    Contract,
)
from bridgecart_assets.warehouse.storage.database import Warehouse, WarehouseError, columns_of
from bridgecart_assets.warehouse.storage.lake_views import view_of_files
from bridgecart_assets.warehouse.storage.migrations import has_new_fields
from bridgecart_assets.warehouse.storage.tables import prepare, run_steps


class InLake(WarehouseError):
    """Something writes to the file what stands in the lake."""


@dataclass(frozen=True)
class Head:
    """A snapshot of an Iceberg table and the Parquet files with its rows."""

    snapshot_id: int
    files: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """Rows of a table: those of some batches, or, of a table that has none, of some customers by their hashes."""

    table: Contract
    values: Sequence[str | int]

    @property
    def column(self) -> str:
        """The column that has the values."""
        return BATCH_COLUMN if self.table.partitioned else CUSTOMER_HASH.name

    @property
    def condition(self) -> str:
        """The rows, in the SQL of both engines."""
        return f"{self.column} in ({', '.join(map(_literal, self.values)) or 'null'})"


def is_in_lake(connection: duckdb.DuckDBPyConnection) -> bool:
    """True if the large tables of the warehouse stand in the lake."""
    return columns_of(connection, LAKE_HEADS) is not None


def has_lake(warehouse: Warehouse) -> bool:
    """True if the large tables of this warehouse stand in the lake. Raises WarehouseMissing, WarehouseError."""
    with warehouse.reading() as connection:
        return is_in_lake(connection)


def owner_of_lake(connection: duckdb.DuckDBPyConnection) -> str:
    """The id by which the tables of the lake are known as those of this warehouse."""
    ((owner,),) = connection.execute(f"select warehouse::varchar from {LAKE_OWNER.full_name}").fetchall()
    return str(owner)


def require_in_file(connection: duckdb.DuckDBPyConnection) -> None:
    """Raise InLake where the large tables of the warehouse stand in the lake."""
    if is_in_lake(connection):
        raise InLake(
            "The large tables of this warehouse are in the lake: set BRIDGECART_ENGINE=spark, or run "
            "`bridgecart move --to duckdb` first."
        )


@contextmanager
def in_file(connection: duckdb.DuckDBPyConnection, _records: str, _customers: str) -> Iterator[None]:
    """Any rows can be changed where they stand. Raises InLake."""
    require_in_file(connection)
    yield


def read_heads(connection: duckdb.DuckDBPyConnection) -> Mapping[str, Head]:
    """The heads by the full names of the tables; none where nothing stands in the lake."""
    if not is_in_lake(connection):
        return {}
    rows = connection.execute("select table_name, snapshot_id, files from lake.heads").fetchall()
    return {str(name): Head(int(snapshot), tuple(files)) for name, snapshot, files in rows}


def move_head(connection: duckdb.DuckDBPyConnection, table: Contract, head: Head) -> None:
    """Let the table be what this snapshot says: note it, and make the view of its files."""
    prepare(connection, LAKE_HEADS)
    connection.execute("delete from lake.heads where table_name = ?", [table.full_name])
    connection.execute("insert into lake.heads values (?, ?, ?)", [table.full_name, head.snapshot_id, list(head.files)])
    connection.execute(f"create schema if not exists {table.schema}")
    connection.execute(view_of_files(table, head.files, some_lack_columns=has_new_fields(table)))


def bring_in(connection: duckdb.DuckDBPyConnection, parts: Iterable[Part]) -> None:
    """Make tables of the views, with the rows of these parts: what is written into.

    What they held is kept beside them, so that `changed_part` can tell.
    """
    for part in parts:
        table, held = part.table, _held(part.table)
        connection.execute(f"create or replace temp table {held} as from {table.full_name} where {part.condition}")
        connection.execute(f"drop view {table.full_name}")
        connection.execute(table.ddl())
        names = sql_names(table.column_names)
        connection.execute(f"insert into {table.full_name} ({names}) select {names} from {held}")


def changed_part(connection: duckdb.DuckDBPyConnection, part: Part) -> Part:
    """Of a part that was brought in those batches or customers whose rows are others than they were."""
    return replace(part, values=differing(connection, part.column, part.table.full_name, _held(part.table)))


def differing(connection: duckdb.DuckDBPyConnection, column: str, now: str, before: str) -> Sequence[str | int]:
    """The values of a column whose rows in one relation are others than in another, in order."""
    rows = connection.execute(
        f"select distinct {column} from ((from {now} except all from {before}) "
        f"union all (from {before} except all from {now})) order by all"
    ).fetchall()
    return [value for (value,) in rows]


def held_any(connection: duckdb.DuckDBPyConnection, part: Part) -> bool:
    """True if a table that was brought in had rows of this part before."""
    return bool(connection.execute(f"from {_held(part.table)} where {part.condition} limit 1").fetchall())


def put_away(connection: duckdb.DuckDBPyConnection, table: Contract, head: Head) -> None:
    """Let a table that was brought in be a view again, of what the lake has of it."""
    connection.execute(f"drop table {table.full_name}")
    connection.execute(f"drop table {_held(table)}")
    move_head(connection, table, head)


def batches_beside(connection: duckdb.DuckDBPyConnection, accepted: str, batch_key: str) -> list[str]:
    """The batch, and those that have an event of an order that it claims, or claimed before; in order.

    `accepted` is a relation with the `order_key` of its events.
    """
    own = _of_orders("order_key", f"{BATCH_COLUMN} = {sql_text(batch_key)}")
    return _batches(connection, f"select order_key from {accepted} union {own}", f"select {sql_text(batch_key)}")


def batches_of(connection: duckdb.DuckDBPyConnection, records: str, customers: str) -> list[str]:
    """The batches of these records, those with other events of their orders, and those of these customers' orders.

    `records` is a relation with the coordinates of records, `customers` one with their ids.
    """
    place = f'topic_id, "partition", "offset" from {records}'
    orders = _of_orders("order_key", f'(topic_id, "partition", "offset") in (select {place})')
    of_customers = _of_orders(BATCH_COLUMN, f"{ID_COLUMN} in (select {ID_COLUMN} from {customers})")
    return _batches(connection, orders, f"select {BATCH_COLUMN} from {records} union {of_customers}")


def hashes_of(connection: duckdb.DuckDBPyConnection, customers: str) -> list[int]:
    """The hashes of these customers, in order; `customers` is a relation with their ids."""
    run_steps(connection, ["silver/tmp_record_macros"], {})
    hashes = f"select distinct customer_hash_of({ID_COLUMN}) from {customers} order by all"
    return [int(value) for (value,) in connection.execute(hashes).fetchall()]


def _batches(connection: duckdb.DuckDBPyConnection, orders: str, others: str) -> list[str]:
    """The batches with an event of these orders, and the others."""
    connection.execute(f"create or replace temp table claimed as {orders}")
    having = _of_orders(BATCH_COLUMN, "order_key in (select order_key from claimed)")
    rows = connection.execute(f"{others} union {having} order by all").fetchall()
    connection.execute("drop table claimed")
    return [str(key) for (key,) in rows]


def _of_orders(column: str, condition: str) -> str:
    """The values of a column in all tables of the lake that have events of orders."""
    tables = (table for table in IN_LAKE if "order_key" in table.column_names)
    return " union ".join(f"select {column} from {table.full_name} where {condition}" for table in tables)


def drop_temporary(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop the temporary tables and views of the connection."""
    for kind in ("view", "table"):
        temporary = f"select {kind}_name from duckdb_{kind}s() where temporary and not internal"
        for (name,) in connection.execute(temporary).fetchall():
            connection.execute(f"drop {kind} temp.{sql_name(str(name))}")


def _held(table: Contract) -> str:
    return f"held_{table.schema}_{table.name}"


def _literal(value: str | int) -> str:
    return sql_text(value) if isinstance(value, str) else str(value)
