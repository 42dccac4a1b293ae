"""Rows that a model is fitted to: chosen by SQL, small enough for memory."""

import duckdb
import pandas as pd

from bridgecart_assets.contracts import CUSTOMER_FEATURES, SILVER_ORDERS
from bridgecart_assets.sql import read_sql
from bridgecart_assets.sql.chain import files_before
from bridgecart_assets.sql.headers import headers
from bridgecart_assets.warehouse.incremental.scope import HASHES, FullScope, relate_rows
from bridgecart_assets.warehouse.storage.outputs import Sample
from bridgecart_assets.warehouse.storage.tables import run_steps


def read_sample(connection: duckdb.DuckDBPyConnection, sample: Sample) -> pd.DataFrame:
    """The rows of a sample."""
    if sample.most_customers is not None:
        relate_rows(connection, _sampled_scope(connection, sample.most_customers), SILVER_ORDERS)
    run_steps(connection, files_before(sample.file), sample.parameters)
    used = {name: sample.parameters[name] for name in headers()[sample.file].parameters}
    frame: pd.DataFrame = connection.execute(read_sql(sample.file), used).df()
    return frame


def _sampled_scope(connection: duckdb.DuckDBPyConnection, most_customers: int) -> FullScope:
    ((customers,),) = connection.execute(f"select count(*) from {CUSTOMER_FEATURES.full_name}").fetchall()
    return FullScope(range(HASHES * most_customers // customers)) if customers > most_customers else FullScope()
