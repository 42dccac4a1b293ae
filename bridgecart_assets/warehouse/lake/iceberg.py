"""Iceberg tables through a Spark session: whole tables and batches replaced, small files merged, old ones deleted.

A table is named as its contract says, and not partitioned: a year has more batches than there should be files. What
belongs elsewhere: which snapshot counts (`heads.py`).
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast

import duckdb

from bridgecart_assets.base.quoting import sql_name, sql_text
from bridgecart_assets.contracts import BATCH_COLUMN, Contract
from bridgecart_assets.warehouse.lake.heads import Head
from bridgecart_assets.warehouse.lake.session import CATALOG

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType
    from pyspark.sql import DataFrame, Row, SparkSession

# Types of the same name in both are left out. Iceberg has no UUID in Spark.
_TYPES = {"varchar": "string", "integer": "int", "timestamp": "timestamp_ntz", "blob": "binary", "uuid": "string"}
_FILE = "file:"
_STAGING = "staging"
_SMALL_FILES = 20


@dataclass(frozen=True)
class Lake:
    """The Iceberg tables below a folder."""

    spark: "SparkSession"
    folder: Path

    def rows(self, table: Contract, head: Head) -> "DataFrame":
        """The rows of a snapshot."""
        return self.spark.read.option("versionAsOf", head.snapshot_id).table(_name(table))

    def settle(self, table: Contract, head: Head) -> None:
        """Take back what was committed after the head: the transaction that would have named it failed."""
        if self._snapshot(table) != head.snapshot_id:
            self.spark.sql(f"call {CATALOG}.system.rollback_to_snapshot('{table.full_name}', {head.snapshot_id})")

    def replace(self, table: Contract, rows: "DataFrame") -> Head:
        """Replace all rows, by one commit."""
        from pyspark.sql.functions import lit

        self._prepare(table)
        _in_columns(table, rows).writeTo(_name(table)).overwrite(lit(True))
        return self.head(table)

    def replace_batches(
        self, table: Contract, rows: "DataFrame", batches: Sequence[str], *, held: bool, properties: Mapping[str, str]
    ) -> Head:
        """Replace the rows of these batches; the commit that adds them has these properties.

        `held` says whether the table has any rows of them: those are deleted by a commit before.
        """
        if held:
            keys = ", ".join(map(sql_text, batches))
            self.spark.sql(f"delete from {_name(table)} where {BATCH_COLUMN} in ({keys})")
        writer = _in_columns(table, rows).writeTo(_name(table))
        for name, value in properties.items():
            writer = writer.option(f"snapshot-property.{name}", value)
        writer.append()
        return self.head(table)

    def compact(self, table: Contract, head: Head) -> Head:
        """Put the rows of many small files into fewer large ones."""
        if len(head.files) < _SMALL_FILES:
            return head
        self.settle(table, head)
        options = f"map('min-input-files', '{_SMALL_FILES}')"
        self.spark.sql(f"call {CATALOG}.system.rewrite_data_files(table => '{table.full_name}', options => {options})")
        return self.head(table)

    def expire(self, table: Contract, head: Head, before: datetime) -> int:
        """Delete snapshots from before, but the head, and files that no snapshot needs; the number of files.

        Files that nobody names may be of a commit under way: of these only those stay that are younger than a day.
        """
        self.settle(table, head)
        expired = self._call("expire_snapshots", table, before)
        orphans = self._call("remove_orphan_files", table, before - timedelta(days=1))
        return sum(int(row["deleted_data_files_count"]) for row in expired) + len(orphans)

    def _call(self, procedure: str, table: Contract, older_than: datetime) -> "list[Row]":
        moment = f"timestamp '{older_than:%Y-%m-%d %H:%M:%S}'"
        called = f"call {CATALOG}.system.{procedure}(table => '{table.full_name}', older_than => {moment})"
        rows: list[Row] = self.spark.sql(called).collect()
        return rows

    @contextmanager
    def staged(
        self, connection: duckdb.DuckDBPyConnection, table: Contract, batches: Sequence[str] | None = None
    ) -> "Iterator[DataFrame]":
        """The rows that a table of the warehouse has, or has of some batches, for Spark: in files, until the end."""
        where = "" if batches is None else f"where {BATCH_COLUMN} in ({', '.join(map(sql_text, batches))})"
        (self.folder / _STAGING).mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=self.folder / _STAGING))
        try:
            connection.execute(
                f"copy (select {stored_columns(table)} from {table.full_name} {where}) to {sql_text(str(folder))} "
                "(format parquet, compression zstd, per_thread_output true, overwrite_or_ignore true)"
            )
            yield self.spark.read.schema(spark_schema(table)).parquet(str(folder))
        finally:
            shutil.rmtree(folder)

    def _prepare(self, table: Contract) -> None:
        self.spark.sql(f"create table if not exists {_name(table)} ({spark_schema(table)}) using iceberg")

    def _snapshot(self, table: Contract) -> int:
        ((snapshot,),) = self.spark.sql(f"select snapshot_id from {_name(table)}.refs where name = 'main'").collect()
        return int(snapshot)

    def head(self, table: Contract) -> Head:
        """The newest snapshot."""
        files = self.spark.sql(f"select file_path from {_name(table)}.files").collect()
        return Head(self._snapshot(table), tuple(str(path).removeprefix(_FILE) for (path,) in files))


def _in_columns(table: Contract, rows: "DataFrame") -> "DataFrame":
    return rows.select(*(f"`{name}`" for name in table.column_names))


def spark_schema(table: Contract) -> str:
    """The columns of the table as Spark declares them."""
    return ", ".join(f"`{column.name}` {spark_type(column.type)}" for column in table.columns)


def spark_type(name: str) -> str:
    """Spark's type for a type of DuckDB."""
    return _of_type(duckdb.sqltype(name))


def _of_type(type_: "DuckDBPyType") -> str:
    if type_.id == "decimal":
        return str(type_).lower()
    fields = {name: _of_type(cast("DuckDBPyType", field)) for name, field in _children(type_)}
    match type_.id:
        case "list":
            return f"array<{fields['child']}>"
        case "struct":
            return f"struct<{', '.join(f'`{name}`: {field}' for name, field in fields.items())}>"
        case name:
            return _TYPES.get(name, name)


def _children(type_: "DuckDBPyType") -> "Sequence[tuple[str, object]]":
    return type_.children if type_.id in ("list", "struct") else []


def stored_columns(table: Contract) -> str:
    """The columns of the table as the lake has them, of rows as DuckDB has them."""
    return ", ".join(_stored(column.name, column.type) for column in table.columns)


def _stored(name: str, type_: str) -> str:
    return f"{sql_name(name)}::varchar as {sql_name(name)}" if type_ == "UUID" else sql_name(name)


def _name(table: Contract) -> str:
    return f"{CATALOG}.{table.full_name}"
