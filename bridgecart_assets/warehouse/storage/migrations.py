"""The version of the warehouse's layout: an older file is brought up to date, a newer one is refused.

Whoever changes the columns of a table adds a migration here; the golden file of the layout reminds of it. A migration
may drop tables that are made as a whole: the next refresh makes them again. Raw records exist nowhere else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.contracts.catalog import TABLES
from bridgecart_assets.contracts.contract import Contract
from bridgecart_assets.contracts.event import event_column
from bridgecart_assets.contracts.internal import LAKE_HEADS
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.storage.lake_views import view_of_files


@dataclass(frozen=True)
class NewField:
    """An optional field that the event got: its column, at the end of the tables that hold it, NULL in their rows."""

    name: str

    def sql(self, in_lake: Mapping[str, Sequence[str]]) -> str:
        """The statements that add the column; `in_lake` are tables of the lake and their files."""
        column = event_column(self.name)
        return ";\n".join(
            view_of_files(table, in_lake[table.full_name], some_lack_columns=True)
            if table.full_name in in_lake
            else f"alter table if exists {table.full_name} add column if not exists {column.name} {column.type}"
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
    "migrations/0009_repeat_purchases",
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
    in_lake = _files_in_lake(connection)
    missing = MIGRATIONS[done:]
    _require_in_file(in_lake, [read_sql(one) for one in missing if not isinstance(one, NewField)])
    connection.execute("begin transaction")
    for one in missing:
        sql = one.sql(in_lake) if isinstance(one, NewField) else read_sql(one)
        for statement in connection.extract_statements(sql):
            connection.execute(statement)
    connection.execute(f"create or replace table {_TABLE} as select {len(MIGRATIONS)} as version")
    connection.execute("commit")


def has_new_fields(table: Contract) -> bool:
    """True if the table got a column by a migration: files of the lake from before lack it."""
    return any(event_column(one.name) in table.columns for one in MIGRATIONS if isinstance(one, NewField))


def _files_in_lake(connection: duckdb.DuckDBPyConnection) -> Mapping[str, Sequence[str]]:
    """The tables that stand in the lake, with their files."""
    asked = "select count(*) from duckdb_tables() where schema_name || '.' || table_name = ?"
    ((lakes,),) = connection.execute(asked, [LAKE_HEADS.full_name]).fetchall()
    if not lakes:
        return {}
    return dict(connection.execute(f"select table_name, files from {LAKE_HEADS.full_name}").fetchall())


def _require_in_file(in_lake: Mapping[str, Sequence[str]], missing: Sequence[str]) -> None:
    """Raise LayoutInLake where a migration changes a table whose rows stand in the lake."""
    changed = [name for name in in_lake if any(name in sql for sql in missing)]
    if changed:
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
