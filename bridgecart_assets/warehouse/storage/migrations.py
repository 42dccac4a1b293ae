"""The version of the warehouse's layout: an older file is brought up to date, a newer one is refused.

Whoever changes the columns of a table adds a migration here; the golden file of the layout reminds of it. A migration
may drop tables that are made as a whole: the next refresh makes them again. Raw records exist nowhere else.
"""

from pathlib import Path

import duckdb

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.sql import read_sql

MIGRATIONS: tuple[str, ...] = (
    "migrations/0001_layouts_have_a_version",
    "migrations/0002_bounded_predictions",
    "migrations/0003_batches_keep_their_last_records",
    "migrations/0004_full_rebuilds",
)
"""SQL files; the n-th makes version n of what version n - 1 was."""

_TABLE = "main.layout_version"


class WarehouseTooNew(BridgeCartError):
    """The file was written by a later version of BridgeCart."""


def has_known_layout(connection: duckdb.DuckDBPyConnection, path: Path) -> bool:
    """True if the file has the layout of this version of BridgeCart; False if it is older, or has none yet.

    To be asked outside of a transaction. Raises WarehouseTooNew.
    """
    version = _version(connection)
    if version is not None and version > len(MIGRATIONS):
        raise WarehouseTooNew(
            f"{path} was written by a later version of BridgeCart (its layout is {version}, known here is "
            f"{len(MIGRATIONS)}): install that version again, or set BRIDGECART_DATA_DIR to another folder."
        )
    return version == len(MIGRATIONS)


def is_empty(connection: duckdb.DuckDBPyConnection) -> bool:
    """True if the file has no table at all."""
    sql = "select count(*) from duckdb_tables() where database_name = current_database() and not internal"
    ((tables,),) = connection.execute(sql).fetchall()
    return int(tables) == 0


def bring_up_to_date(connection: duckdb.DuckDBPyConnection) -> None:
    """Run the migrations that the file lacks, all in one transaction."""
    done = len(MIGRATIONS) if is_empty(connection) else _version(connection) or 0
    connection.execute("begin transaction")
    for name in MIGRATIONS[done:]:
        for statement in connection.extract_statements(read_sql(name)):
            connection.execute(statement)
    connection.execute(f"create or replace table {_TABLE} as select {len(MIGRATIONS)} as version")
    connection.execute("commit")


def _version(connection: duckdb.DuckDBPyConnection) -> int | None:
    try:
        # Asked every time the file is opened; whether the table stands takes longer to find out.
        ((version,),) = connection.execute(f"select version from {_TABLE}").fetchall()
    except duckdb.CatalogException:
        return None
    return int(version)
