"""The customers of an audience as a file for the tools that people already have."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.quoting import sql_name
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.export_tools import Tool
from bridgecart_assets.contracts import AUDIENCES, CUSTOMER_FEATURES, CUSTOMER_SEGMENTS
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.publishing import PARQUET, copy_to_file
from bridgecart_assets.warehouse.storage.database import reason_of, table_exists
from bridgecart_assets.warehouse.storage.outputs import Parameter

Format = Literal["csv", "parquet"]

_OPTIONS = {"csv": "format csv, header", "parquet": PARQUET}
# What a spreadsheet takes for the beginning of a formula.
_FORMULA = "'=', '+', '-', '@', chr(9), chr(13)"
# Before the heading of the first column, that is at the beginning of the file: without it a spreadsheet takes the
# texts for those of its country's old code page.
_BYTE_ORDER_MARK = "\ufeff"
_KEYS = "select distinct segment_key from gold.audiences order by segment_key"
_READ = (AUDIENCES, CUSTOMER_SEGMENTS, CUSTOMER_FEATURES)
_PLAIN_ID, _HASHED_ID = "customer_id", "hashed_id"


class NothingToExport(BridgeCartError):
    """There are no segments yet, or none of this key."""


@dataclass(frozen=True)
class Audience:
    """Customers whom all of this holds for; `top` are those of them with the highest predicted value.

    Attributes:
        segments: keys, any of which they may have; none is no condition.
        lifecycles: stages, any of which they may be in; none is no condition.
        at_risk: whether they have to be at risk.
        top: how many of them; None is all.

    """

    segments: Sequence[str] = ()
    lifecycles: Sequence[str] = ()
    at_risk: bool = False
    top: int | None = None

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Parameters of the SQL file."""
        return {
            "segments": list(self.segments) or None,
            "lifecycles": list(self.lifecycles) or None,
            "at_risk": self.at_risk,
            "top": self.top,
        }


@dataclass(frozen=True)
class Shape:
    """The form of the file: its format, whether its ids are hashed, and the tool that it is for."""

    form: Format = "csv"
    hashed: bool = False
    tool: Tool | None = None


@dataclass(frozen=True)
class Exported:
    """Number of the customers that were written, and of those among them without a predicted value."""

    customers: int
    unpredicted: int


def export_customers(settings: Settings, audience: Audience, shape: Shape, target: Path) -> Exported:
    """Write the customers of the audience to the file, by their ids; of a `top` by their value.

    Written beside the file and renamed, so nobody meets half of it. CSV is for spreadsheets (`rows_for_spreadsheets`)
    unless it is for a tool. Raises NothingToExport.
    """
    warehouse = warehouse_from_settings(settings)
    if not warehouse.exists:
        raise NothingToExport("There are no segments yet: run `bridgecart run` or `bridgecart demo` first.")
    with warehouse.reading() as connection:
        if not all(table_exists(connection, table) for table in _READ):
            raise NothingToExport("There are no audiences yet: run `bridgecart run` first.")
        _require_known(connection, audience.segments)
        select = read_sql("report/export_customers")
        connection.execute(f"create temp table exported as {select}", audience.parameters)
        order = "value_rank" if audience.top else _PLAIN_ID
        rows = f"select {_shown(shape)} from exported order by {order}"
        if shape.form == "csv" and shape.tool is None:
            rows = rows_for_spreadsheets(connection, rows)
        try:
            copy_to_file(connection, rows, target, _OPTIONS[shape.form])
        except (OSError, duckdb.IOException) as error:
            raise BridgeCartError(f"Cannot write {target} ({reason_of(error)}): name another file.") from error
        (counts,) = connection.execute("select count(*), count(*) - count(predicted_clv) from exported").fetchall()
    return Exported(*map(int, counts))


def _require_known(connection: duckdb.DuckDBPyConnection, segments: Sequence[str]) -> None:
    known = [str(key) for (key,) in connection.execute(_KEYS).fetchall()]
    unknown = sorted(set(segments) - set(known))
    if unknown:
        raise NothingToExport(f"No customer is in segment {', '.join(unknown)}; there are {', '.join(known)}.")


def _shown(shape: Shape) -> str:
    """The columns of the file, as SQL selects them."""
    ids = _HASHED_ID if shape.hashed else _PLAIN_ID
    if shape.tool is None:
        return f"{ids}, * exclude ({_PLAIN_ID}, {_HASHED_ID})"
    columns = {heading: ids if name == _PLAIN_ID else name for heading, name in shape.tool.columns.items()}
    return ", ".join(f"{sql_name(name)} as {sql_name(heading)}" for heading, name in columns.items())


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
