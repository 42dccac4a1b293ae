"""The models: scoring very many customers by the production SQL, and fitting both models to the sample."""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.benchmark import OUTSIDE, Benchmark, Figure, Figures, Profiled, Side, Sizes, Target
from benchmarks.measuring import run_child
from benchmarks.surroundings import clean_world, settings
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.commands.evaluate import fit_models, store_orders
from bridgecart_assets.contracts import CUSTOMER_FEATURES, CUSTOMER_SEGMENTS, PURCHASE_MODEL, SEGMENT_MODEL
from bridgecart_assets.models.due import RefitMode
from bridgecart_assets.models.purchase_table import refit_purchases
from bridgecart_assets.models.refitting import refit
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.incremental.scope import FullScope, relate_rows
from bridgecart_assets.warehouse.queries import features_query, purchase_sample, segments_query, traits_sample
from bridgecart_assets.warehouse.sampling import read_sample
from bridgecart_assets.warehouse.tables import run_stage, write_query

FEW = 2_000
SCORE, ONLY_SCORE, FIT = "score everybody, by SQL", "the same, not written", "fit both models"

_TILED = """
insert into gold.customer_features
select f.* replace (
    format('C{:07d}', substr(customer_id, 2)::integer + tile * $people) as customer_id,
    -- Spread as by a hash.
    (customer_hash + tile * 7046029254386353131::hugeint) % 9223372036854775807 as customer_hash
)
from gold.customer_features f, range(1, $tiles) as tiles(tile)
"""


def prepare(data_dir: str, orders: int, customers: int) -> Figures:
    """Features of so many customers, tiled from those of a small world, and both models."""
    with settings(BRIDGECART_DATA_DIR=data_dir):
        configured = load_settings()
    warehouse, world = warehouse_from_settings(configured), clean_world(orders)
    store_orders(warehouse, world)
    with warehouse.transaction() as connection:
        connection.execute("delete from silver.orders where purchased_at >= ?", [world.config.end])
        write_query(connection, CUSTOMER_FEATURES, features_query(configured), None)
        ((buyers,),) = connection.execute("select count(*) from gold.customer_features where frequency > 0").fetchall()
        connection.execute(_TILED, {"people": len(world.customers), "tiles": -(-customers // buyers)})
        fit_models(connection, configured, mode=RefitMode.NOW)
    return {}


def score(data_dir: str) -> Figures:
    """Segment, lifecycle and predictions of everybody, written to `gold.customer_segments`."""
    with settings(BRIDGECART_DATA_DIR=data_dir):
        configured = load_settings()
    warehouse = warehouse_from_settings(configured)
    started = time.perf_counter()
    with warehouse.transaction() as connection:
        write_query(connection, CUSTOMER_SEGMENTS, segments_query(configured), None)
    seconds = time.perf_counter() - started
    with warehouse.reading() as connection:
        ((customers,),) = connection.execute("select count(*) from gold.customer_segments").fetchall()
    return {"seconds": seconds, "customers": customers}


def only_score(data_dir: str) -> Figures:
    """The values of every column for everybody, folded into one figure instead of written."""
    with settings(BRIDGECART_DATA_DIR=data_dir):
        configured = load_settings()
    query, select = segments_query(configured), read_sql("gold_customer_segments")
    with warehouse_from_settings(configured).reading() as connection:
        relate_rows(connection, FullScope(), CUSTOMER_FEATURES)
        run_stage(connection, query.stage, query.parameters)
        started = time.perf_counter()
        ((customers, _),) = connection.execute(
            f"select count(*), bit_xor(hash(scores)) from ({select}) scores",
            {"churn_window_days": configured.churn_window_days},
        ).fetchall()
        return {"seconds": time.perf_counter() - started, "customers": customers}


def fit(data_dir: str) -> Figures:
    """Both models anew from their samples; reading the samples out of the warehouse is counted apart.

    A first fit, to few customers, loads the libraries: that a process does once, whatever it fits.
    """
    with settings(BRIDGECART_DATA_DIR=data_dir):
        configured = load_settings()
    started = time.perf_counter()
    with warehouse_from_settings(configured).reading() as connection:
        purchases, traits = read_sample(connection, purchase_sample()), read_sample(connection, traits_sample(1))
        models = [connection.sql(f"select * from {c.full_name}").df() for c in (PURCHASE_MODEL, SEGMENT_MODEL)]
    reading_seconds = time.perf_counter() - started

    def fitted(customers: int) -> float:
        begun = time.perf_counter()
        days = configured.model_refit_days
        refit_purchases(models[0].iloc[:0], purchases[:customers], mode=RefitMode.NOW, refit_days=days)
        refit(
            models[1].iloc[:0],
            lambda _: traits[:customers],
            1,
            mode=RefitMode.NOW,
            segments=configured.segments,
            seed=configured.model_seed,
            refit_days=days,
        )
        return time.perf_counter() - begun

    loading_seconds = fitted(FEW)
    return {
        "seconds": fitted(len(purchases)),
        "customers": len(purchases),
        "reading_seconds": reading_seconds,
        "loading_seconds": loading_seconds,
    }


@contextmanager
def sides(sizes: Sizes, folder: Path) -> Iterator[Sequence[Side]]:
    """One warehouse with features and models; every round scores into the same table."""
    data_dir = str(folder / "warehouse")
    arguments = {"data_dir": data_dir, "orders": sizes["orders"], "customers": sizes["customers"]}
    run_child(Side("prepared", prepare, arguments), Path(data_dir))
    named = ((SCORE, score), (ONLY_SCORE, only_score), (FIT, fit))
    yield [Side(name, function, {"data_dir": data_dir}) for name, function in named]
    shutil.rmtree(data_dir)


BENCHMARK = Benchmark(
    name="model",
    title="Models",
    shows="`gold.customer_segments` written anew by the production SQL, and both models fitted anew to their samples "
    "of at most 100,000 customers, after a fit to few that loads the libraries. The customers are those of a small "
    "world, tiled.",
    sides=sides,
    figures=(
        Figure("seconds", "Seconds", 2),
        Figure("reading_seconds", "Reading the samples, s", 2),
        Figure("loading_seconds", "Loading the libraries, s", 2),
        Figure("customers", "Customers", 0),
        *OUTSIDE,
    ),
    limits="What limits it: the file. The values of all columns of everybody, computed by the same statement and "
    "folded into one figure, take a third of the time and of the memory; the rest compresses and writes ten million "
    "rows of 20 columns, deletes those that stood there, and looks whether a customer came twice. A refresh does this "
    "only when the day or the models change; a batch scores its own customers.",
    profiles=(Profiled(SCORE),),
    quick={"orders": 100_000, "customers": 1_000_000, "repeats": 2},
    full={"orders": 1_500_000, "customers": 10_000_000, "repeats": 3},
    targets=(
        Target("10 million customers scored in 4 s", side=SCORE, figure="seconds", at_most=4.0, only_full=True),
        Target("in 1 GB", side=SCORE, figure="peak_megabytes", at_most=1_024, only_full=True),
        Target("fitted in 2 s", side=FIT, figure="seconds", at_most=2.0),
    ),
)
