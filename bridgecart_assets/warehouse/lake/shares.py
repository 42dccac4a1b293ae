"""Rows made share by share: Spark moves the rows, and in its workers DuckDB makes what comes of them.

A share has some customers whole, or some orders. What a customer's rows say depends on that customer's orders and on
small tables alone, and what becomes of an order on the events of that order. So each share is a warehouse of its own,
in a worker's memory, in which the product's own writers run. What belongs elsewhere: what is made of shares of
customers (`customer_work.py`) or of orders (`batch_work.py`), and when (`spark_engine.py`).
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import reduce
from itertools import islice
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from bridgecart_assets.base.quoting import sql_names, sql_text
from bridgecart_assets.contracts import (
    BEHIND_VIEWS,
    BOOKKEEPING,
    RAW_SCHEMAS,
    SILVER_MAPPINGS,
    TABLES,
    WITHDRAWN_ORDERS,
    Contract,
)
from bridgecart_assets.warehouse.incremental.scope import HASHES
from bridgecart_assets.warehouse.lake.iceberg import spark_schema, stored_columns
from bridgecart_assets.warehouse.storage.tables import insert_rows, make_view, prepare

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# Small enough for what a share may use of a worker's memory.
ORDERS_IN_SHARE = 300_000
MEMORY_LIMIT = "700MB"
_SHARE = "share"
# Of Spark's batches, which have 10,000 rows.
_BATCHES_IN_PORTION = 10


def column_of(table: Contract) -> str:
    """The column of structs in which the rows of a table travel; Spark takes a dot for a field's."""
    return f"{table.schema}_{table.name}"


TABLES_OF_SHARE = {
    column_of(table): table
    for table in (*TABLES.values(), *BEHIND_VIEWS, *BOOKKEEPING, RAW_SCHEMAS, SILVER_MAPPINGS, WITHDRAWN_ORDERS)
    if not table.is_view
}
"""The tables that a share may need, by the columns in which their rows travel."""


@dataclass(frozen=True)
class Work:
    """Work on each share, with what a worker needs for it besides the rows.

    Attributes:
        make: writes the rows of the targets, in a warehouse that has the small tables and the rows of the share.
        targets: the tables whose rows are made.
        read: the tables of which it needs the rows of the share, each with the columns that it needs.
        small: tables that every worker has whole, as Arrow's stream of bytes.
        views: views that `make` reads, in the order in which they can be made.
        timezone: of times that name none.
        memory_limit: of DuckDB for one share, before it spills to the worker's disk.

    """

    make: "Callable[[duckdb.DuckDBPyConnection], None]"
    targets: Sequence[Contract]
    read: Sequence[Contract]
    small: Mapping[str, bytes] = field(default_factory=dict)
    views: Sequence[Contract] = ()
    timezone: str = "UTC"
    memory_limit: str = MEMORY_LIMIT

    def of_share(self, rows: pa.Table) -> pa.Table:
        """The rows of the targets that come of the rows of a share: a column a table, of structs."""
        with warehouse_in_memory(self.timezone, self.memory_limit) as connection:
            for table in (TABLES_OF_SHARE | {column_of(table): table for table in self.read}).values():
                prepare(connection, table)
            for name, packed in self.small.items():
                fill(connection, TABLES_OF_SHARE[name], unpack(packed))
            for table in self.read:
                fill(connection, table, _rows_within(rows, column_of(table)))
            for view in self.views:
                make_view(connection, view, {})
            self.make(connection)
            made = [_as_structs(target) for target in self.targets]
            return connection.sql(" union all by name ".join(made)).to_arrow_table()


def number_of_shares(orders: int) -> int:
    """The number of shares that so many orders are divided into: a power of two, so that growing shares are halved."""
    number = 1
    while number * ORDERS_IN_SHARE < orders:
        number *= 2
    return number


@dataclass(frozen=True)
class Division:
    """A division of rows into so many shares: the number of a row's share, in Spark's SQL, counted from 0."""

    shares: int
    share: str


def by_customer(shares: int) -> Division:
    """Shares of rows with `customer_hash`."""
    return Division(shares, f"customer_hash div {HASHES // shares}")


def by_order(order_key: str, shares: int) -> Division:
    """Shares of rows by the key of an order, which is a hash; a record that has none goes by its place."""
    number = f"cast(conv(substr({order_key}, 1, 8), 16, 10) as bigint)"
    return Division(shares, f"pmod(coalesce({number}, xxhash64(`partition`, `offset`)), {shares})")


def make_by_shares(rows: "Mapping[Contract, DataFrame]", division: Division, work: Work) -> "DataFrame":
    """The rows of the work's targets, a column a table; `rows` are those that it reads."""
    share = f"cast({division.share} as int) as {_SHARE}"
    parts = [frame.selectExpr(share, _structs_of(table)) for table, frame in rows.items()]
    together = reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), parts)

    def of_share(arriving: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        share = list(arriving)
        if share:
            yield from work.of_share(pa.Table.from_batches(share)).to_batches()

    # Not by groups: Spark puts small ones into one task, and sorts the rows of each.
    of_one_task = together.repartitionById(division.shares, _SHARE).drop(_SHARE)
    return of_one_task.mapInArrow(of_share, _schema_of(work))


def make_as_they_come(rows: "DataFrame", work: Work) -> "DataFrame":
    """As `make_by_shares`, of the one table that the work reads and whose rows need no others beside them."""
    (table,) = work.read

    def of_portions(arriving: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        while some := list(islice(arriving, _BATCHES_IN_PORTION)):
            yield from work.of_share(pa.Table.from_batches(some)).to_batches()

    return rows.selectExpr(_structs_of(table)).mapInArrow(of_portions, _schema_of(work))


def rows_of_target(made: "DataFrame", target: Contract) -> "DataFrame":
    """The rows of one target of what `make_by_shares` made."""
    return made.where(f"{column_of(target)} is not null").select(f"{column_of(target)}.*")


def pack(table: pa.Table) -> bytes:
    """A small table as bytes that a worker can take."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def unpack(packed: bytes) -> pa.Table:
    """The table that `pack` packed."""
    return pa.ipc.open_stream(packed).read_all()


def _structs_of(table: Contract) -> str:
    columns = ", ".join(f"`{name}`" for name in table.column_names)
    return f"struct({columns}) as {column_of(table)}"


def _schema_of(work: Work) -> str:
    return ", ".join(f"{column_of(target)} struct<{_fields(target)}>" for target in work.targets)


def _fields(table: Contract) -> str:
    return spark_schema(table).replace("` ", "`: ")


@contextmanager
def warehouse_in_memory(timezone: str, memory_limit: str = MEMORY_LIMIT) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty warehouse of a worker, which spills to the worker's disk."""
    with tempfile.TemporaryDirectory() as folder:
        options = {"threads": "1", "memory_limit": memory_limit, "temp_directory": folder}
        with closing(duckdb.connect(config={**options, "preserve_insertion_order": "false"})) as connection:
            connection.execute(f"set TimeZone = {sql_text(timezone)}")
            yield connection


def _rows_within(rows: pa.Table, name: str) -> pa.Table:
    structs = rows.column(name).drop_null()
    return pa.Table.from_batches(
        [pa.RecordBatch.from_struct_array(chunk) for chunk in structs.chunks], pa.schema(list(structs.type))
    )


def fill(connection: duckdb.DuckDBPyConnection, table: Contract, rows: pa.Table) -> None:
    """Insert the rows into a table that stands."""
    connection.register("handed_over", rows)
    insert_rows(connection, table, "from handed_over", {})
    connection.unregister("handed_over")


def _as_structs(table: Contract) -> str:
    names = sql_names(table.column_names)
    rows = f"select {stored_columns(table)} from (select {names} from {table.full_name})"
    return f"select of_target as {column_of(table)} from ({rows}) of_target"
