"""A clock that was set back: Dagster's daemon lets no sensor tick before it has caught up, for days if need be."""

import time
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagster as dg

# Below this, it is the fine tuning of a time server.
TOLERANCE_SECONDS = 2.0


class WallClock:
    """Notices that the system's clock was set back."""

    def __init__(self) -> None:
        self._ahead = time.time() - time.monotonic()

    def was_set_back(self) -> bool:
        """Whether it was since the last call."""
        before, self._ahead = self._ahead, time.time() - time.monotonic()
        return self._ahead < before - TOLERANCE_SECONDS


def forget_future_ticks(instance: "dg.DagsterInstance", now: datetime) -> list[str]:
    """Let sensors whose last tick lies in the future tick again now; their names."""
    from dagster._core.definitions.run_request import InstigatorType
    from dagster._core.scheduler.instigation import SensorInstigatorData

    forgotten = []
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SENSOR):
        data = state.instigator_data
        if not isinstance(data, SensorInstigatorData):
            continue
        last = max(data.last_tick_timestamp or 0.0, data.last_tick_start_timestamp or 0.0)
        if last > now.timestamp():
            forgetful = data._replace(last_tick_timestamp=None, last_tick_start_timestamp=None)
            instance.update_instigator_state(state.with_data(forgetful))
            forgotten.append(state.instigator_name)
    return forgotten
