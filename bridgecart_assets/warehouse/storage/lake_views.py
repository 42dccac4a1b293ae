"""The view through which the file reads a table that stands in the lake."""

from collections.abc import Sequence

from bridgecart_assets.base.quoting import sql_name, sql_text
from bridgecart_assets.contracts import Contract


def view_of_files(table: Contract, files: Sequence[str], *, some_lack_columns: bool) -> str:
    """The statement that makes the view. Columns that files lack are NULL there, if `some_lack_columns`."""
    rows = rows_of_files(table, files, some_lack_columns=some_lack_columns)
    return f"create or replace view {table.full_name} as {rows}"


def rows_of_files(table: Contract, files: Sequence[str], *, some_lack_columns: bool = False) -> str:
    """The select of the rows of a table in Parquet files, none where there are none."""
    no_rows = f"select {', '.join(f'null::{c.type} as {sql_name(c.name)}' for c in table.columns)} where false"
    listed = ", ".join(map(sql_text, sorted(files)))
    if not files:
        rows = no_rows
    elif some_lack_columns:
        # All files are looked at for their columns, which takes a while where there are many.
        by_name = f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
        rows = f"from {by_name} union all by name {no_rows}"
    else:
        rows = f"from read_parquet([{listed}], hive_partitioning = false)"
    return f"select {typed_columns(table)} from ({rows})"


def typed_columns(contract: Contract) -> str:
    """The columns of a select of rows that have them by name, of the types of the contract."""
    return ", ".join(f"{sql_name(c.name)}::{c.type} as {sql_name(c.name)}" for c in contract.columns)
