"""The orders sensor and the daemon, as they stand in Dagster's records when a daemon has run."""

from datetime import UTC, datetime

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, SensorInstigatorData
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._daemon.types import DaemonHeartbeat

SWITCHED_ON = datetime(2026, 3, 1, 11, 0, tzinfo=UTC)


def sensor_state(
    status: InstigatorStatus, last_tick: datetime | None = None, *, location: str = "bridgecart"
) -> InstigatorState:
    """The orders sensor as the daemon keeps it, last switched on at SWITCHED_ON."""
    target = LoadableTargetOrigin(executable_path="python", module_name="bridgecart_assets.definitions")
    repository = RemoteRepositoryOrigin(InProcessCodeLocationOrigin(target, location_name=location), "__repository__")
    data = SensorInstigatorData(
        last_tick_start_timestamp=last_tick.timestamp() if last_tick else None,
        last_sensor_start_timestamp=SWITCHED_ON.timestamp(),
    )
    origin = RemoteInstigatorOrigin(repository, "orders_sensor")
    return InstigatorState(origin, InstigatorType.SENSOR, status, data)


def switch(instance: dg.DagsterInstance, status: InstigatorStatus) -> InstigatorState:
    """Switch the orders sensor on or off, as the UI does; its state."""
    state = sensor_state(status)
    if instance.get_instigator_state(state.instigator_origin_id, state.selector_id) is None:
        return instance.add_instigator_state(state)
    return instance.update_instigator_state(state)


def beat(instance: dg.DagsterInstance, at: datetime) -> None:
    """A sign of life of the daemon that evaluates sensors."""
    instance.add_daemon_heartbeat(DaemonHeartbeat(at.timestamp(), "SENSOR", "daemon", errors=[]))
