"""`bridgecart forget`: customers leave the warehouse, and every table and file made from it is rebuilt."""

from collections.abc import Sequence
from dataclasses import dataclass

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.run_pipeline import Progress, Summary, refresh, settle_unfinished_runs
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.processes.run_lock import run_lock
from bridgecart_assets.warehouse.erasure import Erasure, erase_customers, publish_customers
from bridgecart_assets.warehouse.storage.database import WarehouseMissing
from bridgecart_assets.warehouse.storage.forgotten_list import ForgottenList

# What no command of ours can reach.
LEFT = (
    "Not erased, because it is not here: the events in the Kafka topic, until its retention ends; "
    "backups and copies of the data directory."
)


@dataclass(frozen=True)
class Forgotten:
    """Counts of what left the warehouse, and what the checks of the new tables found."""

    erasure: Erasure
    summary: Summary


def forget_customers(settings: Settings, customer_ids: Sequence[str], *, progress: Progress) -> Forgotten:
    """Erase the customers for good, then refresh, publish and rewrite the warehouse file.

    Killed in between, it is to be run again: that goes on where it stopped. Raises UnknownCustomer,
    WarehouseMissing, AlreadyRunning when another command works on the data directory, BridgeCartError when a run of
    `bridgecart up` does not end in time, RunFailed when the refresh fails; the customers are erased by then.
    """
    from bridgecart_assets.orchestration.instance import dagster_instance

    engine = Platform().engine
    warehouse = engine.warehouse
    if not warehouse.exists:
        raise WarehouseMissing(f"There is no warehouse at {warehouse.path} yet, so nobody to forget.")
    with dagster_instance(settings) as instance, run_lock(settings.data_dir):
        settle_unfinished_runs(instance, seconds=settings.run_wait_seconds, progress=progress)
        progress("erasing")
        with warehouse.transaction() as connection:
            erasure = erase_customers(connection, settings, customer_ids, engine.changing)
            # Before the commit: a list that is ahead of the warehouse is caught up with, one behind it is not.
            ForgottenList.stored(connection).write(warehouse.path)
        # At once, so that no check that fails below can keep a name in a file.
        publish_customers(warehouse, settings.published_dir)
        # The refresh rewrites it, however recent it is.
        settings.report_path.unlink(missing_ok=True)
        progress("rewriting the warehouse file")
        engine.rewrite()
        progress("customers, segments and KPIs")
        summary = Summary()
        refresh(instance, summary)
    return Forgotten(erasure, summary)
