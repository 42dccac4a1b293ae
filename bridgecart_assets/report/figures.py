"""What the report says: every figure of it as rows of `sql/report/*.sql`. No figure names a customer."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb

from bridgecart_assets.contracts import TABLES
from bridgecart_assets.settings import Settings
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.database import rows_of, table_exists
from bridgecart_assets.warehouse.writing import count_rows

# More do not fit a chart.
MOST_PERIODS = 120
MOST_VALUES = 12

SECTIONS: tuple[str, ...] = (
    *("figures", "bridge", "flows", "segments", "lifecycles", "ages", "purchases", "cohorts"),
    *("versions", "purchase_models", "drift", "rejects", "batches"),
)

Figures = Mapping[str, Any]


def gather(connection: duckdb.DuckDBPyConnection, settings: Settings) -> Figures:
    """All of the report's figures in plain JSON types: money and shares as numbers, dates as ISO texts."""
    parameters = {
        "kpi_period": settings.kpi_period,
        "most_periods": MOST_PERIODS,
        "most_values": MOST_VALUES,
    }

    def records(name: str) -> Sequence[Mapping[str, Any]]:
        columns, rows = rows_of(connection, read_sql(f"report/{name}"), parameters)
        return [dict(zip(columns, map(_plain, row), strict=True)) for row in rows]

    (clock,) = records("clock")
    return {
        "clock": clock,
        "settings": {
            "period": settings.kpi_period,
            "churn_window_days": settings.churn_window_days,
            "clv_horizon_days": settings.clv_horizon_days,
            "most_periods": MOST_PERIODS,
        },
        "tables": {name: records(name) for name in SECTIONS},
        "rows": [
            {
                "layer": contract.schema,
                "table": name,
                "meaning": contract.meaning,
                "rows": count_rows(connection, contract),
            }
            for name, contract in TABLES.items()
            if table_exists(connection, contract)
        ],
    }


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date | datetime) else value
