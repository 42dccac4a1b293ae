"""The way of made-up orders to committed raw, silver and rejected orders: into the topic, out of it, bytes on disk."""

import os
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from benchmarks.benchmark import OUTSIDE, Benchmark, Figures, Side, Sizes, Target
from benchmarks.surroundings import fresh_topic, send
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.commands.generate_orders import send_history
from bridgecart_assets.contracts import SILVER_ORDERS
from bridgecart_assets.sources.kafka.connection import client_config
from bridgecart_assets.sources.kafka.from_settings import kafka_connection
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.synthetic import WorldConfig, simulate
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.ingest.ledger import load_ends
from bridgecart_assets.warehouse.ingest.planning import plan_slice
from bridgecart_assets.warehouse.queries import silver_batch_query
from bridgecart_assets.warehouse.slices import write_kafka_slice
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.writing import write_query

BASELINE = "BENCHMARKS_BASELINE"
COUNTED, WRITTEN, LANDED = "consumer that only counts", "BridgeCart, written", "another checkout, written"
AGAIN, SENT = "one batch again and again", "sent to the broker"
POLL_RECORDS = 500
# What helps any reader of the embedded broker; without it librdkafka idles whenever it has filled its queue.
READER = {
    "fetch.queue.backoff.ms": 2,
    "fetch.wait.max.ms": 10,
    "fetch.message.max.bytes": 2 * 1024 * 1024,
    "queued.max.messages.kbytes": 32 * 1024,
}

_NEWEST = "select batch_key, records from raw.batches order by batch_key desc limit 1"


def count(records: int) -> Figures:
    """Every record consumed, none of the values touched."""
    connection = kafka_connection(load_settings())
    required = {"group.id": uuid.uuid4().hex, "enable.auto.commit": False}
    consumer = Consumer(client_config(connection, defaults=READER, required=required))
    partitions = topic_state(connection).partitions
    counted = 0
    started, began = time.perf_counter(), time.process_time()
    consumer.assign([TopicPartition(connection.topic, p, span.start) for p, span in partitions.items()])
    while counted < records:
        # Never more than are left: the last poll would wait for them until its time is up.
        counted += len(consumer.consume(min(POLL_RECORDS, records - counted), timeout=1.0))
    figures = _rate(counted, started, began)
    consumer.close()
    return figures


def write(records: int) -> Figures:
    """The product's writer, batch after batch, without Dagster around it and without the checks."""
    warehouse = warehouse_from_settings(load_settings())
    started, began = time.perf_counter(), time.process_time()
    for number in range(records):
        write_batch(warehouse, f"20300101T{number:06d}Z")
        # Of a topic that begins at offset 0.
        if sum(sum(ends.values()) for ends in load_ends(warehouse).values()) == records:
            break
    return _rate(records, started, began)


def write_batch(warehouse: Warehouse, key: str) -> None:
    """Raw and silver of one batch, the next one or an old one again, as its job writes them."""
    settings = load_settings()
    handed = plan_slice(warehouse, kafka_connection(settings), settings, key)
    with warehouse.transaction() as transaction:
        write_kafka_slice(transaction, handed)
    with warehouse.transaction() as transaction:
        write_query(transaction, SILVER_ORDERS, silver_batch_query(settings), key)


def again(records: int, times: int) -> Figures:
    """Everything written, then the newest batch so many times more: how many batches the closed file grew by."""
    warehouse = warehouse_from_settings(load_settings())
    write(records)
    before, sizes = warehouse.path.stat().st_size, []
    with warehouse.reading() as connection:
        ((key, batch),) = connection.execute(_NEWEST).fetchall()
    for _ in range(times):
        write_batch(warehouse, key)
        sizes.append(warehouse.path.stat().st_size)
    grown, most = ((size - before) / (before / records * batch) for size in (sizes[-1], max(sizes)))
    return {"bytes_per_record": before / records, "batches_grown": grown, "most_batches_grown": most}


def generate(orders: int) -> Figures:
    """A world simulated before; from the first event made to the last one acknowledged."""
    world, connection = simulate(WorldConfig(orders=orders)), kafka_connection(load_settings())
    started = time.perf_counter()
    events = send_history(connection, world, lambda _: None)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "events_per_second": events / seconds}


def _rate(records: int, started: float, began: float) -> Figures:
    """Since a time of the clock and one of this process's processor, by when everything was imported."""
    seconds, cpu = time.perf_counter() - started, time.process_time() - began
    return {"seconds": seconds, "records_per_second": records / seconds, "cpu_microseconds": cpu / records * 1e6}


@contextmanager
def sides(sizes: Sizes, folder: Path) -> Iterator[Sequence[Side]]:
    """A topic of three partitions with a world's history in it, which all read from its beginning."""
    with fresh_topic(folder) as connection:
        records = {"records": send(connection, simulate(WorldConfig(orders=sizes["orders"])))}
        landed = [Side(LANDED, write, records, checkout=Path(os.environ[BASELINE]))] if BASELINE in os.environ else []
        yield [Side(COUNTED, count, records), *landed, Side(WRITTEN, write, records)]


@contextmanager
def disk_sides(sizes: Sizes, folder: Path) -> Iterator[Sequence[Side]]:
    """The same topic."""
    with sides(sizes, folder) as (first, *_):
        yield [Side(AGAIN, again, {**first.arguments, "times": sizes["times"]})]


@contextmanager
def generator_sides(sizes: Sizes, folder: Path) -> Iterator[Sequence[Side]]:
    """An empty topic; every round adds the same events to it."""
    with fresh_topic(folder):
        yield [Side(SENT, generate, {"orders": sizes["orders"]})]


INGEST = Benchmark(
    name="ingest",
    sides=sides,
    figures={
        "records_per_second": "Records/s",
        "seconds": "Seconds",
        "cpu_microseconds": "CPU a record, µs",
        **OUTSIDE,
    },
    quick={"orders": 200_000, "repeats": 2},
    full={"orders": 1_000_000, "repeats": 3},
    targets=(
        Target("raw and silver of a record in 8.5 µs of CPU", WRITTEN, "cpu_microseconds", at_most=8.5, only_full=True),
        Target("a million records written in 1,024 MB", WRITTEN, "peak_megabytes", at_most=1024, only_full=True),
        Target(
            "written at 1.6 times the rate of the version before",
            WRITTEN,
            "records_per_second",
            at_least=1.6,
            relative_to=LANDED,
            only_full=True,
        ),
    ),
    profiled={WRITTEN: {}},
)
DISK = Benchmark(
    name="disk",
    sides=disk_sides,
    figures={"bytes_per_record": "Bytes/record", "batches_grown": "Batches grown", "most_batches_grown": "At most"},
    quick={"orders": 50_000, "times": 5, "repeats": 1},
    full={"orders": 1_000_000, "times": 50, "repeats": 1},
    targets=(
        Target("at most 200 bytes an order on disk", AGAIN, "bytes_per_record", at_most=200),
        Target("a batch made 50 times: grows by one at most", AGAIN, "batches_grown", at_most=1),
    ),
)
GENERATOR = Benchmark(
    name="generator",
    sides=generator_sides,
    figures={"events_per_second": "Events/s", "seconds": "Seconds"},
    quick={"orders": 200_000, "repeats": 3},
    full={"orders": 1_000_000, "repeats": 3},
    targets=(Target("200,000 events a second into the broker", SENT, "events_per_second", at_least=200_000),),
)
