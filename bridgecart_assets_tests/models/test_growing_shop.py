"""A shop from its first week on: how often its segments are fitted, and that nobody is asked about them for nothing."""

from datetime import timedelta

import pytest

from bridgecart_assets import contracts
from bridgecart_assets.commands.evaluate_world import store_orders
from bridgecart_assets.synthetic import WorldConfig, simulate
from bridgecart_assets.warehouse import queries
from bridgecart_assets_tests.sql.history import MemoryWarehouse, records, tiny_settings, write
from bridgecart_assets_tests.support.pipeline import run_model


@pytest.mark.parametrize("seed", [7, 8])
def test_a_shop_that_grows_for_eighteen_months_never_waits_for_a_person(seed: int):
    world = simulate(WorldConfig(orders=15_000, seed=seed))
    warehouse = MemoryWarehouse()
    store_orders(warehouse, world)
    day, end = world.config.start.date(), world.config.end.date()
    while (day := day + timedelta(days=14)) <= end:
        settings = tiny_settings(as_of=day, segments=4)
        write(warehouse, contracts.CUSTOMER_FEATURES, queries.features_query(settings))
        run_model(warehouse, settings)
    versions = records(
        warehouse,
        "select version, any_value(status) as status, any_value(agreement) as agreement, any_value(as_of) as as_of "
        "from gold.segment_model group by version order by version",
    )
    assert {row["status"] for row in versions} == {"active"}
    assert 4 <= len(versions) <= 12
    grown_up = [row for row in versions if (row["as_of"] - world.config.start.date()).days > 330]
    assert len(grown_up) >= 2
    assert min(row["agreement"] for row in grown_up) >= 0.9
