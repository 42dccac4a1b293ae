"""The parameters and inputs with which SQL makes each table: the pipeline's logic without Dagster.

Which files run, and in what order, the files say themselves (`sql/chain.py`).

The assets hand these to the IO manager with the tables they read; tests run them on a warehouse directly.
"""

from functools import partial
from typing import TYPE_CHECKING

import duckdb

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import (
    BATCH_SUMS,
    BOOKKEEPING,
    CUSTOMER_FEATURES,
    CUSTOMER_SCORES,
    CUSTOMER_SEGMENTS,
    CUSTOMER_SNAPSHOTS,
    CUSTOMER_TOTALS,
    ERASED_VALUE,
    READ_WITH,
    REPLACED_TOTALS,
    RULES_VERSION,
    SILVER_CUSTOMERS,
    SILVER_MAPPINGS,
    SILVER_ORDERS,
    SILVER_READINGS,
    WITHDRAWN_ORDERS,
    WRITTEN_WITH_ORDERS,
)
from bridgecart_assets.models.purchase import purchase_forecasts
from bridgecart_assets.warehouse.incremental.carrying import WRITTEN_BY_OTHERS
from bridgecart_assets.warehouse.incremental.openings import OPENINGS
from bridgecart_assets.warehouse.mapped_records import NO_READERS, BatchReaders
from bridgecart_assets.warehouse.mappings import not_mapped, reader_of_batch
from bridgecart_assets.warehouse.storage.outputs import Computed, Incremental, Parameter, Query, Read, Sample, Table

if TYPE_CHECKING:
    from bridgecart_assets.sources.mapping.reading import MappedReader

_COUNT = ("silver/tmp_fingerprint_macro", "silver/batch_sums")
COUNT_EVERY_BATCH = ("internal/tmp_all_batches", *_COUNT)
"""SQL files that count the orders of every batch again, where orders changed that are not of one batch."""

MOST_FITTED_CUSTOMERS = 100_000


def silver_query_of_batch(
    connection: duckdb.DuckDBPyConnection, settings: Settings, batch_key: str, *inputs: Table
) -> Query:
    """Silver of a batch, read by its own mapping. Raises MappingError."""
    return silver_batch_query(settings, *inputs, reader=reader_of_batch(connection, settings, batch_key))


def silver_batch_query(settings: Settings, *inputs: Table, reader: "MappedReader | None" = None) -> Query:
    """Orders, the events beside them and the rejects of one batch, and how it was read, in one transaction.

    Without a `reader` its records are BridgeCart's own event.
    """
    mapping = None if reader is None else reader.mapping
    return Query(
        parameters={
            **{name: getattr(settings, name) for name in READ_WITH},
            **({} if mapping is None or mapping.currency is None else {"currency": mapping.currency}),
            **reading_parameters(settings),
            "is_mapped": mapping is not None,
            "mapping": None if mapping is None else mapping.sha256,
            "mapping_text": None if mapping is None else mapping.text,
        },
        computed=(Read("silver/tmp_payloads", "mapped", not_mapped if reader is None else reader.read),),
        inputs=inputs,
        co_outputs=tuple(table.full_name for table in WRITTEN_WITH_ORDERS),
        optional_inputs=(*BOOKKEEPING, BATCH_SUMS, WITHDRAWN_ORDERS, SILVER_MAPPINGS),
        afterwards=("silver/tmp_recounted_batches", *_COUNT),
    )


def reading_parameters(settings: Settings) -> dict[str, Parameter]:
    """Settings and rules of reading as they go on record."""
    given = [getattr(settings, name) for name in READ_WITH]
    values = ["unset" if value is None else str(value) for value in given]
    return {"rules_version": RULES_VERSION, "setting_names": list(READ_WITH), "setting_values": values}


def customers_query(*inputs: Table, readers: BatchReaders = NO_READERS) -> Query:
    """Customers with their attributes, each as the latest event that says it; `readers` are those on record."""
    return Query(
        computed=(Read("silver/tmp_mapped_attributes", "mapped_attributes", readers.read),),
        inputs=inputs,
        optional_inputs=(SILVER_READINGS,),
        incremental=Incremental(
            scoped=(SILVER_ORDERS, SILVER_CUSTOMERS),
            narrowed="internal/narrowed_orders",
            sought="silver/tmp_stating_events",
        ),
    )


def features_query(settings: Settings, *inputs: Table) -> Query:
    """Features of each customer as of the data clock."""
    return Query(
        parameters=_clock_parameters(settings),
        inputs=inputs,
        incremental=Incremental(
            scoped=(SILVER_ORDERS,), is_dated=True, carried="gold/carried_totals", replaced=REPLACED_TOTALS
        ),
        stored_in=CUSTOMER_TOTALS,
    )


def purchase_sample() -> Sample:
    """Customers for a fit of the purchase model."""
    return Sample("models/sample_purchases", {"fitted_customers": MOST_FITTED_CUSTOMERS})


def held_out_sample(settings: Settings) -> Sample:
    """Customers before the last churn window, and what they bought in it."""
    return _before_and_in_window("models/sample_held_out", settings)


def season_sample(settings: Settings) -> Sample:
    """Purchases of customers by month, before the last churn window and in it."""
    return _before_and_in_window("models/sample_season", settings)


def _before_and_in_window(file: str, settings: Settings) -> Sample:
    parameters = {**_clock_parameters(settings), "held_out_days": settings.churn_window_days}
    return Sample(file, parameters, most_customers=MOST_FITTED_CUSTOMERS)


def spend_sample(settings: Settings) -> Sample:
    """Spend of customers on their purchase days, before the last churn window and in it."""
    return _before_and_in_window("models/sample_spend", settings)


def traits_sample(purchase_version: int) -> Sample:
    """Customers for a fit of the segment model, with their traits under a version of the purchase model."""
    parameters = {"fitted_customers": MOST_FITTED_CUSTOMERS, "purchase_version": purchase_version}
    return Sample("models/sample_traits", parameters)


def segments_sample() -> Sample:
    """Customers to measure drift on."""
    return Sample("models/sample_segments", {"fitted_customers": MOST_FITTED_CUSTOMERS})


def segments_query(settings: Settings, *inputs: Table) -> Query:
    """Current segments, lifecycle and predictions under the models in force."""
    return Query(
        parameters=_scoring_parameters(settings),
        computed=(_purchase_forecasts(settings),),
        inputs=inputs,
        incremental=Incremental(
            scoped=(CUSTOMER_FEATURES,), narrowed="internal/narrowed_features", state=("internal/state_models",)
        ),
        stored_in=CUSTOMER_SCORES,
    )


def audiences_query(*inputs: Table) -> Query:
    """Everyone as campaigns choose them: a view of the segments."""
    return Query(inputs=inputs, incremental=Incremental(scoped=(CUSTOMER_SEGMENTS,)), carried=WRITTEN_BY_OTHERS)


def snapshots_query(settings: Settings, *inputs: Table) -> Query:
    """Everyone as of each period opening and as of now, and the flows between the segments, in one transaction."""
    return Query(
        parameters={**_clock_parameters(settings), **_scoring_parameters(settings)},
        computed=(_purchase_forecasts(settings),),
        inputs=inputs,
        incremental=Incremental(scoped=(CUSTOMER_FEATURES,), state=("internal/state_models",), is_dated=True),
        carried=OPENINGS,
    )


def membership_query(*inputs: Table) -> Query:
    """The history of everyone's segments (SCD type 2): a view of what the snapshots' asset writes."""
    return Query(inputs=inputs, incremental=Incremental(scoped=(CUSTOMER_SNAPSHOTS,)), carried=WRITTEN_BY_OTHERS)


def kpi_query(settings: Settings, *inputs: Table) -> Query:
    """Any of the KPI tables: they share steps and parameters."""
    return Query(
        parameters={**_clock_parameters(settings), "churn_window_days": settings.churn_window_days},
        inputs=inputs,
        optional_inputs=(ERASED_VALUE,),
    )


def metrics_history_query(*inputs: Table) -> Query:
    """The history of the metrics (SCD type 2)."""
    return Query(inputs=inputs)


def _clock_parameters(settings: Settings) -> dict[str, Parameter]:
    as_of = settings.as_of.isoformat() if settings.as_of else None
    return {"as_of": as_of, "earliest": None, "kpi_period": settings.kpi_period}


def _scoring_parameters(settings: Settings) -> dict[str, Parameter]:
    return {
        "churn_window_days": settings.churn_window_days,
        "clv_margin": settings.clv_margin,
        # Of the purchase forecasts, which SQL does not see: with others, predictions are others.
        "clv_horizon_days": settings.clv_horizon_days,
        "clv_discount_rate": settings.clv_discount_rate,
    }


def _purchase_forecasts(settings: Settings) -> Computed:
    forecasts = partial(
        purchase_forecasts,
        horizon_days=settings.clv_horizon_days,
        discount_rate=settings.clv_discount_rate,
        window_days=settings.churn_window_days,
    )
    return Computed("gold/tmp_purchase_forecasts", "purchase_forecasts", forecasts)
