"""What the sides of a benchmark share: a broker, a topic with made-up orders in it, and settings that name them."""

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import chain, cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.commands.generate import TOPIC_CONFIG
from bridgecart_assets.commands.own_broker import BOOTSTRAP_VARIABLE, own_broker
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.from_settings import kafka_connection
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets.synthetic import Event, World, WorldConfig, simulate
from bridgecart_assets.synthetic.config import epoch_ms

# Ten days into a month: the days after it open no new period.
END = datetime(2025, 12, 11, tzinfo=UTC)
TEMPLATES = 5_000


@contextmanager
def settings(**values: str) -> Iterator[None]:
    """Variables of the environment, for this process and its children, while the block lasts."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def fresh_topic(folder: Path, partitions: int = 3) -> Iterator[KafkaConnection]:
    """An empty topic, which the settings name, on the configured broker, else on an embedded one."""
    with settings(BRIDGECART_KAFKA_TOPIC=f"bridgecart.benchmark.{uuid.uuid4().hex[:12]}"):
        if os.environ.get(BOOTSTRAP_VARIABLE):
            yield _created(partitions)
        else:
            with own_broker(folder / "broker.log"):
                yield _created(partitions)


def _created(partitions: int) -> KafkaConnection:
    connection = kafka_connection(load_settings())
    create_topic(connection, partitions, TOPIC_CONFIG)
    return connection


def clean_world(orders: int, *, share_redelivered: float = 0.0, start: datetime | None = None) -> World:
    """A world that sends nothing malformed: every record is an order, a refund or a redelivery."""
    config = WorldConfig(orders=orders, end=END, share_malformed=0.0, share_redelivered=share_redelivered)
    return simulate(config if start is None else replace(config, start=start))


def send(connection: KafkaConnection, world: World) -> int:
    """Send the world's history; the number of its records."""
    return produce(connection, chain.from_iterable(world.history()))


def fresh_orders(count: int, *, day: date, customers: Sequence[int], batch: str) -> list[Event]:
    """New orders of one day, at even distances, of customers drawn from these numbers; ids begin with `batch`."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    drawn = np.random.default_rng(list(batch.encode())).integers(0, len(customers), count).tolist()
    buyers = (customers[place] for place in drawn)
    instants = (midnight + timedelta(days=1) * place / count for place in range(count))
    made = zip(islice(cycle(templates()), count), buyers, instants, strict=True)
    return [order(template, f"{batch}{n:09d}", buyer, at) for n, (template, buyer, at) in enumerate(made)]


def order(template: dict[str, Any], order_id: str, customer: int, at: datetime) -> Event:
    """An order like the template's, of another customer at another time."""
    customer_id = f"C{customer:07d}"
    document = template | {"order_id": order_id, "customer_id": customer_id, "purchase_date": at.isoformat()}
    return Event(customer_id.encode(), orjson.dumps(document), epoch_ms(at) + 1_000)


@cache
def templates() -> tuple[dict[str, Any], ...]:
    """Documents of purchases, to make orders like them."""
    events = chain.from_iterable(clean_world(TEMPLATES).history())
    documents = (orjson.loads(event.value) for event in events if event.value is not None)
    return tuple(document for document in documents if document["purchase_amount"] > 0)
