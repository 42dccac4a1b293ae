"""The shortcut draws the same process as the textbook's."""

from dataclasses import replace

import numpy as np
import pytest

from bridgecart_assets.synthetic.customers import Customers, draw_customers
from bridgecart_assets.synthetic.names import build_name_pools
from bridgecart_assets.synthetic.purchase_times import PurchaseTimes, draw_purchase_times

RATE, DROPOUT, WINDOW, CUSTOMERS = 0.05, 0.1, 200.0, 40_000


@pytest.fixture(scope="module")
def clones() -> Customers:
    """Many customers with one rate and one drop-out probability, all there from the first instant."""
    drawn = draw_customers(np.random.default_rng(3), CUSTOMERS, names=build_name_pools(3), window_days=WINDOW)
    return replace(
        drawn,
        arrival=np.zeros(CUSTOMERS),
        rate=np.full(CUSTOMERS, RATE),
        dropout=np.full(CUSTOMERS, DROPOUT),
    )


@pytest.fixture(scope="module")
def times(clones: Customers) -> PurchaseTimes:
    return draw_purchase_times(np.random.default_rng(4), clones, WINDOW)


def test_repeat_purchases_average_to_the_closed_form(times: PurchaseTimes) -> None:
    expected = (1 - DROPOUT) / DROPOUT * (1 - np.exp(-RATE * DROPOUT * WINDOW))
    error = times.counts.std() / np.sqrt(CUSTOMERS)
    assert (times.counts - 1).mean() == pytest.approx(expected, abs=4 * error)


def test_the_share_that_dropped_out_is_the_closed_form(times: PurchaseTimes) -> None:
    expected = 1 - (1 - DROPOUT) * np.exp(-RATE * DROPOUT * WINDOW)
    error = np.sqrt(expected * (1 - expected) / CUSTOMERS)
    assert times.died.mean() == pytest.approx(expected, abs=4 * error)


@pytest.mark.parametrize("day", [5.0, 20.0, 60.0])
def test_the_second_purchase_follows_an_exponential_gap(times: PurchaseTimes, day: float) -> None:
    second = (np.cumsum(times.counts) - times.counts + 1)[times.counts > 1]
    expected = (1 - DROPOUT) * (1 - np.exp(-RATE * day))
    error = np.sqrt(expected * (1 - expected) / CUSTOMERS)
    assert (times.days[second] <= day).sum() / CUSTOMERS == pytest.approx(expected, abs=4 * error)


def test_purchases_begin_at_arrival_rise_and_stay_in_the_window(clones: Customers) -> None:
    arrivals = np.linspace(0, WINDOW, CUSTOMERS, endpoint=False)
    times = draw_purchase_times(np.random.default_rng(5), replace(clones, arrival=arrivals), WINDOW)
    first = np.cumsum(times.counts) - times.counts
    assert times.days[first] == pytest.approx(arrivals)
    rises = np.diff(times.days) >= 0
    rises[first[1:] - 1] = True
    assert rises.all()
    assert times.days.max() < WINDOW
