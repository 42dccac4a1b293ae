"""Writing the report from the warehouse."""

import time
from pathlib import Path

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import KPI_TABLES, SILVER_ORDERS
from bridgecart_assets.report.figures import Figures, gather
from bridgecart_assets.report.keeping import keep_reports
from bridgecart_assets.report.page import write_page
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.storage.database import standing_tables
from bridgecart_assets.warehouse.storage.tables import count_rows

# With fewer the report takes less than a second.
LARGE_HISTORY_ORDERS = 1_000_000


class NothingToReport(BridgeCartError):
    """There are no KPIs yet."""


def write_report(settings: Settings, health: Figures | None = None) -> Path:
    """Write the report with the figures of the warehouse as they are now, and keep those of closed periods; its file.

    `health` is what is not in the warehouse (`Health.for_report`); without it the page says nothing of the topic and
    the checks. Raises NothingToReport before the first refresh, ReportNotWritten, KeptUnreadable.
    """
    nothing = NothingToReport("There is nothing to report yet: run `bridgecart run` or `bridgecart demo` first.")
    warehouse = warehouse_from_settings(settings)
    if not warehouse.exists:
        raise nothing
    with warehouse.reading() as connection:
        if not {contract.full_name for contract in KPI_TABLES} <= standing_tables(connection):
            raise nothing
        figures = gather(connection, settings)
        write_page({**figures, "health": health, "kept": None}, settings.report_path)
        keep_reports(connection, settings, figures)
    return settings.report_path


def may_wait(settings: Settings) -> bool:
    """True if the report was written lately and there are so many orders that it need not follow each batch."""
    target = settings.report_path
    if not target.exists() or time.time() - target.stat().st_mtime > 60 * settings.publish_customers_minutes:
        return False
    with warehouse_from_settings(settings).reading() as connection:
        return count_rows(connection, SILVER_ORDERS) > LARGE_HISTORY_ORDERS
