"""Scoring by a purchase model with covariates, and by one without drop-out: SQL against the models' own formulas."""

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from bridgecart_assets.models.arrays import Floats
from bridgecart_assets.models.purchase import PurchaseModel
from bridgecart_assets.models.purchase_covariates import Levels, covariates_of, own_parameters
from bridgecart_assets.warehouse import tables
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
