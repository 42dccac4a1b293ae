"""An evaluation: the pipeline's segments and predictions for a made-up world, against that world's truth and future.

The production queries and models run on a temporary warehouse as of the end of the world's history; everything that
the world orders afterwards is held out. What belongs elsewhere: the scores themselves (`models/evaluation.py`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings, load_settings
from bridgecart_assets.contracts import (
    CUSTOMER_FEATURES,
    CUSTOMER_SEGMENTS,
    PURCHASE_MODEL,
    SEGMENT_MODEL,
    SILVER_ORDERS,
)
from bridgecart_assets.models.arrays import Floats, Labels
from bridgecart_assets.models.due import RefitMode
from bridgecart_assets.models.evaluation import (
    Calibration,
    Forecast,
    calibration,
    demographic_segments,
    forecast,
    predicted_keys,
    rfm_segments,
)
from bridgecart_assets.models.gamma_gamma import fit_gamma_gamma
from bridgecart_assets.models.model_table import accept_newest, newest_version
from bridgecart_assets.models.purchase import FitFailed
from bridgecart_assets.models.refitting import RefitOutcome, refit
from bridgecart_assets.models.stability import evenly_spaced
from bridgecart_assets.sql import read_sql
from bridgecart_assets.sql.chain import files_before
from bridgecart_assets.synthetic import World, WorldConfig, simulate, write_truth
from bridgecart_assets.synthetic.catalog import CATEGORIES, SPELLINGS
from bridgecart_assets.synthetic.season import MS_PER_DAY
from bridgecart_assets.warehouse.duckdb_engine import DuckDBEngine
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.model_fits import fit_purchase_model, fit_segment_model
from bridgecart_assets.warehouse.queries import features_query, segments_query, traits_sample
from bridgecart_assets.warehouse.sampling import read_sample
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.storage.outputs import Sample
from bridgecart_assets.warehouse.storage.tables import prepare, run_steps
from bridgecart_assets.warehouse.writing import write_frame

ORDERS_A_CUSTOMER = 14
"""Orders of a default world's history for each customer in it, about."""

HOLDOUT_DAYS = (30, 90)
REFIT_AFTER_DAYS = 30
SEEDS = (1, 2, 3, 4, 5)
MOST_REFERENCE_CUSTOMERS = 5_000


class EvaluationImpossible(BridgeCartError):
    """The world is too small for models, or has no future to compare with."""


@dataclass(frozen=True)
class Recovery:
    """Recovery of the personas that customers were drawn from by segments: 1 is perfect, 0 is chance."""

    method: str
    segments: int
    adjusted_rand_index: float


@dataclass(frozen=True)
class SegmentHoldout:
    """The predictions for the customers of a segment: silence, purchase days and net sales."""

    segment: str
    customers: int
    silence: Calibration
    purchases: Forecast
    sales: Forecast


@dataclass(frozen=True)
class Holdout:
    """The first so many days after the end of history: silence (no purchase), purchase days and net sales."""

    days: int
    silence: Calibration
    purchases: tuple[Forecast, ...]
    sales: tuple[Forecast, ...]
    segments: tuple[SegmentHoldout, ...]


@dataclass(frozen=True)
class Stability:
    """Shares of customers.

    `reseeded`: keep their segment key when the model is fitted to the same customers in another order with another
    seed, one share a seed. `refitted`: have the same key under a refit REFIT_AFTER_DAYS later as under the model
    before, on the same later data; `refit_is_settled`: it needed no person. `stayed`: have the key they had
    REFIT_AFTER_DAYS before; customers change too. `predicted`: get from scikit-learn's predict the key that SQL gave.
    """

    reseeded: tuple[float, ...]
    refitted: float
    refit_is_settled: bool
    stayed: float
    predicted: float

    @property
    def worst(self) -> float:
        """The lowest share of `reseeded`."""
        return min(self.reseeded)


@dataclass(frozen=True)
class Evaluation:
    """All scores of a world; `customers` are those with a purchase before its end."""

    seed: int
    orders: int
    customers: int
    recovery: tuple[Recovery, ...]
    alive: Calibration
    holdouts: tuple[Holdout, ...]
    stability: Stability

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def evaluate_world(config: WorldConfig, *, progress: Callable[[str], None]) -> Evaluation:
    """Simulate a world, run features, models and scoring on its history, and score them. Touches no user's data.

    Settings of the models are those of the environment. Raises EvaluationImpossible when the world is too small.
    """
    end = _end_of_history(config)
    progress("simulating")
    world = simulate(config)
    with _made_warehouse(world, as_of=end) as (warehouse, settings, truth):
        progress("features and models")
        DuckDBEngine(warehouse).write(CUSTOMER_FEATURES, features_query(settings), None)
        _fit(warehouse, settings)
        holdouts = []
        for days in (*HOLDOUT_DAYS, config.horizon_days):
            progress(f"predictions of {days} days")
            customers = _customers(warehouse, settings, days=days)
            holdouts.append(_holdout(customers, days=days))
        customers = customers.merge(truth, on="customer_id", validate="one_to_one")
        progress("personas")
        recovery = _recovery(warehouse, settings, customers)
        progress("stability")
        later = settings.model_copy(update={"as_of": end + timedelta(days=REFIT_AFTER_DAYS)})
        stability = _stability(warehouse, settings, customers, later=later)
    return Evaluation(
        seed=config.seed,
        orders=config.orders,
        customers=len(customers),
        recovery=recovery,
        alive=calibration(_floats(customers, "p_alive"), _floats(customers, "is_alive")),
        holdouts=tuple(holdouts),
        stability=stability,
    )


def store_orders(warehouse: Warehouse, world: World) -> None:
    """Put all orders of a world, history and future, into `silver.orders` as the pipeline would from their events."""
    orders = world.orders
    made = pa.table(
        {
            "number": orders.number,
            "customer": orders.customer,
            "ordered_ms": orders.ordered_ms,
            "gross_cents": orders.gross_cents,
            "discount_cents": orders.discount_cents,
            "spelling": pa.DictionaryArray.from_arrays(orders.spelling, list(SPELLINGS)),
            "category": pa.DictionaryArray.from_arrays(orders.category, list(CATEGORIES)),
        }
    )
    with warehouse.transaction() as connection:
        prepare(connection, SILVER_ORDERS)
        run_steps(connection, files_before("models/evaluation_orders"), {})
        connection.register("made", made)
        connection.execute(f"insert into silver.orders by name {read_sql('models/evaluation_orders')}")
        connection.unregister("made")


def _end_of_history(config: WorldConfig) -> date:
    """The date as of which the world is looked at. Raises EvaluationImpossible when it has too little future."""
    if config.horizon_days < max(HOLDOUT_DAYS) or config.end_ms % MS_PER_DAY:
        raise EvaluationImpossible(
            f"an evaluation needs a world that ends at midnight UTC and goes on for {max(HOLDOUT_DAYS)} days: "
            "change end or horizon_days"
        )
    return config.end.astimezone(UTC).date()


@contextmanager
def _made_warehouse(world: World, *, as_of: date) -> Iterator[tuple[Warehouse, Settings, pd.DataFrame]]:
    """A temporary warehouse with the world's orders, settings as of its end, and the truth about its customers."""
    with TemporaryDirectory(prefix="bridgecart-evaluate-") as name:
        folder = Path(name)
        # Undiscounted, so that a predicted value is comparable with sales.
        changes = {"data_dir": folder, "as_of": as_of, "clv_discount_rate": 0.0, "clv_margin": 1.0}
        settings = load_settings().model_copy(update=changes)
        warehouse = warehouse_from_settings(settings)
        store_orders(warehouse, world)
        write_truth(world, folder / "truth.parquet")
        truth = pq.read_table(folder / "truth.parquet", columns=["customer_id", "persona", "died_at"]).to_pandas()
        yield (
            warehouse,
            settings,
            truth.assign(
                is_alive=truth["died_at"].isna() | (truth["died_at"] >= world.config.end),
                age=world.customers.age,
                income=world.customers.income,
            ),
        )


def fit_models(connection: duckdb.DuckDBPyConnection, settings: Settings, *, mode: RefitMode) -> RefitOutcome:
    """Fit and store both models as their assets do, in the caller's transaction; what became of the segments."""
    for contract in (PURCHASE_MODEL, SEGMENT_MODEL):
        prepare(connection, contract)
    sample = partial(read_sample, connection)
    known = connection.sql("select * from gold.purchase_model").df()
    purchases = fit_purchase_model(known, sample, settings, mode=mode)
    write_frame(connection, PURCHASE_MODEL, purchases, None)
    known = connection.sql("select * from gold.segment_model").df()
    outcome = fit_segment_model(known, purchases, sample, settings, mode=mode)
    write_frame(connection, SEGMENT_MODEL, outcome.model, None)
    return outcome


def _fit(warehouse: Warehouse, settings: Settings) -> bool:
    """Fit both models and take them into force; True if the segments needed no person for that."""
    with warehouse.transaction() as connection:
        model = fit_models(connection, settings, mode=RefitMode.NOW).model
        silent = connection.execute("select 1 from gold.purchase_model where no_prediction_reason is not null")
        if model.empty or silent.fetchone():
            raise EvaluationImpossible("too few customers for the models: raise --customers or --orders")
        newest = newest_version(model)
        is_settled = bool((newest["status"] == "active").all())
        if not is_settled:
            write_frame(connection, SEGMENT_MODEL, accept_newest(model, newest["as_of"].iloc[0]), None)
    return is_settled


def _customers(warehouse: Warehouse, settings: Settings, *, days: int) -> pd.DataFrame:
    """Everyone with a purchase, scored for so many days; `sql/models/evaluation_outcomes.sql` gives the columns."""
    aimed = settings.model_copy(update={"churn_window_days": days, "clv_horizon_days": days})
    DuckDBEngine(warehouse).write(CUSTOMER_SEGMENTS, segments_query(aimed), None)
    with warehouse.reading() as connection:
        return read_sample(connection, Sample("models/evaluation_outcomes", {"days": days}))


def _floats(customers: pd.DataFrame, column: str) -> Floats:
    return customers[column].to_numpy(dtype=np.float64)


def _holdout(customers: pd.DataFrame, *, days: int) -> Holdout:
    expected, bought, sales = (_floats(customers, n) for n in ("expected_purchases", "purchases_after", "sales_after"))
    frequency = _floats(customers, "frequency")
    mean_spend = _floats(customers, "spend") / frequency
    # The first purchase begins the tenure, so it tells nothing of the rate. On the first day there is none yet.
    own_rate = (frequency - 1) / np.maximum(_floats(customers, "tenure_days"), 1) * days
    purchases_before, sales_before = _floats(customers, "purchases_before"), _floats(customers, "sales_before")
    spend = _gamma_gamma_spend(frequency, mean_spend)
    gamma_gamma = [] if spend is None else [forecast("Gamma-Gamma", expected * spend, sales)]
    return Holdout(
        days=days,
        silence=calibration(_floats(customers, "churn_risk"), (bought == 0).astype(np.float64)),
        purchases=(
            forecast("BridgeCart", expected, bought),
            forecast("own rate goes on", own_rate, bought),
            forecast(f"last {days} days again", purchases_before, bought),
            forecast("mean of all", np.full(len(bought), purchases_before.mean()), bought),
        ),
        sales=(
            forecast("BridgeCart", _floats(customers, "predicted_clv"), sales),
            *gamma_gamma,
            forecast("own mean spend", expected * mean_spend, sales),
            forecast("own rate goes on", own_rate * mean_spend, sales),
            forecast(f"last {days} days again", sales_before, sales),
            forecast("mean of all", np.full(len(sales), sales_before.mean()), sales),
        ),
        segments=tuple(_of_segment(str(key), rows) for key, rows in customers.groupby("segment_key", sort=True)),
    )


def _of_segment(key: str, customers: pd.DataFrame) -> SegmentHoldout:
    bought, name = _floats(customers, "purchases_after"), "BridgeCart"
    return SegmentHoldout(
        segment=f"{key} {customers['segment'].iloc[0]}",
        customers=len(customers),
        silence=calibration(_floats(customers, "churn_risk"), (bought == 0).astype(np.float64)),
        purchases=forecast(name, _floats(customers, "expected_purchases"), bought),
        sales=forecast(name, _floats(customers, "predicted_clv"), _floats(customers, "sales_after")),
    )


def _gamma_gamma_spend(frequency: Floats, mean_spend: Floats) -> Floats | None:
    """Expected spend under the Gamma-Gamma model; None where it has no fit.

    It takes spend to be independent of the number of purchases. Where it is not, the likelihood may be highest where
    nothing is shrunk: then the forecast with a customer's own mean spend is what is left of it.
    """
    evenly = evenly_spaced(len(frequency), MOST_REFERENCE_CUSTOMERS)
    try:
        model = fit_gamma_gamma(frequency[evenly], mean_spend[evenly])
    except FitFailed:
        return None
    return model.expected_spend(frequency, mean_spend)


def _recovery(warehouse: Warehouse, settings: Settings, customers: pd.DataFrame) -> tuple[Recovery, ...]:
    from sklearn.metrics import adjusted_rand_score

    def score(method: str, labels: "pd.Series[str] | Labels") -> Recovery:
        return Recovery(method, len(set(labels)), float(adjusted_rand_score(customers["persona"], labels)))

    auto = settings.model_copy(update={"segments": "auto"})
    return (
        score(f"BridgeCart, k={settings.segments}", customers["segment_key"]),
        score("BridgeCart, k=auto", _fresh_keys(_traits(warehouse), auto, customers)),
        score("K-Means on age, income, total spend", demographic_segments(customers, seed=settings.model_seed)),
        score("K-Means on scaled recency, frequency, value", rfm_segments(customers, seed=settings.model_seed)),
    )


def _traits(warehouse: Warehouse) -> pd.DataFrame:
    """The customers of a fit, under the first version of the purchase model."""
    with warehouse.reading() as connection:
        return read_sample(connection, traits_sample(1))


def _fresh_keys(sample: pd.DataFrame, settings: Settings, customers: pd.DataFrame) -> "pd.Series[str]":
    """Segment keys of customers under a first model of the sample."""
    first = refit(
        pd.DataFrame(columns=list(SEGMENT_MODEL.column_names)),
        lambda _: sample,
        1,
        mode=RefitMode.NOW,
        segments=settings.segments,
        seed=settings.model_seed,
        refit_days=settings.model_refit_days,
    )
    return predicted_keys(first.model, customers)


def _stability(warehouse: Warehouse, settings: Settings, customers: pd.DataFrame, *, later: Settings) -> Stability:
    """Try other seeds and row orders, then refit as of `later`, which leaves the warehouse there."""
    sample, keys = _traits(warehouse), customers["segment_key"]
    reseeded = []
    for seed in SEEDS:
        shuffled = sample.sample(frac=1.0, random_state=seed)
        reseeded.append(_share_equal(_fresh_keys(shuffled, _seeded(settings, seed), customers), keys))
    with warehouse.reading() as connection:
        model = connection.sql("select * from gold.segment_model order by segment_key").df()
    DuckDBEngine(warehouse).write(CUSTOMER_FEATURES, features_query(later), None)
    before = _keys(warehouse, later)
    is_settled = _fit(warehouse, later)
    after = _keys(warehouse, later)
    return Stability(
        reseeded=tuple(reseeded),
        refitted=_share_equal(before, after),
        refit_is_settled=is_settled,
        stayed=_share_equal(after.reindex(customers["customer_id"]), keys),
        predicted=_share_equal(predicted_keys(model, customers), keys),
    )


def _seeded(settings: Settings, seed: int) -> Settings:
    return settings.model_copy(update={"model_seed": seed})


def _keys(warehouse: Warehouse, settings: Settings) -> "pd.Series[str]":
    """Segment key by customer under the models in force."""
    DuckDBEngine(warehouse).write(CUSTOMER_SEGMENTS, segments_query(settings), None)
    with warehouse.reading() as connection:
        rows = connection.execute("select customer_id, segment_key from gold.customer_segments order by 1").fetchall()
    return pd.Series([key for _, key in rows], index=[customer for customer, _ in rows], dtype=object)


def _share_equal(left: "pd.Series[str]", right: "pd.Series[str]") -> float:
    return float((left.to_numpy() == right.to_numpy()).mean())
