"""The seam of the engine: tables of a shop's size are written through it, and who writes without it is known."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import duckdb
import pandas as pd
import pytest

import bridgecart_assets
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import SEGMENT_DRIFT, SILVER_ORDERS, Contract
from bridgecart_assets.orchestration.asset_specs import table_asset
from bridgecart_assets.orchestration.io_manager import WarehouseIOManager
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.warehouse.duckdb_engine import DuckDBEngine
from bridgecart_assets.warehouse.remap import remap
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.storage.engine import Engine
from bridgecart_assets.warehouse.storage.outputs import FileSlice, KafkaSlice, Query
from bridgecart_assets_tests.support.pipeline import run_small_shop
from bridgecart_assets_tests.support.records import Record, event, store_batch
from bridgecart_assets_tests.support.state import rows

PACKAGE = Path(bridgecart_assets.__file__).parent
# Besides the engine: rows that are few whatever the shop. A table of orders or customers belongs behind the engine.
WRITE_THEMSELVES = {
    "commands/evaluate_world.py": "a temporary warehouse of a made-up world",
    "commands/forget_customers.py": "customers leave every table",
    "warehouse/duckdb_engine.py": "the engine",
    "warehouse/moving.py": "from the file into the lake and back",
    "warehouse/spark_engine.py": "the other engine",
    "warehouse/erasure.py": "customers leave every table, and the list of them",
    "warehouse/ingest/imports.py": "the mapping of a file in the ledger",
    "warehouse/ingest/schemas.py": "schemas of a registry",
    "warehouse/outbox.py": "changes that are to be told",
    "warehouse/remap.py": "tables that are dropped",
    "warehouse/storage/database.py": "the layout",
    "warehouse/withdrawal.py": "the list of withdrawn orders, and models of days to come",
}


def test_who_writes_to_the_warehouse_without_the_engine_is_known():
    writing = {
        str(file.relative_to(PACKAGE))
        for file in PACKAGE.rglob("*.py")
        if re.search(r"\.transaction\(\)", file.read_text(encoding="utf-8"))
    }
    assert writing == WRITE_THEMSELVES.keys()


@dataclass
class Noting:
    """An engine that notes what it is to write, and lets another write it."""

    engine: Engine
    written: list[str] = field(default_factory=list)

    @property
    def warehouse(self) -> Warehouse:
        return self.engine.warehouse

    @property
    def facts(self) -> Mapping[str, str]:
        return self.engine.facts

    def write(
        self, contract: Contract, rows: Query | pd.DataFrame, batch_key: str | None, *, only_changes: bool = False
    ) -> None:
        self.written.append(contract.full_name)
        self.engine.write(contract, rows, batch_key, only_changes=only_changes)

    def write_slice(self, planned: KafkaSlice | FileSlice) -> None:
        self.written.append("raw.orders")
        self.engine.write_slice(planned)

    def changing(
        self, connection: duckdb.DuckDBPyConnection, records: str, customers: str
    ) -> AbstractContextManager[None]:
        return self.engine.changing(connection, records, customers)

    def drop(self, connection: duckdb.DuckDBPyConnection, tables: Iterable[Contract]) -> None:
        self.engine.drop(connection, tables)

    def rewrite(self) -> None:
        self.engine.rewrite()

    @contextmanager
    def replaced(self) -> Iterator["Noting"]:
        with self.engine.replaced() as copy:
            yield Noting(copy, self.written)


@pytest.fixture
def engine(warehouse: Warehouse) -> Noting:
    return Noting(DuckDBEngine(warehouse))


def test_the_io_manager_has_every_table_written_by_the_engine_of_the_platform(engine: Noting) -> None:
    class Noted(Platform):
        @property
        def engine(self) -> Engine:
            return engine

    @table_asset(SEGMENT_DRIFT, kinds=set(), ins={})
    def made() -> pd.DataFrame:
        return pd.DataFrame(columns=list(SEGMENT_DRIFT.column_names))

    platform = Noted()
    dg.materialize([made], resources={"platform": platform, "io_manager": WarehouseIOManager(platform=platform)})
    assert engine.written == [SEGMENT_DRIFT.full_name]
    assert rows(engine.warehouse, "from gold.segment_drift") == []


def test_a_remap_writes_every_batch_by_the_engine_of_the_copy(engine: Noting, settings: Settings) -> None:
    warehouse = run_small_shop(settings)
    store_batch(warehouse, "20260101T000100Z", [Record(event(order_id="late"))], start=50)
    remap(engine, settings, lambda _done, _of: None)
    assert engine.written == [SILVER_ORDERS.full_name] * 2
    assert rows(warehouse, "select count(*) from silver.orders where order_id = 'late'") == [(1,)]
