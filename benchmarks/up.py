"""`bridgecart up` and what does not depend on the orders: import, tick, empty batch, start; how soon an order shows."""

import logging
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np

from benchmarks.benchmark import OUTSIDE, Benchmark, Figures, Side, Sizes, Target
from benchmarks.measuring import MEGABYTE, run_child, tree_bytes
from benchmarks.surroundings import END, clean_world, fresh_orders, fresh_topic, order, run_batch, send
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.commands.generate_orders import send_history
from bridgecart_assets.commands.own_broker import BOOTSTRAP_VARIABLE
from bridgecart_assets.contracts import AVERAGE_ORDER_VALUE, KPI_TABLES
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.orchestration.sensors import tick
from bridgecart_assets.sources.kafka.from_settings import kafka_connection
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.synthetic import WorldConfig, simulate
from bridgecart_assets.warehouse.publishing import published_path

IMPORT, TICK, EMPTY, UP = "import of the definitions", "tick of the sensor", "run of an empty batch", "`bridgecart up`"
PARTITIONS = 12
STOP_SECONDS, SEND_SECONDS, DRAIN_SECONDS = 30.0, 0.2, 300.0
_IMPORT = "import time; t = time.perf_counter(); import bridgecart_assets.definitions; print(time.perf_counter() - t)"
Seen = Sequence[tuple[float, int]]
"""Instants, and how many orders there were until then."""


def import_definitions() -> Figures:
    """In an interpreter that has imported nothing yet."""
    imported = subprocess.run([sys.executable, "-c", _IMPORT], capture_output=True, text=True, timeout=60, check=True)
    return {"seconds": float(imported.stdout)}


def tick_sensor(ticks: int) -> Figures:
    """Ticks of the sensor with new records waiting; the median. What they ask for is not done."""
    platform, log = Platform(), logging.getLogger("benchmark")
    took = []
    with dagster_instance(load_settings()) as instance:
        for _ in range(ticks):
            started = time.perf_counter()
            tick(instance, platform, log)
            took.append(time.perf_counter() - started)
    return {"seconds": statistics.median(took)}


def start_up(idle_seconds: float) -> Figures:
    """Seconds until `bridgecart up` says that the UI is there, then its memory when idle.

    Its runs are forked, from a process that has all their pages: what is shared counts once.
    """
    started = time.perf_counter()
    with running_up() as process:
        seconds = time.perf_counter() - started
        time.sleep(idle_seconds)
        return {"seconds": seconds, "idle_megabytes": tree_bytes(process.pid, shared_once=True) / MEGABYTE}


@contextmanager
def running_up() -> Iterator["subprocess.Popen[str]"]:
    """A `bridgecart up` with a broker of its own on this process's data directory, its UI there; stopped at the end."""
    os.environ.pop(BOOTSTRAP_VARIABLE, None)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, "-m", "bridgecart_assets", "up", "--port", port, "--rate", "0"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        if not any(line.startswith("Dagster UI") for line in process.stdout or ()):
            raise RuntimeError("`bridgecart up` did not start")
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


@contextmanager
def overheads_sides(sizes: Sizes, folder: Path) -> Iterator[Sequence[Side]]:
    """A topic of twelve partitions; a warehouse that has all its records, and one that lacks the newest."""
    behind, done = (Side("prepared", run_batch, data_dir=folder / name) for name in ("behind", "done"))
    with fresh_topic(folder, partitions=PARTITIONS) as connection:
        send(connection, clean_world(sizes["orders"]))
        for shop in (behind, done):
            run_child(shop)
        produce(connection, fresh_orders(1_000, day=END.date(), customers=range(1, 100), batch="B"))
        run_child(done)
        yield [
            Side(IMPORT, import_definitions),
            Side(TICK, tick_sensor, {"ticks": sizes["ticks"]}, data_dir=behind.data_dir),
            replace(done, name=EMPTY),
            Side(UP, start_up, {"idle_seconds": sizes["idle_seconds"]}),
        ]


@dataclass
class Watch:
    """The published KPIs, looked at again and again."""

    folder: Path
    orders: int = 0
    visible: list[tuple[float, int]] = field(default_factory=list)
    _written: list[int] = field(default_factory=list)

    def look(self) -> int:
        """Purchases in the latest set of KPI files, once all four are of one run."""
        files = [published_path(self.folder, contract) for contract in KPI_TABLES]
        written = [file.stat().st_mtime_ns for file in files if file.exists()]
        is_new = [now != before for now, before in zip(written, self._written or [0] * len(files), strict=False)]
        if len(written) == len(files) and all(is_new):
            file = str(published_path(self.folder, AVERAGE_ORDER_VALUE))
            self.orders, self._written = int(duckdb.read_parquet(file).sum("orders").fetchall()[0][0] or 0), written
        self.visible.append((time.monotonic(), self.orders))
        return self.orders

    def wait_for(self, orders: int) -> None:
        """Look until so many are visible, but not for ever."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while self.look() < orders and time.monotonic() < deadline:
            time.sleep(SEND_SECONDS)


def seconds_to_visible(sent: Seen, visible: Seen) -> list[float]:
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
    settings = load_settings()
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    # The KPIs count purchases: nothing else is sent.
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
    with running_up():
        connection = kafka_connection(settings)
        total = history = send_history(connection, world, lambda _: None)
        Watch(settings.published_dir).wait_for(history)
        watch, sent = Watch(settings.published_dir), []
        started = time.monotonic()
        while time.monotonic() < started + seconds:
            at, now = time.monotonic(), datetime.now(UTC)
            due = history + int((at - started + SEND_SECONDS) * orders_per_second)
            buyers = ((number, 1 + number * 7_919 % len(world.customers)) for number in range(total, due))
            produce(connection, (order(number, f"N{number:09d}", buyer, now) for number, buyer in buyers))
            total = due
            sent.append((at, total))
            watch.look()
            time.sleep(max(0.0, at + SEND_SECONDS - time.monotonic()))
        watch.wait_for(total)
    p50, p95 = np.percentile(seconds_to_visible(sent, watch.visible), (50, 95)).tolist()
    return {"p50_seconds": p50, "p95_seconds": p95}


@contextmanager
def freshness_sides(sizes: Sizes, folder: Path) -> Iterator[Sequence[Side]]:
    """`bridgecart up` starts a batch as soon as it can; the default waits for larger ones."""
    arguments = {name: sizes[name] for name in ("orders", "seconds", "orders_per_second")}
    yield [Side(UP, follow, arguments, variables={"BRIDGECART_MAX_BATCH_DELAY": "0"})]


OVERHEADS = Benchmark(
    name="overheads",
    sides=overheads_sides,
    figures={"seconds": "Seconds", "idle_megabytes": "Idle memory, MB", **OUTSIDE},
    quick={"orders": 5_000, "ticks": 20, "idle_seconds": 5, "repeats": 2},
    full={"orders": 100_000, "ticks": 50, "idle_seconds": 60, "repeats": 5},
    targets=(
        Target("definitions imported in 1.5 s", IMPORT, "seconds", at_most=1.5),
        Target("a tick of the sensor in 0.15 s", TICK, "seconds", at_most=0.15),
        Target("an empty batch in 1.8 s", EMPTY, "seconds", at_most=1.8),
        Target("`bridgecart up` ready in 15 s", UP, "seconds", at_most=15.0),
        Target("`bridgecart up` idle in 1,024 MB", UP, "idle_megabytes", at_most=1_024),
    ),
    profiled={EMPTY: {"orders": 5_000}},
)
FRESHNESS = Benchmark(
    name="freshness",
    sides=freshness_sides,
    figures={"p50_seconds": "p50, s", "p95_seconds": "p95, s"},
    full={"orders": 100_000, "orders_per_second": 1_000, "seconds": 600, "repeats": 1},
    targets=(
        Target("half of the orders visible in 5 s", UP, "p50_seconds", at_most=5.0),
        Target("95 % of the orders visible in 9 s", UP, "p95_seconds", at_most=9.0),
    ),
)
