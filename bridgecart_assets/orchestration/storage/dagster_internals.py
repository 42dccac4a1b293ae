"""Names that BridgeCart needs of Dagster beyond its public API: where each lives, and why.

No other module imports from a module of Dagster whose name begins with an underscore, and nothing here is replaced or
changed. A name is loaded when it is first asked for: those of the storage bring SQLAlchemy, which neither the
definitions nor most commands need. `test_dagster_internals` holds names and signatures to those that are relied on:
what it reports is to be read before another version of Dagster is taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagster._check import CheckError as CheckError
    from dagster._core.definitions.job_base import InMemoryJob as InMemoryJob
    from dagster._core.definitions.run_request import InstigatorType as InstigatorType
    from dagster._core.errors import DagsterUserCodeUnreachableError as DagsterUserCodeUnreachableError
    from dagster._core.event_api import EventHandlerFn as EventHandlerFn
    from dagster._core.events import ASSET_CHECK_EVENTS as ASSET_CHECK_EVENTS
    from dagster._core.events import ASSET_EVENTS as ASSET_EVENTS
    from dagster._core.events import EVENT_TYPE_TO_PIPELINE_RUN_STATUS as EVENT_TYPE_TO_PIPELINE_RUN_STATUS
    from dagster._core.execution.api import execute_run as execute_run
    from dagster._core.execution.plan.objects import StepFailureData as StepFailureData
    from dagster._core.instance.ref import InstanceRef as InstanceRef
    from dagster._core.origin import get_python_environment_entry_point as get_python_environment_entry_point
    from dagster._core.remote_origin import RegisteredCodeLocationOrigin as RegisteredCodeLocationOrigin
    from dagster._core.remote_origin import RemoteJobOrigin as RemoteJobOrigin
    from dagster._core.remote_origin import RemoteRepositoryOrigin as RemoteRepositoryOrigin
    from dagster._core.scheduler.instigation import InstigatorState as InstigatorState
    from dagster._core.scheduler.instigation import InstigatorTick as InstigatorTick
    from dagster._core.scheduler.instigation import SensorInstigatorData as SensorInstigatorData
    from dagster._core.scheduler.instigation import TickStatus as TickStatus
    from dagster._core.storage.asset_check_execution_record import (
        AssetCheckExecutionRecordStatus as AssetCheckExecutionRecordStatus,
    )
    from dagster._core.storage.dagster_run import FINISHED_STATUSES as FINISHED_STATUSES
    from dagster._core.storage.db_io_manager import TableSlice as TableSlice
    from dagster._core.storage.event_log.polling_event_watcher import SqlPollingEventWatcher as SqlPollingEventWatcher
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable as AssetCheckExecutionsTable
    from dagster._core.storage.event_log.schema import AssetEventTagsTable as AssetEventTagsTable
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable as SqlEventLogStorageTable
    from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage as SqlEventLogStorage
    from dagster._core.storage.event_log.sqlite import sqlite_event_log as sqlite_event_log
    from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME as INDEX_SHARD_NAME
    from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage as SqliteEventLogStorage
    from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage as SqliteRunStorage
    from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import (
        SqliteScheduleStorage as SqliteScheduleStorage,
    )
    from dagster._core.storage.sql import get_alembic_config as get_alembic_config
    from dagster._core.storage.sql import run_alembic_upgrade as run_alembic_upgrade
    from dagster._core.storage.sqlite_storage import DagsterSqliteStorage as DagsterSqliteStorage
    from dagster._core.types.loadable_target_origin import LoadableTargetOrigin as LoadableTargetOrigin
    from dagster._core.utils import FuturesAwareThreadPoolExecutor as FuturesAwareThreadPoolExecutor
    from dagster._core.workspace.context import IWorkspaceProcessContext as IWorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget as WorkspaceFileTarget
    from dagster._daemon.controller import create_daemons_from_instance as create_daemons_from_instance
    from dagster._daemon.controller import daemon_controller_from_instance as daemon_controller_from_instance
    from dagster._daemon.daemon import DagsterDaemon as DagsterDaemon
    from dagster._daemon.daemon import SensorDaemon as SensorDaemon
    from dagster._daemon.run_coordinator import QueuedRunCoordinatorDaemon as QueuedRunCoordinatorDaemon
    from dagster._daemon.sensor import execute_sensor_iteration as execute_sensor_iteration
    from dagster._grpc.client import DagsterGrpcClient as DagsterGrpcClient
    from dagster._grpc.server import DagsterApiServer as DagsterApiServer
    from dagster._grpc.server import DagsterGrpcServer as DagsterGrpcServer
    from dagster._grpc.types import CanCancelExecutionRequest as CanCancelExecutionRequest
    from dagster._grpc.types import CanCancelExecutionResult as CanCancelExecutionResult
    from dagster._serdes import ConfigurableClassData as ConfigurableClassData
    from dagster._utils.interrupts import capture_interrupts as capture_interrupts
    from dagster._utils.interrupts import setup_interrupt_handlers as setup_interrupt_handlers
    from dagster._utils.log import configure_loggers as configure_loggers


@dataclass(frozen=True)
class Internal:
    """A module of Dagster, and why what is in it is needed."""

    module: str
    reason: str


_SENSORS = "Whether a sensor is on, ticks and fails stands in the instance; only the UI's API says it publicly."
_ORIGIN = "A run in this process is in the lists of its job, and a sensor keeps its switch, only under their origin."
_CODE_SERVER = "Whether a code server answers, and works on a run: Dagster's launcher has no health check for it."
_SERVING = "A code server whose runs are forked: Dagster's own starts each anew, and no option says otherwise."
_DAEMON = "A daemon that looks for the next batch when a run has ended: Dagster's own does every five seconds."
_STORAGE = "The storage that dagster.yaml names extends Dagster's own; its classes are no part of the public API."
_EVENTS = "The storage divides events as Dagster's own does: by run, asset, check and status of a run."
_ROWS = "Old runs are pruned row by row: the public way deletes what the UI still shows of assets."

INTERNALS: Mapping[str, Internal] = {
    "CheckError": Internal("dagster._check", "What a dagster.yaml that Dagster cannot use raises."),
    "InMemoryJob": Internal(
        "dagster._core.definitions.job_base",
        "Runs a job with its place, which `execute_in_process` leaves out.",
    ),
    "InstigatorType": Internal("dagster._core.definitions.run_request", _SENSORS),
    "DagsterUserCodeUnreachableError": Internal("dagster._core.errors", _CODE_SERVER),
    "EventHandlerFn": Internal("dagster._core.event_api", _STORAGE),
    "ASSET_CHECK_EVENTS": Internal("dagster._core.events", _EVENTS),
    "ASSET_EVENTS": Internal("dagster._core.events", _EVENTS),
    "EVENT_TYPE_TO_PIPELINE_RUN_STATUS": Internal("dagster._core.events", _EVENTS),
    "execute_run": Internal("dagster._core.execution.api", "Executes the run that was created with its origin."),
    "StepFailureData": Internal("dagster._core.execution.plan.objects", "The type of what a failed step tells."),
    "InstanceRef": Internal(
        "dagster._core.instance.ref", "An instance of a folder with other compute logs than its dagster.yaml names."
    ),
    "get_python_environment_entry_point": Internal("dagster._core.origin", _SERVING),
    "RegisteredCodeLocationOrigin": Internal("dagster._core.remote_origin", _ORIGIN),
    "RemoteJobOrigin": Internal("dagster._core.remote_origin", _ORIGIN),
    "RemoteRepositoryOrigin": Internal("dagster._core.remote_origin", _ORIGIN),
    "InstigatorState": Internal("dagster._core.scheduler.instigation", _SENSORS),
    "InstigatorTick": Internal("dagster._core.scheduler.instigation", _SENSORS),
    "SensorInstigatorData": Internal("dagster._core.scheduler.instigation", _SENSORS),
    "TickStatus": Internal("dagster._core.scheduler.instigation", _SENSORS),
    "AssetCheckExecutionRecordStatus": Internal(
        "dagster._core.storage.asset_check_execution_record", "The type of a public record's status."
    ),
    "FINISHED_STATUSES": Internal("dagster._core.storage.dagster_run", _EVENTS),
    "TableSlice": Internal(
        "dagster._core.storage.db_io_manager", "What the public DuckDBPandasTypeHandler asks for in order to load."
    ),
    "SqlPollingEventWatcher": Internal("dagster._core.storage.event_log.polling_event_watcher", _STORAGE),
    "AssetCheckExecutionsTable": Internal("dagster._core.storage.event_log.schema", _ROWS),
    "AssetEventTagsTable": Internal("dagster._core.storage.event_log.schema", _ROWS),
    "SqlEventLogStorageTable": Internal("dagster._core.storage.event_log.schema", _ROWS),
    "SqlEventLogStorage": Internal("dagster._core.storage.event_log.sql_event_log", _ROWS),
    "sqlite_event_log": Internal("dagster._core.storage.event_log.sqlite", _STORAGE),
    "INDEX_SHARD_NAME": Internal("dagster._core.storage.event_log.sqlite.sqlite_event_log", _STORAGE),
    "SqliteEventLogStorage": Internal("dagster._core.storage.event_log.sqlite.sqlite_event_log", _STORAGE),
    "SqliteRunStorage": Internal("dagster._core.storage.runs.sqlite.sqlite_run_storage", _STORAGE),
    "SqliteScheduleStorage": Internal("dagster._core.storage.schedules.sqlite.sqlite_schedule_storage", _STORAGE),
    "get_alembic_config": Internal("dagster._core.storage.sql", _STORAGE),
    "run_alembic_upgrade": Internal("dagster._core.storage.sql", _STORAGE),
    "DagsterSqliteStorage": Internal("dagster._core.storage.sqlite_storage", _STORAGE),
    "LoadableTargetOrigin": Internal("dagster._core.types.loadable_target_origin", _SERVING),
    "FuturesAwareThreadPoolExecutor": Internal("dagster._core.utils", _SERVING),
    "IWorkspaceProcessContext": Internal("dagster._core.workspace.context", _DAEMON),
    "WorkspaceFileTarget": Internal("dagster._core.workspace.load_target", _DAEMON),
    "create_daemons_from_instance": Internal("dagster._daemon.controller", _DAEMON),
    "daemon_controller_from_instance": Internal("dagster._daemon.controller", _DAEMON),
    "DagsterDaemon": Internal("dagster._daemon.daemon", _DAEMON),
    "SensorDaemon": Internal("dagster._daemon.daemon", _DAEMON),
    "QueuedRunCoordinatorDaemon": Internal("dagster._daemon.run_coordinator", _DAEMON),
    "execute_sensor_iteration": Internal("dagster._daemon.sensor", _DAEMON),
    "DagsterGrpcClient": Internal("dagster._grpc.client", _CODE_SERVER),
    "DagsterApiServer": Internal("dagster._grpc.server", _SERVING),
    "DagsterGrpcServer": Internal("dagster._grpc.server", _SERVING),
    "CanCancelExecutionRequest": Internal("dagster._grpc.types", _CODE_SERVER),
    "CanCancelExecutionResult": Internal("dagster._grpc.types", _CODE_SERVER),
    "ConfigurableClassData": Internal("dagster._serdes", _STORAGE),
    "capture_interrupts": Internal("dagster._utils.interrupts", _DAEMON),
    "setup_interrupt_handlers": Internal("dagster._utils.interrupts", _SERVING),
    "configure_loggers": Internal("dagster._utils.log", _SERVING),
}

# As `dagster.yaml` names a class: it has no public way to say that output is not to be captured.
NO_COMPUTE_LOGS = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """One of the internals, loaded now."""
        if name not in INTERNALS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(INTERNALS[name].module), name)
