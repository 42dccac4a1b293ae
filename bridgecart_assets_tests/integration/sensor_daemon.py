"""Dagster's own sensor daemon and run queue, one iteration at a time, in the process that `killable` forks.

The code location is in the same process; runs are worked off where the queue would launch them. Everything else is
what `dagster-daemon run` executes.
"""

import logging
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import dagster as dg
from dagster._core.instance.ref import InstanceRef
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.run_coordinator import QueuedRunCoordinatorDaemon
from dagster._daemon.sensor import execute_sensor_iteration

from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.commands.run_pipeline import failure_of
from bridgecart_assets.definitions import build_defs
from bridgecart_assets.orchestration.instance import prepare_home

_LAUNCHER = {"module": "dagster._core.launcher.sync_in_memory_run_launcher", "class": "SyncInMemoryRunLauncher"}
_LOGS = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
# The sensor's minimum interval.
_BETWEEN_TICKS_SECONDS = 1.0


def tick(crash: str = "") -> None:
    """One iteration over the sensors; kill -9 of this process at Dagster's debug flag `crash`, if there is one."""
    # An iteration within the interval would do nothing, and say nothing.
    time.sleep(_BETWEEN_TICKS_SECONDS)
    flags = {"orders_sensor": {crash: signal.SIGKILL}} if crash else {}
    with _workspace() as workspace:
        iteration = execute_sensor_iteration(workspace, _logger(), None, None, debug_crash_flags=flags)
        errors = [error for error in iteration if error is not None]
    assert not errors, errors


def work_off_the_queue() -> None:
    """One iteration of the run queue: what may be launched runs to its end."""
    with _workspace() as workspace:
        errors = [error for error in QueuedRunCoordinatorDaemon(1).run_iteration(workspace) if error is not None]
    assert not errors, errors


def launch(job: str, key: str) -> None:
    """A run as a worker executes it, whatever else is going on; exit code 1 when it fails."""
    with _workspace() as workspace:
        instance = workspace.instance
        job_def = build_defs().resolve_job_def(job)
        result = job_def.execute_in_process(instance=instance, partition_key=key, raise_on_error=False)
    if not result.success:
        sys.exit(str(failure_of(result)))


@contextmanager
def _workspace() -> Iterator[WorkspaceProcessContext]:
    home = prepare_home(load_settings())
    ref = InstanceRef.from_dir(str(home), overrides={"run_launcher": _LAUNCHER, "compute_logs": _LOGS})
    target = LoadableTargetOrigin(executable_path=sys.executable, module_name="bridgecart_assets.definitions")
    origin = InProcessCodeLocationOrigin(target, location_name="bridgecart")
    with (
        dg.DagsterInstance.from_ref(ref) as instance,
        WorkspaceProcessContext(instance, InProcessWorkspaceLoadTarget(origin)) as workspace,
    ):
        yield workspace


def _logger() -> logging.Logger:
    return logging.getLogger("dagster.daemon.SensorDaemon")


TICK = "sensor-tick"
QUEUE = "run-queue"
LAUNCH = "launch-run"
STEPS: Mapping[str, Callable[..., None]] = {TICK: tick, QUEUE: work_off_the_queue, LAUNCH: launch}
