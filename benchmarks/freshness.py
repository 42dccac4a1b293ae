"""How long an order takes from the topic to the published KPIs while `bridgecart up` works and orders keep arriving."""

import os
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

import duckdb
import numpy as np
import psutil

from benchmarks.benchmark import Benchmark, Figure, Figures, Side, Sizes, Target
from benchmarks.measuring import MEGABYTE
from benchmarks.overheads import running_up
from benchmarks.surroundings import order, templates
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.commands.generate import PARTITIONS, TOPIC_CONFIG
from bridgecart_assets.commands.own_broker import BOOTSTRAP_VARIABLE
from bridgecart_assets.contracts import KPI_TABLES
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.from_settings import kafka_connection
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets.synthetic import Event, WorldConfig, simulate
from bridgecart_assets.warehouse.publishing import published_path

UP = "`bridgecart up`"
SEND_SECONDS = 0.2
DRAIN_SECONDS = 300.0
BROKER = "tansu"
_ORDERS = "select coalesce(sum(orders), 0) from read_parquet($file)"


@dataclass
class Published:
    """The published KPIs, looked at again and again: how many purchases they have once all four are of one run."""

    folder: Path
    orders: int = 0
    _seen: list[int] = field(default_factory=list)

    def look(self) -> int:
        """Purchases in the latest complete set of KPI files."""
        files = [published_path(self.folder, contract) for contract in KPI_TABLES]
        if all(file.exists() for file in files):
            written = [file.stat().st_mtime_ns for file in files]
            if not self._seen or all(now != before for now, before in zip(written, self._seen, strict=True)):
                (file,) = [file for file in files if file.stem == "average_order_value"]
                with duckdb.connect() as connection:
                    ((self.orders,),) = connection.execute(_ORDERS, {"file": str(file)}).fetchall()
                self._seen = written
        return int(self.orders)


@dataclass
class Watch:
    """What was sent when, what was visible when, and what the processes held, without the in-memory broker."""

    published: Published
    pid: int
    sent: list[tuple[float, int]] = field(default_factory=list)
    visible: list[tuple[float, int]] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)

    def look(self) -> int:
        """Note what is visible and what is held now; how many purchases are visible."""
        orders = self.published.look()
        self.visible.append((time.monotonic(), orders))
        self.megabytes.append(_megabytes(self.pid))
        return orders

    def figures(self) -> Figures:
        """Seconds from sent to visible, the records that waited at most, memory at the beginning and at the end."""
        delays = seconds_to_visible(self.sent, self.visible)
        totals = np.array([total for _, total in self.sent])
        seen = np.array([orders for _, orders in self.visible[: len(self.sent)]])
        quarter = max(1, len(self.megabytes) // 4)
        return {
            "p50_seconds": float(np.percentile(delays, 50)),
            "p95_seconds": float(np.percentile(delays, 95)),
            "most_records_waiting": int((totals - seen).max()),
            "first_quarter_megabytes": statistics.median(self.megabytes[:quarter]),
            "last_quarter_megabytes": statistics.median(self.megabytes[-quarter:]),
            "runs": len({orders for _, orders in self.visible}),
        }


def seconds_to_visible(sent: Sequence[tuple[float, int]], visible: Sequence[tuple[float, int]]) -> list[float]:
    """For every instant and running total of what was sent, the seconds until as many were visible.

    Both are in order of time. What never became visible counts with the time that it was waited for.
    """
    delays = []
    seen = 0
    for at, total in sent:
        while seen < len(visible) - 1 and (visible[seen][1] < total or visible[seen][0] < at):
            seen += 1
        delays.append(visible[seen][0] - at)
    return delays


def follow(orders: int, seconds: float, orders_per_second: int) -> Figures:
    """`bridgecart up` with a history behind it, orders of this very moment at a steady rate, and a look at the KPIs."""
    os.environ.pop(BOOTSTRAP_VARIABLE, None)
    # How soon it can be; the default waits for larger batches.
    os.environ["BRIDGECART_MAX_BATCH_DELAY"] = "0"
    settings = load_settings()
    with running_up() as process:
        connection = kafka_connection(settings)
        create_topic(connection, PARTITIONS, TOPIC_CONFIG)
        watch = Watch(Published(settings.published_dir), process.pid)
        history, customers = _send_history(connection, orders)
        _wait_for(watch, history)
        watch = Watch(watch.published, process.pid)
        total = history
        started = time.monotonic()
        while time.monotonic() < started + seconds:
            at = time.monotonic()
            due = history + int((at - started + SEND_SECONDS) * orders_per_second)
            produce(connection, _orders_of_now(total, due, customers))
            total = due
            watch.sent.append((at, total))
            watch.look()
            time.sleep(max(0.0, at + SEND_SECONDS - time.monotonic()))
        _wait_for(watch, total)
    return watch.figures()


def _send_history(connection: KafkaConnection, orders: int) -> tuple[int, int]:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    world = simulate(
        WorldConfig(
            orders=orders,
            start=midnight - timedelta(days=540),
            end=midnight,
            share_redelivered=0.0,
            share_late=0.0,
            share_refunded=0.0,
            share_malformed=0.0,
        )
    )
    sent = produce(connection, chain.from_iterable(world.history()))
    return sent, len(world.customers)


def _orders_of_now(first: int, last: int, customers: int) -> Iterator[Event]:
    made, now = templates(), datetime.now(UTC)
    for number in range(first, last):
        yield order(made[number % len(made)], f"N{number:09d}", 1 + number * 7_919 % customers, now)


def _wait_for(watch: Watch, orders: int) -> None:
    deadline = time.monotonic() + DRAIN_SECONDS
    while watch.look() < orders and time.monotonic() < deadline:
        time.sleep(SEND_SECONDS)


def _megabytes(pid: int) -> float:
    held = 0
    root = psutil.Process(pid)
    for process in (root, *root.children(recursive=True)):
        try:
            held += 0 if process.name().startswith(BROKER) else process.memory_info().rss
        except psutil.Error:
            continue
    return held / MEGABYTE


@contextmanager
def sides(sizes: Sizes, folder: Path) -> Iterator[Sequence[Side]]:
    """`bridgecart up` brings its own broker."""
    arguments = {name: sizes[name] for name in ("orders", "seconds", "orders_per_second")}
    yield [Side(UP, follow, arguments)]


BENCHMARK = Benchmark(
    name="freshness",
    title="Freshness",
    shows="`bridgecart up` with its own broker, a history behind it, and orders of this very moment at a steady rate: "
    "from sent to visible in all four published KPI tables, looked at five times a second. Memory is that of all its "
    "processes without the broker, which keeps its records in memory.",
    sides=sides,
    figures=(
        Figure("p50_seconds", "p50, s"),
        Figure("p95_seconds", "p95, s"),
        Figure("most_records_waiting", "Most records waiting", 0),
        Figure("first_quarter_megabytes", "Memory in the first quarter, MB", 0),
        Figure("last_quarter_megabytes", "in the last quarter, MB", 0),
    ),
    quick=None,
    full={"orders": 100_000, "orders_per_second": 1_000, "seconds": 600, "repeats": 1},
    targets=(
        Target("half of the orders visible within 8 s", side=UP, figure="p50_seconds", at_most=8.0),
        Target("95 % within 15 s", side=UP, figure="p95_seconds", at_most=15.0),
    ),
)
