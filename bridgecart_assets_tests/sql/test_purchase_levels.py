"""Scoring by a purchase model with covariates, and by one without drop-out: SQL against the models' own formulas."""

from dataclasses import asdict
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.models.arrays import Floats
from bridgecart_assets.models.purchase import PurchaseModel
from bridgecart_assets.models.purchase_covariates import Levels, covariates_of, own_parameters
from bridgecart_assets.models.season import Season
from bridgecart_assets.warehouse.storage import tables
from bridgecart_assets.warehouse.storage.tables import run_steps
from bridgecart_assets_tests.sql.histories import busy_history
from bridgecart_assets_tests.sql.history import (
    COUPON_SHARE,
    SPEND,
    MemoryWarehouse,
    compute_features,
    store_purchase_model,
    tiny_settings,
    warehouse_with,
)
from bridgecart_assets_tests.support.examples import examples
from bridgecart_assets_tests.support.state import digests

COEFFICIENTS = np.array(
    [
        [-0.5, 0.1, 0.0, 0.05, 0.0, 0.1],
        [1.8, 0.6, -0.3, 0.1, 0.1, 0.0],
        [-0.2, 0.3, 0.2, 0.0, 0.1, -0.1],
        [0.9, -0.2, 0.1, 0.2, 0.0, 0.0],
    ]
)
LEVELS = Levels(spend_mean=4.0, spend_scale=0.9, coupon_mean=0.2, coupon_scale=0.15)
WEEKS = 365 / 7


def test_predictions_of_a_model_with_covariates_are_those_of_each_customers_own_parameters():
    warehouse = scored(_covariates())
    people = _people(warehouse)
    levels = LEVELS.level(covariates_of(people, SPEND, COUPON_SHARE))
    assert len(np.unique(levels[:, 0])) > 5, "customers differ"
    life = _life(people)
    own = own_parameters(COEFFICIENTS, levels)
    assert people["p_alive"].to_numpy() == pytest.approx(own.p_alive(*life), rel=1e-9)
    assert 1 - people["churn_risk"].to_numpy() == pytest.approx(own.p_purchase(*life, 30 / 7), rel=1e-9)
    assert people["expected_purchases"].to_numpy() == pytest.approx(own.expected(*life, WEEKS), rel=1e-7)


def test_predictions_of_a_model_with_a_season_are_those_of_the_customers_life_in_its_days():
    season = Season((0.6, 0.6, 0.8, 1.0, 1.2, 1.0, 0.6, 0.6, 0.8, 1.4, 1.6, 1.8))
    warehouse = scored({**_covariates(), "season": list(season.factors)})
    people = _people(warehouse)
    as_of = people["as_of"].iloc[0].date()
    lived, silent = (season.days_back(as_of, people[name].to_numpy(float)) for name in ("tenure_days", "recency_days"))
    life = (people["frequency"].to_numpy(dtype=np.float64) - 1, (lived - silent) / 7, lived / 7)
    own = own_parameters(COEFFICIENTS, LEVELS.level(covariates_of(people, SPEND, COUPON_SHARE)))
    month, year = season.days_ahead(as_of, np.array([30.0, 365.0])) / 7
    assert abs(month * 7 - 30) > 3, "the season says something here"
    assert people["p_alive"].to_numpy() == pytest.approx(own.p_alive(*life), rel=1e-9)
    assert 1 - people["churn_risk"].to_numpy() == pytest.approx(own.p_purchase(*life, float(month)), rel=1e-9)
    assert people["expected_purchases"].to_numpy() == pytest.approx(own.expected(*life, float(year)), rel=1e-7)


@given(factors=st.lists(st.floats(0.1, 3), min_size=12, max_size=12))
@examples(20)
def test_sql_counts_the_days_of_a_season_as_the_fit_does(factors: list[float]):
    warehouse = MemoryWarehouse()
    store_purchase_model(warehouse, covariates={"season": factors})
    with warehouse.reading() as connection:
        run_steps(connection, ["gold/tmp_season"], {})
        dates = connection.sql(
            "select d.day::date as day, a.days from range(date '2023-12-01', date '2025-01-02', interval 1 day) d(day) "
            "join ahead_of_calendar a on a.month = month(d.day) and a.day = day(d.day) order by day"
        ).df()
    ago = np.arange(len(dates) - 1, -1, -1.0)
    back = Season(tuple(factors)).days_back(date(2025, 1, 2), ago)
    ahead = dates["days"].to_numpy()
    assert (ahead[-1] - ahead + ago).tolist() == back.tolist()


def test_without_dropout_everybody_is_alive_and_buys_at_their_rate():
    warehouse = warehouse_with(busy_history(4))
    store_purchase_model(warehouse, model=PurchaseModel(r=2.0, alpha=5.0, a=0.0, b=1.0))
    compute_features(warehouse, tiny_settings(churn_window_days=30))
    people = _people(warehouse)
    x, _, T = _life(people)
    assert set(people["p_alive"]) == {1.0}
    assert people["expected_purchases"].to_numpy() == pytest.approx((2.0 + x) / (5.0 + T) * WEEKS, rel=1e-9)


def test_computed_a_few_at_a_time_predictions_are_the_same_bytes(monkeypatch: pytest.MonkeyPatch):
    at_once = digests(scored(_covariates()))["gold.customer_segments"]
    monkeypatch.setattr(tables, "_COMPUTED_AT_ONCE", 7)
    assert digests(scored(_covariates()))["gold.customer_segments"] == at_once


def scored(covariates: dict[str, object]) -> MemoryWarehouse:
    warehouse = warehouse_with(busy_history(4))
    store_purchase_model(warehouse, covariates=covariates)
    compute_features(warehouse, tiny_settings(churn_window_days=30))
    return warehouse


def _covariates() -> dict[str, object]:
    scale = {name.replace("_", "_level_"): value for name, value in asdict(LEVELS).items()}
    return {**scale, "candidate": "covariates", "coefficients": COEFFICIENTS.reshape(-1).tolist()}


def _people(warehouse: MemoryWarehouse) -> pd.DataFrame:
    with warehouse.reading() as connection:
        frame: pd.DataFrame = connection.sql(
            "select f.* replace (f.log_spend_sum::double as log_spend_sum), s.p_alive, s.churn_risk, "
            "s.expected_purchases from gold.customer_segments s join gold.customer_features f using (customer_id) "
            "where f.frequency > 0 order by customer_id"
        ).df()
    return frame


def _life(people: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
    """Repeat purchase days, weeks to the latest one, weeks to the end of the data."""
    T = people["tenure_days"].to_numpy(dtype=np.float64) / 7
    t_x = T - people["recency_days"].to_numpy(dtype=np.float64) / 7
    return people["frequency"].to_numpy(dtype=np.float64) - 1, t_x, T
