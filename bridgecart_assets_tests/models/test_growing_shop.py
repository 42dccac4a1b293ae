"""A shop from its first week on: how often its segments are fitted, and that nobody is asked about them for nothing."""

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import pytest

from bridgecart_assets import contracts
from bridgecart_assets.commands.evaluate_world import store_orders
from bridgecart_assets.synthetic import WorldConfig, simulate
from bridgecart_assets.warehouse import queries
from bridgecart_assets_tests.sql.history import MemoryWarehouse, Order, records, tiny_settings, write
from bridgecart_assets_tests.sql.history import store_orders as store
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


@pytest.mark.parametrize("seed", [2, pytest.param(1, marks=pytest.mark.slow)])
def test_monthly_batches_of_a_shop_without_clear_kinds_of_customers_ask_nobody(seed: int):
    months = [date(2024 + month // 12, month % 12 + 1, 1) for month in range(15)]
    warehouse = MemoryWarehouse()
    store(warehouse, _growing_shop(months, seed))
    # From the seventh on, when the shop is old enough for its segments to be kept.
    for as_of in months[7:]:
        settings = tiny_settings(as_of=as_of, segments=4)
        write(warehouse, contracts.CUSTOMER_FEATURES, queries.features_query(settings))
        run_model(warehouse, settings)
    first, *refitted = records(
        warehouse,
        "select any_value(status) as status, any_value(agreement) as agreement, "
        "list(segment_key order by segment_key) as keys from gold.segment_model group by version order by version",
    )
    assert len(refitted) >= 2
    assert {row["status"] for row in refitted} == {"active"}
    assert min(row["agreement"] for row in refitted) >= 0.9
    assert all(row["keys"] == first["keys"] for row in refitted)


def _growing_shop(months: list[date], seed: int) -> Iterator[Order]:
    """Orders of ever more customers, all of one kind: rates, spend and coupons differ without a gap anywhere."""
    rng = np.random.default_rng(seed)
    customer = 0
    for month, opening in enumerate(months[:-1]):
        for _ in range(int(60 * 1.12**month)):
            day = float((opening - months[0]).days + rng.integers(0, 28))
            rate, spend = rng.gamma(0.8, 1 / 8), np.exp(rng.normal(4, 0.6))
            coupons, leaves = rng.beta(0.6, 2.4), rng.beta(1, 3)
            while day < (months[-1] - months[0]).days:
                yield Order(
                    f"C{customer:05}",
                    str(months[0] + timedelta(days=int(day))),
                    f"{spend * np.exp(rng.normal(0, 0.4)):.2f}",
                    coupon=bool(rng.random() < coupons),
                )
                if rng.random() < leaves:
                    break
                day += max(1.0, rng.exponential(7 / rate))
            customer += 1
