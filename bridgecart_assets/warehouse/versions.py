"""The version of the warehouse's layout: an older file is brought up to date, a newer one is refused.

Whoever changes the columns of a table adds a migration here; the golden file of the layout reminds of it. A migration
may drop tables that are made as a whole: the next refresh makes them again. Raw records exist nowhere else.
"""

from pathlib import Path

import duckdb

from bridgecart_assets.errors import BridgeCartError
from bridgecart_assets.sql import read_sql

MIGRATIONS: tuple[str, ...] = ("migrations/0001_layouts_have_a_version",)
"""SQL files; the n-th makes version n of what version n - 1 was."""

_TABLE = "main.layout_version"
_STANDING = """
select 1 from duckdb_tables()
where database_name = current_database() and schema_name || '.' || table_name = $table
"""


class WarehouseTooNew(BridgeCartError):
    """The file was written by a later version of BridgeCart."""


def require_known(connection: duckdb.DuckDBPyConnection, path: Path) -> bool:
    """Whether the file has the layout of this version of BridgeCart, or none yet; False if it is older.

    Raises WarehouseTooNew.
    """
    version = _version(connection)
    if version is not None and version > len(MIGRATIONS):
        raise WarehouseTooNew(
            f"{path} was written by a later version of BridgeCart (its layout is {version}, known here is "
            f"{len(MIGRATIONS)}): install that version again, or set BRIDGECART_DATA_DIR to another folder."
        )
    return version == len(MIGRATIONS) or (version is None and _is_empty(connection))


def bring_up_to_date(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Run the migrations that the file lacks, in the caller's transaction. Raises WarehouseTooNew."""
    if require_known(connection, path) and _version(connection) is not None:
        return
    done = len(MIGRATIONS) if _is_empty(connection) else _version(connection) or 0
    for name in MIGRATIONS[done:]:
        for statement in connection.extract_statements(read_sql(name)):
            connection.execute(statement)
    connection.execute(f"create or replace table {_TABLE} as select {len(MIGRATIONS)} as version")


def _version(connection: duckdb.DuckDBPyConnection) -> int | None:
    if not connection.execute(_STANDING, {"table": _TABLE}).fetchall():
        return None
    ((version,),) = connection.execute(f"select version from {_TABLE}").fetchall()
    return int(version)


def _is_empty(connection: duckdb.DuckDBPyConnection) -> bool:
    sql = "select count(*) from duckdb_tables() where database_name = current_database() and not internal"
    ((tables,),) = connection.execute(sql).fetchall()
    return int(tables) == 0
