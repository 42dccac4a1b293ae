"""The version of the warehouse's layout: an older file is brought up to date, a newer one is refused.

Whoever changes the columns of a table adds a migration here; the golden file of the layout reminds of it. A migration
may drop tables that are made as a whole: the next refresh makes them again. Raw records exist nowhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.contracts.catalog import TABLES
from bridgecart_assets.contracts.event import event_column
from bridgecart_assets.contracts.internal import IN_LAKE, LAKE_HEADS
from bridgecart_assets.sql import read_sql


@dataclass(frozen=True)
class NewField:
    """An optional field that the event got: its column, at the end of the tables that hold it, NULL in their rows."""

    name: str

    def sql(self) -> str:
        """The statements that add the column."""
        column = event_column(self.name)
        return "\n".join(
            f"alter table if exists {table.full_name} add column if not exists {column.name} {column.type};"
            for table in TABLES.values()
            if column in table.columns
        )


MIGRATIONS: tuple[str | NewField, ...] = (
    "migrations/0001_layouts_have_a_version",
    "migrations/0002_bounded_predictions",
    "migrations/0003_batches_keep_their_last_records",
    "migrations/0004_full_rebuilds",
    "migrations/0005_figures_on_any_shop",
    "migrations/0006_own_topics",
    "migrations/0007_carried_sums",
    "migrations/0008_lifecycles_are_told",
)
"""SQL files and new fields of the event; the n-th makes version n of what version n - 1 was."""

_TABLE = "main.layout_version"


class LayoutInLake(BridgeCartError):
    """A table has to change whose rows stand in the lake, where files are written once and stay as they are."""


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
    """Run the migrations that the file lacks, all in one transaction. Raises LayoutInLake."""
    done = len(MIGRATIONS) if is_empty(connection) else _version(connection) or 0
    missing = [one.sql() if isinstance(one, NewField) else read_sql(one) for one in MIGRATIONS[done:]]
    _require_in_file(connection, missing)
    connection.execute("begin transaction")
    for sql in missing:
        for statement in connection.extract_statements(sql):
            connection.execute(statement)
    connection.execute(f"create or replace table {_TABLE} as select {len(MIGRATIONS)} as version")
    connection.execute("commit")


def _require_in_file(connection: duckdb.DuckDBPyConnection, missing: Sequence[str]) -> None:
    """Raise LayoutInLake where a migration changes a table whose rows stand in the lake."""
    in_lake = "select count(*) from duckdb_tables() where schema_name || '.' || table_name = ?"
    ((lakes,),) = connection.execute(in_lake, [LAKE_HEADS.full_name]).fetchall()
    changed = [table.full_name for table in IN_LAKE if any(table.full_name in sql for sql in missing)]
    if lakes and changed:
        raise LayoutInLake(
            f"This version of BridgeCart has other columns in {', '.join(changed)}, which are in the lake: install the "
            "version before again, run `bridgecart move --to duckdb`, install this one, and move again."
        )


def _version(connection: duckdb.DuckDBPyConnection) -> int | None:
    try:
        # Asked every time the file is opened; whether the table stands takes longer to find out.
        ((version,),) = connection.execute(f"select version from {_TABLE}").fetchall()
    except duckdb.CatalogException:
        return None
    return int(version)
