"""The process of Dagster's daemon: what `dagster-daemon run` does, but that the next batch follows a run at once.

Dagster's own evaluates sensors every five seconds: after a run that has just missed a round nothing happens for as
long. Started by `up` as `python -m`, with the workspace file that says where the code server is.
"""

import sys
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from threading import Event
from typing import Any

import dagster as dg

from bridgecart_assets.orchestration.runs import unfinished_runs
from bridgecart_assets.orchestration.storage.dagster_internals import (
    DagsterDaemon,
    IWorkspaceProcessContext,
    QueuedRunCoordinatorDaemon,
    SensorDaemon,
    WorkspaceFileTarget,
    capture_interrupts,
    create_daemons_from_instance,
    daemon_controller_from_instance,
    execute_sensor_iteration,
    setup_interrupt_handlers,
)

# As often as Dagster's own: every tick is kept for a day.
ROUND_SECONDS = 5.0
# No sensor is evaluated sooner again.
LEAST_SECONDS = 1.0
QUEUE_SECONDS = 0.5
_LOOK_SECONDS = 0.2


class PromptSensorDaemon(SensorDaemon):
    """Dagster's, with a round of ticks also when a run has ended."""

    def core_loop(
        self, workspace_process_context: IWorkspaceProcessContext[Any], shutdown_event: Event
    ) -> Generator[Any, None, None]:
        """Rounds of ticks, for ever."""
        while True:
            is_due = Round(workspace_process_context.instance).is_over
            yield from execute_sensor_iteration(workspace_process_context, self._logger, None, None)
            while not is_due() and not shutdown_event.wait(_LOOK_SECONDS):
                pass
            yield None


class Round:
    """A round of ticks, from its beginning until the next one is due."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._began = time.monotonic()
        self._seen = self._open_runs()

    def is_over(self) -> bool:
        """True if a run has ended since the round began, or it was long enough."""
        seconds, still_open = time.monotonic() - self._began, self._open_runs()
        self._seen |= still_open
        return seconds >= ROUND_SECONDS or (seconds >= LEAST_SECONDS and self._seen > still_open)

    def _open_runs(self) -> set[str]:
        return {run.run_id for run in unfinished_runs(self._instance)}


def daemons(instance: dg.DagsterInstance) -> Iterator[DagsterDaemon[Any]]:
    """Those that the instance requires."""
    for daemon in create_daemons_from_instance(instance):
        if isinstance(daemon, SensorDaemon):
            yield PromptSensorDaemon(instance.get_sensor_settings())
        elif isinstance(daemon, QueuedRunCoordinatorDaemon):
            yield QueuedRunCoordinatorDaemon(min(daemon.interval_seconds, QUEUE_SECONDS))
        else:
            yield daemon


def serve(workspace: str) -> None:
    """Work until interrupted."""
    setup_interrupt_handlers()
    with (
        suppress(KeyboardInterrupt),
        capture_interrupts(),
        dg.DagsterInstance.get() as instance,
        daemon_controller_from_instance(instance, WorkspaceFileTarget([workspace]), gen_daemons=daemons) as controller,
    ):
        controller.check_daemon_loop()


if __name__ == "__main__":
    serve(sys.argv[1])
