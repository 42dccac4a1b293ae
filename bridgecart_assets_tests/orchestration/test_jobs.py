"""What a job is configured with, and what a run makes of it."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import CUSTOMER_FEATURES
from bridgecart_assets.definitions import build_defs
from bridgecart_assets.orchestration.asset_specs import asset_key
from bridgecart_assets.orchestration.jobs import FOLLOWS_CHANGES, JOBS, PRINTED, refresh_config
from bridgecart_assets.orchestration.partitions import BATCHES
from bridgecart_assets.orchestration.resources import RefreshMode
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.support.pipeline import run_small_shop
from bridgecart_assets_tests.support.state import rows

FEATURES = asset_key(CUSTOMER_FEATURES)
BATCH = "20260101T000000Z"
defs = build_defs()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        ephemeral.add_dynamic_partitions(str(BATCHES.name), [BATCH])
        yield ephemeral


@pytest.fixture
def shop(settings: Settings) -> Warehouse:
    return run_small_shop(settings)


def rebuilds(warehouse: Warehouse) -> int:
    """How often all features were rebuilt."""
    ((count,),) = rows(
        warehouse, "select full_rebuilds from gold.refreshes where table_name = ?", CUSTOMER_FEATURES.full_name
    )
    return int(count)


def refresh(instance: dg.DagsterInstance, run_config: Mapping[str, Any] | None = None) -> None:
    job = defs.resolve_job_def("refresh")
    assert job.execute_in_process(instance=instance, asset_selection=[FEATURES], run_config=run_config).success


def test_a_refresh_follows_changes_and_one_of_everything_rebuilds(
    instance: dg.DagsterInstance, shop: Warehouse
) -> None:
    before = rebuilds(shop)
    refresh(instance)
    refresh(instance, {**PRINTED, **FOLLOWS_CHANGES})
    assert rebuilds(shop) == before
    refresh(instance, refresh_config(RefreshMode.EVERYTHING))
    assert rebuilds(shop) == before + 1


def test_an_asset_that_a_person_materializes_is_rebuilt(instance: dg.DagsterInstance, shop: Warehouse) -> None:
    before = rebuilds(shop)
    by_hand = defs.resolve_implicit_global_asset_job_def()
    assert by_hand.execute_in_process(instance=instance, asset_selection=[FEATURES]).success
    assert rebuilds(shop) == before + 1


def test_a_batch_that_a_person_launches_follows_changes_too(instance: dg.DagsterInstance, shop: Warehouse) -> None:
    before = rebuilds(shop)
    job = defs.resolve_job_def("orders_batch")
    done = job.execute_in_process(instance=instance, asset_selection=[FEATURES], partition_key=BATCH)
    assert done.success
    assert rebuilds(shop) == before


def test_how_a_run_refreshes_and_refits_is_told_by_no_tag() -> None:
    assert {job.name: dict(job.tags or {}) for job in JOBS if job.tags} == {}
