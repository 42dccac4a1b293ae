"""Scores against figures by hand."""

import numpy as np
import pandas as pd
import pytest

from bridgecart_assets.contracts import TRAITS
from bridgecart_assets.models.evaluation import (
    calibration,
    calibration_error,
    demographic_segments,
    forecast,
    predicted_keys,
    rfm_segments,
)
from bridgecart_assets_tests.sql.history import model_row


def test_the_calibration_error_is_the_gap_of_each_bin_weighted_by_its_customers():
    probability = np.array([0.12, 0.18, 0.55, 1.0])
    happened = np.array([0.0, 1.0, 1.0, 1.0])
    # Bins [.1, .2): mean .15 against .5, twice; [.5, .6): .45 off; [.9, 1]: exact.
    assert calibration_error(probability, happened) == pytest.approx((2 * 0.35 + 0.45) / 4)


def test_a_probability_that_is_the_share_of_all_is_calibrated_and_tells_nobody_apart():
    happened = np.array([1.0, 0.0, 0.0, 1.0])
    score = calibration(np.full(4, 0.5), happened)
    assert (score.predicted, score.actual, score.error, score.auc) == (0.5, 0.5, 0.0, 0.5)


def test_the_right_order_of_customers_is_an_auc_of_one_however_wrong_the_level():
    score = calibration(np.array([0.01, 0.02, 0.03]), np.array([0.0, 1.0, 1.0]))
    assert score.auc == 1.0
    assert score.error == pytest.approx(2 / 3 - 0.02)


def test_without_both_outcomes_there_is_no_auc():
    assert calibration(np.array([0.2, 0.4]), np.array([1.0, 1.0])).auc is None


def test_a_forecast_is_scored_in_total_and_for_each_customer():
    score = forecast("any", np.array([1.0, 5.0, 6.0]), np.array([2.0, 4.0, 4.0]))
    assert (score.predicted, score.actual) == (12.0, 10.0)
    assert score.error == pytest.approx(0.2)
    assert score.customer_error == pytest.approx(4 / 3)
    assert score.rank_correlation == pytest.approx(np.sqrt(3) / 2)


def test_a_forecast_of_the_same_for_everyone_has_no_rank_correlation():
    assert forecast("mean", np.full(3, 2.0), np.array([1.0, 2.0, 3.0])).rank_correlation is None


def test_a_forecast_of_nothing_that_happened_has_no_relative_error():
    score = forecast("any", np.array([1.0, 2.0]), np.zeros(2))
    assert (score.error, score.rank_correlation, score.customer_error) == (None, None, 1.5)


def test_predicted_keys_are_those_of_the_nearest_centroid_on_the_models_own_scale():
    model = pd.concat(
        [model_row(key=key, name=key, centroid=dict.fromkeys(TRAITS, at)) for key, at in (("S01", -1.0), ("S02", 1.0))],
        ignore_index=True,
    ).assign(**{f"mean_{trait}": 10.0 for trait in TRAITS})
    customers = pd.DataFrame({trait: [9.9, 10.1] for trait in TRAITS}, index=[7, 3])
    assert predicted_keys(model, customers).to_dict() == {7: "S01", 3: "S02"}


def test_the_baselines_find_what_they_look_at():
    rows = np.arange(40)
    group = rows % 4
    customers = pd.DataFrame(
        {
            "age": 18 + rows % 9,
            "income": 1e6 * group,
            "net_sales": 100.0 * (rows // 10) + 1,
            "recency_days": 50 * (group % 2),
            "frequency": 9 * (group // 2),
        }
    )
    assert _groups(demographic_segments(customers, seed=1)) == _groups(group)
    assert _groups(rfm_segments(customers.assign(net_sales=1.0), seed=1)) == _groups(group)


def _groups(labels: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(np.flatnonzero(labels == label)) for label in set(labels)}
