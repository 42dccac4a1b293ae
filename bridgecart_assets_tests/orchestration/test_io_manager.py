"""The IO manager under Dagster: what assets hand over is stored, what they ask for is loaded."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from bridgecart_assets import contracts
from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import CUSTOMER_FEATURES, SEGMENT_DRIFT, SEGMENT_MODEL, Contract
from bridgecart_assets.orchestration.asset_specs import asset_key, read_from, table_asset
from bridgecart_assets.orchestration.assets.silver import customers, silver_batch
from bridgecart_assets.orchestration.io_manager import WarehouseIOManager, contract_of
from bridgecart_assets.orchestration.partitions import BATCHES
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.warehouse.publishing import published_path
from bridgecart_assets.warehouse.queries import kpi_query
from bridgecart_assets.warehouse.storage.database import Warehouse, WarehouseError, WarehouseMissing
from bridgecart_assets.warehouse.storage.outputs import Table
from bridgecart_assets.warehouse.storage.tables import ContractBroken, prepare
from bridgecart_assets.warehouse.writing import write_frame
from bridgecart_assets_tests.sql.histories import busy_history
from bridgecart_assets_tests.sql.history import compute, spend_model, store_model, store_orders, store_purchase_model
from bridgecart_assets_tests.support.causes import our_own
from bridgecart_assets_tests.support.records import Record, event, store_batch
from bridgecart_assets_tests.support.state import digests, rows
from bridgecart_assets_tests.warehouse.processes import process

FIRST, SECOND = "20300101T000000Z", "20300101T000100Z"
DRIFT = pd.DataFrame(
    {
        "psi": [0.5, 0.0],
        "measure": ["recency", "age"],
        "as_of": ["2025-01-01"] * 2,
        "model_version": [1, 1],
        "threshold": [0.25, 0.2],
        "alert": [True, False],
        "customers": [7, 8],
        "reference_customers": [9, 9],
    },
    columns=SEGMENT_DRIFT.column_names,
)


PandasFrame = dg.PythonObjectDagsterType(pd.DataFrame)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        ephemeral.add_dynamic_partitions(str(BATCHES.name), [FIRST, SECOND])
        yield ephemeral


def _materialize(
    instance: dg.DagsterInstance, *assets: dg.AssetsDefinition | dg.AssetSpec, partition_key: str | None = None
) -> dg.ExecuteInProcessResult:
    platform = Platform()
    resources = {"platform": platform, "io_manager": WarehouseIOManager(platform=platform)}
    selection = [asset for asset in assets if isinstance(asset, dg.AssetsDefinition)]
    with our_own():
        return dg.materialize(
            assets, instance=instance, resources=resources, partition_key=partition_key, selection=selection
        )


def _hands_over(contract: Contract, handed: object) -> dg.AssetsDefinition:
    @table_asset(contract, kinds=set(), ins={})
    def made() -> Any:
        return handed

    assert isinstance(made, dg.AssetsDefinition)
    return made


def _metadata(result: dg.ExecuteInProcessResult, contract: Contract) -> dict[str, Any]:
    (materialization,) = [
        event.materialization
        for event in result.get_asset_materialization_events()
        if event.asset_key == asset_key(contract)
    ]
    return {name: entry.value for name, entry in materialization.metadata.items()}


OF_SILVER_BATCH = (contracts.SILVER_ORDERS, *contracts.WRITTEN_WITH_ORDERS)
SOURCES = [dg.AssetSpec(asset_key(contract)) for contract in contracts.TABLES.values()]


def _sources_but(*written: Contract) -> list[dg.AssetSpec]:
    keys = {asset_key(contract) for contract in written}
    return [spec for spec in SOURCES if spec.key not in keys]


def test_a_frame_is_stored_by_name_counted_and_published(
    instance: dg.DagsterInstance, warehouse: Warehouse, settings: Settings
) -> None:
    result = _materialize(instance, _hands_over(SEGMENT_DRIFT, DRIFT))
    stored = rows(warehouse, "select measure, customers, alert, psi from gold.segment_drift")
    assert sorted(stored) == [("age", 8, False, 0.0), ("recency", 7, True, 0.5)]
    assert _metadata(result, SEGMENT_DRIFT)["dagster/row_count"] == 2
    published = pd.read_parquet(published_path(settings.published_dir, SEGMENT_DRIFT))
    assert published["measure"].tolist() == ["age", "recency"]


def test_a_frame_that_breaks_the_contract_fails_the_run_and_keeps_rows_and_file(
    instance: dg.DagsterInstance, warehouse: Warehouse, settings: Settings
) -> None:
    _materialize(instance, _hands_over(SEGMENT_DRIFT, DRIFT))
    published = published_path(settings.published_dir, SEGMENT_DRIFT)
    before, file_before = digests(warehouse), published.read_bytes()
    with pytest.raises(ContractBroken, match="not unique"):
        _materialize(instance, _hands_over(SEGMENT_DRIFT, pd.concat([DRIFT, DRIFT])))
    assert (digests(warehouse), published.read_bytes()) == (before, file_before)


def test_a_frame_without_rows_makes_the_table(instance: dg.DagsterInstance, warehouse: Warehouse) -> None:
    result = _materialize(instance, _hands_over(SEGMENT_DRIFT, DRIFT.iloc[:0]))
    assert rows(warehouse, "from gold.segment_drift") == []
    assert _metadata(result, SEGMENT_DRIFT)["dagster/row_count"] == 0


def test_anything_else_is_refused_with_its_type(instance: dg.DagsterInstance, warehouse: Warehouse) -> None:
    with pytest.raises(BridgeCartError) as raised:
        _materialize(instance, _hands_over(SEGMENT_DRIFT, {"C1"}))
    assert "gold.segment_drift: an asset cannot hand over set." in str(raised.value)
    assert not warehouse.exists


@pytest.mark.parametrize("columns", [["customers", "measure"], list(SEGMENT_DRIFT.column_names)])
def test_a_frame_input_loads_the_columns_it_asks_for_and_a_table_input_nothing(
    instance: dg.DagsterInstance, warehouse: Warehouse, columns: list[str]
) -> None:
    loaded: list[object] = []
    asked = None if len(columns) == len(SEGMENT_DRIFT.columns) else columns

    @table_asset(
        SEGMENT_MODEL,
        kinds=set(),
        ins={"frame": read_from(SEGMENT_DRIFT, columns=asked), "reference": read_from(CUSTOMER_FEATURES)},
    )
    def model(frame: pd.DataFrame, reference: Table) -> pd.DataFrame:
        loaded.extend([frame, reference])
        return pd.DataFrame(columns=list(SEGMENT_MODEL.column_names))

    assert isinstance(model, dg.AssetsDefinition)
    _materialize(instance, _hands_over(SEGMENT_DRIFT, DRIFT))
    _materialize(instance, model, *_sources_but(SEGMENT_MODEL))
    frame, reference = loaded
    assert isinstance(frame, pd.DataFrame)
    assert frame.columns.tolist() == columns
    assert sorted(zip(frame["customers"], frame["measure"], strict=True)) == [(7, "recency"), (8, "age")]
    assert reference == Table("gold.customer_features")


def test_loading_does_not_keep_other_readers_out(instance: dg.DagsterInstance, warehouse: Warehouse) -> None:
    _materialize(instance, _hands_over(SEGMENT_DRIFT, DRIFT))
    context = dg.build_input_context(
        asset_key=asset_key(SEGMENT_DRIFT), dagster_type=PandasFrame, resources={"platform": Platform()}
    )
    with process(warehouse.path, "with warehouse.reading(): ready()"):
        frame = WarehouseIOManager(platform=Platform()).load_input(context)
    assert isinstance(frame, pd.DataFrame)
    assert len(frame) == 2


def test_loading_a_table_that_is_not_there_names_the_asset_to_materialize(
    instance: dg.DagsterInstance, warehouse: Warehouse
) -> None:
    @table_asset(SEGMENT_MODEL, kinds=set(), ins={"frame": read_from(SEGMENT_DRIFT)})
    def model(frame: pd.DataFrame) -> pd.DataFrame:
        return frame

    assert isinstance(model, dg.AssetsDefinition)
    with warehouse.transaction() as connection:
        prepare(connection, CUSTOMER_FEATURES)
    with pytest.raises(WarehouseMissing) as raised:
        _materialize(instance, model, *_sources_but(SEGMENT_MODEL))
    assert "Materialize gold/segment_drift first" in str(raised.value)


def test_one_batch_of_silver_is_eight_tables_each_with_its_own_counts(
    instance: dg.DagsterInstance, warehouse: Warehouse, settings: Settings
) -> None:
    store_batch(warehouse, FIRST, [Record(event(order_id="1")), Record(event(order_id="1")), Record(None)])
    store_batch(warehouse, SECOND, [Record(event(order_id="2")), Record(event(order_id="3"))], start=3)
    sources = _sources_but(*OF_SILVER_BATCH)
    _materialize(instance, silver_batch, *sources, partition_key=FIRST)
    result = _materialize(instance, silver_batch, *sources, partition_key=SECOND)
    counts = {
        contract.name: (metadata["dagster/row_count"], metadata["dagster/partition_row_count"])
        for contract in OF_SILVER_BATCH
        for metadata in [_metadata(result, contract)]
    }
    empty = dict.fromkeys(("conflicting_orders", "superseded_orders", "order_lines", "skipped_records"), (0, 0))
    assert counts == {
        "orders": (3, 2),
        "duplicate_orders": (1, 0),
        "rejected_orders": (1, 0),
        "readings": (2, 1),
        **empty,
    }
    numbers = {name: value for name, value in _metadata(result, contracts.SILVER_ORDERS).items() if value == 2}
    assert numbers.keys() == {"dagster/partition_row_count", "records", "orders"}
    assert not settings.published_dir.exists()


def test_why_records_of_a_batch_were_refused_stands_beside_their_table(
    instance: dg.DagsterInstance, warehouse: Warehouse
) -> None:
    refused = [event(order_id="1", purchase_amount="much", customer_id=[]), event(order_id="2", purchase_amount="more")]
    store_batch(warehouse, FIRST, [Record(None), *map(Record, refused), Record(event(order_id="3"))])
    store_batch(warehouse, SECOND, [Record(event(order_id="4"))], start=4)
    sources = _sources_but(*OF_SILVER_BATCH)

    def reasons(batch_key: str) -> list[dict[str, Any]]:
        result = _materialize(instance, silver_batch, *sources, partition_key=batch_key)
        shown = _metadata(result, contracts.SILVER_REJECTS)["reject_reasons"]
        return [dict(record.data) for record in shown.records]

    assert reasons(FIRST) == [
        {"reason": "bad_purchase_amount", "records": 2},
        {"reason": "bad_customer_id", "records": 1},
        {"reason": "tombstone", "records": 1},
    ]
    assert reasons(SECOND) == []


def test_a_kpi_shows_each_segments_figure_of_the_latest_period_that_has_it(
    instance: dg.DagsterInstance, settings: Settings, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_CURRENCY", "EUR")
    store_orders(warehouse, busy_history(5))
    store_purchase_model(warehouse)
    store_model(warehouse, spend_model())
    compute(warehouse, settings)
    flows = Table(contracts.SEGMENT_FLOWS.full_name)
    for contract in contracts.KPI_TABLES:
        result = _materialize(instance, _hands_over(contract, kpi_query(settings, flows)))
        shown = _metadata(result, contract)
        period = "2024-02-01" if contract == contracts.CHURN_RATE else "2024-04-01"
        assert shown["period"] == period, contract.name
        assert shown.get("currency") == ("EUR" if contract == contracts.AVERAGE_ORDER_VALUE else None)
        stored = rows(
            warehouse,
            f"select segment_key, {contract.name}::double from {contract.full_name} where period = ? "
            f"and {contract.name} is not null",
            period,
        )
        assert len(stored) >= 2
        figures = {name: value for name, value in shown.items() if name.startswith(f"{contract.name} ")}
        assert figures == {f"{contract.name} {key}": value for key, value in stored}


def test_a_whole_table_in_a_run_of_one_batch_is_written_from_all_batches(
    instance: dg.DagsterInstance, warehouse: Warehouse
) -> None:
    store_batch(warehouse, FIRST, [Record(event(order_id="1", customer_id="C1"))])
    store_batch(warehouse, SECOND, [Record(event(order_id="2", customer_id="C2"))], start=1)
    sources = _sources_but(*OF_SILVER_BATCH, contracts.SILVER_CUSTOMERS)
    for batch_key in (FIRST, SECOND):
        result = _materialize(instance, silver_batch, customers, *sources, partition_key=batch_key)
    assert rows(warehouse, "select customer_id from silver.customers order by 1") == [("C1",), ("C2",)]
    assert "dagster/partition_row_count" not in _metadata(result, contracts.SILVER_CUSTOMERS)


def test_every_asset_key_of_a_table_leads_to_its_contract() -> None:
    assert [contract_of(asset_key(contract)) for contract in contracts.TABLES.values()] == [*contracts.TABLES.values()]


def test_a_table_that_its_asset_has_written_is_counted_and_published_and_written_no_second_time(
    instance: dg.DagsterInstance, warehouse: Warehouse, settings: Settings
) -> None:
    with warehouse.transaction() as connection:
        write_frame(connection, SEGMENT_DRIFT, DRIFT, None)
    before = digests(warehouse)
    result = _materialize(instance, _hands_over(SEGMENT_DRIFT, Table(SEGMENT_DRIFT.full_name)))
    assert digests(warehouse) == before
    assert _metadata(result, SEGMENT_DRIFT)["dagster/row_count"] == 2
    assert published_path(settings.published_dir, SEGMENT_DRIFT).exists()


def test_a_reference_to_another_table_is_no_output(instance: dg.DagsterInstance, warehouse: Warehouse) -> None:
    with pytest.raises(BridgeCartError) as raised:
        _materialize(instance, _hands_over(SEGMENT_DRIFT, Table(SEGMENT_MODEL.full_name)))
    assert "gold.segment_drift: an asset cannot hand over Table." in str(raised.value)
    assert not warehouse.exists


def test_nothing_is_written_where_the_data_folder_is_a_file(instance: dg.DagsterInstance, data_dir: Path) -> None:
    data_dir.write_text("not a folder")
    with pytest.raises(WarehouseError) as raised:
        _materialize(instance, _hands_over(SEGMENT_DRIFT, DRIFT))
    assert "set BRIDGECART_DATA_DIR" in str(raised.value)
    assert data_dir.read_text() == "not a folder"
