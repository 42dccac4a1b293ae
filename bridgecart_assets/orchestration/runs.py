"""Dagster's run records: which runs are open, and which of those nobody works on any more."""

import json
import socket
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter, deserialize_value

from bridgecart_assets.orchestration.storage.dagster_internals import (
    CanCancelExecutionRequest,
    CanCancelExecutionResult,
    DagsterGrpcClient,
    DagsterUserCodeUnreachableError,
)
from bridgecart_assets.processes.memory import bound, kills
from bridgecart_assets.processes.run_lock import CLI_LAUNCHER, LAUNCHER_TAG

GRPC_INFO_TAG = ".dagster/grpc_info"
FINISHED = (DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED)
UNFINISHED = [status for status in DagsterRunStatus if status not in FINISHED]
UNLAUNCHED = [DagsterRunStatus.NOT_STARTED, DagsterRunStatus.QUEUED, DagsterRunStatus.STARTING]
# A daemon gives a sign of life every 30 seconds.
DAEMON_SILENCE = timedelta(minutes=2)
GRPC_SECONDS = 5
# A run is queued a moment after it was created; Dagster goes on with an interrupted tick for a day. Shorter than the
# hours of a time zone it cannot be: on PostgreSQL Dagster takes the server's local time of creation for UTC.
SUBMISSION = timedelta(days=1)


def unfinished_runs(instance: dg.DagsterInstance) -> Sequence[dg.DagsterRun]:
    """Runs that are queued or in progress, whoever asked for them."""
    return instance.get_runs(RunsFilter(statuses=UNFINISHED))


def orphaned_runs(instance: dg.DagsterInstance, now: datetime, *, is_command_at_work: bool) -> list[dg.DagsterRun]:
    """Open runs whose process died with everything around it; Dagster keeps them open for ever.

    A run knows its launcher: the code server's address, or the lock that `bridgecart run` holds while it works. One
    that was never queued has none: whoever created it died before SUBMISSION was over.
    """
    records = instance.get_run_records(RunsFilter(statuses=UNFINISHED))
    return [
        record.dagster_run
        for record in records
        if _is_orphan(instance, record.dagster_run, is_command_at_work) or _was_never_queued(record, now)
    ]


def report_orphans(instance: dg.DagsterInstance, now: datetime, *, is_command_at_work: bool) -> list[str]:
    """Report orphaned runs as failed; returns their ids."""
    orphans = orphaned_runs(instance, now, is_command_at_work=is_command_at_work)
    for run in orphans:
        instance.report_run_failed(run, f"Orphaned: the process that worked on this run is gone.{_of_memory()}")
    return [run.run_id for run in orphans]


def cancel_abandoned(instance: dg.DagsterInstance, now: datetime) -> list[str]:
    """Cancel runs that wait for a daemon which has been silent for DAEMON_SILENCE; returns their ids.

    For commands that work without a daemon. A daemon that comes back takes up its queue by itself.
    """
    beats = instance.get_daemon_heartbeats().values()
    # In the future are those of a daemon that ran before the clock was set back.
    if any(abs(datetime.fromtimestamp(beat.timestamp, UTC) - now) < DAEMON_SILENCE for beat in beats):
        return []
    waiting = [run for run in instance.get_runs(RunsFilter(statuses=UNLAUNCHED)) if GRPC_INFO_TAG not in run.tags]
    for run in waiting:
        instance.report_run_canceled(run, "Cancelled: no daemon is there to launch it.")
    return [run.run_id for run in waiting]


def _of_memory() -> str:
    killed = kills()
    if not killed:
        return ""
    return f" It may have been for want of memory: the kernel has killed {killed} process(es) here so far; {bound()}."


def _was_never_queued(record: dg.RunRecord, now: datetime) -> bool:
    run = record.dagster_run
    is_fresh = abs(record.create_timestamp - now) <= SUBMISSION
    return run.status == DagsterRunStatus.NOT_STARTED and LAUNCHER_TAG not in run.tags and not is_fresh


def _is_orphan(instance: dg.DagsterInstance, run: dg.DagsterRun, is_command_at_work: bool) -> bool:
    if run.tags.get(LAUNCHER_TAG) == CLI_LAUNCHER:
        return not is_command_at_work
    if GRPC_INFO_TAG not in run.tags:
        return False
    server = json.loads(run.tags[GRPC_INFO_TAG])
    if not _answers(server):
        return True
    # Where a server died, another may answer at the same port; a socket's path is a server's own.
    if server.get("socket") or run.status != DagsterRunStatus.STARTED or _works_on(server, run.run_id):
        return False
    now = instance.get_run_by_id(run.run_id)
    return now is not None and now.status == DagsterRunStatus.STARTED


def _works_on(grpc_info: Mapping[str, Any], run_id: str) -> bool:
    """True if the server has a process for the run, and where it does not say."""
    client = DagsterGrpcClient(host=grpc_info["host"], port=grpc_info["port"], use_ssl=bool(grpc_info.get("use_ssl")))
    try:
        said = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run_id), timeout=GRPC_SECONDS)
    except DagsterUserCodeUnreachableError:
        return True
    return deserialize_value(said, CanCancelExecutionResult).can_cancel


def _answers(grpc_info: Mapping[str, Any]) -> bool:
    family, address = (
        (socket.AF_UNIX, grpc_info["socket"])
        if grpc_info.get("socket")
        else (socket.AF_INET, (grpc_info["host"], grpc_info["port"]))
    )
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(2.0)
        try:
            probe.connect(address)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            # Slow or out of reach is not gone.
            return True
    return True
