"""Of long tables no more is read than a few rows need: told by the row groups that DuckDB says it looked at."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import duckdb

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import SILVER_CUSTOMERS
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.queries import customers_query
from bridgecart_assets.warehouse.storage.outputs import Parameter
from bridgecart_assets.warehouse.storage.tables import run_steps, steps_of, used_parameters
from bridgecart_assets.warehouse.writing import write_query
from bridgecart_assets_tests.sql.silver import SilverWarehouse, place, store_raw
from bridgecart_assets_tests.support.pipeline import run_silver
from bridgecart_assets_tests.support.records import Record, event

THRESHOLD = "select current_setting('dynamic_or_filter_threshold')"
# More than that, by default.
CUSTOMERS = 60
RECORDS_BETWEEN = """
insert into raw.orders
select r.* replace (1000 + number as "offset", '2' as batch_key)
from (from raw.orders limit 1) r, range(300_000) as numbers(number)
"""
ORDERS_BETWEEN = "insert into silver.orders select o.* from (from silver.orders limit 1) o, range(300_000)"


def take_in(warehouse: SilverWarehouse, batch_key: str, day: str, first_offset: int, first_customer: int = 0) -> None:
    """An order each of so many customers, in a batch."""
    orders = [
        Record(event(order_id=f"{day} {number}", customer_id=f"C{number}", purchase_date=day))
        for number in range(first_customer, first_customer + CUSTOMERS)
    ]
    store_raw(warehouse, batch_key, [replace(one, offset=one.offset + first_offset) for one in place(orders)])
    run_silver(warehouse, Settings(), batch_key)


def row_groups_read(
    connection: duckdb.DuckDBPyConnection, file: str, table: str, **parameters: Parameter
) -> list[tuple[int, int]]:
    """How many row groups of a table the last table of the file was made from, and of how many, by look at it."""
    plan = ""
    for statement in duckdb.extract_statements(read_sql(file)):
        sql = re.sub("--.*", "", statement.query).strip()
        used = used_parameters(sql, parameters)
        if sql.startswith("create"):
            ((_, plan),) = connection.execute(f"explain (analyze, format json) {sql}", used).fetchall()
        connection.execute(sql, used)
    found = [
        one for one in operators(json.loads(plan)["operator"]) if one["extra_info"].get("Table", "").endswith(table)
    ]
    return [(one["row_groups_scanned"], one["total_row_groups_to_scan"]) for one in found]


def operators(some: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Operators of a plan, and all below them."""
    for one in some:
        yield one
        yield from operators(one.get("children", []))


def test_of_raw_only_the_row_groups_with_a_record_that_is_asked_for():
    warehouse = SilverWarehouse()
    take_in(warehouse, "1", "2025-01-01", 0)
    with warehouse.transaction() as connection:
        connection.execute(RECORDS_BETWEEN)
    take_in(warehouse, "3", "2025-01-02", 500_000, first_customer=CUSTOMERS // 2)
    with warehouse.transaction() as connection:
        connection.execute("create temp view scoped_orders as from silver.orders")
        run_steps(connection, steps_of(SILVER_CUSTOMERS, customers_query()), {})
        assert row_groups_read(connection, "silver/tmp_stated_attributes", "raw.orders") == [(2, 4)]
        # And other filters are as they were.
        assert connection.execute(THRESHOLD).fetchall() == duckdb.connect().execute(THRESHOLD).fetchall()


def test_of_orders_none_where_nobody_had_a_later_one():
    warehouse = SilverWarehouse()
    take_in(warehouse, "1", "2025-01-01", 0)
    with warehouse.transaction() as connection:
        write_query(connection, SILVER_CUSTOMERS, customers_query(), None, only_changes=True)
        connection.execute(ORDERS_BETWEEN)
    take_in(warehouse, "3", "2025-01-02", 1_000)
    with warehouse.transaction() as connection:
        ((revision,),) = connection.execute("select max(revision) from silver.order_changes").fetchall()
        changes = {"after": revision - 1, "revision": revision}
        run_steps(connection, ["internal/touched"], changes)
        read = row_groups_read(connection, "internal/narrowed_orders", "silver.orders", **changes)
        assert connection.execute("select count(*) from narrowed_orders").fetchall() == [(CUSTOMERS,)]
    # By time there is none. For whoever lost an order DuckDB begins to look, before it sees that nobody did.
    assert [groups for groups, _ in read].count(0) == 2
