"""Large batches, judged by Spark's workers: a share has the records of some orders, and all that silver has of these.

A first look at the records says of which order each is. What belongs elsewhere: the work on a share (`batch_work.py`),
and batches that this machine judges (`spark_engine.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, reduce
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from bridgecart_assets.base.quoting import sql_text
from bridgecart_assets.contracts import (
    BATCH_COLUMN,
    RAW_ORDERS,
    SILVER_ORDERS,
    SILVER_READINGS,
    SILVER_REJECTS,
    SILVER_SKIPPED,
    Contract,
)
from bridgecart_assets.sql import file_of, read_sql
from bridgecart_assets.warehouse.batch_work import EVENTS, KEYED_RECORDS, work_to_judge, work_to_key
from bridgecart_assets.warehouse.customer_work import RECORD_KEY
from bridgecart_assets.warehouse.lake.heads import Head, Part, differing, move_head, read_heads
from bridgecart_assets.warehouse.lake.iceberg import Lake, lake_of
from bridgecart_assets.warehouse.lake.session import Spark
from bridgecart_assets.warehouse.lake.shares import (
    by_order,
    column_of,
    make_as_they_come,
    make_by_shares,
    number_of_shares,
    rows_of_target,
)
from bridgecart_assets.warehouse.storage.lake_views import rows_of_files
from bridgecart_assets.warehouse.storage.outputs import Query
from bridgecart_assets.warehouse.storage.tables import prepare, replace_rows, run_steps

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# The key of the order that a row belongs to: a refund inside an order has another key.
_OWNER = "owner"
_STANDING, _MADE = "standing", "made"


@dataclass(frozen=True)
class LargeBatch:
    """A batch in raw whose orders are to be written, within a transaction of the file.

    Attributes:
        spark: whose workers judge it.
        connection: of the transaction.
        query: how the batch is read, as for a smaller one.
        batch_key: of the batch.
        timezone: of times that name none.
        properties: of the commits to the lake.

    """

    spark: Spark
    connection: duckdb.DuckDBPyConnection
    query: Query
    batch_key: str
    timezone: str
    properties: Mapping[str, str]

    def write(self, records: int) -> None:
        """Write what the batch's records say, so many as there are, and what they change in other batches."""
        for table in (*self.query.optional_inputs, SILVER_READINGS, SILVER_SKIPPED):
            prepare(self.connection, table)
        with lake_of(self.spark) as lake, lake.staging() as folder, ExitStack() as kept:
            keyed = kept.enter_context(_kept(self._keyed(lake)))
            events = self._events(lake)
            contested = kept.enter_context(_kept(self._contested(events, keyed)))
            standing = self._staged(lake, folder / _STANDING, self._standing(lake, events, contested))
            work = work_to_judge(self.connection, self.query, self.batch_key, [*standing], timezone=self.timezone)
            division = by_order(_OWNER, number_of_shares(records))
            records_read = _together([keyed, *self._records_beside(lake, standing)])
            shares = kept.enter_context(_kept(make_by_shares({RAW_ORDERS: records_read, **standing}, division, work)))
            made = {table: rows_of_target(shares, table) for table in work.targets}
            self._staged(lake, folder / _MADE, {table: made[table].where(self._is_elsewhere) for table in standing})
            for table in EVENTS:
                self._relate(folder / _STANDING, table)
                self._relate(folder / _MADE, table)
            written = self._tables_with_own_rows(shares)
            for table in (*EVENTS, SILVER_REJECTS):
                self._replace(lake, table, made[table], standing.get(table), adds=table in written)
            self._note(made[SILVER_SKIPPED])

    @cached_property
    def _heads(self) -> Mapping[str, Head]:
        """The heads before anything is written."""
        return read_heads(self.connection)

    @property
    def _is_own(self) -> str:
        return f"{BATCH_COLUMN} = {sql_text(self.batch_key)}"

    @property
    def _is_elsewhere(self) -> str:
        return f"{BATCH_COLUMN} <> {sql_text(self.batch_key)}"

    def _rows(self, lake: Lake, table: Contract) -> "DataFrame":
        return lake.rows(table, self._heads[table.full_name])

    def _keyed(self, lake: Lake) -> "DataFrame":
        """The records of the batch, each with the key of the order that it is of."""
        work = work_to_key(self.connection, self.query, self.batch_key, timezone=self.timezone)
        keyed = make_as_they_come(self._rows(lake, RAW_ORDERS).where(self._is_own), work)
        return rows_of_target(keyed, KEYED_RECORDS).withColumnRenamed("order_key", _OWNER)

    def _events(self, lake: Lake) -> "Mapping[Contract, DataFrame]":
        """The events of orders, and the key of the order that each is of."""
        return {
            table: self._rows(lake, table).where("part = 0").selectExpr("*", f"order_key as {_OWNER}")
            for table in EVENTS
        }

    def _contested(self, events: "Mapping[Contract, DataFrame]", keyed: "DataFrame") -> "DataFrame":
        """The orders of which silver has events, and which the batch claims or claimed before."""
        own = [rows.where(self._is_own).select(_OWNER) for rows in events.values()]
        claimed = _together([keyed.select(_OWNER), *own])
        return (
            _together([rows.select(_OWNER) for rows in events.values()]).join(claimed, _OWNER, "left_semi").distinct()
        )

    def _standing(
        self, lake: Lake, events: "Mapping[Contract, DataFrame]", contested: "DataFrame"
    ) -> "Mapping[Contract, DataFrame]":
        """All that silver has of these orders, by table; {} where there are none."""
        if contested.isEmpty():
            return {}
        standing = {table: rows.join(contested, _OWNER, "left_semi") for table, rows in events.items()}
        giving = standing[SILVER_ORDERS].where("refunds is not null").select(_OWNER, *RAW_ORDERS.key)
        refunds = self._rows(lake, SILVER_ORDERS).where("part > 0").join(giving, [*RAW_ORDERS.key])
        return {**standing, SILVER_ORDERS: standing[SILVER_ORDERS].unionByName(refunds)}

    def _records_beside(self, lake: Lake, standing: "Mapping[Contract, DataFrame]") -> "Iterator[DataFrame]":
        """The records of other batches whose events are standing: of lines these say more than silver keeps."""
        if not standing or self.query.parameters["order_events"] != "lines":
            return
        places = [rows.where(self._is_elsewhere).select(_OWNER, *RECORD_KEY) for rows in standing.values()]
        beside = self._rows(lake, RAW_ORDERS).join(_together(places).distinct(), [*RECORD_KEY])
        yield beside.select(*RAW_ORDERS.column_names, _OWNER)

    def _staged(self, lake: Lake, folder: Path, rows: "Mapping[Contract, DataFrame]") -> "Mapping[Contract, DataFrame]":
        """The same rows, of files that this machine reads too."""
        for table, frame in rows.items():
            frame.write.parquet(str(folder / column_of(table)))
        return {
            table: lake.spark.read.schema(frame.schema).parquet(str(folder / column_of(table)))
            for table, frame in rows.items()
        }

    def _relate(self, folder: Path, table: Contract) -> None:
        """Name the staged rows of a table for DuckDB."""
        files = [str(file) for file in (folder / column_of(table)).glob("*.parquet")]
        rows = rows_of_files(table, files)
        self.connection.execute(f"create or replace temp view {folder.name}_{column_of(table)} as {rows}")

    def _tables_with_own_rows(self, shares: "DataFrame") -> Sequence[Contract]:
        """The tables to which the batch adds rows of its own."""
        tables = (*EVENTS, SILVER_REJECTS)
        said = [f"coalesce(bool_or({column_of(table)}.{self._is_own}), false)" for table in tables]
        (row,) = shares.selectExpr(*said).collect()
        return [table for table, has_any in zip(tables, row, strict=True) if has_any]

    def _replace(
        self, lake: Lake, table: Contract, made: "DataFrame", standing: "DataFrame | None", *, adds: bool
    ) -> None:
        """Put the batch's rows of a table in place of those it had, and what is another one in other batches."""
        head = self._heads[table.full_name]
        has_own = bool(self.connection.execute(f"from {table.full_name} where {self._is_own} limit 1").fetchall())
        others = self._others_changed(table) if standing is not None else []
        if not (adds or has_own or others):
            return
        part = Part(table, [*others, self.batch_key])
        rows = made.where(part.condition)
        if standing is not None and others:
            kept = lake.rows(table, head).where(Part(table, others).condition)
            rows = rows.unionByName(kept.join(standing, [*table.key], "left_anti"))
        lake.settle(table, head)
        held = has_own or bool(others)
        move_head(self.connection, table, lake.replace_part(part, head, rows, held=held, properties=self.properties))

    def _others_changed(self, table: Contract) -> Sequence[str | int]:
        """The other batches in which the table's rows of the claimed orders are others than they were."""
        now, before = f"{_MADE}_{column_of(table)}", f"{_STANDING}_{column_of(table)}"
        return differing(self.connection, BATCH_COLUMN, now, f"(from {before} where {self._is_elsewhere})")

    def _note(self, skipped: "DataFrame") -> None:
        """Write what stands in the file: how the batch was read, what it leaves out, which orders came and went."""
        from pyspark.sql.functions import sum as total

        parameters = {**self.query.parameters, BATCH_COLUMN: self.batch_key}
        orders = column_of(SILVER_ORDERS)
        written = f"from {SILVER_ORDERS.full_name} where {self._is_own} union all by name from {_MADE}_{orders}"
        for name, rows in (
            ("replaced_orders", f"from {_STANDING}_{orders}"),
            ("written_orders", written),
            ("rewritten_orders", f"from {_MADE}_{orders}"),
        ):
            self.connection.execute(f"create or replace temp view {name} as {rows}")
        run_steps(self.connection, ("silver/order_changes", "silver/mappings"), parameters)
        replace_rows(
            self.connection, SILVER_READINGS, read_sql(file_of(SILVER_READINGS.full_name)), parameters, self.batch_key
        )
        by_reason = [column for column in SILVER_SKIPPED.column_names if column != "records"]
        self.connection.register(
            "skipped_rows", skipped.groupBy(*by_reason).agg(total("records").alias("records")).toArrow()
        )
        replace_rows(self.connection, SILVER_SKIPPED, "from skipped_rows", {}, self.batch_key)
        self.connection.unregister("skipped_rows")
        run_steps(self.connection, self.query.afterwards, parameters)


@contextmanager
def _kept(frame: "DataFrame") -> "Iterator[DataFrame]":
    """The rows of a frame, which are made once, until the end."""
    kept = frame.persist()
    try:
        yield kept
    finally:
        kept.unpersist()


def _together(frames: "Sequence[DataFrame]") -> "DataFrame":
    return reduce(lambda one, other: one.unionAll(other), frames)
