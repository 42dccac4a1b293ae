"""What benchmarks share: a broker, topics with made-up orders in them, and runs of the product in this process."""

import os
import time
import uuid
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import orjson

from benchmarks.benchmark import Figures
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.commands.generate_orders import TOPIC_CONFIG
from bridgecart_assets.commands.own_broker import BOOTSTRAP_VARIABLE, own_broker
from bridgecart_assets.commands.run_pipeline import QUIET, failure_of
from bridgecart_assets.definitions import defs
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.orchestration.jobs import refresh_config
from bridgecart_assets.orchestration.partitions import BATCHES, newest_keys, next_batch_key
from bridgecart_assets.orchestration.resources import RefreshMode
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.from_settings import kafka_connection
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets.synthetic import Event, World, WorldConfig, simulate
from bridgecart_assets.synthetic.config import epoch_ms
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.ingest.ledger import newest_batches

# Ten days into a month: the days after it open no new period.
END = datetime(2025, 12, 11, tzinfo=UTC)
TEMPLATES = 5_000
# The small world of which histories consist.
BASE_ORDERS = 100_000
TOPIC_VARIABLE = "BRIDGECART_KAFKA_TOPIC"


@contextmanager
def fresh_topic(folder: Path, partitions: int = 3) -> Iterator[KafkaConnection]:
    """An empty topic, which the environment names, on the configured broker, else on an embedded one."""
    with ExitStack() as stack:
        stack.enter_context(patch.dict(os.environ, {TOPIC_VARIABLE: f"bridgecart.benchmark.{uuid.uuid4().hex[:12]}"}))
        if not os.environ.get(BOOTSTRAP_VARIABLE):
            stack.enter_context(own_broker(folder / "broker.log"))
        connection = kafka_connection(load_settings())
        create_topic(connection, partitions, TOPIC_CONFIG)
        yield connection


def clean_world(orders: int, *, share_redelivered: float = 0.0) -> World:
    """A world that sends nothing malformed: every record is an order, a refund or a redelivery."""
    return simulate(WorldConfig(orders=orders, end=END, share_malformed=0.0, share_redelivered=share_redelivered))


def send(connection: KafkaConnection, world: World) -> int:
    """Send the world's history; the number of its records."""
    return produce(connection, chain.from_iterable(world.history()))


def fresh_orders(
    count: int, *, day: date, customers: Sequence[int], batch: str, among: int = BASE_ORDERS
) -> list[Event]:
    """New orders of one day, at even distances, of customers drawn from these numbers; ids end with `batch`.

    Their numbers lie among those of a world with so many orders, as those of a shop do that draws them.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    drawn = np.random.default_rng(list(batch.encode())).integers(0, len(customers), count).tolist()
    return [
        order(n, f"O{n * among // count:09d}.{n}{batch}", customers[rank], midnight + timedelta(days=1) * n / count)
        for n, rank in enumerate(drawn)
    ]


def a_year_late(event: Event) -> Event:
    """The same order, sent when it is sent, dated a year before."""
    document = orjson.loads(event.value or b"")
    at = datetime.fromisoformat(document["purchase_date"]) - timedelta(days=365)
    return event._replace(value=orjson.dumps(document | {"purchase_date": at.isoformat()}))


def order(number: int, order_id: str, customer: int, at: datetime) -> Event:
    """An order like one of the templates, of another customer at another time."""
    template, customer_id = templates()[number % len(templates())], f"C{customer:07d}"
    document = template | {"order_id": order_id, "customer_id": customer_id, "purchase_date": at.isoformat()}
    return Event(customer_id.encode(), orjson.dumps(document), epoch_ms(at) + 1_000)


@cache
def templates() -> tuple[dict[str, Any], ...]:
    """Documents of purchases, to make orders like them."""
    events = chain.from_iterable(clean_world(TEMPLATES).history())
    documents = (orjson.loads(event.value) for event in events if event.value is not None)
    return tuple(document for document in documents if document["purchase_amount"] > 0)


def run_batch(*, is_whole: bool = False) -> Figures:
    """One run of `orders_batch` for the next batch, its process and its instance started before.

    Where it `is_whole` all tables are made anew after it.
    """
    settings = load_settings()
    with dagster_instance(settings) as instance:
        known = [*newest_keys(instance, limit=1), *newest_batches(warehouse_from_settings(settings), limit=1)]
        key = next_batch_key(datetime.now(UTC), known)
        instance.add_dynamic_partitions(str(BATCHES.name), [key])
        job = defs.resolve_job_def("orders_batch")
        mode = RefreshMode.EVERYTHING if is_whole else RefreshMode.CHANGES
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = job.execute_in_process(
                instance=instance, partition_key=key, run_config={**QUIET, **refresh_config(mode)}, raise_on_error=False
            )
        seconds = time.perf_counter() - started
    if not result.success:
        raise failure_of(result)
    return {"seconds": seconds}
