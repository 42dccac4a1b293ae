"""`kill -9` of `bridgecart run` at spread points, then resumed: the same tables as undisturbed."""

import random
from pathlib import Path

import pytest

from bridgecart_assets.orchestration.instance import instance_in
from bridgecart_assets.orchestration.partitions import BATCHES
from bridgecart_assets.orchestration.runs import unfinished_runs
from bridgecart_assets_tests.integration.faults import Faults, warehouse_in
from bridgecart_assets_tests.integration.killable import Ended, Killer
from bridgecart_assets_tests.integration.market import Market
from bridgecart_assets_tests.support.state import rows

BATCH_RECORDS = "650"
# Shared by the two kinds of broker.
SAMPLE, SAMPLE_SEED = 20, 2
# At counted moments, and as many after a time.
STRESS, STRESS_SEED = 100, 3
KILLS_PER_FOLDER = 10


@pytest.fixture(autouse=True)
def small_batches(settings_of_the_market: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGECART_MAX_BATCH_RECORDS", BATCH_RECORDS)


def assert_healed(folder: Path, market: Market, faults: Faults, fault: str, kills: int) -> None:
    warehouse = warehouse_in(folder)
    market.settle(faults, fault, kills, warehouse)
    with instance_in(folder / "dagster_home") as instance:
        assert unfinished_runs(instance) == []
        keys = instance.get_dynamic_partitions(str(BATCHES.name))
    assert {key for (key,) in rows(warehouse, "select batch_key from raw.batches")} == set(keys)


def checked(ended: Ended) -> Ended:
    assert ended.was_killed or ended.returncode == 0, ended.stderr
    return ended


def test_killed_at_spread_moments_and_resumed_the_tables_are_those_of_an_undisturbed_run(
    killer: Killer, market: Market, faults: Faults, tmp_path: Path, broker_kind: str
) -> None:
    assert market.moments > 500
    # As long as the end is not reached, a run has at least a refresh before it, and that is half of everything.
    moments = [2 + market.moments // 2 * kill // SAMPLE for kill in range(SAMPLE)]
    random.Random(SAMPLE_SEED).shuffle(moments)
    mine = moments[broker_kind == "apache" :: 2]
    settings = {"BRIDGECART_DATA_DIR": str(tmp_path)}
    for moment in mine:
        assert checked(killer.run_until(moment, "run", settings=settings)).was_killed
    assert not checked(killer.run("run", **settings)).was_killed
    assert_healed(tmp_path, market, faults, "kill -9 of the run, at spread moments", len(mine))


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("when", ["at a counted moment", "after a time"])
def test_killed_two_hundred_times_at_random_the_tables_are_those_of_an_undisturbed_run(
    killer: Killer, market: Market, faults: Faults, tmp_path: Path, when: str
) -> None:
    chance = random.Random(STRESS_SEED)
    whole = checked(killer.run("run", BRIDGECART_DATA_DIR=str(tmp_path / "whole")))

    def run(folder: Path) -> Ended:
        # Once something is done, a run has at least a refresh before it, and that is half of everything.
        share = chance.random() / (2 if folder.exists() else 1)
        settings = {"BRIDGECART_DATA_DIR": str(folder)}
        if when == "after a time":
            return checked(killer.run_for(share * whole.seconds, "run", settings=settings))
        return checked(killer.run_until(1 + int(share * whole.moments), "run", settings=settings))

    kills = folders = 0
    while kills < STRESS:
        folders += 1
        folder = tmp_path / str(folders)
        here = sum(run(folder).was_killed for _ in range(min(KILLS_PER_FOLDER, STRESS - kills)))
        assert not checked(killer.run("run", BRIDGECART_DATA_DIR=str(folder))).was_killed
        assert_healed(folder, market, faults, f"kill -9 of the run, {when}, seed {STRESS_SEED}", here)
        kills += here
