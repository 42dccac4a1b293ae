"""The log-normal spend model: variances found again, and what happens when they cannot be told apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.models.arrays import Floats
from bridgecart_assets.models.spend import SMALLEST_VARIANCE, SpendModel, fit_spend
from bridgecart_assets_tests.support.examples import examples


@pytest.mark.parametrize("true", [SpendModel(7.0, 0.2, 1.2), SpendModel(2.0, 1.5, 0.1)])
def test_mean_and_variances_of_a_simulated_population_are_found_again(true: SpendModel):
    rng = np.random.default_rng(4)
    days = rng.geometric(0.2, 20_000)
    fit = fit_spend(*_sums([rng.normal(rng.normal(true.mean, true.between**0.5), true.within**0.5, n) for n in days]))
    assert fit.mean == pytest.approx(true.mean, abs=0.03)
    assert fit.within == pytest.approx(true.within, rel=0.03)
    assert fit.between == pytest.approx(true.between, rel=0.05)


def test_customers_who_all_bought_once_give_half_the_variance_to_each():
    fit = fit_spend(*_sums([np.array([value]) for value in (1.0, 3.0)]))
    assert (fit.mean, fit.within, fit.between) == pytest.approx((2.0, 1.0, 1.0))


def test_one_customer_alone_is_no_population_and_still_no_division_by_zero():
    fit = fit_spend(*_sums([np.array([2.0, 2.0])]))
    assert (fit.mean, fit.within, fit.between) == (2.0, SMALLEST_VARIANCE, SMALLEST_VARIANCE)


def test_customers_who_differ_less_than_their_own_days_do_not_differ():
    fit = fit_spend(*_sums([np.array([1.0, 5.0]), np.array([5.0, 1.0]), np.array([2.0, 4.0])]))
    assert fit.between == SMALLEST_VARIANCE
    assert fit.within > 1


@given(st.lists(st.lists(st.floats(-4, 30), min_size=1, max_size=6), min_size=1, max_size=30))
@examples(100)
def test_a_fit_is_finite_and_its_mean_lies_among_the_customers(population: list[list[float]]):
    fit = fit_spend(*_sums([np.array(own) for own in population]))
    means = [float(np.mean(own)) for own in population]
    assert min(means) - 1e-6 <= fit.mean <= max(means) + 1e-6
    assert SMALLEST_VARIANCE <= fit.within < 1e4
    assert SMALLEST_VARIANCE <= fit.between < 1e4


def _sums(population: list[Floats]) -> tuple[Floats, Floats, Floats]:
    days = np.array([float(len(own)) for own in population])
    return days, np.array([own.sum() for own in population]), np.array([(own**2).sum() for own in population])
