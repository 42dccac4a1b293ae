"""Bytes on disk: of an order in raw and silver, and of a batch that is materialized again and again."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import runs
from benchmarks.benchmark import OUTSIDE, Benchmark, Figure, Figures, Side, Sizes, Target
from benchmarks.surroundings import fresh_topic, send
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.orchestration.partitions import newest_keys
from bridgecart_assets.sources.kafka.from_settings import kafka_connection
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.synthetic import WorldConfig, simulate
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.ingest.ledger import load_ends

TAKEN_IN, AGAIN = "taken in once", "one batch again and again"


def take_in(records: int) -> Figures:
    """Everything into raw and silver, batch after batch; DuckDB checkpoints when the file is closed."""
    data_dir = _take_in(records)
    return {"bytes_per_record": runs.file_bytes(data_dir) / records}


def again(records: int, times: int) -> Figures:
    """The same, then the newest batch so many times more: how many batches the file grew by."""
    data_dir = _take_in(records)
    warehouse = warehouse_from_settings(load_settings())
    before = runs.file_bytes(data_dir)
    with dagster_instance(load_settings()) as instance:
        (key,) = newest_keys(instance, limit=1)
    with warehouse.reading() as connection:
        ((batch,),) = connection.execute("select records from raw.batches where batch_key = ?", [key]).fetchall()
    sizes = []
    for _ in range(times):
        runs.run_batch(data_dir, job="ingest_batch", key=key)
        sizes.append(runs.file_bytes(data_dir))
    batch_bytes = before / records * batch
    return {
        "bytes_per_record": before / records,
        "batches_grown": (sizes[-1] - before) / batch_bytes,
        "most_batches_grown": (max(sizes) - before) / batch_bytes,
    }


def _take_in(records: int) -> str:
    settings = load_settings()
    warehouse = warehouse_from_settings(settings)
    while not warehouse.exists or sum(sum(e.values()) for e in load_ends(warehouse).values()) < records:
        runs.run_batch(str(settings.data_dir), job="ingest_batch")
    return str(settings.data_dir)


@contextmanager
def sides(sizes: Sizes, folder: Path) -> Iterator[Sequence[Side]]:
    """A topic with a world's history; both sides take it in."""
    with fresh_topic(folder) as connection:
        send(connection, simulate(WorldConfig(orders=sizes["orders"])))
        records = sum(span.count for span in topic_state(kafka_connection(load_settings())).partitions.values())
        yield [
            Side(TAKEN_IN, take_in, {"records": records}),
            Side(AGAIN, again, {"records": records, "times": sizes["times"]}),
        ]


BENCHMARK = Benchmark(
    name="disk",
    title="Disk",
    shows="The size of the warehouse file after raw and silver of all records, closed and checkpointed, per record; "
    "and how many batches the file has grown by when the newest batch was materialized again and again.",
    sides=sides,
    figures=(
        Figure("bytes_per_record", "Bytes/record", 0),
        Figure("batches_grown", "Grown by batches", 2),
        Figure("most_batches_grown", "At most", 2),
        *OUTSIDE,
    ),
    quick={"orders": 50_000, "times": 5, "repeats": 1},
    full={"orders": 1_000_000, "times": 50, "repeats": 1},
    targets=(
        Target("at most 200 bytes an order", side=TAKEN_IN, figure="bytes_per_record", at_most=200),
        Target("grown by one batch at most", side=AGAIN, figure="batches_grown", at_most=1),
    ),
)
