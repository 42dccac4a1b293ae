"""The published tables for other people's programs: notebooks, scripts, assets of another project.

Importing it loads neither Dagster nor pandas nor DuckDB. Nobody who reads here waits for a writer, or makes one wait.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.contracts import TABLES, Contract

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

_PUBLISHED = {f"{table.schema}/{table.name}": table for table in TABLES.values() if table.published}


class UnknownTable(BridgeCartError):
    """No published table has this name."""


class NotPublished(BridgeCartError):
    """The table has not been published in this folder yet."""


class UnreadableTable(BridgeCartError):
    """The file of a table is broken."""


def names() -> list[str]:
    """Names of the published tables, as `kpi/churn_rate`; docs/contracts.md has their columns."""
    return list(_PUBLISHED)


def path(name: str, *, data_dir: str | os.PathLike[str] | None = None) -> Path:
    """The Parquet file of a table, for readers that want the file: Polars, DuckDB.

    `kpi.churn_rate` is the same name as `kpi/churn_rate`. Without `data_dir` it is `BRIDGECART_DATA_DIR`.
    Raises UnknownTable, NotPublished.
    """
    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.warehouse.publishing import published_path

    settings = load_settings()
    if data_dir is not None:
        settings = settings.model_copy(update={"data_dir": Path(data_dir).expanduser().absolute()})
    file = published_path(settings.published_dir, _contract(name))
    if not file.is_file():
        raise NotPublished(
            f"There is no {file} yet: run `bridgecart run` or `bridgecart demo` first, or name the folder of the data "
            "by data_dir or BRIDGECART_DATA_DIR."
        )
    return file


def read(name: str, *, data_dir: str | os.PathLike[str] | None = None, exact: bool = False) -> "pd.DataFrame":
    """The rows of a table, in the order of its key.

    Types are those of the contract, whatever the rows hold: dates are `datetime64`; integers, booleans and texts
    are pandas' own, which know a missing value. Amounts are floats, each the nearest to its cents; with `exact` they
    are `Decimal`, whose sums are exact too. Raises UnknownTable, NotPublished, UnreadableTable.
    """
    import duckdb
    import pandas as pd
    import pyarrow as pa

    dtypes = {
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
        pa.string(): pd.StringDtype(),
    }
    file = path(name, data_dir=data_dir)
    try:
        with duckdb.connect() as connection:
            rows = connection.read_parquet(str(file))
            table = (rows if exact else _with_floats(rows)).to_arrow_table()
    except duckdb.Error as error:
        raise UnreadableTable(f"{file} cannot be read: `bridgecart run` writes it anew.") from error
    frame: pd.DataFrame = table.to_pandas(types_mapper=dtypes.get, date_as_object=False)
    return frame


def _contract(name: str) -> Contract:
    try:
        return _PUBLISHED[name.replace(".", "/")]
    except KeyError:
        raise UnknownTable(f"No published table is called {name}; there are {', '.join(_PUBLISHED)}.") from None


# DuckDB rounds to the nearest float; Arrow, which could do it later, does not.
def _with_floats(rows: "duckdb.DuckDBPyRelation") -> "duckdb.DuckDBPyRelation":
    from bridgecart_assets.base.quoting import sql_name

    columns = zip(map(sql_name, rows.columns), rows.types, strict=True)
    return rows.project(
        ", ".join(f"{name}::double as {name}" if kind.id == "decimal" else name for name, kind in columns)
    )
