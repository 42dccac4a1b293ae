"""Made-up orders into the topic, against making them alone."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from benchmarks.benchmark import OUTSIDE, Benchmark, Figure, Figures, Side, Sizes, Target
from benchmarks.surroundings import fresh_topic
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.commands.generate import send_history
from bridgecart_assets.sources.kafka.from_settings import kafka_connection
from bridgecart_assets.synthetic import WorldConfig, simulate

SENT, MADE = "sent to the broker", "made only"


def send(orders: int) -> Figures:
    """Simulated before; from the first event made to the last one acknowledged."""
    world = simulate(WorldConfig(orders=orders))
    connection = kafka_connection(load_settings())
    started = time.perf_counter()
    events = send_history(connection, world, lambda _: None)
    return _rate(events, time.perf_counter() - started)


def make(orders: int) -> Figures:
    """The same events, thrown away."""
    world = simulate(WorldConfig(orders=orders))
    started = time.perf_counter()
    events = sum(1 for _ in chain.from_iterable(world.history()))
    return _rate(events, time.perf_counter() - started)


def _rate(events: int, seconds: float) -> Figures:
    return {"seconds": seconds, "events_per_second": events / seconds}


@contextmanager
def sides(sizes: Sizes, folder: Path) -> Iterator[Sequence[Side]]:
    """An empty topic; every round adds the same events to it."""
    with fresh_topic(folder):
        yield [Side(name, function, {"orders": sizes["orders"]}) for name, function in SIDES.items()]


SIDES = {SENT: send, MADE: make}

BENCHMARK = Benchmark(
    name="generator",
    title="Generator",
    shows="A world's history, simulated before, as events into the broker, all of them acknowledged; and the same "
    "events made and thrown away.",
    sides=sides,
    figures=(Figure("events_per_second", "Events/s", 0), Figure("seconds", "Seconds"), *OUTSIDE),
    ratio_to=MADE,
    quick={"orders": 200_000, "repeats": 3},
    full={"orders": 1_000_000, "repeats": 3},
    targets=(
        Target("200,000 events a second into the broker", side=SENT, figure="events_per_second", at_least=200_000),
    ),
)
