"""The warehouse and the engine that the settings ask for."""

from functools import partial
from pathlib import Path

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.processes.memory import default_limit
from bridgecart_assets.warehouse.duckdb_engine import DuckDBEngine
from bridgecart_assets.warehouse.erasure import forget_again
from bridgecart_assets.warehouse.lake.session import Spark
from bridgecart_assets.warehouse.spark_engine import SparkEngine
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.storage.engine import Engine


def warehouse_from_settings(settings: Settings) -> Warehouse:
    """The warehouse of these settings, which forgets again whom an older copy of it still has."""
    return Warehouse(
        path=settings.warehouse_path,
        lock_timeout_seconds=settings.lock_timeout_seconds,
        memory_limit=settings.memory_limit or default_limit(),
        naive_timezone=settings.naive_timezone,
        forget_again=partial(forget_again, settings=settings, engine_on=partial(_engine_on, settings=settings)),
    )


def engine_from_settings(settings: Settings) -> Engine:
    """The engine that makes the rows of this warehouse and keeps them."""
    return _engine_on(warehouse_from_settings(settings), settings=settings)


def _engine_on(warehouse: Warehouse, *, settings: Settings) -> Engine:
    return (
        SparkEngine(warehouse, spark_from_settings(settings)) if settings.engine == "spark" else DuckDBEngine(warehouse)
    )


def spark_from_settings(settings: Settings) -> Spark:
    """Spark as these settings reach it."""
    jars = tuple(map(Path, settings.spark_jars.split(","))) if settings.spark_jars else ()
    return Spark(settings.spark_master, settings.lake_path, jars, settings.spark_catalog, settings.spark_batch_records)
