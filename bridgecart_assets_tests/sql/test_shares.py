"""Tables of customers made share by share, as in Spark's workers, put together: the bytes of making them as a whole."""

from collections import Counter
from collections.abc import Sequence
from datetime import date

import duckdb
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets import contracts
from bridgecart_assets.base.quoting import sql_names
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import Contract
from bridgecart_assets.warehouse.customer_work import RECORD_KEY, work_on, work_to_seek
from bridgecart_assets.warehouse.incremental.scope import HASHES
from bridgecart_assets.warehouse.lake.iceberg import stored_columns
from bridgecart_assets.warehouse.lake.shares import Work, column_of
from bridgecart_assets.warehouse.storage.outputs import Incremental, Query
from bridgecart_assets_tests.sql.histories import histories
from bridgecart_assets_tests.sql.history import MemoryWarehouse, Order, tiny_settings
from bridgecart_assets_tests.sql.test_incremental import arrival, refresh, shop, tables, take_in
from bridgecart_assets_tests.support.examples import examples

_MADE_BY_SHARES = (
    contracts.SILVER_CUSTOMERS,
    contracts.CUSTOMER_FEATURES,
    contracts.CUSTOMER_SEGMENTS,
    contracts.CUSTOMER_SNAPSHOTS,
)


@given(
    history=histories,
    shares=st.sampled_from((2, 4)),
    again=st.lists(st.integers(0, 39), max_size=6),
    settings=st.builds(
        tiny_settings,
        kpi_period=st.sampled_from(("month", "week")),
        churn_window_days=st.integers(1, 40),
        as_of=st.sampled_from((date(2024, 3, 1), None)),
    ),
)
@examples(3)
def test_shares_of_customers_put_together_are_the_rows_of_all(
    history: list[Order], shares: int, again: list[int], settings: Settings
):
    warehouse = shop()
    take_in(warehouse, 0, [arrival(number, order) for number, order in enumerate(history)])
    take_in(warehouse, 1, [arrival(number, history[number], minute=1) for number in again if number < len(history)])
    refresh(warehouse, settings)
    for contract, query in tables(settings):
        if contract in _MADE_BY_SHARES:
            made = _made(warehouse, contract, query, shares)
            for target, rows in made.items():
                assert rows == _stored(warehouse, target), (contract.full_name, target.full_name)


def _made(
    warehouse: MemoryWarehouse, contract: Contract, query: Query, shares: int
) -> dict[Contract, Counter[tuple[object, ...]]]:
    assert query.incremental is not None
    with warehouse.transaction() as connection:
        work = work_on(connection, contract, query, query.incremental, timezone="UTC")
        if query.incremental.sought:
            _seek(connection, query.incremental, shares)
        made = _of_shares(connection, work, shares)
    return {target: _rows(made, target) for target in work.targets}


def _seek(connection: duckdb.DuckDBPyConnection, incremental: Incremental, shares: int) -> None:
    """Make `sought`: where the records stand that say something of customers, and of which."""
    work = work_to_seek(incremental, timezone="UTC")
    (found,) = work.targets
    names = sql_names(found.column_names)
    connection.execute(f"create temp table sought as select {names} from silver.orders limit 0")
    for part in _of_shares(connection, work, shares):
        connection.register("part", part)
        connection.execute(f"insert into sought by name select distinct {column_of(found)}.* from part")


def _of_shares(connection: duckdb.DuckDBPyConnection, work: Work, shares: int) -> list[pa.Table]:
    given = [_share(connection, work.read, number, shares) for number in range(shares)]
    return [work.of_share(share) for share in given if share.num_rows]


def _share(connection: duckdb.DuckDBPyConnection, read: Sequence[Contract], number: int, shares: int) -> pa.Table:
    """The rows of a share as they travel: a column of structs a table."""
    parts = []
    for table in read:
        owned = f"select * from {table.full_name}"
        if table.full_name == contracts.RAW_ORDERS.full_name:
            owned = f"select * from raw.orders join sought using ({sql_names(RECORD_KEY)})"
        names = sql_names(table.column_names)
        theirs = f"select {names} from ({owned}) where customer_hash // {HASHES // shares} = {number}"
        rows = f"select {stored_columns(table)} from ({theirs})"
        parts.append(f"select row_ as {column_of(table)} from ({rows}) row_")
    return connection.sql(" union all by name ".join(parts)).to_arrow_table()


def _rows(made: list[pa.Table], target: Contract) -> Counter[tuple[object, ...]]:
    """The rows of a target; sums of flows are added up, as the engine does."""
    with duckdb.connect() as connection:
        connection.execute(f"create schema {target.schema}")
        connection.execute(target.ddl())
        for part in made:
            connection.register("part", part)
            column = column_of(target)
            connection.execute(
                f"insert into {target.full_name} by name select unnest({column}) from part where {column} is not null"
            )
        if target == contracts.SEGMENT_FLOWS:
            sums = ", ".join(f"sum({name})" for name in target.column_names if name not in target.key)
            keys = sql_names(target.key)
            added = f"select {keys}, {sums} from {target.full_name} group by {keys}"
            return Counter(connection.execute(added).fetchall())
        return Counter(map(_hashable, connection.execute(f"from {target.full_name}").fetchall()))


def _stored(warehouse: MemoryWarehouse, target: Contract) -> Counter[tuple[object, ...]]:
    names = sql_names(target.column_names)
    if target == contracts.SEGMENT_FLOWS:
        names = sql_names([*target.key, *(name for name in target.column_names if name not in target.key)])
    with warehouse.reading() as connection:
        return Counter(map(_hashable, connection.execute(f"select {names} from {target.full_name}").fetchall()))


def _hashable(row: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(repr(value) if isinstance(value, list) else value for value in row)
