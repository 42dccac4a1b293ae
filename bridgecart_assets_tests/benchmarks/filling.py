"""A side that uses a warehouse: what it imports is no part of the other sides' memory."""

import os
import time
from pathlib import Path

from benchmarks.benchmark import Figures
from bridgecart_assets.warehouse.storage.database import Warehouse


def fill_a_warehouse(rows: int) -> Figures:
    """Write a table in the data directory's warehouse, read it twice, and say little things."""
    started = time.perf_counter()
    warehouse = Warehouse(Path(os.environ["BRIDGECART_DATA_DIR"]) / "w.duckdb")
    with warehouse.transaction() as connection:
        connection.execute(
            "create table main.numbers as select i, i % 10 as digit from range($rows) r(i)", {"rows": rows}
        )
    with warehouse.reading() as connection:
        for _ in range(2):
            connection.execute("-- Twice.\nselect digit, count(*) from main.numbers group by digit").fetchall()
        for number in range(5):
            connection.execute(f"select {number}").fetchall()
    return {"seconds": time.perf_counter() - started}
