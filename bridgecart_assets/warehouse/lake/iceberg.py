"""Iceberg tables through a Spark session: whole tables and batches replaced, small files merged, old ones deleted.

A table is named as its contract says, and not partitioned: a year has more batches than there should be files. What
belongs elsewhere: which snapshot counts (`heads.py`).
"""

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import duckdb

from bridgecart_assets.base.quoting import sql_name, sql_text
from bridgecart_assets.contracts import Column, Contract
from bridgecart_assets.warehouse.lake.heads import Head, Part
from bridgecart_assets.warehouse.lake.session import Spark, SparkFailed

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType
    from pyspark.sql import DataFrame, SparkSession

# Types of the same name in both are left out. Iceberg has no UUID in Spark.
_TYPES = {"varchar": "string", "integer": "int", "timestamp": "timestamp_ntz", "blob": "binary", "uuid": "string"}
_OWNER = "bridgecart.warehouse"
_STAGING = "staging"
_SMALL_FILES = 20


@dataclass(frozen=True)
class Lake:
    """The Iceberg tables of a catalog.

    Attributes:
        spark: the session.
        folder: what is on its way there stands in it meanwhile.
        namespace: what stands before the names of the tables in Spark's SQL: the catalog, and namespaces in it.

    """

    spark: "SparkSession"
    folder: Path
    namespace: tuple[str, ...]

    def rows(self, table: Contract, head: Head) -> "DataFrame":
        """The rows of a snapshot, with NULL in columns that the table did not have yet."""
        from pyspark.sql.functions import lit

        stored = self.spark.read.option("versionAsOf", head.snapshot_id).table(self._name(table))
        lacking = [column for column in table.columns if column.name not in stored.columns]
        return stored.withColumns({column.name: lit(None).cast(spark_type(column.type)) for column in lacking})

    def settle(self, table: Contract, head: Head) -> None:
        """Take back what was committed after the head: the transaction that would have named it failed."""
        if self._snapshot(table) != head.snapshot_id:
            self._call("rollback_to_snapshot", table, f"snapshot_id => {head.snapshot_id}")

    def replace(self, table: Contract, rows: "DataFrame") -> Head:
        """Replace all rows, by one commit."""
        from pyspark.sql.functions import lit

        self._add_columns(table)
        _in_columns(table, rows).writeTo(self._name(table)).overwrite(lit(True))
        return self.head(table)

    def replace_part(
        self, part: Part, head: Head, rows: "DataFrame", *, held: bool, properties: Mapping[str, str]
    ) -> Head:
        """Replace the rows of a part; the commit that adds them has these properties.

        `held` says whether the head has any rows of it: those are deleted by a commit before. Raises SparkFailed where
        others committed meanwhile.
        """
        self._add_columns(part.table)
        if held:
            self.spark.sql(f"delete from {self._name(part.table)} where {part.condition}")
        writer = _in_columns(part.table, rows).writeTo(self._name(part.table))
        for name, value in properties.items():
            writer = writer.option(f"snapshot-property.{name}", value)
        writer.append()
        self._require_alone(part.table, head, commits=1 + held)
        return self.head(part.table)

    def _add_columns(self, table: Contract) -> None:
        """Add the columns that the table did not have yet, which makes no snapshot."""
        stored = {field.name() for field in self._stored(table).schema().columns()}
        lacking = tuple(column for column in table.columns if column.name not in stored)
        if lacking:
            self.spark.sql(f"alter table {self._name(table)} add columns ({_declared(lacking)})")

    def create(self, table: Contract, owner: str) -> None:
        """Make the table where there is none; one that a killed move of the owner left stays.

        Raises SparkFailed where the table is another warehouse's, or anybody's.
        """
        if self._stands(table):
            if self._stored(table).properties().get(_OWNER) != owner:
                raise SparkFailed(
                    f"{self._name(table)} is not a table of this warehouse: set BRIDGECART_LAKE_DIR to another folder, "
                    "or BRIDGECART_SPARK_CATALOG to another namespace, or drop the tables there."
                )
            return
        names = [*self.namespace, table.schema]
        for depth in range(2, len(names) + 1):
            self.spark.sql(f"create namespace if not exists {'.'.join(names[:depth])}")
        self.spark.sql(
            f"create table {self._name(table)} ({spark_schema(table)}) using iceberg "
            f"tblproperties ('{_OWNER}' = '{owner}')"
        )

    def drop(self, table: Contract, head: Head) -> None:
        """Drop the table with its files, unless it is one of the same name that never had this snapshot."""
        if self._stands(table) and self._stored(table).snapshot(head.snapshot_id) is not None:
            self.spark.sql(f"drop table {self._name(table)} purge")

    def empty(self, table: Contract) -> Head:
        """Delete all rows, by one commit."""
        self.spark.sql(f"delete from {self._name(table)}")
        return self.head(table)

    def compact(self, table: Contract, head: Head) -> Head:
        """Put the rows of many small files into fewer large ones."""
        if len(head.files) < _SMALL_FILES:
            return head
        self.settle(table, head)
        options = f"map('min-input-files', '{_SMALL_FILES}')"
        self._call("rewrite_data_files", table, f"options => {options}")
        self._require_alone(table, head, commits=1)
        return self.head(table)

    def expire(self, table: Contract, head: Head, before: datetime) -> int:
        """Delete snapshots from before, but the head, and files that no snapshot needs; the number of files.

        Nobody may write meanwhile: files that no snapshot names could be of a commit under way.
        """
        self.settle(table, head)
        older = f"older_than => timestamp '{before:%Y-%m-%d %H:%M:%S.%f}'"
        ((files, *_),) = self._call("expire_snapshots", table, older).collect()
        return int(files) + self._delete_orphans(table)

    def _delete_orphans(self, table: Contract) -> int:
        """Delete what killed commits left. Iceberg's procedure leaves a day's, because it knows of no lock."""
        jvm = cast("Any", self.spark)._jvm
        action = jvm.org.apache.iceberg.spark.actions.SparkActions.get().deleteOrphanFiles(self._stored(table))
        result = action.olderThan(jvm.java.lang.System.currentTimeMillis()).execute()
        return sum(1 for _ in result.orphanFileLocations())

    @contextmanager
    def staged(
        self, connection: duckdb.DuckDBPyConnection, table: Contract, part: Part | None = None
    ) -> "Iterator[DataFrame]":
        """The rows that a table of the warehouse has, or has in a part, for Spark: in files, until the end."""
        where = "" if part is None else f"where {part.condition}"
        with self.staging() as folder:
            connection.execute(
                f"copy (select {stored_columns(table)} from {table.full_name} {where}) to {sql_text(str(folder))} "
                "(format parquet, compression zstd, per_thread_output true, overwrite_or_ignore true)"
            )
            yield self.spark.read.schema(spark_schema(table)).parquet(str(folder))

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder that every worker sees, until the end, for rows on their way to the lake or from it."""
        unstage(self.folder)
        (self.folder / _STAGING).mkdir(parents=True)
        try:
            yield Path(tempfile.mkdtemp(dir=self.folder / _STAGING))
        finally:
            unstage(self.folder)

    def _require_alone(self, table: Contract, head: Head, *, commits: int) -> None:
        """Raise SparkFailed unless at most so many commits followed the head.

        The Java of a driver that was killed may end its last commit when the next run has looked for it already.
        """
        stored = self._stored(table)
        between = cast("Any", self.spark)._jvm.org.apache.iceberg.util.SnapshotUtil.snapshotIdsBetween
        if len(between(stored, head.snapshot_id, stored.currentSnapshot().snapshotId())) > commits:
            raise SparkFailed(
                f"Another process wrote to {table.full_name} in the lake meanwhile: nothing was written, run again."
            )

    def _call(self, procedure: str, table: Contract, arguments: str) -> "DataFrame":
        """Call a procedure of Iceberg on the table."""
        catalog, *namespaces = self.namespace
        name = ".".join([*namespaces, table.full_name])
        return self.spark.sql(f"call {catalog}.system.{procedure}(table => '{name}', {arguments})")

    def _name(self, table: Contract) -> str:
        return ".".join([*self.namespace, table.full_name])

    def _stands(self, table: Contract) -> bool:
        return bool(self.spark.catalog.tableExists(self._name(table)))

    def _snapshot(self, table: Contract) -> int:
        return int(self._stored(table).currentSnapshot().snapshotId())

    def _stored(self, table: Contract) -> Any:
        """The table as Iceberg has it: what a query of its metadata says takes Spark a job."""
        spark = cast("Any", self.spark)
        return spark._jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(spark._jsparkSession, self._name(table))

    def head(self, table: Contract) -> Head:
        """The newest snapshot."""
        stored = self._stored(table)
        paths = (str(task.file().location()) for task in stored.newScan().planFiles().iterator())
        return Head(int(stored.currentSnapshot().snapshotId()), tuple(map(_in_folder, paths)))


@contextmanager
def lake_of(spark: Spark) -> Iterator[Lake]:
    """The tables in the lake. Errors of Spark are raised as SparkFailed."""
    with spark.session() as session:
        yield Lake(session, spark.folder, spark.namespace)


def unstage(folder: Path) -> None:
    """Delete what was staged in a lake's folder, also by a process that was killed: whoever writes is alone."""
    if (folder / _STAGING).exists():
        shutil.rmtree(folder / _STAGING)


def _in_folder(location: str) -> str:
    """The path of a file of the lake. Raises SparkFailed where it is in no folder."""
    path = re.sub("^file:/*", "/", location)
    if not path.startswith("/"):
        raise SparkFailed(
            f"The catalog puts the lake's files at {location.rpartition('/')[0]}: it has to put them in a folder that "
            "this machine sees; DuckDB reads them there."
        )
    return path


def _in_columns(table: Contract, rows: "DataFrame") -> "DataFrame":
    return rows.select(*(f"`{name}`" for name in table.column_names))


def spark_schema(table: Contract) -> str:
    """The columns of the table as Spark declares them."""
    return _declared(table.columns)


def _declared(columns: Sequence[Column]) -> str:
    return ", ".join(f"`{column.name}` {spark_type(column.type)}" for column in columns)


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
