"""From the topic to the KPIs: `bridgecart run`, a usual pipeline in pandas, and PySpark on the same orders."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

import duckdb
import pyarrow as pa

from benchmarks import pandas_pipeline, spark_pipeline
from benchmarks.benchmark import OUTSIDE, Benchmark, Figures, Side, Sizes, Target
from benchmarks.ingest import BASELINE
from benchmarks.surroundings import TOPIC_VARIABLE, clean_world, fresh_topic, send
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.commands.run_pipeline import run_everything
from bridgecart_assets.synthetic import World

PRODUCT, LANDED, SMALL = "`bridgecart run`", "another checkout's", "`bridgecart run`, as many as pandas"
PANDAS, SPARK = "pandas, one message at a time", "PySpark `local[2]`, from Parquet"
SPARK_PYTHON = "BENCHMARKS_SPARK_PYTHON"
"""Names an interpreter that has PySpark, where the one that runs the benchmarks has not."""

_PARQUET = """
copy (
    select e.* exclude (purchase_date), e.purchase_date at time zone 'UTC' as purchased_at
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
    """Topics and, for Spark, a Parquet file of the same orders; nothing malformed, one in a hundred comes twice."""
    orders, few, file = sizes["orders"], sizes["pandas_orders"], folder / "orders.parquet"
    world = clean_world(orders, share_redelivered=0.01)
    with fresh_topic(folder) as large, fresh_topic(folder) as small:
        send(large, world)
        records = send(small, clean_world(few, share_redelivered=0.01))
        product = Side(PRODUCT, run_command, {"orders": orders}, variables={TOPIC_VARIABLE: large.topic})
        baseline = os.environ.get(BASELINE)
        made = [
            *([replace(product, name=LANDED, checkout=Path(baseline))] if baseline else []),
            product,
            Side(SMALL, run_command, {"orders": few}),
            Side(PANDAS, pandas_pipeline.run, {"records": records}),
        ]
        if sizes["spark_orders"]:
            write_parquet(world, file, orders=sizes["spark_orders"])
            arguments = {"orders_file": str(file), "output": str(folder / "spark"), "orders": sizes["spark_orders"]}
            python = os.environ.get(SPARK_PYTHON) or sys.executable
            made.append(Side(SPARK, spark_pipeline.run, arguments, python=python))
        yield made


def run_command(orders: int) -> Figures:
    """`bridgecart run`: everything from the topic to the KPIs, in the empty data directory of this process."""
    started = time.perf_counter()
    summary = run_everything(load_settings(), progress=lambda _: None)
    seconds = time.perf_counter() - started
    if summary.orders < orders or not summary.is_good:
        raise RuntimeError(f"{summary.orders} of {orders} orders, failed checks: {summary.failed_checks}")
    return {"seconds": seconds, "orders_per_second": summary.orders / seconds}


def write_parquet(world: World, file: Path, *, orders: int) -> None:
    """The first events of the world's history, typed."""
    events = islice(chain.from_iterable(world.history()), orders)
    made = pa.table({"payload": pa.array([event.value for event in events], pa.binary())})
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.register("made", made)
        connection.execute(_PARQUET, {"file": str(file)})


END_TO_END = Benchmark(
    name="end_to_end",
    sides=sides,
    figures={"orders_per_second": "Orders/s", "seconds": "Seconds", **OUTSIDE},
    quick={"orders": 200_000, "pandas_orders": 100_000, "spark_orders": 0, "repeats": 2},
    full={"orders": 1_000_000, "pandas_orders": 100_000, "spark_orders": 1_000_000, "repeats": 2},
    targets=(
        Target(
            "a run in .7 of the time of the version before",
            PRODUCT,
            "seconds",
            at_most=0.7,
            relative_to=LANDED,
            only_full=True,
        ),
        Target(
            "a million orders at 4 times the rate of pandas",
            PRODUCT,
            "orders_per_second",
            at_least=4,
            relative_to=PANDAS,
            only_full=True,
        ),
        Target("100,000 orders as fast as pandas", SMALL, "orders_per_second", at_least=1, relative_to=PANDAS),
        Target("faster than PySpark", PRODUCT, "orders_per_second", at_least=1, relative_to=SPARK),
    ),
    profiled={PRODUCT: {"spark_orders": 0}},
)
