"""Tables of customers made as a whole by both engines: DuckDB alone, and Spark with DuckDB in its workers."""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.benchmark import OUTSIDE, Benchmark, Figures, Side, Sizes
from benchmarks.histories import Batch, open_shop, write_base
from benchmarks.measuring import run_child
from benchmarks.surroundings import BASE_ORDERS, END, fresh_topic
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.contracts import CUSTOMER_FEATURES, CUSTOMER_SEGMENTS, CUSTOMER_SNAPSHOTS, SILVER_CUSTOMERS
from bridgecart_assets.warehouse.from_settings import (
    engine_from_settings,
    spark_from_settings,
    warehouse_from_settings,
)
from bridgecart_assets.warehouse.mapped_records import readers_on_record
from bridgecart_assets.warehouse.moving import move_to_lake
from bridgecart_assets.warehouse.queries import customers_query, features_query, segments_query, snapshots_query

BY = BY_DUCKDB, BY_SPARK = "{:,} orders, DuckDB alone", "{:,} orders, Spark"
ON_SPARK = {"BRIDGECART_ENGINE": "spark", "BRIDGECART_SPARK_MASTER": "local[2]"}


def make_customers() -> Figures:
    """Customers, features, segments and snapshots of everybody; Spark starts in this time."""
    settings = load_settings()
    engine = engine_from_settings(settings)
    with engine.warehouse.reading() as connection:
        readers = readers_on_record(connection)
    started = time.perf_counter()
    for contract, query in (
        (SILVER_CUSTOMERS, customers_query(readers=readers)),
        (CUSTOMER_FEATURES, features_query(settings)),
        (CUSTOMER_SEGMENTS, segments_query(settings)),
        (CUSTOMER_SNAPSHOTS, snapshots_query(settings)),
    ):
        engine.write(contract, query, None)
    return {"seconds": time.perf_counter() - started}


def move() -> Figures:
    """Move the warehouse into the lake."""
    settings = load_settings()
    move_to_lake(warehouse_from_settings(settings), spark_from_settings(settings))
    return {}


@contextmanager
def sides(sizes: Sizes, folder: Path) -> Iterator[Sequence[Side]]:
    """A shop of every size, and the same in the lake."""
    made = []
    with fresh_topic(folder) as connection:
        write_base(min(BASE_ORDERS, *sizes["history"]), folder)
        for orders in sizes["history"]:
            shop = open_shop(connection, folder, orders, [Batch(END.date())], 1_000)
            alone = replace(shop, name=BY_DUCKDB.format(orders), function=make_customers, arguments={})
            lake = folder / f"lake-{orders}"
            shutil.copytree(str(alone.data_dir), lake)
            spark = replace(
                alone, name=BY_SPARK.format(orders), data_dir=lake, variables={**alone.variables, **ON_SPARK}
            )
            run_child(replace(spark, name="moved", function=move))
            made += [alone, spark]
    yield made


ENGINES = Benchmark(
    name="engines",
    sides=sides,
    # Not the processor time: that of Java, which outlives its work by a moment, is not told.
    figures={"seconds": "Seconds", "peak_megabytes": OUTSIDE["peak_megabytes"]},
    # One round: ten million orders take Spark long.
    full={"history": [10**5, 10**6, 10**7], "repeats": 1},
)
