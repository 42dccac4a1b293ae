"""Tables of customers made share by share: Spark moves the rows, and in its workers DuckDB makes what comes of them.

A share is the customers whose hashes lie in one range. What a customer's rows say depends on that customer's orders and
on small tables alone, so each share is a warehouse of its own, in a worker's memory, in which the product's own
writers run. What belongs elsewhere: which table is made when (`spark_engine.py`).
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from bridgecart_assets.base.quoting import sql_names, sql_text
from bridgecart_assets.contracts import BEHIND_VIEWS, BOOKKEEPING, RAW_SCHEMAS, SILVER_MAPPINGS, TABLES, Contract
from bridgecart_assets.warehouse.incremental.scope import HASHES
from bridgecart_assets.warehouse.lake.iceberg import spark_schema, stored_columns
from bridgecart_assets.warehouse.storage.tables import insert_rows, make_view, prepare

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# Small enough for what a share may use of a worker's memory.
ORDERS_IN_SHARE = 300_000
_SHARE = "share"


def column_of(table: Contract) -> str:
    """The column of structs in which the rows of a table travel; Spark takes a dot for a field's."""
    return f"{table.schema}_{table.name}"


TABLES_OF_SHARE = {
    column_of(table): table
    for table in (*TABLES.values(), *BEHIND_VIEWS, *BOOKKEEPING, RAW_SCHEMAS, SILVER_MAPPINGS)
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
    memory_limit: str = "700MB"

    def of_share(self, rows: pa.Table) -> pa.Table:
        """The rows of the targets that come of the rows of a share: a column a table, of structs."""
        with _warehouse(self.memory_limit, self.timezone) as connection:
            for table in (TABLES_OF_SHARE | {column_of(table): table for table in self.read}).values():
                prepare(connection, table)
            for name, packed in self.small.items():
                _fill(connection, TABLES_OF_SHARE[name], pa.ipc.open_stream(packed).read_all())
            for table in self.read:
                _fill(connection, table, _rows_within(rows, column_of(table)))
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


def make_by_shares(rows: "Mapping[Contract, DataFrame]", shares: int, work: Work) -> "DataFrame":
    """The rows of the work's targets, a column a table; `rows` are those that it reads, each with `customer_hash`."""
    schema = ", ".join(f"{column_of(target)} struct<{_fields(target)}>" for target in work.targets)
    parts = [_with_share(table, frame, shares) for table, frame in rows.items()]
    together = reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), parts)

    def of_share(share: pa.Table) -> pa.Table:
        return work.of_share(share)

    # A method would be taken for a function of key and rows.
    return together.groupBy(_SHARE).applyInArrow(of_share, schema)


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


def _with_share(table: Contract, frame: "DataFrame", shares: int) -> "DataFrame":
    columns = ", ".join(f"`{name}`" for name in table.column_names)
    return frame.selectExpr(
        f"cast(customer_hash div {HASHES // shares} as int) as {_SHARE}", f"struct({columns}) as {column_of(table)}"
    )


def _fields(table: Contract) -> str:
    return spark_schema(table).replace("` ", "`: ")


@contextmanager
def _warehouse(memory_limit: str, timezone: str) -> Iterator[duckdb.DuckDBPyConnection]:
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


def _fill(connection: duckdb.DuckDBPyConnection, table: Contract, rows: pa.Table) -> None:
    connection.register("handed_over", rows)
    insert_rows(connection, table, "from handed_over", {})
    connection.unregister("handed_over")


def _as_structs(table: Contract) -> str:
    names = sql_names(table.column_names)
    rows = f"select {stored_columns(table)} from (select {names} from {table.full_name})"
    return f"select of_target as {column_of(table)} from ({rows}) of_target"
