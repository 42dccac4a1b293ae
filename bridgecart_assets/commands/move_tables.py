"""`bridgecart move`: the large tables go into the lake or back, between two runs."""

from collections.abc import Sequence

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.run_pipeline import Progress, settle_unfinished_runs
from bridgecart_assets.processes.run_lock import run_lock
from bridgecart_assets.warehouse.from_settings import spark_from_settings, warehouse_from_settings
from bridgecart_assets.warehouse.moving import Moved, move_to_file, move_to_lake


def move_tables(settings: Settings, engine: str, *, progress: Progress) -> Sequence[Moved]:
    """Move the tables to where the engine keeps them; what was moved.

    Raises WarehouseMissing, WarehouseError, SparkFailed, AlreadyRunning when another command works on the data
    directory, BridgeCartError when a run of `bridgecart up` does not end in time.
    """
    from bridgecart_assets.orchestration.instance import dagster_instance

    warehouse = warehouse_from_settings(settings)
    warehouse.require()
    with dagster_instance(settings) as instance, run_lock(settings.data_dir):
        settle_unfinished_runs(instance, seconds=settings.run_wait_seconds, progress=progress)
        progress("moving")
        move = move_to_lake if engine == "spark" else move_to_file
        return move(warehouse, spark_from_settings(settings))
