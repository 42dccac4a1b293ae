"""A batch judged share by share, as in Spark's workers, is judged as it is as a whole, whatever came before."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.base.quoting import sql_names
from bridgecart_assets.base.settings import OrderEvents, Settings
from bridgecart_assets.contracts import (
    BATCH_COLUMN,
    RAW_ORDERS,
    SILVER_DUPLICATES,
    SILVER_LINES,
    SILVER_ORDERS,
    SILVER_REJECTS,
    SILVER_SKIPPED,
    Contract,
)
from bridgecart_assets.warehouse.batch_work import EVENTS, KEYED_RECORDS, work_to_judge, work_to_key
from bridgecart_assets.warehouse.lake.iceberg import stored_columns
from bridgecart_assets.warehouse.lake.shares import column_of
from bridgecart_assets.warehouse.queries import silver_batch_query
from bridgecart_assets.warehouse.storage.outputs import Query
from bridgecart_assets.warehouse.storage.tables import prepare
from bridgecart_assets.warehouse.writing import write_query
from bridgecart_assets_tests.sql.history import MemoryWarehouse
from bridgecart_assets_tests.sql.silver import SilverWarehouse, place, store_raw
from bridgecart_assets_tests.sql.states import batches, histories, store
from bridgecart_assets_tests.sql.test_silver_order_independence import RECORDS, materializations
from bridgecart_assets_tests.support.examples import examples
from bridgecart_assets_tests.support.records import Record, event

Rows = Mapping[Contract, Counter[tuple[object, ...]]]

_TABLES = (*EVENTS, SILVER_REJECTS, SILVER_SKIPPED)
_PLACE = 'topic_id, "partition", "offset"'
# Of a table the rows of orders that the batch claims, or claimed before; refunds inside them have keys of their own.
_STANDING = f"""
create temp table standing_{{name}} as
select *, order_key as owner from {{table}} where part = 0 and order_key in (from claimed)
union all by name
select r.*, o.order_key as owner from {{table}} r
join (select {_PLACE}, order_key from {{table}} where part = 0 and order_key in (from claimed)) o using ({_PLACE})
where r.part > 0
"""


@pytest.mark.parametrize("order_events", get_args(OrderEvents))
@examples(6)
@given(data=st.data(), shares=st.sampled_from((2, 3)))
def test_a_batch_judged_by_shares_of_orders_is_judged_as_a_whole(
    order_events: OrderEvents, data: st.DataObject, shares: int
) -> None:
    records = data.draw(st.lists(RECORDS, min_size=1, max_size=14))
    way = data.draw(materializations(len(records)))
    warehouse = SilverWarehouse()
    for batch in sorted(set(way.batch_of)):
        of_batch = [one for one, owner in zip(place(records), way.batch_of, strict=True) if owner == batch]
        store_raw(warehouse, f"batch-{batch}", of_batch)
    for batch in way.runs:
        query = silver_batch_query(Settings(order_events=order_events))
        assert_judged_alike(warehouse, query, f"batch-{batch}", shares)


@examples(6)
@given(data=st.data(), shares=st.sampled_from((2, 3)))
def test_states_and_refunds_judged_by_shares_of_orders_are_judged_as_a_whole(data: st.DataObject, shares: int) -> None:
    warehouse = SilverWarehouse()
    for batch_key, said in data.draw(batches(data.draw(histories(most=12)))):
        assert_judged_alike(warehouse, store(warehouse, batch_key, said, Settings()), batch_key, shares)


def test_lines_of_other_batches_are_told_apart_by_what_silver_does_not_keep() -> None:
    first, again, other = (Record(event(sku=sku)) for sku in ("red", "red", "blue"))
    placed = place([first, again, other])
    warehouse = SilverWarehouse()
    store_raw(warehouse, "batch-0", placed[:1])
    store_raw(warehouse, "batch-1", placed[1:])
    for batch_key in ("batch-0", "batch-1"):
        assert_judged_alike(warehouse, silver_batch_query(Settings(order_events="lines")), batch_key, 2)
    assert [len(_rows_of(warehouse, table)) for table in (SILVER_LINES, SILVER_DUPLICATES)] == [2, 1]


def assert_judged_alike(warehouse: MemoryWarehouse, query: Query, batch_key: str, shares: int) -> None:
    """Judge the batch by shares, then as a whole."""
    for table in _TABLES:
        with warehouse.transaction() as connection:
            prepare(connection, table)
    with warehouse.transaction() as connection:
        by_shares = judged_by_shares(connection, query, batch_key, shares)
    with warehouse.transaction() as connection:
        write_query(connection, SILVER_ORDERS, query, batch_key)
    for table in _TABLES:
        assert by_shares[table] == _rows_of(warehouse, table), table.full_name


def judged_by_shares(connection: duckdb.DuckDBPyConnection, query: Query, batch_key: str, shares: int) -> Rows:
    """The rows of all tables afterwards; nothing is written."""
    with connection.cursor() as cursor:
        raw = f"select * from raw.orders where {BATCH_COLUMN} = '{batch_key}'"
        keyed = work_to_key(cursor, query, batch_key, timezone="UTC").of_share(_structs(cursor, {RAW_ORDERS: raw}))
        _unpack(cursor, "keyed", KEYED_RECORDS, [keyed])
        own = [f"select order_key from {t.full_name} where part = 0 and {BATCH_COLUMN} = '{batch_key}'" for t in EVENTS]
        claimed = " union ".join(["select order_key from keyed where order_key is not null", *own])
        cursor.execute(f"create temp table claimed as {claimed}")
        for table in EVENTS:
            cursor.execute(_STANDING.format(name=table.name, table=table.full_name))
        work = work_to_judge(cursor, query, batch_key, EVENTS, timezone="UTC")
        made = [work.of_share(_structs(cursor, dict(_share(batch_key, n, shares)))) for n in range(shares)]
        found = {}
        for table in _TABLES:
            _unpack(cursor, f"made_{table.name}", table, made)
            names, keys = sql_names(table.column_names), sql_names(table.key)
            after = f"select {names} from made_{table.name}"
            if table in EVENTS:
                after += (
                    f" union all select {names} from {table.full_name} anti join standing_{table.name} using ({keys})"
                )
            else:
                after += f" union all select {names} from {table.full_name} where {BATCH_COLUMN} <> '{batch_key}'"
            if table == SILVER_SKIPPED:
                after = f"select {keys}, sum(records)::bigint from ({after}) group by {keys}"
                names = sql_names([*table.key, "records"])
            found[table] = _rows(cursor, after)
    return found


def _share(batch_key: str, number: int, shares: int) -> Iterator[tuple[Contract, str]]:
    """The rows of a share: of the batch's records, of all that silver has of their orders, and the records of that."""
    share = f"hash({{}}) % {shares} = {number}"
    beside = " union ".join(f"select owner, {BATCH_COLUMN}, {_PLACE} from standing_{table.name}" for table in EVENTS)
    owner = 'coalesce(order_key::varchar, "offset"::varchar)'
    records = f"select * exclude (order_key) from keyed where {share.format(owner)}"
    others = (
        f"select r.* from raw.orders r join ({beside}) using ({BATCH_COLUMN}, {_PLACE}) "
        f"where {BATCH_COLUMN} <> '{batch_key}' and {share.format('owner::varchar')}"
    )
    yield RAW_ORDERS, f"{records} union all by name {others}"
    for table in EVENTS:
        yield table, f"select * from standing_{table.name} where {share.format('owner::varchar')}"


def _structs(connection: duckdb.DuckDBPyConnection, rows: Mapping[Contract, str]) -> pa.Table:
    """Rows of tables as they travel: a column of structs a table."""
    parts = [
        f"select row_ as {column_of(table)} from (select {stored_columns(table)} from ({select})) row_"
        for table, select in rows.items()
    ]
    return connection.sql(" union all by name ".join(parts)).to_arrow_table()


def _unpack(connection: duckdb.DuckDBPyConnection, name: str, table: Contract, made: Sequence[pa.Table]) -> None:
    columns = ", ".join(f'"{c.name}" {c.type}' for c in table.columns)
    connection.execute(f"create temp table {name} ({columns})")
    for part in made:
        connection.register("part", part)
        column = column_of(table)
        connection.execute(f"insert into {name} by name select unnest({column}) from part where {column} is not null")
        connection.unregister("part")


def _rows_of(warehouse: MemoryWarehouse, table: Contract) -> Counter[tuple[object, ...]]:
    with warehouse.reading() as connection:
        return _rows(connection, f"select {sql_names(table.column_names)} from {table.full_name}")


def _rows(connection: duckdb.DuckDBPyConnection, select: str) -> Counter[tuple[object, ...]]:
    return Counter(tuple(map(repr, row)) for row in connection.execute(select).fetchall())
