"""Figures of the report, all of them rows of `sql/report/*.sql`. None names a customer."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import duckdb

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import KPIS, LIFECYCLES, SEGMENTATION_TRAITS, TABLES, Kpi
from bridgecart_assets.contracts.opportunities import FACTS, NO_ADVICE, OPPORTUNITIES
from bridgecart_assets.sql import read_sql
from bridgecart_assets.sql.chain import files_before
from bridgecart_assets.warehouse.ingest.ledger import history_sentence
from bridgecart_assets.warehouse.storage.database import plain, rows_of, standing_tables
from bridgecart_assets.warehouse.storage.outputs import Parameter
from bridgecart_assets.warehouse.storage.tables import count_rows, run_steps

# More do not fit a chart.
MOST_PERIODS = 120
MOST_VALUES = 12
# More do not fit a screen.
MOST_COHORTS = 24
MOST_AGES = 24

SECTIONS: tuple[str, ...] = (
    *("figures", "bridge", "flows", "segments", "everybody", "lifecycles", "silent", "ages", "purchases"),
    *("new_and_returning", "cohorts", "cohort_ages", "opportunities"),
    *("versions", "segment_changes", "purchase_models", "drift", "rejects", "batches", "ends"),
)

Figures = Mapping[str, Any]
Rows = Mapping[str, Sequence[Any]]


def gather(connection: duckdb.DuckDBPyConnection, settings: Settings) -> Figures:
    """All of the report's figures in plain JSON types: money and shares as numbers, dates as ISO texts.

    `history` says where it begins if it does not begin with the topic; `gates` what segments and predictions take;
    `kpis`, `opportunities` and `traits` say how each is shown.
    `tables` has a section per SQL file, with the names of its `columns` and its `rows` as lists.
    """
    parameters: dict[str, Parameter] = {
        "kpi_period": settings.kpi_period,
        "calendar_timezone": settings.calendar_timezone,
        "churn_window_days": settings.churn_window_days,
        "most_periods": MOST_PERIODS,
        "most_values": MOST_VALUES,
        "most_cohorts": MOST_COHORTS,
        "most_ages": MOST_AGES,
    }

    def section(name: str) -> Rows:
        columns, rows = rows_of(connection, read_sql(f"report/{name}"), parameters)
        return {"columns": list(columns), "rows": [list(map(plain, row)) for row in rows]}

    run_steps(connection, files_before(*(f"report/{name}" for name in SECTIONS)), parameters)
    clock = section("clock")
    names = standing_tables(connection)
    standing = [contract for contract in TABLES.values() if contract.full_name in names]
    return {
        "history": history_sentence(connection),
        "clock": dict(zip(clock["columns"], clock["rows"][0], strict=True)),
        "settings": {
            "period": settings.kpi_period,
            "calendar": settings.calendar_timezone,
            "churn_window_days": settings.churn_window_days,
            "clv_horizon_days": settings.clv_horizon_days,
            "currency": settings.currency,
            "locale": settings.locale,
        },
        "gates": _gates(settings),
        "kpis": [_record(kpi) for kpi in KPIS],
        "opportunities": {"kinds": list(map(asdict, OPPORTUNITIES)), "facts": FACTS, "no_advice": NO_ADVICE},
        "lifecycles": list(LIFECYCLES),
        "traits": {f"apart_{trait.short}": trait.label for trait in SEGMENTATION_TRAITS},
        "tables": {name: section(name) for name in SECTIONS},
        "stored": {
            "columns": ["table", "rows", "meaning"],
            "rows": [[c.full_name, count_rows(connection, c), c.meaning] for c in standing],
        },
    }


def _gates(settings: Settings) -> Mapping[str, int]:
    """The least that there has to be for segments and for predictions."""
    from bridgecart_assets.models.choice_of_k import FALLBACK
    from bridgecart_assets.models.fitting import MIN_CUSTOMERS_PER_SEGMENT
    from bridgecart_assets.models.purchase_table import MIN_CUSTOMERS, MIN_HISTORY_DAYS, MIN_REPEAT_CUSTOMERS

    segments = FALLBACK if settings.segments == "auto" else settings.segments
    return {
        "segment_customers": MIN_CUSTOMERS_PER_SEGMENT * segments,
        "prediction_customers": MIN_CUSTOMERS,
        "repeat_customers": MIN_REPEAT_CUSTOMERS,
        "history_days": MIN_HISTORY_DAYS,
    }


def _record(kpi: Kpi) -> Mapping[str, Any]:
    return {
        "column": kpi.column,
        "label": kpi.label,
        "format": kpi.format,
        "direction": kpi.direction,
        "reasons": kpi.reasons,
        "meaning": kpi.table.meaning,
        "customers": kpi.customers.column,
        "low_sample": kpi.customers.low_sample,
        "has_card": kpi.total is not None,
        "beside": list(map(asdict, kpi.beside)),
    }
