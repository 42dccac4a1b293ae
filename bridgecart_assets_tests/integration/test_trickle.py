"""Orders that trickle in while batches run."""

from pathlib import Path

import dagster as dg
import pytest

from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.definitions import build_defs
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets_tests.integration.daemon import Daemon, asked_for
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.sources.kafka.fixtures import any_broker
from bridgecart_assets_tests.support.state import digests

pytestmark = any_broker


def tables(folder: Path, patch: pytest.MonkeyPatch, shop: Shop, portions: list[int]) -> dict[str, str]:
    """What a platform in this folder makes of the topic when it catches up after each portion."""
    patch.setenv("BRIDGECART_DATA_DIR", str(folder))
    with dg.DagsterInstance.ephemeral() as instance:
        daemon = Daemon(instance, job="ingest_batch")
        for portion in portions:
            shop.sell(portion)
            asked_for(daemon.tick())
            assert build_defs().resolve_job_def("refresh").execute_in_process(instance=instance).success
    return digests(warehouse_from_settings(load_settings()))


def test_orders_that_trickle_in_end_as_those_that_came_at_once(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trickled = tables(tmp_path / "trickled", monkeypatch, shop, [250, 300])
    at_once = tables(tmp_path / "at-once", monkeypatch, shop, [0])
    # The model stands as it was fitted, on the orders of that day; what follows from it differs with that.
    independent = [name for name in at_once if name.startswith(("raw.", "silver.")) or name == "gold.customer_features"]
    assert len(independent) == 9
    assert {name: trickled[name] for name in independent} == {name: at_once[name] for name in independent}


def test_the_kpis_stand_before_what_no_kpi_needs(shop: Shop, data_dir: Path) -> None:
    shop.sell(100)
    with dg.DagsterInstance.ephemeral() as instance:
        asked_for(Daemon(instance, job="ingest_batch").tick())
        done = build_defs().resolve_job_def("refresh").execute_in_process(instance=instance)
    order = [str(event.step_key) for event in done.all_events if event.is_step_success]
    last_kpi = order.index("kpis")
    later = [step for step in order if step.endswith(("customers", "segment_membership", "segment_drift", "audiences"))]
    assert len(later) == 6
    assert min(map(order.index, later)) > last_kpi
