"""The warehouse and the engine that the settings ask for."""

from functools import partial

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.processes.memory import default_limit
from bridgecart_assets.warehouse.duckdb_engine import DuckDBEngine
from bridgecart_assets.warehouse.erasure import forget_again
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.storage.engine import Engine


def warehouse_from_settings(settings: Settings) -> Warehouse:
    """The warehouse of these settings, which forgets again whom an older copy of it still has."""
    return Warehouse(
        path=settings.warehouse_path,
        lock_timeout_seconds=settings.lock_timeout_seconds,
        memory_limit=settings.memory_limit or default_limit(),
        naive_timezone=settings.naive_timezone,
        forget_again=partial(forget_again, settings=settings),
    )


def engine_from_settings(settings: Settings) -> Engine:
    """The engine that makes the rows of this warehouse and keeps them."""
    return DuckDBEngine(warehouse_from_settings(settings))
