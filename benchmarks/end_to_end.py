"""From the topic to the KPIs: `bridgecart run`, a usual pipeline in pandas, and PySpark on the same orders."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path

import duckdb
import pyarrow as pa

from benchmarks import pandas_pipeline, runs, spark_pipeline
from benchmarks.benchmark import OUTSIDE, Benchmark, Figure, Profiled, Side, Sizes, Target
from benchmarks.surroundings import clean_world, fresh_topic, send
from bridgecart_assets.synthetic import World

PRODUCT, PANDAS, SPARK = "`bridgecart run`", "pandas, one message at a time", "PySpark `local[2]`, from Parquet"
SPARK_PYTHON = "BENCHMARKS_SPARK_PYTHON"
"""Names an interpreter that has PySpark, where the one that runs the benchmarks has not."""

_PARQUET = """
copy (
    select
        e.order_id, e.customer_id, e.purchase_date at time zone 'UTC' as purchased_at, e.purchase_amount,
        e.discount_amount, e.coupon_used, e.payment_method, e.product_category, e.age, e.income
    from (
        select from_json(
            decode(payload),
            '{"order_id": "VARCHAR", "customer_id": "VARCHAR", "purchase_date": "TIMESTAMPTZ",
              "purchase_amount": "DECIMAL(18,2)", "discount_amount": "DECIMAL(18,2)", "coupon_used": "BOOLEAN",
              "payment_method": "VARCHAR", "product_category": "VARCHAR", "age": "INTEGER", "income": "DOUBLE"}'
        ) as e
        from made
    )
) to $file (format parquet)
"""


@contextmanager
def sides(sizes: Sizes, folder: Path) -> Iterator[Sequence[Side]]:
    """The topic and, for Spark, a Parquet file of the same orders; nothing malformed, one in a hundred comes twice."""
    orders = sizes["orders"]
    world = clean_world(orders, share_redelivered=0.01)
    file = folder / "orders.parquet"
    with fresh_topic(folder) as connection:
        records = send(connection, world)
        missing = spark_is_missing() if sizes.get("spark_orders") else "only in the full set"
        if not missing:
            write_parquet(world, file, orders=sizes["spark_orders"])
        arguments = {"orders_file": str(file), "output": str(folder / "spark"), "orders": sizes.get("spark_orders", 0)}
        yield [
            Side(PRODUCT, runs.run_command, {"orders": orders}),
            Side(PANDAS, pandas_pipeline.run, {"records": min(records, sizes["pandas_orders"])}),
            Side(SPARK, spark_pipeline.run, arguments, python=spark_python(), missing=missing),
        ]


def spark_python() -> str:
    """The interpreter for PySpark."""
    return os.environ.get(SPARK_PYTHON) or sys.executable


def spark_is_missing() -> str:
    """Why PySpark cannot be run here; empty when it can."""
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        return "no Java 17 or later"
    asked = [spark_python(), "-c", "import pyspark"]
    try:
        has_spark = subprocess.run(asked, capture_output=True, timeout=60, check=False).returncode == 0
    except OSError:
        has_spark = False
    return "" if has_spark else f"no PySpark; {SPARK_PYTHON} names the Python of an environment that has it"


def write_parquet(world: World, file: Path, *, orders: int) -> None:
    """The first events of the world's history, typed."""
    events = islice(chain.from_iterable(world.history()), orders)
    made = pa.table({"payload": pa.array([event.value for event in events], pa.binary())})
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.register("made", made)
        connection.execute(_PARQUET, {"file": str(file)})


BENCHMARK = Benchmark(
    name="end_to_end",
    title="End to end",
    shows="One `bridgecart run`, topic to KPIs with everything it stores, publishes and checks. Against a pipeline as "
    "it is often built with a scheduler and pandas: messages one by one, raw and silver tables by `to_sql` in SQLite, "
    "every table reloaded, K-Means on age, income and spend, KPIs of the whole history; its scheduler is left out, and "
    "its database is a file. And against PySpark: the same orders as typed Parquet, so nothing is consumed or parsed; "
    "duplicates, snapshots of every month, K-Means, four KPIs by month, without Spark's start.",
    sides=sides,
    figures=(
        Figure("orders_per_second", "Orders/s", 0),
        Figure("seconds", "Seconds"),
        *OUTSIDE,
    ),
    limits="What limits it: DuckDB takes half of the time (ingest, then every customer's features, segments and 18 "
    "months of snapshots, with their checks); a tenth each waits for the reader, stores Dagster's records and imports "
    "libraries; the rest fits two models, publishes, and draws the report's frame, once in a data directory. 40 times "
    "the pipeline before it is ten seconds a million: as long as ingest alone takes.",
    ratio_to=PRODUCT,
    profiles=(Profiled(PRODUCT, {"spark_orders": 0}),),
    quick={"orders": 100_000, "pandas_orders": 100_000, "repeats": 2},
    full={"orders": 1_000_000, "pandas_orders": 100_000, "spark_orders": 1_000_000, "repeats": 2},
    targets=(
        Target(
            "40 times the 2,500 orders a second of the pipeline that this one replaced, as once measured on two cores",
            side=PRODUCT,
            figure="orders_per_second",
            at_least=40 * 2_500,
        ),
        Target(
            "40 times the orders a second of the pandas pipeline of this run",
            side=PRODUCT,
            figure="orders_per_second",
            relative_to=PANDAS,
            at_least=40,
        ),
        Target("faster than PySpark", side=PRODUCT, figure="orders_per_second", relative_to=SPARK, at_least=1),
    ),
)
