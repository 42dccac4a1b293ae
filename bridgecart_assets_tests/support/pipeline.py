"""The pipeline without Dagster: the same queries on the same writer."""

import pandas as pd
import pytest

from bridgecart_assets import contracts
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.evaluate import fit_models
from bridgecart_assets.contracts import Contract
from bridgecart_assets.models import purchase_table
from bridgecart_assets.models.drift import measure_drift
from bridgecart_assets.models.due import RefitMode
from bridgecart_assets.warehouse import queries
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.sampling import read_sample
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.storage.outputs import Query
from bridgecart_assets.warehouse.tables import write_frame, write_query
from bridgecart_assets_tests.support.records import Record, event, store_batch


def run_silver(warehouse: Warehouse, settings: Settings, batch_key: str) -> None:
    """Silver of one batch."""
    _write(warehouse, contracts.SILVER_ORDERS, queries.silver_batch_query(settings), batch_key)


def run_whole_tables(warehouse: Warehouse, settings: Settings, *, refit_mode: RefitMode = RefitMode.WHEN_DUE) -> str:
    """Everything after silver; the decision about the model."""
    _write(warehouse, contracts.SILVER_CUSTOMERS, queries.customers_query())
    _write(warehouse, contracts.CUSTOMER_FEATURES, queries.features_query(settings))
    decision = run_model(warehouse, settings, mode=refit_mode)
    _write(warehouse, contracts.CUSTOMER_SEGMENTS, queries.segments_query(settings))
    run_drift(warehouse)
    _write(warehouse, contracts.CUSTOMER_SNAPSHOTS, queries.snapshots_query(settings))
    _write(warehouse, contracts.SEGMENT_MEMBERSHIP, queries.membership_query())
    for contract in contracts.KPI_TABLES:
        _write(warehouse, contract, queries.kpi_query(settings))
    _write(warehouse, contracts.SEGMENT_METRICS_HISTORY, queries.metrics_history_query())
    return decision


def run_small_shop(settings: Settings) -> Warehouse:
    """Everything of twenty customers who buy in three months, half of them not in the second: 50 orders, one batch."""
    warehouse = warehouse_from_settings(settings)
    orders = [
        event(
            order_id=f"O{customer}-{month}",
            customer_id=f"C{customer}",
            purchase_date=f"2025-{month:02}-{customer + 1:02}T10:00:00Z",
            purchase_amount=100 * (customer + 1),
        )
        for month in (1, 2, 3)
        for customer in range(20)
        if month != 2 or customer % 2
    ]
    store_batch(warehouse, "20260101T000000Z", [Record(payload) for payload in orders])
    run_silver(warehouse, settings, "20260101T000000Z")
    run_whole_tables(warehouse, settings)
    return warehouse


def run_model(warehouse: Warehouse, settings: Settings, *, mode: RefitMode = RefitMode.WHEN_DUE) -> str:
    """The purchase model and the segment model; what was decided about the segments."""
    with warehouse.transaction() as connection:
        return fit_models(connection, settings, mode=mode).decision


def run_drift(warehouse: Warehouse) -> None:
    """The drift of the customers from those of the model in force."""
    with warehouse.transaction() as connection:
        drift = measure_drift(
            connection.sql("select * from gold.segment_model").df(),
            read_sample(connection, queries.segments_sample()),
        )
        write_frame(connection, contracts.SEGMENT_DRIFT, drift, None)


def _write(warehouse: Warehouse, contract: Contract, query: Query, batch_key: str | None = None) -> None:
    with warehouse.transaction() as connection:
        write_query(connection, contract, query, batch_key)


def grow_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a shop of a test pass for one that is old enough to ask a person before segments change their meaning."""

    def nothing_provisional(versions: pd.DataFrame) -> tuple[int, list[int]]:
        return purchase_table.newest_and_provisional(versions)[0], []

    for module in ("bridgecart_assets.orchestration.assets.segments", "bridgecart_assets.commands.evaluate"):
        monkeypatch.setattr(f"{module}.newest_and_provisional", nothing_provisional)
