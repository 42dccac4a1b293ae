"""What a run costs by what there is: histories of different shapes, to fit the cost model to (`cost_model.py`)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from benchmarks import runs
from benchmarks.benchmark import OUTSIDE, Benchmark, Figure, Figures, Side, Sizes
from benchmarks.growing_history import BASE_ORDERS
from benchmarks.histories import Base, small_world, write_history
from benchmarks.surroundings import END, fresh_orders, fresh_topic
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.commands.generate import TOPIC_CONFIG
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings

_COUNTS = """
select
    (select count(*) from silver.orders) as orders,
    (select count(*) from gold.customer_features) as customers,
    (select count(*) from gold.customer_snapshots) as snapshots
"""


@dataclass(frozen=True)
class Shape:
    """A history: its orders, how many tiles of the small world share their customers, and how far back it goes."""

    orders: int
    tiles_per_customer: int
    months: int

    @property
    def label(self) -> str:
        """What a side is called."""
        return f"{self.orders:,} orders, {self.tiles_per_customer} x as many a customer, {self.months} months"


def measure(base_folder: str, shape: Mapping[str, int], few: int, many: int, topic: str) -> Figures:
    """Everything made anew on such a history, then two batches of different size of its last day."""
    configured = load_settings()
    warehouse, data_dir = warehouse_from_settings(configured), str(configured.data_dir)
    write_history(
        Base.load(Path(base_folder)), warehouse, shape["orders"], tiles_per_customer=shape["tiles_per_customer"]
    )

    def seconds_of(batch: int) -> float:
        limit = str(batch)
        return runs.run_batch(data_dir, BRIDGECART_KAFKA_TOPIC=topic, BRIDGECART_MAX_BATCH_RECORDS=limit)["seconds"]

    whole = seconds_of(few)
    with warehouse.reading() as connection:
        ((orders, customers, snapshots),) = connection.execute(_COUNTS).fetchall()
    return {
        "whole_seconds": whole,
        "few_seconds": seconds_of(few),
        "many_seconds": seconds_of(many),
        "orders": orders,
        "customers": customers,
        "snapshots": snapshots,
        "few": few,
        "many": many,
        "file_bytes": runs.file_bytes(data_dir),
    }


@contextmanager
def sides(sizes: Sizes, folder: Path) -> Iterator[Sequence[Side]]:
    """One side a shape; a small world for every length of history, a topic of new orders for every shape."""
    shapes = [Shape(*shape) for shape in sizes["shapes"]]
    with fresh_topic(folder) as connection:
        bases: dict[int, Path] = {}
        made: list[Side] = []
        for shape in shapes:
            if shape.months not in bases:
                bases[shape.months] = _stored_base(folder, shape.months, min(BASE_ORDERS, *(s.orders for s in shapes)))
            topic = replace(connection, topic=f"{connection.topic}.{len(made)}")
            few, many = sizes["batches"]
            _send(topic, Base.load(bases[shape.months]), shape, 2 * few + many)
            arguments = {
                "base_folder": str(bases[shape.months]),
                "shape": vars(shape),
                "few": few,
                "many": many,
                "topic": topic.topic,
            }
            made.append(Side(shape.label, measure, arguments))
        yield made


def _stored_base(folder: Path, months: int, orders: int) -> Path:
    base_folder = folder / f"{months}-months"
    base_folder.mkdir()
    small_world(orders, base_folder, start=END - timedelta(days=round(months * 30.4375))).store(base_folder)
    return base_folder


def _send(topic: KafkaConnection, base: Base, shape: Shape, orders: int) -> None:
    # One partition: what was sent first is in the first batch.
    create_topic(topic, 1, TOPIC_CONFIG)
    customers = base.all_customers(shape.orders, tiles_per_customer=shape.tiles_per_customer)
    produce(topic, fresh_orders(orders, day=(END - timedelta(days=1)).date(), customers=customers, batch="COST"))


BENCHMARK = Benchmark(
    name="costs",
    title="Costs by what there is",
    shows="On histories of different shapes, all tables of customers and everything after them made anew, then two "
    "batches of the data's last day. What the cost model below is fitted to, the last shape excepted.",
    sides=sides,
    figures=(
        Figure("whole_seconds", "Everything anew, s"),
        Figure("few_seconds", "Small batch, s"),
        Figure("many_seconds", "Larger batch, s"),
        Figure("customers", "Customers", 0),
        Figure("snapshots", "Snapshots", 0),
        Figure("file_bytes", "File, bytes", 0),
        *OUTSIDE,
    ),
    quick=None,
    full={
        "shapes": [
            [300_000, 1, 18],
            [1_000_000, 1, 18],
            [3_000_000, 1, 18],
            [10_000_000, 1, 18],
            [3_000_000, 5, 18],
            [10_000_000, 5, 18],
            [1_000_000, 1, 36],
            [3_000_000, 1, 36],
            [20_000_000, 1, 18],
        ],
        "batches": [1_000, 10_000],
        "repeats": 1,
    },
)
