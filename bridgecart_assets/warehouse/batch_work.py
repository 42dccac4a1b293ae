"""The work on a share of a batch: which order each record is of, and what becomes of orders by all of their events.

What belongs elsewhere: how shares come to workers (`lake/shares.py`), and which rows they are (`large_batches.py`).
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import duckdb

from bridgecart_assets.contracts import (
    BATCH_COLUMN,
    BESIDE_ORDERS,
    RAW_ORDERS,
    SILVER_ORDERS,
    SILVER_REJECTS,
    SILVER_SKIPPED,
    WITHDRAWN_ORDERS,
    Contract,
)
from bridgecart_assets.contracts.contract import taken_from
from bridgecart_assets.sql.chain import chain
from bridgecart_assets.warehouse.lake.shares import Work, column_of, pack
from bridgecart_assets.warehouse.storage.outputs import Query
from bridgecart_assets.warehouse.storage.tables import prepare, run_steps, with_computed
from bridgecart_assets.warehouse.writing import write_query

EVENTS = (SILVER_ORDERS, *BESIDE_ORDERS)
"""The tables that have the events of orders."""

_KEYED = "silver/tmp_keyed_records"

KEYED_RECORDS = Contract(
    schema="temp",
    name="keyed_records",
    meaning="Records of a batch, each with the key of its order; NULL where it is none.",
    columns=(
        *RAW_ORDERS.columns,
        *(replace(column, nullable=True) for column in taken_from(SILVER_ORDERS, "order_key")),
    ),
    key=RAW_ORDERS.key,
)


def work_to_key(connection: duckdb.DuckDBPyConnection, query: Query, batch_key: str, *, timezone: str) -> Work:
    """The work that finds the order of each of some records of the batch, whichever they are."""
    small = _small(connection)
    return Work(partial(_key, query, batch_key), (KEYED_RECORDS,), (RAW_ORDERS,), small, timezone=timezone)


def work_to_judge(
    connection: duckdb.DuckDBPyConnection, query: Query, batch_key: str, standing: Sequence[Contract], *, timezone: str
) -> Work:
    """The work that writes what a batch says of some orders, given its records of them and all that silver has.

    `standing` are the tables in which silver has any.
    """
    return Work(
        # What is counted afterwards is counted of all shares.
        partial(_judge, replace(query, inputs=(), afterwards=()), batch_key),
        (*EVENTS, SILVER_REJECTS, SILVER_SKIPPED),
        (RAW_ORDERS, *standing),
        _small(connection),
        timezone=timezone,
    )


def _small(connection: duckdb.DuckDBPyConnection) -> dict[str, bytes]:
    prepare(connection, WITHDRAWN_ORDERS)
    withdrawn = connection.sql(f"from {WITHDRAWN_ORDERS.full_name}").to_arrow_table()
    return {column_of(WITHDRAWN_ORDERS): pack(withdrawn)}


def _key(query: Query, batch_key: str, connection: duckdb.DuckDBPyConnection) -> None:
    run_steps(connection, with_computed(chain(_KEYED), query), {**query.parameters, BATCH_COLUMN: batch_key})


def _judge(query: Query, batch_key: str, connection: duckdb.DuckDBPyConnection) -> None:
    write_query(connection, SILVER_ORDERS, query, batch_key)
