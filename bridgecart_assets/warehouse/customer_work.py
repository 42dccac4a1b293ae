"""The work on a share of the customers that makes the rows of their tables: by the product's own writers.

What belongs elsewhere: how shares come to workers (`lake/shares.py`), and when a table is made (`spark_engine.py`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import duckdb

from bridgecart_assets.contracts import (
    BATCH_COLUMN,
    CUSTOMER_HASH,
    CUSTOMER_OPENINGS,
    CUSTOMER_SCORES,
    CUSTOMER_TOTALS,
    IN_LAKE,
    RAW_ORDERS,
    RAW_SCHEMAS,
    SILVER_CUSTOMERS,
    SILVER_MAPPINGS,
    SILVER_ORDERS,
    SILVER_READINGS,
    Contract,
)
from bridgecart_assets.contracts.contract import taken_from
from bridgecart_assets.sql import file_of, read_sql
from bridgecart_assets.sql.chain import chain
from bridgecart_assets.sql.headers import headers
from bridgecart_assets.warehouse.incremental.refresh import make_rows
from bridgecart_assets.warehouse.incremental.scope import FullScope
from bridgecart_assets.warehouse.lake.shares import TABLES_OF_SHARE, Work, pack
from bridgecart_assets.warehouse.mapped_records import readers_on_record
from bridgecart_assets.warehouse.queries import customers_query
from bridgecart_assets.warehouse.storage.database import standing_tables
from bridgecart_assets.warehouse.storage.outputs import Carried, Incremental, Query
from bridgecart_assets.warehouse.storage.tables import files_of, run_steps

_WORD = re.compile(r"\w+")

READS: Mapping[Contract, Sequence[Contract]] = {
    SILVER_CUSTOMERS: (SILVER_ORDERS, RAW_ORDERS),
    CUSTOMER_TOTALS: (SILVER_ORDERS,),
    CUSTOMER_SCORES: (CUSTOMER_TOTALS,),
    CUSTOMER_OPENINGS: (SILVER_ORDERS,),
}
"""The tables of the lake of which a share is needed to make that share of a table."""

RECORD_KEY = (BATCH_COLUMN, *RAW_ORDERS.key)
"""The columns that say which record of raw an order comes from."""

_READERS = (SILVER_READINGS, SILVER_MAPPINGS, RAW_SCHEMAS)
_DATES = """
select coalesce($as_of::date, max(purchased_on) + 1)::varchar as as_of, min(purchased_on)::varchar as earliest
from silver.orders
"""


def work_on(
    connection: duckdb.DuckDBPyConnection, contract: Contract, query: Query, incremental: Incremental, *, timezone: str
) -> Work:
    """The work that makes the rows of the tables of an asset, whether they stand in its own or behind its view."""
    stored, carried = query.stored_in or contract, query.carried
    dated = _with_dates(connection, query)
    files: Sequence[str]
    if carried is not None:
        files, targets, make = carried.files, carried.tables, partial(_carry, carried, dated)
    else:
        files, targets = chain(*files_of(stored, query)), (stored,)
        make = partial(_refresh, stored, dated, incremental)
    views = [view for view in incremental.scoped if view.is_view]
    files = (*files, *(file_of(view.full_name) for view in views))
    named = {name for file in files for name in headers()[file].tables}
    if stored == SILVER_CUSTOMERS:
        named |= {table.full_name for table in _READERS}
    standing = standing_tables(connection)
    small = {
        column: _packed(connection, table)
        for column, table in TABLES_OF_SHARE.items()
        if table.full_name in named & standing and table not in IN_LAKE
    }
    read = [_narrowed(table, files) for table in READS[targets[0]]]
    return Work(make, targets, read, small, views, timezone)


def work_to_seek(incremental: Incremental, *, timezone: str) -> Work:
    """The work that finds the records of raw which say something of the customers of a share."""
    files = chain(incremental.sought)
    (relation,) = headers()[incremental.sought].made
    found = Contract(
        schema="temp",
        name=relation,
        meaning="Records of raw, and the customers of whom they say something.",
        columns=taken_from(SILVER_ORDERS, CUSTOMER_HASH.name, *RECORD_KEY),
        key=(),
    )
    return Work(partial(_seek, incremental, files), (found,), [_narrowed(SILVER_ORDERS, files)], timezone=timezone)


def _narrowed(table: Contract, files: Sequence[str]) -> Contract:
    """The table with those columns that SQL files name: what they do not name they cannot need."""
    words = {CUSTOMER_HASH.name, *(word for file in files for word in _WORD.findall(read_sql(file)))}
    return replace(table, columns=tuple(column for column in table.columns if column.name in words))


def _with_dates(connection: duckdb.DuckDBPyConnection, query: Query) -> Query:
    """The query with the dates that no share can tell by itself."""
    ((as_of, earliest),) = connection.execute(_DATES, {"as_of": query.parameters.get("as_of")}).fetchall()
    return replace(query, parameters={**query.parameters, "as_of": as_of, "earliest": earliest})


def _packed(connection: duckdb.DuckDBPyConnection, table: Contract) -> bytes:
    return pack(connection.sql(f"from {table.full_name}").to_arrow_table())


def _refresh(stored: Contract, query: Query, incremental: Incremental, connection: duckdb.DuckDBPyConnection) -> None:
    if stored == SILVER_CUSTOMERS:
        # Readers are made where they read: by what is on record.
        query = customers_query(*query.inputs, readers=readers_on_record(connection))
    make_rows(connection, stored, query, incremental, FullScope())


def _seek(incremental: Incremental, files: Sequence[str], connection: duckdb.DuckDBPyConnection) -> None:
    FullScope().relate(connection, incremental)
    run_steps(connection, files, {})


def _carry(carried: Carried, query: Query, connection: duckdb.DuckDBPyConnection) -> None:
    carried.make(connection, query)
