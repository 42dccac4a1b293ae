"""The way of a topic's records to raw and silver by both engines, with Spark here and in its workers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from benchmarks.benchmark import OUTSIDE, Benchmark, Figures, Side, Sizes
from benchmarks.engines import ON_SPARK
from benchmarks.surroundings import clean_world, fresh_topic, send
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.contracts import SILVER_ORDERS
from bridgecart_assets.sources.kafka.from_settings import kafka_connection
from bridgecart_assets.warehouse.from_settings import engine_from_settings
from bridgecart_assets.warehouse.ingest.planning import plan_slice
from bridgecart_assets.warehouse.queries import silver_batch_query

BATCHES = 2
REDELIVERED = 0.01


def take_in() -> Figures:
    """Raw and silver, batch after batch, without Dagster around it; Spark starts in this time."""
    settings = load_settings()
    engine, connection = engine_from_settings(settings), kafka_connection(settings)
    started = perf_counter()
    for number in range(BATCHES):
        key = f"20300101T{number:06d}Z"
        engine.write_slice(plan_slice(engine.warehouse, connection, settings, key))
        engine.write(SILVER_ORDERS, silver_batch_query(settings), key)
    return {"seconds": perf_counter() - started}


@contextmanager
def sides(sizes: Sizes, folder: Path) -> Iterator[Sequence[Side]]:
    """A topic in which some orders come again."""
    with fresh_topic(folder) as connection:
        records = send(connection, clean_world(sizes["orders"], share_redelivered=REDELIVERED))
        in_batches = {
            "BRIDGECART_MAX_BATCH_RECORDS": str(-(-records // BATCHES)),
            "BRIDGECART_MAX_BATCH_BYTES": str(2**40),
        }
        yield [
            Side(name, take_in, variables={**in_batches, **how})
            for name, how in {
                "DuckDB alone": {},
                "Spark, here": ON_SPARK,
                "Spark, workers": {**ON_SPARK, "BRIDGECART_SPARK_BATCH_RECORDS": "1"},
            }.items()
        ]


LARGE_BATCHES = Benchmark(
    name="large_batches",
    sides=sides,
    figures={"seconds": "Seconds", "peak_megabytes": OUTSIDE["peak_megabytes"]},
    full={"orders": 2_000_000, "repeats": 1},
)
