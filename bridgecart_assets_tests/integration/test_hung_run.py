"""A run that hangs for real: its broker falls silent in mid-read, and nothing but the limit of a run ends it."""

import time
from pathlib import Path

import pytest

from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.line import MID_READ_BYTES, line_to
from bridgecart_assets_tests.integration.market import settings_for
from bridgecart_assets_tests.integration.processes import wait_until
from bridgecart_assets_tests.integration.served import up
from bridgecart_assets_tests.integration.shop import history
from bridgecart_assets_tests.support.state import rows

LIMIT_SECONDS = 90
STEP_SECONDS = 240.0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_that_hangs_is_ended_by_dagster_and_the_sensor_asks_for_its_batch_again(tmp_path: Path) -> None:
    with line_to("embedded", tmp_path) as line:
        shop = line.open_empty_shop()
        events = len(history(1_500))
        settings = {
            **settings_for(shop.connection),
            "BRIDGECART_MAX_RUN_MINUTES": str(LIMIT_SECONDS / 60),
            "BRIDGECART_KAFKA_STALL_SECONDS": "3600",
            # After the first, empty batch: all records in one.
            "BRIDGECART_MIN_BATCH_RECORDS": str(events),
            "BRIDGECART_MAX_BATCH_DELAY": "3600",
        }
        with up(tmp_path / "data", settings=settings) as served:
            wait_until(lambda: served.runs(statuses=["SUCCESS"]), STEP_SECONDS, "the empty batch is done")
            line.proxy.when_answered(MID_READ_BYTES, line.proxy.go_silent)
            line.sell_out(shop)
            wait_until(line.proxy.is_silent, STEP_SECONDS, "a run is in mid-read")
            begun = time.monotonic()
            wait_until(lambda: served.runs(statuses=["FAILURE"]), STEP_SECONDS, "the run is ended")
            assert time.monotonic() - begun > LIMIT_SECONDS / 3
            assert len(served.runs(statuses=["FAILURE"])) == 1
            line.proxy.heal()
            wait_until(lambda: len(served.runs(statuses=["SUCCESS"])) == 2, STEP_SECONDS, "a later attempt succeeds")
        once = 'select count(*), count(distinct ("partition", "offset")) from raw.orders'
        assert rows(Warehouse(tmp_path / "data" / "bridgecart.duckdb"), once) == [(events, events)]
