"""Comparing warehouses: one hash per table over its ordered rows, without the audit columns."""

from typing import Any

import duckdb

from bridgecart_assets.contracts import RAW_BATCHES, SILVER_READINGS, SILVER_SKIPPED, TABLES, Contract
from bridgecart_assets.warehouse.storage.database import Warehouse, standing_tables

_OF_BATCHES = (RAW_BATCHES, SILVER_READINGS, SILVER_SKIPPED)


def digests(warehouse: Warehouse, *, with_ledger: bool = False) -> dict[str, str]:
    """Table -> hash. What has a row a batch tells how records were cut, so it is left out unless asked for."""
    with warehouse.reading() as connection:
        standing = standing_tables(connection)
        return {
            name: _digest(connection, contract)
            for name, contract in TABLES.items()
            if name in standing and (contract not in _OF_BATCHES or with_ledger)
        }


def digest(warehouse: Warehouse, contract: Contract) -> str:
    """The hash of one table, which has to be there."""
    with warehouse.reading() as connection:
        return _digest(connection, contract)


def rows(warehouse: Warehouse, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """The rows of a read-only query."""
    with warehouse.reading() as connection:
        return connection.execute(sql, list(parameters)).fetchall()


def store_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Make a table of the rows of every view: as older versions had them, and so that they can be falsified."""
    views = "select schema_name || '.' || view_name from duckdb_views() where not internal and not temporary"
    for (view,) in connection.execute(views).fetchall():
        connection.execute(f"create or replace temp table viewed as from {view}")
        connection.execute(f"drop view {view}")
        connection.execute(f"create table {view} as from viewed")


def _digest(connection: duckdb.DuckDBPyConnection, contract: Contract) -> str:
    columns = ", ".join(f'"{column}"' for column in contract.result_columns)
    order = ", ".join(f'"{column}"' for column in contract.key)
    ((hashed,),) = connection.execute(
        f"select count(*) || ':' || md5(coalesce(string_agg(line::varchar, chr(10) order by {order}), '')) "
        f"from (select row({columns}) as line, {order} from {contract.full_name})"
    ).fetchall()
    return str(hashed)
