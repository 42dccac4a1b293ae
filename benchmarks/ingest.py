"""From the topic to committed raw, silver and rejected orders, against a consumer that only counts bytes."""

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from benchmarks import runs
from benchmarks.benchmark import OUTSIDE, Benchmark, Figure, Figures, Profiled, Side, Sizes, Target
from benchmarks.surroundings import fresh_topic, send
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.contracts import SILVER_ORDERS
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.sources.kafka.connection import client_config
from bridgecart_assets.sources.kafka.from_settings import kafka_connection
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.sources.kafka.reading import read_slice
from bridgecart_assets.synthetic import WorldConfig, simulate
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.ingest.ledger import load_ends
from bridgecart_assets.warehouse.ingest.planning import plan_slice
from bridgecart_assets.warehouse.queries import silver_batch_query
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.tables import write_kafka_slice, write_query

COUNTED, WRITTEN, RUN = "consumer that only counts", "BridgeCart, written", "BridgeCart, `ingest_batch` runs"
# How far it gets at what rate: the differences say what each part costs.
READ, RAW = "BridgeCart, read as Arrow and thrown away", "BridgeCart, raw alone written"
POLL_RECORDS = 500
# What helps any reader of the embedded broker; without it librdkafka idles whenever it has filled its queue.
READER = {
    "fetch.queue.backoff.ms": 2,
    "fetch.wait.max.ms": 10,
    "fetch.message.max.bytes": 2 * 1024 * 1024,
    "queued.max.messages.kbytes": 32 * 1024,
}


def count(records: int) -> Figures:
    """Consume every record and touch none of its values: how many they are, how many bytes."""
    connection = kafka_connection(load_settings())
    required = {"group.id": uuid.uuid4().hex, "enable.auto.commit": False}
    consumer = Consumer(client_config(connection, defaults=READER, required=required))
    partitions = topic_state(connection).partitions
    counted = size = 0
    started = time.perf_counter()
    consumer.assign([TopicPartition(connection.topic, p, span.start) for p, span in partitions.items()])
    while counted < records:
        messages = consumer.consume(POLL_RECORDS, timeout=1.0)
        counted += len(messages)
        size += sum(map(len, messages))
    seconds = time.perf_counter() - started
    consumer.close()
    return {"seconds": seconds, "records_per_second": counted / seconds, "bytes_per_record": size / counted}


def read(records: int) -> Figures:
    """The product's reader: all records as columns, which nobody keeps."""
    settings = load_settings().model_copy(update={"max_batch_records": records})
    started = time.perf_counter()
    handed = plan_slice(warehouse_from_settings(settings), kafka_connection(settings), settings, "20250101T000000Z")
    with closing(read_slice(handed.connection, handed.plan, stall_seconds=handed.stall_seconds).ahead()) as chunks:
        found = sum(chunk.num_rows for chunk in chunks)
    return _rate(found, time.perf_counter() - started)


def write_raw(records: int) -> Figures:
    """The product's writer without silver."""
    return _write(records, with_silver=False)


def write(records: int) -> Figures:
    """The product's writer, batch after batch, without Dagster around it and without the checks."""
    return _write(records, with_silver=True)


def _write(records: int, *, with_silver: bool) -> Figures:
    settings = load_settings()
    warehouse, connection = warehouse_from_settings(settings), kafka_connection(settings)
    started = time.perf_counter()
    for number in range(records):
        key = f"20250101T{number:06d}Z"
        handed = plan_slice(warehouse, connection, settings, key)
        with warehouse.transaction() as transaction:
            write_kafka_slice(transaction, handed)
        if with_silver:
            with warehouse.transaction() as transaction:
                write_query(transaction, SILVER_ORDERS, silver_batch_query(settings), key)
        if _taken_in(warehouse) == records:
            break
    return _rate(records, time.perf_counter() - started)


def run(records: int) -> Figures:
    """The product's job for catching up, batch after batch, with its checks."""
    settings = load_settings()
    warehouse = warehouse_from_settings(settings)
    with dagster_instance(settings):
        # Making the instance's folder is no part of a run.
        pass
    seconds = 0.0
    while not warehouse.exists or _taken_in(warehouse) < records:
        seconds += runs.run_batch(str(settings.data_dir), job="ingest_batch")["seconds"]
    return _rate(records, seconds)


def _rate(records: int, seconds: float) -> Figures:
    return {"seconds": seconds, "records_per_second": records / seconds}


def _taken_in(warehouse: Warehouse) -> int:
    return sum(sum(ends.values()) for ends in load_ends(warehouse).values())


@contextmanager
def sides(sizes: Sizes, folder: Path) -> Iterator[Sequence[Side]]:
    """A topic of three partitions with a world's history in it."""
    with fresh_topic(folder) as connection:
        records = send(connection, simulate(WorldConfig(orders=sizes["orders"])))
        yield [Side(name, function, {"records": records}) for name, function in SIDES.items()]


SIDES = {COUNTED: count, READ: read, RAW: write_raw, WRITTEN: write, RUN: run}

BENCHMARK = Benchmark(
    name="ingest",
    title="Ingest",
    shows="From the topic to `raw.orders`, `silver.orders` and its rejects, committed, in batches of the default size: "
    "by the product's reader, by its writer, and by runs of its job, with Dagster and all checks. Against "
    "`confluent_kafka.Consumer.consume`, which touches no value, on the same topic.",
    sides=sides,
    figures=(Figure("records_per_second", "Records/s", 0), Figure("seconds", "Seconds"), *OUTSIDE),
    ratio_to=COUNTED,
    limits="What limits it: the differences between the sides. Reading is nearly as fast as consuming, because "
    "librdkafka, Python and Arrow overlap. To write raw, every byte as it arrived and compressed, more than "
    "doubles the time; silver (JSON taken apart, judged, typed, told from duplicates, written) more than "
    "doubles it again. Both are DuckDB's processor time, and both cores are busy: at half the rate of "
    "consuming, all of it would have to fit into the processor time that raw alone takes. In the profile the "
    "projections of `fields` (JSON, the rules) and `accepted` (keys, money) are two thirds of silver, and no "
    "expression of them is more than a fifth: leaving out any one of them saves less than a tenth of ingest. So "
    "the target takes more cores, or a silver that judges less.",
    profiles=(Profiled(WRITTEN),),
    quick={"orders": 200_000, "repeats": 2},
    full={"orders": 1_000_000, "repeats": 3},
    targets=(
        Target(
            "written at half the rate of consuming",
            side=WRITTEN,
            figure="records_per_second",
            relative_to=COUNTED,
            at_least=0.5,
            only_full=True,
        ),
    ),
)
