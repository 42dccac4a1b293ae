"""A disk that is full while a run writes, then has space again: the tables of an undisturbed run."""

from pathlib import Path

import pytest

from bridgecart_assets_tests.integration.faults import Faults, warehouse_in
from bridgecart_assets_tests.integration.killable import Killer
from bridgecart_assets_tests.integration.market import Market
from bridgecart_assets_tests.sources.kafka.fixtures import any_broker

pytestmark = [any_broker, pytest.mark.usefixtures("settings_of_the_market")]
POINTS = 6


@pytest.mark.story
def test_a_disk_full_in_mid_write_fails_the_run_with_the_reason_and_with_space_again_all_is_made_good(
    killer: Killer, market: Market, faults: Faults, data_dir: Path
) -> None:
    # The records of a batch, then assets behind them: as long as nothing succeeds, half of the moments remain.
    moments: list[int | str] = [
        "before follow",
        *(market.moments // 2 * point // POINTS + 1 for point in range(POINTS)),
    ]
    for moment in moments:
        ended = killer.run_with_disk_full_at(moment, "run")
        assert (ended.returncode, ended.stdout) == (1, ""), (moment, ended.stderr)
        # Dagster may say before that it could not store an event.
        last = ended.stderr.splitlines()[-1]
        assert last.startswith("bridgecart: "), ended.stderr
        assert "No space left to write" in last or "free some space" in last
        assert "Traceback" not in ended.stderr
    assert killer.run("run").returncode == 0
    market.settle(faults, "disk full in mid-write", len(moments), warehouse_in(data_dir))
