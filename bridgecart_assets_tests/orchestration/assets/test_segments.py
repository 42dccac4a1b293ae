"""The segment model's assets under Dagster: what they tell the person who asked for a refit."""

import json
from typing import Any

import dagster as dg
import pytest

from bridgecart_assets import contracts
from bridgecart_assets.definitions import build_defs
from bridgecart_assets.models.comparison import COLUMNS
from bridgecart_assets.models.due import RefitMode
from bridgecart_assets.orchestration.asset_specs import asset_key
from bridgecart_assets.orchestration.jobs import refit_config
from bridgecart_assets.warehouse import duckdb_engine
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.sql.history import Order, store_orders
from bridgecart_assets_tests.support.pipeline import grow_up
from bridgecart_assets_tests.support.state import rows

MODEL, DRIFT = asset_key(contracts.SEGMENT_MODEL), asset_key(contracts.SEGMENT_DRIFT)


@pytest.fixture
def shop(warehouse: Warehouse) -> Warehouse:
    """Four kinds of customers and the model fitted to them."""
    store_orders(warehouse, _orders())
    assert str(_materialize(RefitMode.WHEN_DUE)[MODEL]["decision"]).startswith("fitted version 1")
    return warehouse


def test_a_refit_shows_its_decision_its_quality_and_every_segment_before_and_after(shop: Warehouse):
    store_orders(shop, _orders(start=48, customers=4))
    told = _materialize(RefitMode.NOW)[MODEL]
    assert str(told["decision"]).startswith("fitted version 2 on 52 customers")
    assert {"inertia", "silhouette", "stability", "smallest_share", "agreement", "traits_hash", "version"} <= set(told)
    assert 0.9 < told["stability"] <= 1
    assert [row["segment_key"] for row in told["old_and_new_segments"]] == ["S01", "S02", "S03", "S04"]
    for row in told["old_and_new_segments"]:
        assert tuple(row) == COLUMNS
        assert row["verdict"] == "kept"
        assert None not in row.values()
    assert [name for name in told if name.startswith("psi ")] == [
        f"psi {name}" for name in (*contracts.TRAITS, "segment_mix")
    ]


def test_a_proposal_is_shown_in_every_run_until_it_is_decided(shop: Warehouse, monkeypatch: pytest.MonkeyPatch):
    grow_up(monkeypatch)
    monkeypatch.setenv("BRIDGECART_SEGMENTS", "3")
    shown = [_materialize(RefitMode.WHEN_DUE)[MODEL] for _ in range(2)]
    assert str(shown[0]["decision"]).startswith("version 2 is proposed")
    assert str(shown[1]["decision"]) == "kept version 2: a refit is not due"
    assert shown[0]["old_and_new_segments"] == shown[1]["old_and_new_segments"]
    assert "gone" in {row["verdict"] for row in shown[0]["old_and_new_segments"]}
    assert shown[1]["status"] == "proposed"


def test_versions_that_are_kept_are_not_written_again(shop: Warehouse, monkeypatch: pytest.MonkeyPatch):
    written: list[contracts.Contract] = []
    monkeypatch.setattr(duckdb_engine, "write_frame", lambda _connection, contract, *_: written.append(contract))
    stored = rows(shop, "from gold.segment_model") + rows(shop, "from gold.purchase_model")
    assert str(_materialize(RefitMode.WHEN_DUE)[MODEL]["decision"]) == "kept version 1: a refit is not due"
    assert written == [contracts.SEGMENT_DRIFT]
    assert rows(shop, "from gold.segment_model") + rows(shop, "from gold.purchase_model") == stored


def test_a_young_shop_is_not_asked(shop: Warehouse, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BRIDGECART_SEGMENTS", "3")
    told = _materialize(RefitMode.WHEN_DUE)[MODEL]
    assert str(told["decision"]).startswith("fitted version 2")
    assert told["status"] == "active"


def test_customers_that_changed_lead_to_one_refit_and_the_drift_that_is_left_is_stored(shop: Warehouse):
    store_orders(shop, [Order(f"C{number:03d}", "2025-02-20", 9_000, coupon=True) for number in range(48)])
    told = _materialize(RefitMode.WHEN_DUE)
    assert "after drift in" in str(told[MODEL]["decision"])
    assert told[MODEL]["alerts"] > 0
    in_force = rows(shop, "select max(version) from gold.segment_model where status = 'active'")[0][0]
    stored = rows(shop, "select measure, model_version, psi, alert from gold.segment_drift order by measure")
    assert {version for _, version, _, _ in stored} == {in_force}
    assert {f"psi {measure}": psi for measure, _, psi, _ in stored} == {
        name: value for name, value in told[DRIFT].items() if name.startswith("psi ")
    }
    assert told[DRIFT]["alerts"] == sum(alert for *_, alert in stored)
    calm = _materialize(RefitMode.WHEN_DUE)[MODEL]
    assert calm["decision"] == "kept version 2: a refit is not due"
    assert not {"old_and_new_segments", "drift"} & set(calm), "nothing is shown again that did not change"


def test_nothing_that_is_told_names_a_customer(shop: Warehouse):
    store_orders(shop, _orders(start=48, customers=4))
    assert "C0" not in json.dumps([*_materialize(RefitMode.NOW).values()], default=str)


def test_without_customers_there_is_nothing_to_tell_and_nothing_fails(warehouse: Warehouse):
    store_orders(warehouse, [])
    told = _materialize(RefitMode.NOW)
    assert "too few" in str(told[MODEL]["decision"])
    assert rows(warehouse, "select count(*) from gold.segment_drift") == [(0,)]


def _materialize(mode: RefitMode) -> dict[dg.AssetKey, dict[str, Any]]:
    """Customers' features, models, segments and drift, as Dagster runs them; the metadata of each asset."""
    upto = {asset_key(c) for c in (contracts.CUSTOMER_FEATURES, contracts.PURCHASE_MODEL, contracts.CUSTOMER_SEGMENTS)}
    with dg.DagsterInstance.ephemeral() as instance:
        job = build_defs().resolve_job_def("refresh")
        done = job.execute_in_process(
            instance=instance, run_config=refit_config(mode), asset_selection=sorted({*upto, MODEL, DRIFT})
        )
        assert done.success
        return {
            event.asset_key: {name: _plain(value) for name, value in event.materialization.metadata.items()}
            for event in done.get_asset_materialization_events()
            if event.asset_key is not None
        }


def _plain(value: dg.MetadataValue[Any]) -> Any:
    if isinstance(value, dg.TableMetadataValue):
        return [dict(record.data) for record in value.records]
    return value.value


def _orders(*, start: int = 0, customers: int = 48) -> list[Order]:
    """Four kinds of customers, well apart, who order on the first days of January."""
    orders = []
    for number in range(start, start + customers):
        kind = number % 4
        for purchase in range((8, 2, 6, 1)[kind]):
            amount = round((300, 900, 20, 25)[kind] * (1 + number / 1000))
            orders.append(Order(f"C{number:03d}", f"2025-01-{1 + purchase + number % 3:02d}", amount, coupon=kind == 2))
    return orders
