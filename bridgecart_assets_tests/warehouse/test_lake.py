"""The lake without Spark: types, shares, and tables of the file that are views of files; with Spark: integration."""

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import BATCH_COLUMN, IN_LAKE, SILVER_REJECTS, TABLES, Column
from bridgecart_assets.sql import file_of
from bridgecart_assets.sql.chain import chain
from bridgecart_assets.sql.headers import headers
from bridgecart_assets.warehouse.customer_work import READS
from bridgecart_assets.warehouse.erasure import erase_customers
from bridgecart_assets.warehouse.lake.heads import (
    Head,
    InLake,
    Part,
    batches_of,
    bring_in,
    changed_part,
    hashes_of,
    held_any,
    is_in_lake,
    move_head,
    put_away,
    read_heads,
    require_in_file,
)
from bridgecart_assets.warehouse.lake.iceberg import spark_type
from bridgecart_assets.warehouse.lake.session import Spark, cause_of
from bridgecart_assets.warehouse.lake.shares import ORDERS_IN_SHARE, number_of_shares
from bridgecart_assets.warehouse.remap import remap
from bridgecart_assets.warehouse.spark_engine import SparkEngine
from bridgecart_assets.warehouse.storage.database import Warehouse, WarehouseError, explain
from bridgecart_assets.warehouse.storage.lake_views import view_of_files
from bridgecart_assets.warehouse.storage.tables import prepare
from bridgecart_assets_tests.support.pipeline import run_silver
from bridgecart_assets_tests.support.records import Record, event, store_batch
from bridgecart_assets_tests.support.state import digests, rows

_OF_A_WORKER = """
An exception was thrown from the Python worker. Please see the stack trace below.
Traceback (most recent call last):
  File "worker.py", line 7, in process
    return make(share)
bridgecart_assets.warehouse.storage.tables.ContractBroken: silver.customers: the key is not unique.

	at org.apache.spark.api.python.BasePythonRunner.handlePythonException(PythonRunner.scala:581)
	at java.base/java.lang.Thread.run(Thread.java:840): never mind
"""


@pytest.fixture
def connection(tmp_path: Path):
    with duckdb.connect(tmp_path / "warehouse.duckdb") as connection:
        yield connection


@pytest.fixture
def head(tmp_path: Path) -> Head:
    """Rejects of two batches, in a file of the lake."""
    file = tmp_path / "rejects.parquet"
    duckdb.execute(
        "copy (select 'T' as topic_id, 0 as partition, o as offset, null::timestamp as kafka_timestamp, "
        "['not_json'] as reasons, 'x'::blob as payload, if(o < 2, 'B1', 'B2') as batch_key from range(3) r (o)) "
        f"to '{file}'"
    )
    return Head(7, (str(file),))


@pytest.mark.parametrize(
    ("master", "large_batch", "is_large"),
    [
        ("local[*]", None, False),
        ("spark://host:7077", None, True),
        ("yarn", None, True),
        ("local[*]", 1_000_000, True),
        ("spark://host:7077", 1_000_001, False),
    ],
)
def test_a_million_records_are_a_large_batch_where_workers_are_elsewhere_unless_a_number_is_said(
    master: str, large_batch: int | None, is_large: bool
):
    spark = Spark(master, Path("lake"), large_batch=large_batch)
    assert spark.is_large(1_000_000) == is_large
    assert not spark.is_large(999_999)


@pytest.mark.parametrize(
    ("of_duckdb", "of_spark"),
    [
        ("VARCHAR", "string"),
        ("UUID", "string"),
        ("INTEGER", "int"),
        ("TIMESTAMP", "timestamp_ntz"),
        ("DECIMAL(38,0)", "decimal(38,0)"),
        ("VARCHAR[]", "array<string>"),
        (
            'STRUCT("at" TIMESTAMP, amount DECIMAL(18,2))[]',
            "array<struct<`at`: timestamp_ntz, `amount`: decimal(18,2)>>",
        ),
    ],
)
def test_a_type_of_a_contract_is_a_type_of_spark(of_duckdb: str, of_spark: str) -> None:
    assert spark_type(of_duckdb) == of_spark


def test_shares_are_halved_when_orders_double_and_never_larger_than_a_worker_bears() -> None:
    assert [number_of_shares(orders) for orders in (0, 1, ORDERS_IN_SHARE, ORDERS_IN_SHARE + 1)] == [1, 1, 1, 2]
    for orders in (10**6, 10**7, 10**8, 10**9):
        shares = number_of_shares(orders)
        assert shares.bit_count() == 1
        assert ORDERS_IN_SHARE / 2 < orders / shares <= ORDERS_IN_SHARE


def test_what_a_worker_says_is_the_cause_and_not_the_stack_around_it() -> None:
    assert cause_of(_OF_A_WORKER) == "ContractBroken: silver.customers: the key is not unique."
    of_java = (
        "An error occurred while calling o41.sql.\n: java.lang.IllegalStateException: no parser\n\tat a.b(C.scala:1)"
    )
    assert cause_of(of_java) == "java.lang.IllegalStateException: no parser"
    assert cause_of("\n[TABLE_OR_VIEW_NOT_FOUND] no table\n\tat a.b(C.scala:1)") == "[TABLE_OR_VIEW_NOT_FOUND] no table"


def test_workers_are_given_every_table_of_the_lake_that_their_sql_reads() -> None:
    in_lake = {table.full_name for table in IN_LAKE}
    for table, given in READS.items():
        read = {name for file in chain(file_of(table.full_name)) for name in headers()[file].tables} & in_lake
        assert read - {table.full_name} <= {one.full_name for one in given}, table.full_name


def test_a_column_that_files_of_the_lake_lack_is_null_in_their_rows(
    connection: duckdb.DuckDBPyConnection, head: Head, tmp_path: Path
) -> None:
    table = replace(SILVER_REJECTS, columns=(*SILVER_REJECTS.columns, Column("note", "VARCHAR[]", "", nullable=True)))
    newer = tmp_path / "a newer one.parquet"
    connection.execute(f"copy (select *, ['seen'] as note from '{head.files[0]}' limit 1) to '{newer}'")
    connection.execute("create schema silver")
    for files, notes in (
        (head.files, [None, None, None]),
        ((*head.files, str(newer)), [["seen"], None, None, None]),
        ((str(newer),), [["seen"]]),
        ((), []),
    ):
        connection.execute(view_of_files(table, files, some_lack_columns=True))
        found = connection.execute(f"select note from {table.full_name} order by all").fetchall()
        assert [note for (note,) in found] == notes
        assert connection.table(table.full_name).types[-1] == "VARCHAR[]"


def test_a_table_in_the_lake_is_read_by_its_name_and_written_by_nobody_else(
    connection: duckdb.DuckDBPyConnection, head: Head
) -> None:
    assert not is_in_lake(connection)
    require_in_file(connection)
    move_head(connection, SILVER_REJECTS, head)
    assert connection.execute("select count(*) from silver.rejected_orders").fetchall() == [(3,)]
    assert read_heads(connection) == {SILVER_REJECTS.full_name: head}
    with pytest.raises(InLake, match="set BRIDGECART_ENGINE=spark"):
        require_in_file(connection)


def test_a_table_without_files_has_no_rows_and_its_columns(connection: duckdb.DuckDBPyConnection) -> None:
    for table in IN_LAKE:
        move_head(connection, table, Head(1, ()))
        relation = connection.table(table.full_name)
        assert (tuple(relation.columns), relation.fetchall()) == (table.column_names, [])
        assert [str(type_) for type_ in relation.types] == [_type(column.type) for column in table.columns]


def test_of_batches_that_were_brought_in_only_those_that_changed_go_back(
    connection: duckdb.DuckDBPyConnection, head: Head
) -> None:
    move_head(connection, SILVER_REJECTS, head)
    part = Part(SILVER_REJECTS, ["B2", "B3"])
    bring_in(connection, [part])
    assert changed_part(connection, part).values == []
    assert held_any(connection, Part(SILVER_REJECTS, ["B2"]))
    assert not held_any(connection, Part(SILVER_REJECTS, ["B3"]))
    connection.execute(
        f"insert into silver.rejected_orders select * replace ('B3' as {BATCH_COLUMN}) from silver.rejected_orders"
    )
    assert changed_part(connection, part).values == ["B3"]
    connection.execute("update silver.rejected_orders set reasons = [] where batch_key = 'B2'")
    assert changed_part(connection, part).values == ["B2", "B3"]
    put_away(connection, SILVER_REJECTS, head)
    assert connection.execute("select count(*) from silver.rejected_orders").fetchall() == [(3,)]


def test_all_tables_of_the_lake_can_be_brought_in_at_once(connection: duckdb.DuckDBPyConnection) -> None:
    parts = [Part(table, ["B1"] if table.partitioned else [7]) for table in IN_LAKE]
    for table in IN_LAKE:
        move_head(connection, table, Head(1, ()))
    bring_in(connection, parts)
    assert [changed_part(connection, part).values for part in parts] == [[]] * len(parts)


def test_with_records_go_the_batches_of_their_orders_and_with_customers_those_of_all_of_theirs(
    settings: Settings, warehouse: Warehouse
) -> None:
    batches = {
        "B1": [event(order_id="O1", customer_id="C1"), event(order_id="O2", customer_id="C2")],
        "B2": [event(order_id="O1", customer_id="C1"), event(order_id="O3", customer_id="C3")],
        "B3": [event(order_id="O4", customer_id="C1")],
        "B4": [event(order_id="O5", customer_id="C4")],
    }
    start = 0
    for key, values in batches.items():
        store_batch(warehouse, key, [Record(value) for value in values], start=start)
        run_silver(warehouse, settings, key)
        start += len(values)
    with warehouse.transaction() as connection:
        for table in IN_LAKE:
            prepare(connection, table)
        connection.execute("create temp table records as from raw.orders where batch_key = 'B1' and \"offset\" = 0")
        connection.execute("create temp table customers as select 'C4' as customer_id")
        assert batches_of(connection, "records", "customers") == ["B1", "B2", "B4"]
        hashes = hashes_of(connection, "customers")
    assert rows(warehouse, "select customer_hash from silver.orders where customer_id = 'C4'") == [tuple(hashes)]


def test_spark_reads_no_batches_again_of_a_warehouse_that_is_not_in_the_lake_and_touches_nothing(
    filled: Warehouse, settings: Settings, tmp_path: Path
) -> None:
    before = digests(filled)
    with pytest.raises(WarehouseError, match="is not in the lake: run `bridgecart move --to spark`"):
        remap(SparkEngine(filled, Spark("local[1]", tmp_path)), settings, lambda _done, _of: None)
    assert digests(filled) == before


def test_a_restored_warehouse_which_is_in_the_lake_no_more_forgets_whom_its_list_has(
    filled: Warehouse, tmp_path: Path
) -> None:
    engine = SparkEngine(filled, Spark("local[1]", tmp_path))
    ((customer,),) = rows(filled, "select min(customer_id) from silver.orders")
    with filled.transaction() as connection:
        erase_customers(connection, Settings(), [customer], engine.changing)
    engine.rewrite()
    assert rows(filled, "select count(*) from silver.orders where customer_id = ?", customer) == [(0,)]


def test_a_folder_in_which_nothing_may_be_written_is_no_damaged_file_of_the_lake(tmp_path: Path) -> None:
    refused = duckdb.IOException(f'Cannot open file "{tmp_path}/churn.parquet": Permission denied')
    assert str(explain(refused, tmp_path, "1GB")).startswith("Cannot write to ")


def test_what_is_in_the_lake_are_tables_and_no_views() -> None:
    assert [table.full_name for table in IN_LAKE if table.is_view] == []
    assert {table for table in TABLES.values() if table.schema == "kpi"}.isdisjoint(IN_LAKE)


def _type(name: str) -> str:
    return str(duckdb.sqltype(name))
