"""Many small batches in the lake: with `tidy` in between it stays as quick to read as it was."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from statistics import median

import pytest

from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.contracts import SILVER_ORDERS
from bridgecart_assets.sources.files.history_file import HistoryFile, open_history
from bridgecart_assets.synthetic import WorldConfig, simulate
from bridgecart_assets.warehouse.duckdb_engine import DuckDBEngine
from bridgecart_assets.warehouse.from_settings import spark_from_settings, warehouse_from_settings
from bridgecart_assets.warehouse.ingest.planning import plan_file_slice
from bridgecart_assets.warehouse.queries import silver_batch_query
from bridgecart_assets.warehouse.spark_engine import SparkEngine
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.support.spark import leaves_sockets, spark_in_this_process
from bridgecart_assets_tests.support.state import digests, rows

BATCHES, RECORDS, TIDY_EVERY = 2_000, 4, 200
FIRST, BETWEEN = datetime(2030, 1, 1, tzinfo=UTC), timedelta(seconds=30)
READINGS, PAUSE_SECONDS = 5, 0.05
READ = 'select count(*), sum(net_amount) from silver.orders join raw.orders using ("partition", "offset")'


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[DuckDBEngine, SparkEngine]]:
    """DuckDB's and Spark's, each with an empty data directory."""
    with spark_in_this_process() as spark:
        for name, value in spark.items():
            monkeypatch.setenv(name, value)
        settings = load_settings()
        of_duckdb, of_spark = (
            warehouse_from_settings(settings.model_copy(update={"data_dir": tmp_path / name}))
            for name in ("duckdb", "spark")
        )
        lake = settings.model_copy(update={"data_dir": tmp_path / "spark"})
        yield DuckDBEngine(of_duckdb), SparkEngine(of_spark, spark_from_settings(lake))


@pytest.fixture
def file(tmp_path: Path) -> HistoryFile:
    """At least as many records as all batches have, none malformed."""
    world = simulate(WorldConfig(orders=BATCHES * RECORDS, share_malformed=0.0))
    lines = [event.value for event in chain.from_iterable(world.history()) if event.value is not None]
    written = tmp_path / "orders.jsonl"
    written.write_bytes(b"\n".join(lines) + b"\n")
    return open_history(written)


def take_in(engine: DuckDBEngine | SparkEngine, file: HistoryFile, number: int) -> None:
    settings = load_settings().model_copy(update={"max_batch_records": RECORDS})
    key = f"{FIRST + number * BETWEEN:%Y%m%dT%H%M%SZ}"
    engine.write_slice(plan_file_slice(engine.warehouse, file, settings, key, None))
    engine.write(SILVER_ORDERS, silver_batch_query(settings), key)


def seconds_to_read(warehouse: Warehouse) -> float:
    taken = []
    for _ in range(READINGS):
        started = time.perf_counter()
        rows(warehouse, READ)
        taken.append(time.perf_counter() - started)
    return median(taken)


def files_of(warehouse: Warehouse) -> int:
    """Files below the lake, of whatever kind."""
    return sum(1 for file in (warehouse.path.parent / "lake").rglob("*") if file.is_file())


@pytest.mark.slow
@pytest.mark.timeout(6 * 3_600)
@leaves_sockets
def test_two_thousand_batches_with_tidy_in_between_leave_few_files_and_are_read_as_quickly_as_a_tenth_of_them(
    engines: tuple[DuckDBEngine, SparkEngine], file: HistoryFile, record_property: Callable[[str, object], None]
) -> None:
    of_duckdb, spark = engines
    seconds, files = [], []
    for number in range(BATCHES):
        take_in(spark, file, number)
        if (number + 1) % TIDY_EVERY == 0:
            spark.tidy(datetime.now(UTC))
            seconds.append(seconds_to_read(spark.warehouse))
            files.append(files_of(spark.warehouse))
            record_property(f"after {number + 1} batches", f"read in {seconds[-1]:.3f} s, {files[-1]} files")
    for number in range(BATCHES):
        take_in(of_duckdb, file, number)
    expected, found = digests(of_duckdb.warehouse), digests(spark.warehouse)
    assert {table: found[table] for table in expected} == expected
    assert seconds[-1] < 2 * seconds[0] + PAUSE_SECONDS
    assert files[-1] < 2 * files[0]
