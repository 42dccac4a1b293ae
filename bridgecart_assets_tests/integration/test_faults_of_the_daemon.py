"""`kill -9` of Dagster's own sensor daemon between any two steps, then resumed: one key, one run, all records."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorState, SensorInstigatorData

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.orchestration.instance import dagster_instance, instance_in
from bridgecart_assets.orchestration.partitions import BATCHES
from bridgecart_assets.orchestration.run_health import ORDERS_SENSOR
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.faults import Faults, warehouse_in
from bridgecart_assets_tests.integration.killable import Ended, Killer
from bridgecart_assets_tests.integration.market import Market
from bridgecart_assets_tests.integration.sensor_daemon import QUEUE, TICK
from bridgecart_assets_tests.sources.kafka.fixtures import any_broker

pytestmark = [any_broker, pytest.mark.usefixtures("settings_of_the_market")]
FAULT = "kill -9 of the sensor daemon"


def stored(data_dir: Path) -> tuple[int, list[DagsterRunStatus]]:
    """How many keys there are, and the runs, as their status."""
    with instance_in(data_dir / "dagster_home") as instance:
        keys = instance.get_dynamic_partitions(str(BATCHES.name))
        return len(keys), [run.status for run in instance.get_runs()]


def finished(ended: Ended) -> None:
    assert ended.returncode == 0, ended.stderr


def test_killed_between_registering_launching_and_saving_the_cursor_it_asks_for_the_batch_once(
    killer: Killer, market: Market, faults: Faults, data_dir: Path
) -> None:
    assert killer.run_until("after add_dynamic_partitions", TICK).was_killed
    assert stored(data_dir) == (1, [])
    assert killer.run(TICK, "RUN_IDS_RESERVED").was_killed
    assert stored(data_dir) == (1, [])
    assert killer.run(TICK, "RUN_CREATED").was_killed
    assert stored(data_dir) == (1, [DagsterRunStatus.NOT_STARTED])
    assert killer.run(TICK, "RUN_LAUNCHED").was_killed
    for moment in ("before update_tick", "after update_tick"):
        assert killer.run_until(moment, TICK).was_killed
        assert stored(data_dir) == (1, [DagsterRunStatus.QUEUED])
    for step in (TICK, QUEUE, TICK, QUEUE):
        finished(killer.run(step))
    assert stored(data_dir) == (1, [DagsterRunStatus.SUCCESS])
    market.settle(faults, FAULT, 6, warehouse_in(data_dir))


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_killed_at_each_moment_of_a_tick_it_asks_for_the_batch_once(
    killer: Killer, market: Market, faults: Faults, tmp_path: Path
) -> None:
    def tick(folder: str, moment: int = 0) -> Ended:
        return killer.run_until(moment, TICK, settings={"BRIDGECART_DATA_DIR": str(tmp_path / folder)})

    undisturbed = tick("undisturbed")
    finished(undisturbed)
    assert undisturbed.moments > 12
    for moment in range(1, undisturbed.moments + 1):
        folder = f"killed at {moment}"
        assert tick(folder, moment).was_killed
        for _ in range(2):
            finished(tick(folder))
        assert stored(tmp_path / folder) == (1, [DagsterRunStatus.QUEUED])
    finished(killer.run(QUEUE, BRIDGECART_DATA_DIR=str(tmp_path / folder)))
    market.settle(faults, f"{FAULT}, at each moment of a tick", undisturbed.moments, warehouse_in(tmp_path / folder))


def of_orders(instance: dg.DagsterInstance) -> InstigatorState:
    states = instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
    (state,) = [state for state in states if state.instigator_name == ORDERS_SENSOR]
    return state


def ticks(instance: dg.DagsterInstance) -> int:
    state = of_orders(instance)
    return len(instance.get_ticks(state.instigator_origin_id, state.selector_id))


def move_last_tick(instance: dg.DagsterInstance, by: timedelta) -> None:
    state = of_orders(instance)
    data = state.instigator_data
    assert isinstance(data, SensorInstigatorData)
    moved = (datetime.now(UTC) + by).timestamp()
    data = data._replace(last_tick_start_timestamp=moved, last_tick_timestamp=moved)
    instance.update_instigator_state(state.with_data(data))


def test_after_the_clock_was_set_back_the_daemon_waits_for_it_and_a_command_does_not(
    killer: Killer, market: Market, faults: Faults, settings: Settings, warehouse: Warehouse
) -> None:
    finished(killer.run(TICK))
    finished(killer.run(QUEUE))
    with dagster_instance(settings) as instance:
        before = ticks(instance)
        move_last_tick(instance, timedelta(hours=1))
        finished(killer.run(TICK))
        assert ticks(instance) == before
        finished(killer.run("run"))
        move_last_tick(instance, -timedelta(minutes=1))
        finished(killer.run(TICK))
        assert ticks(instance) == before + 1
    market.settle(faults, "a clock set back under the sensor daemon", 1, warehouse)
