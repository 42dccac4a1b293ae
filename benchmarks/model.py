"""The models: scoring very many customers by the production SQL, and fitting both models to the sample."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.benchmark import OUTSIDE, Benchmark, Figures, Side, Sizes, Target
from benchmarks.measuring import run_child
from benchmarks.surroundings import clean_world
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.commands.evaluate_world import fit_models, store_orders
from bridgecart_assets.contracts import CUSTOMER_FEATURES, CUSTOMER_SEGMENTS, PURCHASE_MODEL, SEGMENT_MODEL
from bridgecart_assets.models.due import RefitMode
from bridgecart_assets.models.purchase_table import refit_purchases
from bridgecart_assets.models.refitting import refit
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.queries import (
    features_query,
    held_out_sample,
    purchase_sample,
    season_sample,
    segments_query,
    spend_sample,
    traits_sample,
)
from bridgecart_assets.warehouse.sampling import read_sample
from bridgecart_assets.warehouse.writing import write_query

FEW = 2_000
SCORE, FIT = "score everybody, by SQL", "fit both models"
_TILED = """
insert into gold.customer_totals
select t.* replace (
    format('C{:07d}', substr(customer_id, 2)::integer + tile * $people) as customer_id,
    -- Spread as by a hash.
    (customer_hash + tile * 7046029254386353131::hugeint) % 9223372036854775807 as customer_hash
)
from gold.customer_totals t, range(1, $tiles) as tiles(tile)
"""


def prepare(orders: int, customers: int) -> Figures:
    """Features of so many customers, tiled from those of a small world, and both models."""
    settings, world = load_settings(), clean_world(orders)
    warehouse = warehouse_from_settings(settings)
    store_orders(warehouse, world)
    with warehouse.transaction() as connection:
        connection.execute("delete from silver.orders where purchased_at >= ?", [world.config.end])
        write_query(connection, CUSTOMER_FEATURES, features_query(settings), None)
        ((buyers,),) = connection.execute("select count(*) from gold.customer_features where frequency > 0").fetchall()
        connection.execute(_TILED, {"people": len(world.customers), "tiles": -(-customers // buyers)})
        fit_models(connection, settings, mode=RefitMode.NOW)
    return {}


def score() -> Figures:
    """Segment, lifecycle and predictions of everybody, written to `gold.customer_segments`."""
    settings = load_settings()
    warehouse = warehouse_from_settings(settings)
    started = time.perf_counter()
    with warehouse.transaction() as connection:
        write_query(connection, CUSTOMER_SEGMENTS, segments_query(settings), None)
    seconds = time.perf_counter() - started
    with warehouse.reading() as connection:
        ((customers,),) = connection.execute("select count(*) from gold.customer_segments").fetchall()
    return {"seconds": seconds, "customers": customers}


def fit() -> Figures:
    """Both models anew, read from the warehouse before.

    A first fit, to few customers, loads the libraries: that a process does once, whatever it fits.
    """
    settings = load_settings()
    days = settings.model_refit_days
    with warehouse_from_settings(settings).reading() as connection:
        purchases, spent, traits = (
            read_sample(connection, sample) for sample in (purchase_sample(), spend_sample(settings), traits_sample(1))
        )
        held_out, months = (read_sample(connection, of(settings)) for of in (held_out_sample, season_sample))
        # Without rows: nothing was fitted before.
        purchase_model, segment_model = (
            connection.sql(f"from {contract.full_name} limit 0").df() for contract in (PURCHASE_MODEL, SEGMENT_MODEL)
        )

    def fitted(customers: int) -> float:
        started = time.perf_counter()
        refit_purchases(
            purchase_model,
            purchases[:customers],
            lambda: held_out[:customers],
            lambda: spent[:customers],
            lambda: months,
            mode=RefitMode.NOW,
            refit_days=days,
            window_days=settings.churn_window_days,
        )
        refit(
            segment_model,
            lambda _: traits[:customers],
            1,
            mode=RefitMode.NOW,
            segments=settings.segments,
            seed=settings.model_seed,
            refit_days=days,
        )
        return time.perf_counter() - started

    fitted(FEW)
    return {"seconds": fitted(len(purchases)), "customers": len(purchases)}


@contextmanager
def sides(sizes: Sizes, folder: Path) -> Iterator[Sequence[Side]]:
    """One warehouse with features and models; every round scores into the same table.

    With a limit: DuckDB keeps what it wrote in memory as long as it may, and that is not what scoring needs.
    """
    data_dir = folder / "warehouse"
    arguments = {"orders": sizes["orders"], "customers": sizes["customers"]}
    run_child(Side("prepared", prepare, arguments, data_dir))
    limited = {"BRIDGECART_MEMORY_LIMIT": "600MB"}
    yield [Side(SCORE, score, data_dir=data_dir, variables=limited), Side(FIT, fit, data_dir=data_dir)]


MODEL = Benchmark(
    name="model",
    sides=sides,
    figures={"seconds": "Seconds", "customers": "Customers", **OUTSIDE},
    quick={"orders": 100_000, "customers": 1_000_000, "repeats": 2},
    full={"orders": 1_500_000, "customers": 10_000_000, "repeats": 3},
    targets=(
        Target("10 million customers scored in 4 s", SCORE, "seconds", at_most=4.0, only_full=True),
        Target("10 million customers scored in 1,024 MB", SCORE, "peak_megabytes", at_most=1_024, only_full=True),
        Target("both models fitted to 100,000 customers in 2 s", FIT, "seconds", at_most=2.0),
    ),
    profiled={SCORE: {}},
)
