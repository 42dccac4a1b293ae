"""Heads: of each table in the lake the snapshot that counts, and the view through which the warehouse reads it.

A head moves in the warehouse's own transaction, together with the ledger and whatever else was written. So what is
committed to the lake counts from that moment on, and never did if the transaction fails. What belongs elsewhere: the
snapshots themselves (`iceberg.py`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from bridgecart_assets.base.quoting import sql_name, sql_names, sql_text
from bridgecart_assets.contracts import BATCH_COLUMN, IN_LAKE, LAKE_HEADS, Contract
from bridgecart_assets.warehouse.storage.database import WarehouseError, columns_of
from bridgecart_assets.warehouse.storage.tables import prepare, typed_columns


class InLake(WarehouseError):
    """Something writes to the file what stands in the lake."""


@dataclass(frozen=True)
class Head:
    """A snapshot of an Iceberg table and the Parquet files with its rows."""

    snapshot_id: int
    files: tuple[str, ...]


def is_in_lake(connection: duckdb.DuckDBPyConnection) -> bool:
    """True if the large tables of the warehouse stand in the lake."""
    return columns_of(connection, LAKE_HEADS) is not None


def require_in_file(connection: duckdb.DuckDBPyConnection) -> None:
    """Raise InLake where the large tables of the warehouse stand in the lake."""
    if is_in_lake(connection):
        raise InLake(
            "The large tables of this warehouse are in the lake: set BRIDGECART_ENGINE=spark; for what Spark cannot "
            "do, run `bridgecart move --to duckdb` first."
        )


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
    show(connection, table, head)


def show(connection: duckdb.DuckDBPyConnection, table: Contract, head: Head) -> None:
    """Make the view through which the table is read."""
    rows = f"read_parquet([{', '.join(map(sql_text, sorted(head.files)))}], hive_partitioning = false)"
    if not head.files:
        empty = ", ".join(f"null::{c.type} as {sql_name(c.name)}" for c in table.columns)
        rows = f"(select {empty} where false)"
    connection.execute(f"create schema if not exists {table.schema}")
    connection.execute(f"create or replace view {table.full_name} as select {typed_columns(table)} from {rows}")


def bring_in(connection: duckdb.DuckDBPyConnection, tables: Iterable[Contract], batches: Sequence[str]) -> None:
    """Make tables of the views, with the rows of these batches: what a batch is written into.

    What they held is kept as `held_<table>`, so that `changed_batches` can tell.
    """
    for table in tables:
        held = _held(table)
        connection.execute(
            f"create or replace temp table {held} as from {table.full_name} "
            f"where {BATCH_COLUMN} in (select unnest($batches))",
            {"batches": list(batches)},
        )
        connection.execute(f"drop view {table.full_name}")
        connection.execute(table.ddl())
        names = sql_names(table.column_names)
        connection.execute(f"insert into {table.full_name} ({names}) select {names} from {held}")


def changed_batches(connection: duckdb.DuckDBPyConnection, table: Contract) -> list[str]:
    """The batches whose rows of a table that was brought in are others than they were."""
    now, before = table.full_name, _held(table)
    rows = connection.execute(
        f"select distinct {BATCH_COLUMN} from ((from {now} except all from {before}) "
        f"union all (from {before} except all from {now})) order by {BATCH_COLUMN}"
    ).fetchall()
    return [str(key) for (key,) in rows]


def held_any(connection: duckdb.DuckDBPyConnection, table: Contract, batches: Sequence[str]) -> bool:
    """True if a table that was brought in had rows of these batches before."""
    condition = f"{BATCH_COLUMN} in (select unnest($batches))"
    rows = connection.execute(f"from {_held(table)} where {condition} limit 1", {"batches": list(batches)}).fetchall()
    return bool(rows)


def put_away(connection: duckdb.DuckDBPyConnection, table: Contract, head: Head) -> None:
    """Let a table that was brought in be a view again, of what the lake has of it."""
    connection.execute(f"drop table {table.full_name}")
    connection.execute(f"drop table {_held(table)}")
    move_head(connection, table, head)


def batches_beside(connection: duckdb.DuckDBPyConnection, accepted: str, batch_key: str) -> list[str]:
    """The batch, and those that have an event of an order that it claims, or claimed before; in order.

    `accepted` is a relation with the `order_key` of its events.
    """
    own = _of_orders("order_key", f"{BATCH_COLUMN} = $batch_key")
    connection.execute(
        f"create temp table claimed as select order_key from {accepted} union {own}", {BATCH_COLUMN: batch_key}
    )
    having = _of_orders(BATCH_COLUMN, "order_key in (select order_key from claimed)")
    rows = connection.execute(f"select $batch_key union {having} order by 1", {BATCH_COLUMN: batch_key}).fetchall()
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
    return f"held_{table.name}"
