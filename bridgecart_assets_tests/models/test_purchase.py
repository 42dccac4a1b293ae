"""The purchase model against published figures, an integral, a simulation, and its own limits."""

from dataclasses import asdict, astuple, replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import approx_fprime
from scipy.special import beta

from bridgecart_assets.models.arrays import Floats
from bridgecart_assets.models.gamma_gamma import GammaGamma, fit_gamma_gamma
from bridgecart_assets.models.purchase import (
    Customers,
    FitFailed,
    Kind,
    PurchaseModel,
    expected_if_alive,
    fit_purchases,
    log_likelihood,
    purchase_forecasts,
)
from bridgecart_assets_tests.models.cdnow import repeat_spend, summary
from bridgecart_assets_tests.support.examples import examples

NO_SEASON = {"purchase_version": 1, "forecast_from": None, "season": None}
OPENING = datetime(1997, 10, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "published"),
    [("bg", (0.243, 4.414, 0.793, 2.426)), ("mbg", (0.5248, 6.1831, 0.8914, 1.6140))],
)
def test_the_fit_on_cdnow_gives_the_published_parameters(kind: Kind, published: tuple[float, ...]):
    fit = fit_purchases(summary(OPENING), kind=kind)
    assert astuple(fit.model)[:4] == pytest.approx(published, abs=5e-4)


def test_the_log_likelihood_of_bg_nbd_on_cdnow_is_the_published_one():
    customers = summary(OPENING)
    assert fit_purchases(customers, kind="bg").log_likelihood == pytest.approx(-9582.4, abs=0.1)
    assert customers.weight.sum() == 2357
    assert customers.weight @ customers.x == 2457


def test_the_expectation_of_the_published_customer_is_the_published_one():
    model = PurchaseModel(r=0.243, alpha=4.414, a=0.793, b=2.426, kind="bg")
    assert model.expected(_one(2.0), _one(30.43), _one(38.86), 39.0)[0] == pytest.approx(1.226, abs=5e-4)


def test_gamma_gamma_on_cdnow_gives_the_published_parameters():
    model = fit_gamma_gamma(*repeat_spend(OPENING))
    assert (model.p, model.q, model.v) == pytest.approx((6.25, 3.74, 15.44), abs=0.01)
    # Note 025: the mean of all customers is p * v / (q - 1).
    assert model.expected_spend(_one(0.0), _one(0.0))[0] == pytest.approx(model.p * model.v / (model.q - 1))


@pytest.mark.parametrize("rate", [1e-4, 16_000.0])
def test_gamma_gamma_is_the_same_in_every_currency(rate: float):
    transactions, mean = repeat_spend(OPENING)
    model, exchanged = fit_gamma_gamma(transactions, mean), fit_gamma_gamma(transactions, mean * rate)
    assert (exchanged.p, exchanged.q, exchanged.v / rate) == pytest.approx((model.p, model.q, model.v), rel=1e-6)


def test_gamma_gamma_moves_from_the_mean_of_all_to_that_of_the_customer():
    model = GammaGamma(6.25, 3.74, 15.44)
    spend = model.expected_spend(np.array([0.0, 1.0, 10.0, 10_000.0]), np.full(4, 100.0))
    assert list(spend) == sorted(spend)
    assert spend[-1] == pytest.approx(100.0, rel=1e-3)


def test_gamma_gamma_is_refused_where_it_expects_an_infinite_spend():
    """With q <= 1 it would expect a negative one of customers with little history."""
    rng = np.random.default_rng(2)
    with pytest.raises(FitFailed, match="infinite"):
        fit_gamma_gamma(np.full(400, 2.0), 10 ** rng.uniform(-2, 9, 400))


@pytest.mark.parametrize("kind", ["bg", "mbg"])
def test_the_gradient_is_that_of_the_likelihood(kind: Kind):
    from bridgecart_assets.models import purchase

    customers = summary(OPENING)
    at = np.array([0.4, 5.0, 0.9, 2.0])
    gradient = purchase._log_likelihood(at, customers, kind)[1]
    numerical = approx_fprime(at, lambda p: purchase._log_likelihood(p, customers, kind)[0], 1e-6)
    assert gradient == pytest.approx(numerical, rel=1e-4)


def test_a_maximum_is_a_maximum():
    customers = summary(OPENING)
    fit = fit_purchases(customers)
    for name in ("r", "alpha", "a", "b"):
        for factor in (0.99, 1.01):
            moved = replace(fit.model, **{name: getattr(fit.model, name) * factor})
            assert log_likelihood(moved, customers) < fit.log_likelihood


def test_customers_grouped_or_one_by_one_have_the_same_likelihood():
    rng = np.random.default_rng(3)
    x = rng.integers(0, 4, 500).astype(float)
    t_x, T = np.where(x > 0, rng.integers(1, 5, 500), 0).astype(float), np.full(500, 6.0)
    grouped = Customers.of(x, t_x, T)
    assert len(grouped.x) < 40
    single = Customers(x, t_x, T, np.ones(500))
    model = PurchaseModel(0.5, 6.0, 0.9, 1.6)
    assert log_likelihood(model, grouped) == pytest.approx(log_likelihood(model, single), rel=1e-12)


models = st.builds(
    PurchaseModel,
    r=st.floats(0.05, 5),
    alpha=st.floats(0.1, 50),
    a=st.floats(0.05, 5),
    b=st.floats(0.1, 10),
    kind=st.sampled_from(("bg", "mbg")),
)
lives = st.tuples(st.integers(0, 400), st.floats(0, 1), st.floats(1, 300))


@given(model=models, life=lives, horizon=st.floats(1, 104))
@example(PurchaseModel(r=0.5, alpha=0.5, a=0.5, b=1.0), (98, 0.0, 1.0), 14.0)
@example(PurchaseModel(r=1.0, alpha=1.0, a=2.0, b=1.0, kind="bg"), (99, 0.0, 1.0), 14.0)
@example(PurchaseModel(r=0.1640625, alpha=1.0, a=1.0, b=1.0, kind="bg"), (0, 0.0, 1.0), 1.0)
@example(PurchaseModel(r=0.1640625, alpha=1.0, a=1.00003, b=1.0, kind="bg"), (0, 0.0, 1.0), 1.0)
@example(PurchaseModel(r=2.0, alpha=1.0, a=0.99997, b=1.0), (0, 0.0, 300.0), 104.0)
@example(PurchaseModel(r=1.0, alpha=1.0, a=0.5, b=0.5, kind="bg"), (0, 0.0, 1.0), 1.0)
@examples(150)
def test_the_expectation_is_the_integral_over_the_chance_to_drop_out(
    model: PurchaseModel, life: tuple[int, float, float], horizon: float
):
    x, _, T = life
    chances = x + 1 if model.kind == "mbg" else x
    shape, lived = model.r + x, model.alpha + T

    def bought(p: float) -> float:
        # expm1 and log1p, because for small p it is a difference of two ones.
        return -np.expm1(-shape * np.log1p(p * horizon / lived)) / p if p > 0 else shape * horizon / lived

    integral, _ = quad(
        bought, 0, 1, weight="alg", wvar=(model.a - 1, model.b + chances - 1), epsabs=0, epsrel=1e-9, limit=500
    )
    expected = integral / beta(model.a, model.b + chances)
    found = expected_if_alive(model.r, model.alpha, model.a, model.b, _one(x), _one(T), horizon, kind=model.kind)[0]
    assert found == pytest.approx(expected, rel=1e-6)


# Whatever a fit may end at, and far beyond: exp(12) is 160,000.
extremes = st.floats(-6, 6).map(lambda power: 10**power)
extreme_models = st.builds(
    PurchaseModel, r=extremes, alpha=extremes, a=extremes, b=extremes, kind=st.sampled_from(("bg", "mbg"))
)


@given(model=extreme_models, life=lives, days=st.integers(1, 3_650))
@example(PurchaseModel(r=0.646039, alpha=3.057835, a=16538.967825, b=94683.831344), (2, 0.5, 50.0), 365)
@example(PurchaseModel(r=1e6, alpha=1e-6, a=1e-6, b=1e6), (400, 1.0, 1.0), 3_650)
@example(PurchaseModel(r=1e-6, alpha=1e6, a=1e-6, b=1e-6, kind="bg"), (0, 0.0, 1.0), 1)
@examples(150)
def test_whatever_the_parameters_a_figure_is_finite_and_within_its_bounds(
    model: PurchaseModel, life: tuple[int, float, float], days: int
):
    x, share, T = life
    t_x = share * T if x else 0.0
    alive = model.p_alive(_one(x), _one(t_x), _one(T))[0]
    buys = model.p_purchase(_one(x), _one(t_x), _one(T), days / 7)[0]
    assert 0 <= buys <= alive <= 1
    shape, lived, chances = model.r + x, model.alpha + T, x + (model.kind == "mbg")
    found = expected_if_alive(model.r, model.alpha, model.a, model.b, _one(x), _one(T), days / 7, kind=model.kind)[0]
    certain = model.a / (model.a + model.b + chances)
    fewest = -np.expm1(-shape * np.log1p(certain * days / 7 / lived)) / certain
    assert fewest * (1 - 1e-9) <= found <= shape * days / 7 / lived * (1 + 1e-9)
    (row,) = purchase_forecasts(
        pd.DataFrame([{"frequency": x + 1, "weeks": T, **asdict(model), **NO_SEASON}]),
        horizon_days=days,
        discount_rate=0.1,
        window_days=min(days, 90),
    ).to_dict("records")
    assert 0 <= row["discounted_purchases"] <= row["purchases"] <= days
    assert 0 <= row["window_purchases"] <= min(days, 90)


even = st.tuples(st.floats(0.001, 0.999), st.floats(3, 6)).map(lambda p: (p[0] * 10 ** p[1], (1 - p[0]) * 10 ** p[1]))


@given(dropout=even, r=st.floats(0.05, 5), alpha=st.floats(0.5, 50), life=lives, horizon=st.floats(1, 104))
@examples(100)
def test_where_all_drop_out_with_the_same_chance_the_expectation_is_that_of_this_chance(
    dropout: tuple[float, float], r: float, alpha: float, life: tuple[int, float, float], horizon: float
):
    """Of a and b in the thousands and more only a / (a + b) matters, to a share of some 1 / (a + b)."""
    (a, b), (x, share, T) = dropout, life
    x, t_x = x % 20, share * T if x % 20 else 0.0
    p, model = a / (a + b), PurchaseModel(r, alpha, a, b)
    limit = (1 - ((alpha + T) / (alpha + T + p * horizon)) ** (r + x)) / p
    found = expected_if_alive(r, alpha, a, b, _one(x), _one(T), horizon)[0]
    assert found == pytest.approx(limit, rel=30 * (x + 1) / min(a, b) + 1e-9)
    odds = p / (1 - p) * ((alpha + T) / (alpha + t_x)) ** (r + x)
    assert model.p_alive(_one(x), _one(t_x), _one(T))[0] == pytest.approx(1 / (1 + odds), rel=2 * (x + 1) / b)


@given(
    model=st.builds(
        PurchaseModel,
        r=st.floats(0.05, 100),
        alpha=st.floats(0.5, 100),
        a=st.floats(0.05, 1e5),
        b=st.floats(0.05, 1e5),
        kind=st.sampled_from(("bg", "mbg")),
    ),
    life=lives,
    horizon=st.floats(1, 104),
)
@example(PurchaseModel(r=1.0, alpha=5.0, a=998.5, b=0.4), (0, 0.0, 10.0), 52.0)
@example(PurchaseModel(r=1.0, alpha=5.0, a=998.7, b=0.4), (0, 0.0, 10.0), 52.0)
@example(PurchaseModel(r=0.3, alpha=5.0, a=0.5, b=998.4), (0, 0.0, 1.0), 52.0)
@example(PurchaseModel(r=0.3, alpha=5.0, a=0.5, b=998.6), (0, 0.0, 1.0), 52.0)
@example(PurchaseModel(r=999.9, alpha=900.0, a=0.5, b=2.0), (0, 0.0, 1.0), 52.0)
@example(PurchaseModel(r=1_000.1, alpha=900.0, a=0.5, b=2.0), (0, 0.0, 1.0), 52.0)
@examples(100)
def test_on_both_sides_of_where_the_closed_form_ends_the_expectation_is_the_integral(
    model: PurchaseModel, life: tuple[int, float, float], horizon: float
):
    x, _, T = life
    x = min(x, int(7 * T))
    chances = x + (model.kind == "mbg")
    found = expected_if_alive(model.r, model.alpha, model.a, model.b, _one(x), _one(T), horizon, kind=model.kind)[0]
    expected = _integrated(model.a, model.b + chances, model.r + x, model.alpha + T, horizon)
    assert found == pytest.approx(expected, rel=1e-6)


def test_the_expectation_has_no_gap_where_the_usual_formula_divides_by_zero():
    x, T = np.array([0.0, 3.0]), np.array([10.0, 50.0])
    below, at, above = (expected_if_alive(0.5, 6.0, a, 1.6, x, T, 26.0) for a in (1 - 1e-5, 1.0, 1 + 1e-5))
    assert at == pytest.approx((below + above) / 2, rel=1e-6)


@given(model=models, life=lives)
@examples(100)
def test_probabilities_are_probabilities_and_silence_lowers_them(model: PurchaseModel, life: tuple[int, float, float]):
    x, share, T = life
    t_x = share * T if x else 0.0
    alive = model.p_alive(_one(x), _one(t_x), _one(T))[0]
    later = model.p_alive(_one(x), _one(t_x), _one(T + 10))[0]
    buys = model.p_purchase(_one(x), _one(t_x), _one(T), 13.0)[0]
    assert 0 <= later <= alive <= 1
    assert 0 <= buys <= alive
    if model.kind == "bg" and x == 0:
        assert alive == 1, "BG/NBD calls every one-time buyer alive: why it is not used for churn"


@pytest.mark.parametrize("true", [PurchaseModel(1.6, 3.4, 0.2, 1.7), PurchaseModel(0.5, 6.0, 0.9, 1.6)])
def test_the_parameters_of_a_simulated_world_are_found_again(true: PurchaseModel):
    x, t_x, T, later = _simulated(true, customers=20_000, weeks=78.0, horizon=26.0)
    fit = fit_purchases(Customers.of(x, t_x, T))
    assert astuple(fit.model)[:4] == pytest.approx(astuple(true)[:4], rel=0.12)
    # And what they say about the half year that the fit has not seen.
    assert fit.model.expected(x, t_x, T, 26.0).sum() == pytest.approx(later.sum(), rel=0.03)
    assert fit.model.p_purchase(x, t_x, T, 26.0).mean() == pytest.approx((later > 0).mean(), abs=0.01)


@pytest.mark.parametrize(
    "true",
    [PurchaseModel(0.8, 4.7, 8e5, 9.2e6), PurchaseModel(1e6, 4.6e6, 1.7, 46.0), PurchaseModel(1e6, 4.6e6, 8e5, 9.2e6)],
    ids=["all drop out with the same chance", "all buy at the same rate", "both"],
)
@pytest.mark.parametrize("seed", [2, 16, 18])
def test_customers_of_whom_all_are_alike_are_foretold(true: PurchaseModel, seed: int):
    x, t_x, T, later = _simulated(true, customers=1_000, weeks=78.0, horizon=26.0, seed=seed)
    model = fit_purchases(Customers.of(x, t_x, T)).model
    assert model.a / (model.a + model.b) == pytest.approx(true.a / (true.a + true.b), rel=0.2)
    assert model.r / model.alpha == pytest.approx(true.r / true.alpha, rel=0.1)
    assert model.expected(x, t_x, T, 26.0).sum() == pytest.approx(later.sum(), rel=0.12)
    assert model.p_purchase(x, t_x, T, 26.0).mean() == pytest.approx((later > 0).mean(), abs=0.03)


@pytest.mark.parametrize(
    ("x", "t_x"),
    [(np.zeros(500), np.zeros(500)), (np.full(500, 50.0), np.full(500, 51.9))],
    ids=["nobody came back", "nobody ever left"],
)
def test_purchases_without_a_maximum_are_refused(x: Floats, t_x: Floats):
    with pytest.raises(FitFailed, match="no maximum"):
        fit_purchases(Customers.of(x, t_x, np.full(500, 52.0)))


def _integrated(a: float, b: float, shape: float, lived: float, weeks: float) -> float:
    """The expectation over Beta(a, b), summed in small steps of the chance's log-odds.

    There the density is smooth and falls to both sides, however narrow or steep it is in the chance itself. Where the
    chance is so small that it makes no difference, the sum has a closed form.
    """

    def log_density(at: Floats | float) -> Floats:
        return np.asarray(-a * np.logaddexp(0, -np.asarray(at)) - b * np.logaddexp(0, at))

    mode, step = np.log(a / b), min(0.05, np.sqrt((a + b) / (a * b)) / 20)
    indifferent = -40 - np.log1p((shape + 1) * weeks / lived) - np.log1p(b)
    at = mode + step * np.arange(-100_000, 100_001)
    at = at[(at > indifferent) & (log_density(at) > log_density(mode) - 45)]
    density = np.exp(log_density(at) - log_density(mode))
    chance = np.exp(-np.logaddexp(0, -at))
    bought = -np.expm1(-shape * np.log1p(chance * weeks / lived)) / chance
    rest = float(np.exp(log_density(at[0] - step / 2) - log_density(mode))) / (a * step)
    return float((density @ bought + rest * shape * weeks / lived) / (density.sum() + rest))


def _one(value: float) -> Floats:
    return np.array([float(value)])


def _simulated(
    model: PurchaseModel, *, customers: int, weeks: float, horizon: float, seed: int = 5
) -> tuple[Floats, Floats, Floats, Floats]:
    """MBG/NBD one customer at a time: x, t_x, T, and purchases in the horizon after."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(customers):
        rate, dropout = rng.gamma(model.r, 1 / model.alpha), rng.beta(model.a, model.b)
        T = rng.uniform(1, weeks)
        times, now = [], 0.0
        while rng.random() >= dropout:
            now += rng.exponential(1 / rate) if rate > 0 else np.inf
            if now >= T + horizon:
                break
            times.append(now)
        seen = [time for time in times if time < T]
        rows.append((len(seen), seen[-1] if seen else 0.0, T, len(times) - len(seen)))
    x, t_x, observed, later = np.array(rows, dtype=np.float64).T
    return x, t_x, observed, later
