"""`bridgecart run` after a changed setting: a check says so, and `--remap` reads what stands again."""

import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.killable import Killer
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.sources.kafka.fixtures import any_broker
from bridgecart_assets_tests.support.state import digests, rows

NET = {"BRIDGECART_AMOUNT_IS_NET": "true"}


@any_broker
@pytest.mark.story
def test_a_changed_setting_fails_a_check_until_every_batch_was_read_again_as_in_a_new_warehouse(
    killer: Killer, shop: Shop, warehouse: Warehouse, settings: Settings
) -> None:
    shop.sell(1_000)
    done = killer.run("run", BRIDGECART_MAX_BATCH_RECORDS="400")
    assert done.returncode == 0, done.stderr
    gross = rows(warehouse, "select sum(net_amount) from silver.orders")

    done = killer.run("run", **NET)
    assert done.returncode == 3
    assert "3 of 3 batches were read with BRIDGECART_AMOUNT_IS_NET=False, and it is True now." in done.stdout
    assert "`bridgecart run --remap`" in done.stdout
    assert rows(warehouse, "select sum(net_amount) from silver.orders") == gross

    done = killer.run("run", "--remap", **NET)
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows(warehouse, "select sum(net_amount) from silver.orders") != gross
    read_again = digests(warehouse)

    warehouse.path.rename(settings.data_dir / "old.duckdb")
    done = killer.run("run", **NET)
    assert done.returncode == 0, done.stderr
    assert digests(warehouse) == read_again
