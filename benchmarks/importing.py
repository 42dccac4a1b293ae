"""`bridgecart import` of a Parquet file of made-up orders: its rows read alone, and the whole command."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import duckdb

from benchmarks.benchmark import OUTSIDE, Benchmark, Figures, Side, Sizes, Target
from benchmarks.surroundings import END
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.commands.import_files import import_files
from bridgecart_assets.commands.run_pipeline import Summary
from bridgecart_assets.sources.files.history_file import open_history
from bridgecart_assets.sources.files.reading import PARTITION, read_rows
from bridgecart_assets.sources.kafka.offsets import BatchPlan, OffsetRange

READ, IMPORTED = "rows read", "`bridgecart import`, with the refresh"
_ORDERS_EACH = 10
_YEARS = timedelta(days=730)
_ORDERS = """
select
    'O' || number as order_id,
    'C' || hash(number, 'customer') % $customers as customer_id,
    $first::timestamp + to_seconds(($seconds * number / $orders)::bigint) as purchase_date,
    (500 + hash(number, 'amount') % 20000)::decimal(18, 2) / 100 as purchase_amount,
    0.00 as discount_amount,
    hash(number, 'coupon') % 5 = 0 as coupon_used,
    ['credit_card', 'paypal', 'bank_transfer'][1 + (hash(number, 'payment') % 3)::bigint] as payment_method,
    ['Books', 'Toys', 'Garden', 'Shoes'][1 + (hash(number, 'category') % 4)::bigint] as product_category
from range($orders) as numbers(number)
"""


def write_file(orders: int, file: Path) -> None:
    """Orders of two years in the order of their times, of a tenth as many customers."""
    parameters = {
        "orders": orders,
        "customers": max(orders // _ORDERS_EACH, 1),
        "first": (END - _YEARS).replace(tzinfo=None),
        "seconds": _YEARS.total_seconds(),
    }
    with duckdb.connect() as connection:
        connection.sql(_ORDERS, params=parameters).write_parquet(str(file))


def read(file: str) -> Figures:
    """The rows as the records of one batch, of which nothing is kept."""
    history = open_history(Path(file))
    plan = BatchPlan(
        "20300101T000000Z", history.name, history.topic_id, {PARTITION: OffsetRange(0, history.rows.count)}
    )
    started, began = time.perf_counter(), time.process_time()
    rows = sum(len(chunk) for chunk in read_rows(history, plan).ahead())
    return _rate(rows, started, began)


def import_file(file: str) -> Figures:
    """The command without its start: raw and silver batch by batch, then customers, segments and KPIs."""
    started, began = time.perf_counter(), time.process_time()
    (imported,) = import_files(
        load_settings(), [Path(file)], mapping=None, progress=_unsaid, counted=_unsaid, summary=Summary()
    )
    return _rate(imported.rows, started, began)


def _unsaid(*_: object) -> None:
    """What people are told on the way."""


def _rate(rows: int, started: float, began: float) -> Figures:
    cpu, seconds = time.process_time() - began, time.perf_counter() - started
    return {"rows_per_cpu_second": rows / cpu, "seconds": seconds}


@contextmanager
def sides(sizes: Sizes, folder: Path) -> Iterator[Sequence[Side]]:
    """Both on one file."""
    file = folder / "orders.parquet"
    write_file(sizes["orders"], file)
    yield [Side(READ, read, {"file": str(file)}), Side(IMPORTED, import_file, {"file": str(file)})]


IMPORT = Benchmark(
    name="import",
    sides=sides,
    figures={"rows_per_cpu_second": "Rows/CPU s", "seconds": "Seconds", **OUTSIDE},
    quick={"orders": 200_000, "repeats": 3},
    full={"orders": 10_000_000, "repeats": 1},
    targets=(
        Target("rows of a file read in 512 MB", READ, "peak_megabytes", at_most=512),
        Target("a file imported in 3,072 MB", IMPORTED, "peak_megabytes", at_most=3_072),
    ),
)
