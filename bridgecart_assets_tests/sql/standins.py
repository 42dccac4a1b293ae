"""Empty stand-ins for what a SQL file needs: so it can be seen whether it needs more, or less.

A stand-in has the columns of what it stands for, as they are when the files before have run, and nothing behind it: a
view is an empty table, a macro is NULL of its type.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache

import duckdb

from bridgecart_assets import contracts
from bridgecart_assets.contracts import FORGOTTEN_CUSTOMERS, Contract
from bridgecart_assets.contracts.event import MAPPED_COLUMNS
from bridgecart_assets.sources.mapping.values import value_type
from bridgecart_assets.sql import read_sql
from bridgecart_assets.sql.chain import FROM_PYTHON
from bridgecart_assets.sql.headers import headers
from bridgecart_assets.warehouse.storage.outputs import Parameter

PARAMETERS: Mapping[str, Parameter] = {
    "amount_is_net": False,
    "after": 0,
    "as_of": None,
    "at_risk": False,
    "batch_key": "20300101T000000Z",
    "calendar_timezone": "Asia/Kolkata",
    "earliest": None,
    "opening": "2024-02-01",
    "opened": "2024-02-01",
    "opens": ["2024-02-01"],
    "churn_window_days": 30,
    "closes": ["2024-03-01"],
    "compared_since": "-infinity",
    "currency": None,
    "clv_horizon_days": 365,
    "clv_margin": 0.3,
    "customer_ids": [],
    "days": 30,
    "held_out_days": 30,
    "is_mapped": True,
    "delivered": 0,
    "fitted_customers": 100,
    "examples": 3,
    "mapping": None,
    "mapping_text": None,
    "only_changes": False,
    "max_prediction_error": 0.25,
    "kpi_period": "month",
    "lifecycles": None,
    "known_as_of": None,
    "max_payload_bytes": 1000,
    "most_periods": 12,
    "most_values": 12,
    "most_cohorts": 24,
    "most_ages": 24,
    "order_events": "orders",
    "purchase_version": 1,
    "revision": 1,
    "rules_version": 1,
    "salt": "salt",
    "segments": None,
    "setting_names": [],
    "setting_values": [],
    "top": None,
}
STORED: Mapping[str, Contract] = {
    contract.full_name: contract
    for contract in (
        *contracts.TABLES.values(),
        *contracts.BEHIND_VIEWS,
        *contracts.BOOKKEEPING,
        contracts.BATCH_SUMS,
        *contracts.ERASURE_TABLES,
        *contracts.OUTBOX_TABLES,
        contracts.SILVER_MAPPINGS,
        contracts.WITHDRAWN_ORDERS,
        contracts.RAW_SCHEMAS,
    )
}
# What a mapping says of records.
_MAPPED = ", ".join(
    (
        'topic_id varchar, "partition" int, "offset" bigint, kafka_timestamp timestamp, batch_key varchar',
        "unreadable varchar, skipped varchar, bad_fields varchar[]",
        *(f"{name} {value_type(kind)}" for name, kind in MAPPED_COLUMNS.items()),
    )
)
_TIMELINE = ", ".join(
    (
        "side varchar",
        "next_purchased_on date",
        *(f"{column.name} {column.type}" for column in contracts.CUSTOMER_OPENINGS.columns),
    )
)
# What Python makes of no table of the warehouse, and of other columns.
_COLUMNS = {
    "chunk": '"partition" int, "offset" bigint, kafka_timestamp timestamptz, timestamp_type varchar, key blob, '
    "headers struct(key varchar, value blob)[], payload blob",
    "erased_before": '"partition" int, "offset" bigint',
    "said_of_chunk": _MAPPED,
    "listed": ", ".join(f"{column.name} {column.type}" for column in FORGOTTEN_CUSTOMERS.columns),
    "mapped_batches": "batch_key varchar",
    "made": "number bigint, customer bigint, ordered_ms bigint, gross_cents bigint, discount_cents bigint, "
    "spelling varchar, category varchar",
    "made_timeline": _TIMELINE,
    "summed_openings": _TIMELINE,
    "summed_closes": _TIMELINE,
    "summed_periods": "period date, closes_on date, is_complete boolean",
    # Computed by Python of the rows of its file.
    "mapped": _MAPPED,
    "mapped_attributes": _MAPPED,
    "said_of_records": _MAPPED,
    "purchase_forecasts": "purchase_version int, forecast_from date, frequency bigint, weeks double, "
    "spend_level double, coupon_level double, r double, alpha double, a double, b double, "
    "purchases double, discounted_purchases double, window_purchases double, window_weeks double",
}

StandIns = Mapping[str, str]
"""Statements by the name of what they make."""


@contextmanager
def empty_warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    """Every table without a row, and what Python makes of them. No file puts one there, because it has none to read."""
    # What is temporary is a cursor's own.
    with _database().cursor() as connection:
        for name, table in FROM_PYTHON.items():
            made = _COLUMNS.get(name)
            connection.execute(f"create temp table {name} {f'({made})' if made else f'as from {table} limit 0'}")
        yield connection


@cache
def _database() -> duckdb.DuckDBPyConnection:
    database = duckdb.connect()
    for contract in STORED.values():
        _create(database, contract)
    return database


def run(connection: duckdb.DuckDBPyConnection, file: str) -> None:
    """Run the statements of a file; of one whose rows Python computes, make what Python makes of them."""
    for statement in connection.extract_statements(read_sql(file)):
        connection.execute(statement, {name: PARAMETERS[name] for name in statement.named_parameters})
    for name in headers()[file].made:
        if name in _COLUMNS:
            connection.execute(f"create or replace temp table {name} ({_COLUMNS[name]})")


def standing(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """The names of all temporary tables, views and macros."""
    return {name for name, _ in (*_tables(connection), *_macros(connection))}


def stand_ins(connection: duckdb.DuckDBPyConnection) -> StandIns:
    """A stand-in for everything that stands."""
    found = {name: f"create temp table {name} ({_columns(connection, name)})" for name, _ in _tables(connection)}
    for name, parameters in _macros(connection):
        found[name] = _macro_stand_in(connection, name.removesuffix("()"), parameters)
    return found


@contextmanager
def with_only(names: Iterable[str], others: StandIns) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with these and nothing else."""
    with duckdb.connect() as connection:
        for name in names:
            if name in STORED:
                _create(connection, STORED[name])
            else:
                connection.execute(others[name])
        yield connection


def _create(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    connection.execute(f"create schema if not exists {contract.schema}")
    connection.execute(contract.ddl())


def _tables(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, None]]:
    rows = connection.execute(
        "select table_name from duckdb_tables() where temporary union all "
        "select view_name from duckdb_views() where temporary and not internal order by all"
    ).fetchall()
    return [(str(name), None) for (name,) in rows]


def _macros(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, list[str]]]:
    rows = connection.execute(
        "select function_name, parameters from duckdb_functions() where not internal and function_type = 'macro' "
        "order by all"
    ).fetchall()
    return [(f"{name}()", list(parameters)) for name, parameters in rows]


def _columns(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    rows = connection.execute(f"describe {name}").fetchall()
    return ", ".join(f'"{row[0]}" {row[1]}' for row in rows)


def _macro_stand_in(connection: duckdb.DuckDBPyConnection, macro: str, parameters: list[str]) -> str:
    null = _null(connection, f"{macro}({', '.join('null' for _ in parameters)})")
    # An argument that the macro does not mention would not be looked at.
    looked_at = " or ".join(["true", *(f"{parameter} is null" for parameter in parameters)])
    return f"create temp macro {macro}({', '.join(parameters)}) as case when {looked_at} then {null} end"


def _null(connection: duckdb.DuckDBPyConnection, call: str) -> str:
    try:
        ((kind,),) = connection.execute(f"select typeof({call})").fetchall()
    except duckdb.BinderException:
        # Of what is typed by its arguments.
        return "null"
    return "null" if kind == '"NULL"' else f"null::{kind}"
