"""A small batch on histories of growing size: the whole run must not care how much there is already."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from pathlib import Path

from benchmarks import runs
from benchmarks.benchmark import FIRST, OUTSIDE, Benchmark, Figure, Figures, Profiled, Side, Sizes, Target
from benchmarks.histories import Base, small_world, write_history
from benchmarks.measuring import ChildFailed, run_child
from benchmarks.surroundings import END, fresh_orders, fresh_topic, settings
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.commands.generate import TOPIC_CONFIG
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings

BASE_ORDERS = 100_000
SAME_DAY, NEW_DAY = "{:,} orders, same day", "{:,} orders, new day"


def prepare(base_folder: str, orders: int, **run: str) -> Figures:
    """A warehouse with the history in it, and one batch run through all tables, so that all of them stand."""
    base = Base.load(Path(base_folder))
    with settings(BRIDGECART_DATA_DIR=run["data_dir"]):
        write_history(base, warehouse_from_settings(load_settings()), orders)
    return runs.run_batch(**run)


@contextmanager
def sides(sizes: Sizes, folder: Path) -> Iterator[Sequence[Side]]:
    """A prepared warehouse for every size with a topic of batches, one or two a round.

    The first has orders of the data's last day, the second opens the next day: everybody is a day older.
    """
    with fresh_topic(folder) as connection, settings(BRIDGECART_MAX_BATCH_RECORDS=str(sizes["batch"])):
        base = small_world(min(BASE_ORDERS, *sizes["history"]), folder)
        base.store(folder)
        made = []
        for orders in sizes["history"]:
            topic = replace(connection, topic=f"{connection.topic}.{orders}")
            with_new_days = orders <= sizes["new_days_up_to"]
            _send_batches(topic, sizes, base.all_customers(orders), with_new_days=with_new_days)
            run = {"data_dir": str(folder / f"history-{orders}"), "BRIDGECART_KAFKA_TOPIC": topic.topic}
            missing = prepared({**run, "base_folder": str(folder), "orders": orders}, folder)
            names = [SAME_DAY, NEW_DAY] if with_new_days else [SAME_DAY]
            made += [Side(name.format(orders), runs.run_batch, run, missing=missing) for name in names]
        yield made


def _send_batches(topic: KafkaConnection, sizes: Sizes, customers: Sequence[int], *, with_new_days: bool) -> None:
    # One partition: what was sent first is in the first batch.
    create_topic(topic, 1, TOPIC_CONFIG)
    rounds = [(number, number + 1) if with_new_days else (0,) for number in range(sizes["repeats"])]
    days = [0, *chain.from_iterable(rounds)]
    for place, day in enumerate(days):
        on = (END + timedelta(days=day - 1)).date()
        produce(topic, fresh_orders(sizes["batch"], day=on, customers=customers, batch=f"B{place}N"))


def prepared(arguments: Mapping[str, object], folder: Path) -> str:
    """Why a child could not `prepare` the history; empty when it could."""
    try:
        run_child(Side("prepared", prepare, arguments), folder)
    except ChildFailed as failure:
        return f"the history could not be prepared: {failure}"
    return ""


BENCHMARK = Benchmark(
    name="growing_history",
    title="A batch on a growing history",
    shows="One run of `orders_batch`, topic to KPIs with all checks, for a batch of orders on histories of growing "
    "size, with as many customers as a shop of that size would have. The batch is of the data's last day, or the first "
    "of a new day, when every customer is a day older.",
    sides=sides,
    figures=(Figure("seconds", "Seconds"), *OUTSIDE),
    ratio_to=FIRST,
    limits="What limits it: the rows of some thousand customers are looked for among those of ten million. DuckDB "
    "keeps columns in vectors of 2,048 values, and nearly every vector has a row of one of them: whatever is "
    "read of their orders, snapshots and spells is read of everybody's. That is done once a batch for the "
    "orders and only for the last months of snapshots. In the profile at 100 million it is a third of the time "
    "(`touched_orders`, `fresh`, `scoped_...`, the deletions); another third are checks, which look at the tables "
    "themselves and at all totals, and the samples to measure drift on; a sixth is closing the file after each "
    "step, which writes the last row groups anew. The first batch of a new day makes everybody's features, "
    "segments and snapshots anew.",
    profiles=tuple(
        Profiled(SAME_DAY.format(orders), {"history": [orders], "new_days_up_to": 0})
        for orders in (1_000_000, 100_000_000)
    ),
    quick={"history": [100_000, 1_000_000], "new_days_up_to": 0, "batch": 10_000, "repeats": 2},
    # All of 100 million orders takes a quarter of an hour, once in the preparation.
    full={
        "history": [1_000_000, 10_000_000, 100_000_000],
        "new_days_up_to": 10_000_000,
        "batch": 10_000,
        "repeats": 3,
    },
    targets=(
        Target(
            "at 100 million orders at most 1.5 times the time at 1 million",
            side=SAME_DAY.format(100_000_000),
            figure="seconds",
            relative_to=SAME_DAY.format(1_000_000),
            at_most=1.5,
        ),
        Target(
            "the same from 100,000 to 1 million",
            side=SAME_DAY.format(1_000_000),
            figure="seconds",
            relative_to=SAME_DAY.format(100_000),
            at_most=1.5,
        ),
        Target(
            "at most 2 GB at 100 million orders",
            side=SAME_DAY.format(100_000_000),
            figure="peak_megabytes",
            at_most=2_048,
        ),
    ),
)
