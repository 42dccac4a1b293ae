"""Rows that a model is fitted to: chosen by SQL, small enough for memory."""

import duckdb
import pandas as pd

from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.handover import Query
from bridgecart_assets.warehouse.writing import run_stage


def read_sample(connection: duckdb.DuckDBPyConnection, file: str, query: Query) -> pd.DataFrame:
    """Rows of `sql/<file>.sql` after the query's staging, with its parameters."""
    run_stage(connection, query.stage, query.parameters)
    frame: pd.DataFrame = connection.execute(read_sql(file), dict(query.parameters)).df()
    return frame
