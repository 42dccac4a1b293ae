"""Customers of segments as a file for the tools that people already have."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import duckdb

from bridgecart_assets.contracts import CUSTOMER_FEATURES, CUSTOMER_SEGMENTS
from bridgecart_assets.errors import BridgeCartError
from bridgecart_assets.settings import Settings
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.database import Warehouse, reason_of, table_exists
from bridgecart_assets.warehouse.publishing import PARQUET, copy_to_file

Format = Literal["csv", "parquet"]

_OPTIONS = {"csv": "format csv, header", "parquet": PARQUET}
_FORMULA = r"'(?s)[=+@\t\r-].*'"
_KEYS = "select distinct segment_key from gold.customer_segments order by segment_key"
_TYPES = "select column_name, column_type from (describe (from exported))"


class NothingToExport(BridgeCartError):
    """There are no segments yet, or none of this key."""


def export_customers(settings: Settings, segments: Sequence[str], form: Format, target: Path) -> int:
    """Write the customers of these segments, or of all where none is named, to the file; how many they are.

    Written beside the file and renamed, so nobody meets half of it. A text that a spreadsheet would take for a formula
    has an apostrophe before it in CSV. Raises NothingToExport.
    """
    warehouse = Warehouse.from_settings(settings)
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
        connection.execute(f"create temp table exported as {read_sql('export_customers')}", parameters)
        rows = "from exported" if form == "parquet" else _safe_for_spreadsheets(connection)
        try:
            copy_to_file(connection, f"{rows} order by customer_id", target, _OPTIONS[form])
        except (OSError, duckdb.IOException) as error:
            raise BridgeCartError(f"Cannot write {target} ({reason_of(error)}): name another file.") from error
        ((count,),) = connection.execute("select count(*) from exported").fetchall()
    return int(count)


def _safe_for_spreadsheets(connection: duckdb.DuckDBPyConnection) -> str:
    texts = [name for name, kind in connection.execute(_TYPES).fetchall() if kind == "VARCHAR"]
    guarded = (f"case when {t} ~ {_FORMULA} then chr(39) || {t} else {t} end as {t}" for t in texts)
    return f"select * replace ({', '.join(guarded)}) from exported"
