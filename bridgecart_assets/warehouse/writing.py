"""Writing the outputs of assets: rows of a query or of a frame, all in the caller's transaction.

What belongs elsewhere: opening and committing (`database.py`), what to write (`outputs.py`), how rows get into a table
(`tables.py`), and which rows of a table of customers (`incremental/`).
"""

from contextlib import nullcontext

import duckdb
import pandas as pd

from bridgecart_assets.contracts import BATCH_COLUMN, TABLES, Contract
from bridgecart_assets.sql import file_of, read_sql
from bridgecart_assets.warehouse.incremental.carrying import carry
from bridgecart_assets.warehouse.incremental.refresh import refresh_customers
from bridgecart_assets.warehouse.storage.bulk_inserts import on_one_thread
from bridgecart_assets.warehouse.storage.database import WarehouseMissing, standing_tables
from bridgecart_assets.warehouse.storage.outputs import Query
from bridgecart_assets.warehouse.storage.tables import (
    ContractBroken,
    check_columns,
    prepare,
    replace_rows,
    run_steps,
    steps_of,
)


def write_query(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    query: Query,
    batch_key: str | None,
    *,
    only_changes: bool = False,
) -> None:
    """Write the table of the contract, the query's co-outputs, from their SQL files.

    With `only_changes` a table of customers keeps the rows of those that did not change since it was written.
    Raises WarehouseMissing when an input table is missing, ContractBroken when rows break a contract.
    """
    _require_inputs(connection, query)
    tables = [contract, *(TABLES[name] for name in query.co_outputs)]
    for target in (*tables, *query.optional_inputs):
        prepare(connection, target)
    if query.incremental is not None and query.carried is not None:
        carry(connection, contract, query, query.incremental, query.carried, only_changes=only_changes)
        return
    if query.incremental is not None:
        refresh_customers(connection, contract, query, query.incremental, only_changes=only_changes)
        return
    parameters = {**query.parameters, BATCH_COLUMN: batch_key}
    run_steps(connection, steps_of(contract, query), parameters)
    with on_one_thread(connection) if contract.partitioned else nullcontext():
        for target in tables:
            replace_rows(connection, target, read_sql(file_of(target.full_name)), parameters, batch_key)
    run_steps(connection, query.afterwards, parameters)


def write_frame(
    connection: duckdb.DuckDBPyConnection, contract: Contract, frame: pd.DataFrame, batch_key: str | None
) -> None:
    """Write the table of the contract from a small DataFrame; columns are matched by name.

    Raises ContractBroken when columns are missing or unknown, or values are none of the table.
    """
    prepare(connection, contract)
    check_columns(contract, list(frame.columns))
    try:
        connection.register("handed_over", frame)
    except duckdb.DatabaseError as error:
        raise ContractBroken(f"{contract.full_name}: {str(error).splitlines()[0]}") from error
    replace_rows(connection, contract, "select * from handed_over", {}, batch_key)
    connection.unregister("handed_over")


def _require_inputs(connection: duckdb.DuckDBPyConnection, query: Query) -> None:
    standing = standing_tables(connection)
    missing = [table.name for table in query.inputs if table.name not in standing]
    if missing:
        keys = ", ".join(name.replace(".", "/") for name in missing)
        raise WarehouseMissing(f"Not in the warehouse yet: {', '.join(missing)}. Materialize {keys} first.")
