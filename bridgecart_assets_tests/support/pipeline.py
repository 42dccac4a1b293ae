"""The jobs without Dagster's records: their assets in their order, what each hands over written by the same writer.

Which tables there are, in which order and from what they are made is read from the jobs, and an asset's function is
called as it stands. Left out are runs, events, checks and publishing, which take most of a small run's time.
"""

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import PURCHASE_MODEL, SEGMENT_MODEL, TABLES, Contract
from bridgecart_assets.definitions import build_defs
from bridgecart_assets.models import purchase_table
from bridgecart_assets.models.due import RefitMode
from bridgecart_assets.orchestration.assets.segments import RefitConfig
from bridgecart_assets.orchestration.io_manager import contract_of, stands
from bridgecart_assets.orchestration.jobs import ingest_batch, refresh
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.warehouse.duckdb_engine import DuckDBEngine
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.storage.engine import Engine
from bridgecart_assets.warehouse.storage.outputs import Table
from bridgecart_assets_tests.support.causes import our_own
from bridgecart_assets_tests.support.records import Record, event, store_batch


def run_silver(warehouse: Warehouse, settings: Settings, batch_key: str) -> None:
    """Silver of one batch."""
    (asset,) = [asset for asset in _assets_of(ingest_batch.name) if _tables(asset)[0].schema == "silver"]
    _make(asset, warehouse, settings, batch_key=batch_key)


def run_whole_tables(warehouse: Warehouse, settings: Settings, *, refit_mode: RefitMode = RefitMode.WHEN_DUE) -> str:
    """Everything after silver; the decision about the model."""
    return _refresh(warehouse, settings, list(TABLES.values()), refit_mode)


def run_model(warehouse: Warehouse, settings: Settings, *, mode: RefitMode = RefitMode.WHEN_DUE) -> str:
    """The purchase model and the segment model; what was decided about the segments."""
    return _refresh(warehouse, settings, [PURCHASE_MODEL, SEGMENT_MODEL], mode)


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


def grow_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a shop of a test pass for one that is old enough to ask a person before segments change their meaning."""

    def nothing_provisional(versions: pd.DataFrame) -> tuple[int, list[int]]:
        return purchase_table.newest_and_provisional(versions)[0], []

    monkeypatch.setattr("bridgecart_assets.warehouse.model_fits.newest_and_provisional", nothing_provisional)


def _refresh(warehouse: Warehouse, settings: Settings, chosen: Sequence[Contract], mode: RefitMode) -> str:
    decision = ""
    for asset in _assets_of(refresh.name):
        if _tables(asset)[0] in chosen:
            metadata = _make(asset, warehouse, settings, mode=mode)
            if SEGMENT_MODEL in _tables(asset):
                decision = str(metadata["decision"].value)
    return decision


@functools.cache
def _assets_of(job: str) -> tuple[dg.AssetsDefinition, ...]:
    """The assets of a job that write tables, each after those that it reads."""
    layer = build_defs().resolve_job_def(job).asset_layer
    keys = [key for key in layer.asset_graph.toposorted_asset_keys if key in layer.selected_asset_keys]
    tables = [key for key in keys if ".".join(key.path) in TABLES]
    return tuple(dict.fromkeys(layer.asset_graph.get(key).assets_def for key in tables))


def _tables(asset: dg.AssetsDefinition) -> list[Contract]:
    return [contract_of(key) for key in asset.keys]


def _make(
    asset: dg.AssetsDefinition,
    warehouse: Warehouse,
    settings: Settings,
    *,
    mode: RefitMode = RefitMode.WHEN_DUE,
    batch_key: str | None = None,
) -> dict[str, Any]:
    """Call the asset's function and write what it hands over; the metadata it adds."""
    metadata: dict[str, Any] = {}
    with our_own():
        for output in _outputs(asset, _platform(warehouse, settings), mode, batch_key):
            metadata |= output.metadata
            contract = contract_of(asset.keys_by_output_name[output.output_name])
            if stands(contract, output.value):
                continue
            DuckDBEngine(warehouse).write(contract, output.value, batch_key)
    return metadata


def _outputs(
    asset: dg.AssetsDefinition, platform: Platform, mode: RefitMode, batch_key: str | None
) -> Iterator[dg.Output[Any]]:
    function = _function(asset)
    parameters = inspect.signature(function, eval_str=True).parameters
    offered: dict[str, Any] = {
        "context": SimpleNamespace(partition_key=batch_key),
        "platform": platform,
        "config": RefitConfig(refit=mode),
    }
    given = {name: value for name, value in offered.items() if name in parameters}
    for name, key in asset.keys_by_input_name.items():
        is_frame = name in parameters and parameters[name].annotation is pd.DataFrame
        contract = contract_of(key)
        given[name] = platform.read_frame(contract) if is_frame else Table(contract.full_name)
    returned = function(**given)
    if isinstance(returned, Iterator):
        yield from returned
    else:
        yield returned if isinstance(returned, dg.Output) else dg.Output(returned)


def _function(asset: dg.AssetsDefinition) -> Callable[..., Any]:
    function: Callable[..., Any] = asset.op.compute_fn.decorated_fn  # type: ignore[union-attr]
    return function


def _platform(warehouse: Warehouse, settings: Settings) -> Platform:
    """The resource with the settings and the warehouse of a test instead of the environment's."""

    class OfATest(Platform):
        @property
        def settings(self) -> Settings:
            return settings

        @property
        def engine(self) -> Engine:
            return DuckDBEngine(warehouse)

    return OfATest()
