"""What Dagster keeps of real runs: few bytes each, and after pruning everything that anybody asks for."""

import logging
from collections.abc import Iterator

import dagster as dg
import pytest

from bridgecart_assets.base.settings import Settings, load_settings
from bridgecart_assets.commands.doctor_findings import examine
from bridgecart_assets.contracts import TABLES
from bridgecart_assets.orchestration import pruning
from bridgecart_assets.orchestration.asset_specs import asset_key
from bridgecart_assets.orchestration.health import read_health
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.warehouse.ingest.ledger import load_ledger
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.daemon import Daemon, asked_for
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.orchestration.test_pruning import size_of
from bridgecart_assets_tests.sources.kafka.fixtures import any_broker

logger = logging.getLogger(__name__)
BYTES_A_RUN = 150_000

pytestmark = any_broker


@pytest.fixture
def settings(shop: Shop) -> Settings:
    """They name the shop's topic."""
    return load_settings()


@pytest.fixture
def instance(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    # A run's log is packed when nobody has written to it for half a minute.
    monkeypatch.setattr(pruning, "SETTLED_SECONDS", -1.0)
    with dagster_instance(settings) as instance:
        yield instance


def bytes_a_run(instance: dg.DagsterInstance, settings: Settings, shop: Shop, runs: int) -> float:
    """What a run of `orders_batch` adds to Dagster's home, after two that make what all runs share."""
    daemon = Daemon(instance)
    before = 0
    for number in range(2 + runs):
        if number == 2:
            before = size_of(settings)
        shop.sell(40)
        asked_for(daemon.tick())
        pruning.prune(instance, settings)
    assert [success for _, success in daemon.launched] == [True] * (2 + runs)
    a_run = (size_of(settings) - before) / runs
    logger.info(f"{runs} runs of orders_batch: {a_run:,.0f} bytes each")
    return a_run


def assert_pruned_and_right(instance: dg.DagsterInstance, settings: Settings, warehouse: Warehouse) -> None:
    """Few runs are left; doctor, batches, latest materializations and results say what they said before."""

    def said() -> tuple[object, ...]:
        materialized = {
            contract: instance.get_latest_materialization_event(asset_key(contract)) for contract in TABLES.values()
        }
        batches = {c: instance.get_materialized_partitions(asset_key(c)) for c in TABLES.values() if c.partitioned}
        return materialized, batches, read_health(settings, instance), examine(settings)

    before = said()
    pruning.prune(instance, settings.model_copy(update={"keep_runs": 1}), runs=1_000)
    assert len(instance.get_runs()) == 1
    assert said() == before
    assert examine(settings) == []
    keys = set(load_ledger(warehouse).plans)
    assert keys == instance.get_materialized_partitions(asset_key(TABLES["silver.orders"]))


def test_a_run_costs_few_bytes_and_what_is_pruned_is_missed_by_nobody(
    instance: dg.DagsterInstance, settings: Settings, shop: Shop, warehouse: Warehouse
) -> None:
    assert bytes_a_run(instance, settings, shop, runs=2) < BYTES_A_RUN
    assert_pruned_and_right(instance, settings, warehouse)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_thirty_runs_cost_no_more_each(
    instance: dg.DagsterInstance, settings: Settings, shop: Shop, warehouse: Warehouse
) -> None:
    assert bytes_a_run(instance, settings, shop, runs=30) < BYTES_A_RUN
    assert_pruned_and_right(instance, settings, warehouse)
