"""Runs of the product in a child process: one batch through all tables, or everything up to the topic's end."""

import time
import warnings
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from benchmarks.benchmark import Figures
from benchmarks.surroundings import settings
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.commands.run import QUIET, failure_of, run_everything
from bridgecart_assets.definitions import defs
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.orchestration.partitions import BATCHES, newest_keys, next_batch_key
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.warehouse.ingest.ledger import newest_batches


def run_batch(data_dir: str, job: str = "orders_batch", key: str = "", **variables: str) -> Figures:
    """One run of a job for the next batch, or for an old one again; its wall time and that of its steps."""
    with settings(BRIDGECART_DATA_DIR=data_dir, **variables), dagster_instance(load_settings()) as instance:
        key = key or add_key(instance)
        resolved = defs.resolve_job_def(job)
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = resolved.execute_in_process(
                instance=instance, partition_key=key, run_config=QUIET, raise_on_error=False
            )
        seconds = time.perf_counter() - started
        if not result.success:
            raise failure_of(result)
        return {"seconds": seconds, **_step_seconds(result)}


def run_command(orders: int) -> Figures:
    """`bridgecart run`: everything from the topic to the KPIs, in the empty data directory of this process."""
    started = time.perf_counter()
    summary = run_everything(load_settings(), progress=lambda _: None)
    seconds = time.perf_counter() - started
    if summary.orders < orders or not summary.is_good:
        raise RuntimeError(f"{summary.orders} of {orders} orders, failed checks: {summary.failed_checks}")
    return {"seconds": seconds, "orders": summary.orders, "orders_per_second": summary.orders / seconds}


def add_key(instance: dg.DagsterInstance) -> str:
    """The key of a new batch, registered."""
    known = [*newest_keys(instance, limit=1), *newest_batches(Platform().warehouse, limit=1)]
    key = next_batch_key(datetime.now(UTC), known)
    instance.add_dynamic_partitions(str(BATCHES.name), [key])
    return key


def file_bytes(data_dir: str) -> int:
    """Size of the warehouse file."""
    return (Path(data_dir) / "bridgecart.duckdb").stat().st_size


def _step_seconds(result: dg.ExecuteInProcessResult) -> Figures:
    steps = [event for event in result.all_events if event.is_step_success]
    return {f"{event.step_key}_seconds": event.step_success_data.duration_ms / 1000 for event in steps}
