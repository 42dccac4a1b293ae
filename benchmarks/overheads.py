"""What does not depend on the orders: import, a tick of the sensor, an empty run, a start of `bridgecart up`."""

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
from pathlib import Path

from benchmarks import runs
from benchmarks.benchmark import OUTSIDE, Benchmark, Figure, Figures, Profiled, Side, Sizes, Target
from benchmarks.measuring import MEGABYTE, run_child, tree_bytes
from benchmarks.surroundings import END, clean_world, fresh_orders, fresh_topic, send, settings
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.commands.own_broker import BOOTSTRAP_VARIABLE
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.orchestration.sensors import tick
from bridgecart_assets.sources.kafka.producing import produce

IMPORT, TICK, EMPTY, UP = "import of the definitions", "tick of the sensor", "run of an empty batch", "`bridgecart up`"
PARTITIONS = 12
STOP_SECONDS = 30.0
_IMPORT = "import time; t = time.perf_counter(); import bridgecart_assets.definitions; print(time.perf_counter() - t)"


def import_definitions() -> Figures:
    """In an interpreter that has imported nothing yet."""
    imported = subprocess.run([sys.executable, "-c", _IMPORT], capture_output=True, text=True, timeout=60, check=True)
    return {"seconds": float(imported.stdout)}


def tick_sensor(data_dir: str, ticks: int) -> Figures:
    """Ticks of the sensor with new records waiting; the median. What they ask for is not done."""
    platform, log = Platform(), logging.getLogger("benchmark")
    took = []
    with settings(BRIDGECART_DATA_DIR=data_dir), dagster_instance(load_settings()) as instance:
        for _ in range(ticks):
            started = time.perf_counter()
            tick(instance, platform, log)
            took.append(time.perf_counter() - started)
    return {"seconds": statistics.median(took), "slowest_seconds": max(took)}


def start_up(idle_seconds: float) -> Figures:
    """`bridgecart up` with a broker of its own until it says that the UI is there, then its memory when idle."""
    os.environ.pop(BOOTSTRAP_VARIABLE, None)
    started = time.perf_counter()
    with running_up() as process:
        seconds = time.perf_counter() - started
        time.sleep(idle_seconds)
        return {"seconds": seconds, "idle_megabytes": tree_bytes(process.pid) / MEGABYTE}


@contextmanager
def running_up() -> Iterator["subprocess.Popen[str]"]:
    """A `bridgecart up` on the data directory of this process whose UI answers; stopped at the end."""
    command = [sys.executable, "-m", "bridgecart_assets", "up", "--port", str(_free_port()), "--rate", "0"]
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


def prepare(data_dir: str) -> Figures:
    """All tables, from the few orders that are in the topic."""
    return runs.run_batch(data_dir)


@contextmanager
def sides(sizes: Sizes, folder: Path) -> Iterator[Sequence[Side]]:
    """A topic of twelve partitions; a warehouse that has all its records, and one that lacks the newest."""
    with fresh_topic(folder, partitions=PARTITIONS) as connection:
        send(connection, clean_world(sizes["orders"]))
        behind, done = str(folder / "behind"), str(folder / "done")
        for data_dir in (behind, done):
            run_child(Side("prepared", prepare, {"data_dir": data_dir}), Path(data_dir))
        produce(connection, fresh_orders(1_000, day=END.date(), customers=range(1, 100), batch="B"))
        run_child(Side("prepared", prepare, {"data_dir": done}), Path(done))
        yield [
            Side(IMPORT, import_definitions),
            Side(TICK, tick_sensor, {"data_dir": behind, "ticks": sizes["ticks"]}),
            Side(EMPTY, runs.run_batch, {"data_dir": done}),
            Side(UP, start_up, {"idle_seconds": sizes["idle_seconds"]}),
        ]


BENCHMARK = Benchmark(
    name="overheads",
    title="Overheads",
    shows="What a small run costs however few its records: the import of the definitions in a new interpreter; a tick "
    "of the sensor on twelve partitions with records waiting; `orders_batch` without a record, its process started "
    "before; `bridgecart up` until its UI answers, and the resident memory of all its processes when nothing happens.",
    sides=sides,
    figures=(
        Figure("seconds", "Seconds", 2),
        Figure("idle_megabytes", "Idle memory, MB", 0),
        *OUTSIDE,
    ),
    limits="What limits an empty batch: its parts are many, not long. Hundreds of statements on a warehouse that is "
    "opened for every step, so that nobody holds it idle; Dagster's events, which it stores one by one through "
    "SQLAlchemy; and its own work on 20 assets and their checks. No statement and no function stands out.",
    profiles=(Profiled(EMPTY, {"orders": 5_000}),),
    quick={"orders": 5_000, "ticks": 20, "idle_seconds": 5, "repeats": 2},
    full={"orders": 100_000, "ticks": 50, "idle_seconds": 60, "repeats": 5},
    targets=(
        Target("import in 1.5 s", side=IMPORT, figure="seconds", at_most=1.5),
        Target("tick in 0.15 s", side=TICK, figure="seconds", at_most=0.15),
        Target("empty batch in 3 s", side=EMPTY, figure="seconds", at_most=3.0),
        Target("`up` ready in 15 s", side=UP, figure="seconds", at_most=15.0),
        Target("`up` idle in 1 GB", side=UP, figure="idle_megabytes", at_most=1_024),
    ),
)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
