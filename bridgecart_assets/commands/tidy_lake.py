"""`bridgecart tidy`: the files of the lake, between two runs."""

from collections.abc import Mapping
from datetime import timedelta

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.run_pipeline import Progress, settle_unfinished_runs
from bridgecart_assets.processes.run_lock import run_lock
from bridgecart_assets.warehouse.from_settings import engine_from_settings
from bridgecart_assets.warehouse.spark_engine import tidy


def tidy_lake(settings: Settings, keep: timedelta, *, progress: Progress) -> Mapping[str, int]:
    """Merge small files and delete what was needed longer ago than is to be kept; the number of files by table.

    Raises WarehouseMissing, SparkFailed, AlreadyRunning when another command works on the data directory,
    BridgeCartError without Spark, or when a run of `bridgecart up` does not end in time.
    """
    from bridgecart_assets.orchestration.instance import dagster_instance

    with dagster_instance(settings) as instance, run_lock(settings.data_dir):
        settle_unfinished_runs(instance, seconds=settings.run_wait_seconds, progress=progress)
        progress("merging and deleting files")
        return tidy(engine_from_settings(settings), keep)
