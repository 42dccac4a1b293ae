"""Small tables as pandas DataFrames whose columns have the types of their contract."""

import pandas as pd

from bridgecart_assets.contracts import Contract

_PANDAS_TYPES = {
    "INTEGER": "int64",
    "DOUBLE": "float64",
    "BOOLEAN": "bool",
    "DATE": "datetime64[us]",
    "VARCHAR": "object",
    "DOUBLE[]": "object",
    "INTEGER[]": "object",
}


def typed(frame: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """The columns of the contract with one pandas type each, so that a column of nothing but NULL keeps its type."""
    types = {column.name: _PANDAS_TYPES[column.type] for column in contract.columns}
    return frame.astype(types)[list(contract.column_names)]
