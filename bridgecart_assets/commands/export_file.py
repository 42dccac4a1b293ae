"""Customers of segments as a file for the tools that people already have."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import duckdb

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import CUSTOMER_FEATURES, CUSTOMER_SEGMENTS
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.publishing import PARQUET, copy_to_file
from bridgecart_assets.warehouse.storage.database import reason_of, table_exists

Format = Literal["csv", "parquet"]

_OPTIONS = {"csv": "format csv, header", "parquet": PARQUET}
# What a spreadsheet takes for the beginning of a formula.
_FORMULA = "'=', '+', '-', '@', chr(9), chr(13)"
# Before the heading of the first column, that is at the beginning of the file: without it a spreadsheet takes the
# texts for those of its country's old code page.
_BYTE_ORDER_MARK = "\ufeff"
_KEYS = "select distinct segment_key from gold.customer_segments order by segment_key"


class NothingToExport(BridgeCartError):
    """There are no segments yet, or none of this key."""


def export_customers(settings: Settings, segments: Sequence[str], form: Format, target: Path) -> int:
    """Write the customers of these segments, or of all where none is named, to the file; how many they are.

    Written beside the file and renamed, so nobody meets half of it. CSV is for spreadsheets, `rows_for_spreadsheets`.
    Raises NothingToExport.
    """
    warehouse = warehouse_from_settings(settings)
    if not warehouse.exists:
        raise NothingToExport("There are no segments yet: run `bridgecart run` or `bridgecart demo` first.")
    with warehouse.reading() as connection:
        if not all(table_exists(connection, table) for table in (CUSTOMER_SEGMENTS, CUSTOMER_FEATURES)):
            raise NothingToExport("There are no segments yet: run `bridgecart run` first.")
        known = [str(key) for (key,) in connection.execute(_KEYS).fetchall()]
        unknown = sorted(set(segments) - set(known))
        if unknown:
            raise NothingToExport(f"No customer is in segment {', '.join(unknown)}; there are {', '.join(known)}.")
        parameters = {"segments": list(segments) or None}
        connection.execute(f"create temp table exported as {read_sql('report/export_customers')}", parameters)
        ordered = "from exported order by customer_id"
        rows = ordered if form == "parquet" else rows_for_spreadsheets(connection, ordered)
        try:
            copy_to_file(connection, rows, target, _OPTIONS[form])
        except (OSError, duckdb.IOException) as error:
            raise BridgeCartError(f"Cannot write {target} ({reason_of(error)}): name another file.") from error
        ((count,),) = connection.execute("select count(*) from exported").fetchall()
    return int(count)


def rows_for_spreadsheets(connection: duckdb.DuckDBPyConnection, rows: str) -> str:
    """The query for the rows of a query as CSV that a spreadsheet shows as they are.

    A text that begins like a formula has an apostrophe before it, and the file begins with a byte order mark.
    """
    columns = connection.execute(f"select column_name, column_type from (describe {rows})").fetchall()
    headings = [f"{_BYTE_ORDER_MARK if place == 0 else ''}{name}" for place, (name, _) in enumerate(columns)]
    shown = (
        f'{_not_a_formula(name) if kind == "VARCHAR" else name} as "{heading}"'
        for heading, (name, kind) in zip(headings, columns, strict=True)
    )
    return f"select {', '.join(shown)} from ({rows})"


def _not_a_formula(text: str) -> str:
    return f"case when left({text}, 1) in ({_FORMULA}) then chr(39) || {text} else {text} end"
