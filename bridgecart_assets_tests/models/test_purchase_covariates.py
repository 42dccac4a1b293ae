"""The purchase model with covariates: its gradient, and what it finds again of a simulated world."""

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import approx_fprime

from bridgecart_assets.models.arrays import Floats
from bridgecart_assets.models.purchase import (
    Customers,
    FitFailed,
    fit_purchases,
    fit_without_dropout,
    purchase_forecasts,
)
from bridgecart_assets.models.purchase_choice import (
    COVARIATES,
    NO_DROPOUT,
    POOLED,
    HeldOut,
    Known,
    choose_model,
    compare,
)
from bridgecart_assets.models.purchase_covariates import (
    KindsOfCustomers,
    Levels,
    fit_covariates,
    own_parameters,
    penalised_log_likelihood,
)

# Of ln r, ln alpha, ln a, ln b: constant, spend, coupons, their squares, their product.
TRUE = np.array(
    [
        [0.5, 0.0, 0.0, 0.0, 0.0, 0.0],
        [1.5, 0.9, 0.3, 0.0, 0.0, 0.0],
        [-0.7, 0.4, 0.0, 0.0, 0.0, 0.0],
        [0.7, 0.0, 0.2, 0.0, 0.0, 0.0],
    ]
)
WINDOW_DAYS = 91


@pytest.fixture(scope="module")
def world() -> tuple[KindsOfCustomers, Floats]:
    return simulated(6_000, seed=3)


def test_the_gradient_is_that_of_the_penalised_likelihood(world: tuple[KindsOfCustomers, Floats]):
    at = (TRUE + 0.05).reshape(-1)
    gradient = penalised_log_likelihood(at.reshape(TRUE.shape), world[0])[1].reshape(-1)
    numerical = approx_fprime(at, lambda flat: penalised_log_likelihood(flat.reshape(TRUE.shape), world[0])[0], 1e-6)
    assert gradient == pytest.approx(numerical, rel=1e-3, abs=0.05)


def test_the_search_ends_where_the_likelihood_is_flat(world: tuple[KindsOfCustomers, Floats]):
    people, _ = world
    found = fit_covariates(people, fit_purchases(people.customers).model)
    _, gradient = penalised_log_likelihood(found, people)
    # Of 6,000 customers; a thousandth more of any coefficient would change nothing that anybody sees.
    assert np.abs(gradient).max() < 0.1


def test_what_spend_and_coupons_do_is_found_again_in_a_simulated_world(world: tuple[KindsOfCustomers, Floats]):
    people, later = world
    pooled = fit_purchases(people.customers).model
    found = fit_covariates(people, pooled)
    assert found[1, 1:3] == pytest.approx(TRUE[1, 1:3], abs=0.2)
    life = (people.customers.x, people.customers.t_x, people.customers.T, WINDOW_DAYS / 7)
    expected, of_all = own_parameters(found, people.levels).expected(*life), pooled.expected(*life)
    big = people.levels[:, 0] > 1
    # Of who spends much the pooled model expects too much, the other one what happens.
    assert expected[big].sum() == pytest.approx(later[big].sum(), rel=0.2)
    assert of_all[big].sum() > 1.2 * expected[big].sum()


def test_a_deviation_has_four_levels_and_three_deviations_are_the_end():
    levels = Levels(spend_mean=3.0, spend_scale=2.0, coupon_mean=0.5, coupon_scale=0.0)
    given = np.array([[3.0, 0.9], [3.3, 0.5], [5.1, 0.1], [99.0, 0.5], [-99.0, 0.5]])
    assert levels.level(given)[:, 0].tolist() == [0.0, 0.25, 1.0, 3.0, -3.0]
    assert levels.level(given)[:, 1].tolist() == [0.0] * 5, "nobody differs in coupons"


def test_the_candidate_with_the_best_log_score_of_the_held_out_window_is_chosen(
    world: tuple[KindsOfCustomers, Floats],
):
    past = held_out(world)
    choice = choose_model(past.lives, lambda: past, window_days=WINDOW_DAYS)
    assert choice.candidate == COVARIATES
    assert choice.scores is not None
    assert choice.scores[COVARIATES].log_score > choice.scores[POOLED].log_score
    assert abs(choice.scores[COVARIATES].error or 0) < 0.1


def test_where_spend_and_coupons_say_nothing_the_pooled_model_stays():
    people, later = simulated(3_000, seed=4, coefficients=TRUE * [1, 0, 0, 0, 0, 0])
    past = held_out((people, later))
    scores = compare(past, window_days=WINDOW_DAYS)
    chosen = choose_model(past.lives, lambda: past, window_days=WINDOW_DAYS).candidate
    assert chosen == max(scores, key=lambda name: scores[name].log_score)
    assert abs(scores[POOLED].log_score - scores[COVARIATES].log_score) < 0.01


def test_a_shop_with_a_short_history_gets_the_pooled_model_and_the_reason(world: tuple[KindsOfCustomers, Floats]):
    past = held_out(world)
    young = replace(past, lives=replace(past.lives, days_lived=past.lives.days_lived.clip(max=50)))
    choice = choose_model(past.lives, lambda: young, window_days=90)
    because = "too few customers, or too short a history, before the last 90 days"
    assert (choice.candidate, choice.because) == (POOLED, because)


def test_customers_who_never_leave_are_predicted_without_dropout():
    rng = np.random.default_rng(6)
    T = rng.uniform(20, 60, 500)
    rate = rng.gamma(2.0, 1 / 4.0, 500)
    x = rng.poisson(rate * T).astype(np.float64)
    people = Customers(x, np.where(x > 0, T * x / (x + 1), 0.0), T, np.ones(500))
    fit = fit_without_dropout(people)
    assert (fit.model.r, fit.model.alpha) == pytest.approx((2.0, 4.0), rel=0.2)
    assert fit.model.p_alive(x, people.t_x, T).min() == 1.0
    expected = fit.model.expected(x, people.t_x, T, 13.0)
    assert expected == pytest.approx((fit.model.r + x) / (fit.model.alpha + T) * 13.0)


def test_customers_who_leave_have_no_model_without_dropout(world: tuple[KindsOfCustomers, Floats]):
    with pytest.raises(FitFailed, match="customers leave"):
        fit_without_dropout(world[0].customers)


def test_subscribers_have_predictions(world: tuple[KindsOfCustomers, Floats]):
    weeks = np.linspace(20, 60, 400)
    x = np.floor(weeks / 4)
    people = Known(Customers(x, 4 * x, weeks, np.ones(400)), world[0].levels[:400])
    choice = choose_model(lambda _: people, lambda: pytest.fail("nothing to compare"), window_days=90)
    assert choice.candidate == NO_DROPOUT
    expected = choice.pooled.model.expected(x, 4 * x, weeks, 52.0)
    assert np.isfinite(expected).all()
    assert expected.mean() == pytest.approx(52 / 4, rel=0.05)


def test_what_a_customer_will_buy_does_not_depend_on_who_is_computed_with_him():
    rng = np.random.default_rng(8)
    people = pd.DataFrame(
        {
            "frequency": rng.integers(1, 60, 1_003),
            "weeks": rng.integers(1, 500, 1_003) / 7,
            "r": np.exp(rng.normal(0, 1, 1_003)),
            "alpha": np.exp(rng.normal(2, 1, 1_003)),
            # Some of them beyond what the closed form can say.
            "a": np.where(np.arange(1_003) % 50 == 0, 3_000.0, np.exp(rng.normal(0, 1, 1_003))),
            "b": np.exp(rng.normal(1, 1, 1_003)),
            "purchase_version": rng.integers(1, 3, 1_003),
            "forecast_from": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 3, 1_003) * 31, unit="D"),
        }
    )
    seasons = {1: json.dumps([0.8, 1.2] * 6), 2: None}
    people["season"] = people["purchase_version"].map(seasons)
    people["forecast_from"] = people["forecast_from"].where(people["purchase_version"] == 1)
    together = purchase_forecasts(people, horizon_days=365, discount_rate=0.1, window_days=90)
    for size in (1, 2, 7, 64):
        few = people.iloc[501 : 501 + size]
        own = purchase_forecasts(few, horizon_days=365, discount_rate=0.1, window_days=90)
        pd.testing.assert_frame_equal(own, together.iloc[501 : 501 + size], check_exact=True)
    alone = [
        purchase_forecasts(people.iloc[[at]], horizon_days=365, discount_rate=0.1, window_days=90)
        for at in range(0, 1_003, 50)
    ]
    pd.testing.assert_frame_equal(pd.concat(alone), together.iloc[::50], check_exact=True)


def held_out(world: tuple[KindsOfCustomers, Floats]) -> HeldOut:
    """The customers as they stand in a holdout: spend of a level, and coupons of it; no months to tell a season by."""
    people, later = world
    x, spend, coupon = people.customers.x, people.levels[:, 0], people.levels[:, 1]
    n = x + 1
    customers = pd.DataFrame(
        {
            "frequency": n,
            "orders": n,
            "coupon_orders": np.clip(np.round(n * (0.5 + coupon / 6)), 0, n),
            "log_spend_sum": n * (5 + spend),
            "log_spend_square_sum": n * (5 + spend) ** 2 + 0.001 * n,
            "lived_days": 7 * people.customers.T,
            "silent_days": 7 * (people.customers.T - people.customers.t_x),
            "purchases_after": later,
        }
    )
    months = pd.DataFrame(columns=["cohort", "age", "month", "is_held_out", "customer_days", "purchases"])
    return HeldOut.of(customers, months, date(2026, 1, 1), window_days=WINDOW_DAYS)


def simulated(customers: int, *, seed: int, coefficients: Floats = TRUE) -> tuple[KindsOfCustomers, Floats]:
    """Customers whose rate and drop-out go with their levels, and their purchases in the window after."""
    rng = np.random.default_rng(seed)
    levels = np.clip(np.round(rng.normal(0, 1, (customers, 2)) * 4) / 4, -3, 3)
    own = own_parameters(coefficients, levels)
    rows = []
    for rate, dropout, T in zip(
        rng.gamma(own.r, 1 / own.alpha), rng.beta(own.a, own.b), rng.uniform(5, 78, customers), strict=True
    ):
        purchases = min(int(rng.geometric(max(dropout, 1e-9))), 3_000) - 1
        times = np.cumsum(rng.exponential(1 / rate, min(purchases, 2_000))) if purchases else np.empty(0)
        seen = times[times < T]
        later = np.count_nonzero((times >= T) & (times < T + WINDOW_DAYS / 7))
        rows.append((len(seen), seen[-1] if len(seen) else 0.0, T, later))
    x, t_x, T, later = np.array(rows, dtype=np.float64).T
    return KindsOfCustomers(Customers(x, t_x, T, np.ones(customers)), levels), later
