"""Rows that a model is fitted to: chosen by SQL, small enough for memory."""

import duckdb
import pandas as pd

from bridgecart_assets.sql import read_sql
from bridgecart_assets.sql.chain import files_before
from bridgecart_assets.warehouse.storage.outputs import Sample
from bridgecart_assets.warehouse.tables import run_steps


def read_sample(connection: duckdb.DuckDBPyConnection, sample: Sample) -> pd.DataFrame:
    """The rows of a sample."""
    run_steps(connection, files_before(sample.file), sample.parameters)
    frame: pd.DataFrame = connection.execute(read_sql(sample.file), dict(sample.parameters)).df()
    return frame
