"""Which SQL files and parameters make each table: the pipeline's logic without Dagster.

The assets hand these to the IO manager with the tables they read; tests run them on a warehouse directly.
"""

from bridgecart_assets.contracts import ERASED_VALUE, SILVER_DUPLICATES, SILVER_REJECTS
from bridgecart_assets.settings import Settings
from bridgecart_assets.warehouse.handover import Parameter, Query, Table


def silver_batch_query(settings: Settings, *inputs: Table) -> Query:
    """Orders, duplicates and rejects of one batch, in one transaction."""
    return Query(
        stage=("stage_reading", "stage_spellings", "stage_events", "stage_claims", "stage_contest"),
        parameters={"max_payload_bytes": settings.max_payload_bytes, "amount_is_net": settings.amount_is_net},
        inputs=inputs,
        also=(SILVER_DUPLICATES.full_name, SILVER_REJECTS.full_name),
    )


def customers_query(*inputs: Table) -> Query:
    """Customers with the attributes of their latest order."""
    return Query(stage=("stage_reading", "stage_spellings"), inputs=inputs)


def features_query(settings: Settings, *inputs: Table) -> Query:
    """Features and traits as of the data clock."""
    return Query(
        stage=("stage_clock", "stage_traits"),
        parameters=_clock_parameters(settings),
        inputs=inputs,
    )


def segments_query(*inputs: Table) -> Query:
    """Current segments under the model in force."""
    return Query(
        stage=("stage_current_traits", "stage_scoring"),
        inputs=inputs,
    )


def snapshots_query(settings: Settings, *inputs: Table) -> Query:
    """Everyone as of each period opening and as of now."""
    return Query(
        stage=("stage_clock", "stage_traits", "stage_snapshots", "stage_scoring"),
        parameters=_clock_parameters(settings),
        inputs=inputs,
    )


def kpi_query(settings: Settings, *inputs: Table) -> Query:
    """Any of the four KPI tables: they share staging and parameters."""
    return Query(
        stage=("stage_clock", "stage_segments"),
        parameters={**_clock_parameters(settings), "churn_window_days": settings.churn_window_days},
        inputs=inputs,
        beside=(ERASED_VALUE,),
    )


def _clock_parameters(settings: Settings) -> dict[str, Parameter]:
    as_of = settings.as_of.isoformat() if settings.as_of else None
    return {"as_of": as_of, "kpi_period": settings.kpi_period}
