"""`bridgecart withdraw`: an order is taken back, or counts again, and every table made from it follows."""

from dataclasses import dataclass
from datetime import UTC, datetime

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.run_pipeline import Progress, Summary, refresh, settle_unfinished_runs
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.processes.run_lock import run_lock
from bridgecart_assets.warehouse.storage.database import WarehouseMissing
from bridgecart_assets.warehouse.withdrawal import OrderName, restore, withdraw


@dataclass(frozen=True)
class Withdrawn:
    """Records that were rejected, or count again, and what the checks of the new tables found."""

    records: int
    summary: Summary


def withdraw_order(settings: Settings, order: OrderName, reason: str | None, *, progress: Progress) -> Withdrawn:
    """Take the order back for a reason, or without one let it count again; then refresh what depends on it.

    Killed in between, it is to be run again: that goes on where it stopped. Raises UnknownOrder, AmbiguousOrder,
    WarehouseMissing, AlreadyRunning when another command works on the data directory, BridgeCartError when a run of
    `bridgecart up` does not end in time, RunFailed when the refresh fails; the order is withdrawn by then.
    """
    from bridgecart_assets.orchestration.instance import dagster_instance

    engine = Platform().engine
    if not engine.warehouse.exists:
        raise WarehouseMissing(f"There is no warehouse at {engine.warehouse.path} yet, so no order to withdraw.")
    with dagster_instance(settings) as instance, run_lock(settings.data_dir):
        settle_unfinished_runs(instance, seconds=settings.run_wait_seconds, progress=progress)
        progress("reading its batches again")
        if reason is None:
            records = restore(engine, settings, order)
        else:
            records = withdraw(engine, settings, order, reason=reason, at=datetime.now(UTC))
        progress("customers, segments and KPIs")
        summary = Summary()
        refresh(instance, summary)
    return Withdrawn(records, summary)
