"""The same topic gives the same tables, however often and in whatever batches and order they are materialized."""

import random

import pytest

from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.definitions import build_defs
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.ingest.ledger import load_ledger
from bridgecart_assets_tests.integration.killable import Killer
from bridgecart_assets_tests.integration.market import Market
from bridgecart_assets_tests.sources.kafka.fixtures import any_broker
from bridgecart_assets_tests.support.state import digests


@any_broker
@pytest.mark.story
@pytest.mark.usefixtures("settings_of_the_market")
def test_neither_batch_sizes_nor_repetition_nor_materializing_batches_in_any_order_change_a_table(
    killer: Killer, market: Market
) -> None:
    warehouse = warehouse_from_settings(load_settings())
    for _ in range(2):
        done = killer.run("run", BRIDGECART_MAX_BATCH_RECORDS="450")
        assert done.returncode == 0, done.stderr
        assert digests(warehouse) == market.tables
    before = digests(warehouse, with_ledger=True)
    keys = list(load_ledger(warehouse).plans)
    assert len(keys) == 3
    random.Random(1).shuffle(keys)
    for key in keys:
        materialize_again("ingest_batch", key)
        assert digests(warehouse, with_ledger=True) == before
    materialize_again("orders_batch", keys[0])
    assert digests(warehouse, with_ledger=True) == before


def materialize_again(job: str, key: str) -> None:
    """Run a job of the definitions for a batch, as Dagster would."""
    with dagster_instance(load_settings()) as instance:
        assert build_defs().resolve_job_def(job).execute_in_process(instance=instance, partition_key=key).success
