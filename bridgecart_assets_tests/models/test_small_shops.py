"""Shops of 1 to 500 customers, from their events on: the refresh never fails, and every figure is one to believe."""

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import KPI_TABLES
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.models.figures import unbelievable
from bridgecart_assets_tests.sql.history import records
from bridgecart_assets_tests.support.pipeline import run_silver, run_whole_tables
from bridgecart_assets_tests.support.records import Record, event, store_batch

BATCH = "20300101T000000Z"
OPENED = datetime(2023, 5, 17, 9, 30, tzinfo=UTC)
EVEN_DROPOUT = Path(__file__).with_name("even_dropout.csv")

# Days of purchases since the opening, of one customer of a shop of so many days.
Habit = Callable[[np.random.Generator, int], list[float]]
# What one purchase costs.
Price = Callable[[np.random.Generator], float]


def test_customers_who_all_drop_out_with_the_same_chance_have_the_predictions_of_the_limit(
    warehouse: Warehouse, settings: Settings
):
    """120 customers whose fit has a and b in the thousands: scipy's hyp2f1 gave NaN, and 9e15 was their value."""
    with EVEN_DROPOUT.open(encoding="utf-8") as file:
        orders = [{**row, "purchase_amount": float(row["purchase_amount"])} for row in csv.DictReader(file)]
    run(warehouse, settings, [json.dumps(order).encode() for order in orders])
    (model,) = records(warehouse, "select * from gold.purchase_model")
    assert min(model["a"], model["b"]) > 1_000
    (found,) = records(
        warehouse,
        "select sum(expected_purchases) as purchases, sum(predicted_clv) as clv, count(predicted_clv) as customers "
        "from gold.customer_segments",
    )
    assert found["customers"] == 120
    # In the limit everybody drops out with p = a / (a + b): the sums of it and of credible spend, worked out apart.
    assert found["purchases"] == pytest.approx(131.74, abs=0.02)
    assert float(found["clv"]) == pytest.approx(7_438.77, abs=1.5)
    assert not unbelievable(warehouse, settings)
    assert all(records(warehouse, f"select 1 from {table.full_name} limit 1") for table in KPI_TABLES)


def test_samples_at_a_cent_and_trial_prices_do_not_make_customers_worth_many_times_what_they_pay_from_then_on(
    warehouse: Warehouse, settings: Settings
):
    """A tenth of the orders are samples and the first of everybody a trial: log-normal spend was 20 times the mean."""
    rng = np.random.default_rng(8)
    orders = [
        event(
            order_id=f"O{customer}-{number}",
            customer_id=f"C{customer}",
            purchase_date=(OPENED + timedelta(days=float(day))).isoformat(timespec="seconds"),
            purchase_amount=0.01 if rng.random() < 0.1 else 1.0 if number == 0 else round(rng.normal(100, 25), 2),
            discount_amount=0.0,
        )
        for customer in range(300)
        for number, day in enumerate(_bought(rng, 400, rate=rng.gamma(1.5, 1 / 40), chance=rng.beta(1.0, 4.0)))
    ]
    run(warehouse, settings, orders)
    (found,) = records(
        warehouse,
        "select avg(expected_spend) as spend, sum(predicted_clv) / sum(expected_purchases) as clv, "
        "(select sum(purchase_sales - 1) / sum(frequency - 1) from gold.customer_features) as paid "
        "from gold.customer_segments",
    )
    assert 0.9 * float(found["paid"]) < found["spend"] < 1.1 * float(found["paid"])
    assert found["clv"] < 1.1 * float(found["paid"])
    assert not unbelievable(warehouse, settings)


def even_dropout(rng: np.random.Generator, days: int) -> list[float]:
    return _bought(rng, days, rate=rng.gamma(0.6, 1 / 20), chance=0.15)


def even_everything(rng: np.random.Generator, days: int) -> list[float]:
    return _bought(rng, days, rate=1 / 20, chance=0.1)


def uneven(rng: np.random.Generator, days: int) -> list[float]:
    return _bought(rng, days, rate=rng.gamma(0.5, 1 / 10), chance=rng.beta(0.5, 1.0))


def once(rng: np.random.Generator, days: int) -> list[float]:
    return [rng.uniform(0, days)]


def subscribed(rng: np.random.Generator, days: int) -> list[float]:
    return list(np.arange(rng.uniform(0, min(days, 30)), days, 30))


def every_day(rng: np.random.Generator, days: int) -> list[float]:
    return list(np.arange(rng.uniform(0, days), days, 1.0))[-40:]


def on_one_day(rng: np.random.Generator, days: int) -> list[float]:
    return [days - 1.0] * int(rng.integers(1, 4))


HABITS: tuple[Habit, ...] = (even_dropout, uneven, even_everything, subscribed, once, every_day, on_one_day)
PRICES: dict[str, Price] = {
    "log-normal": lambda rng: float(rng.lognormal(3.5, 0.7)),
    "always the same": lambda rng: 10.0,
    "samples and planes": lambda rng: float(rng.choice([0.01, 1e9])),
    "over ten powers of ten": lambda rng: float(10 ** rng.uniform(-2, 9)),
    "with refunds": lambda rng: float(rng.choice([25.0, 25.0, 40.0, -25.0, 0.0])),
}


# Seeds of the shops that always run, with their customers: enough for predictions, and one alone.
ALWAYS = {1: 130, 2: 120, 3: 140, 5: 110, 6: 1}
MORE = range(7, 112)


def shop(seed: int) -> tuple[Habit, str]:
    """Every habit meets every price as the seeds go on."""
    return HABITS[seed % len(HABITS)], list(PRICES)[seed % len(PRICES)]


def named(seed: int) -> str:
    habit, price = shop(seed)
    return f"{habit.__name__}, {price}, {seed}"


@pytest.mark.parametrize("seed", [*ALWAYS, *(pytest.param(seed, marks=pytest.mark.slow) for seed in MORE)], ids=named)
def test_the_refresh_of_a_small_shop_never_fails_and_every_figure_is_finite_and_bounded(
    warehouse: Warehouse, settings: Settings, seed: int
):
    habit, price = shop(seed)
    rng = np.random.default_rng(seed)
    customers, days = ALWAYS.get(seed, round(500 ** rng.uniform(0, 1))), int(rng.integers(1, 800))
    if seed in ALWAYS:
        days = 300
    orders = [
        event(
            order_id=f"O{customer}-{number}",
            customer_id=f"C{customer}",
            purchase_date=(OPENED + timedelta(days=float(day))).isoformat(timespec="seconds"),
            purchase_amount=round(PRICES[price](rng), 2),
            coupon_used=bool(rng.random() < 0.2),
        )
        for customer in range(customers)
        for number, day in enumerate(habit(rng, days))
    ]
    run(warehouse, settings, orders)
    assert not unbelievable(warehouse, settings)


def run(warehouse: Warehouse, settings: Settings, orders: list[bytes]) -> None:
    store_batch(warehouse, BATCH, [Record(payload) for payload in orders])
    run_silver(warehouse, settings, BATCH)
    run_whole_tables(warehouse, settings)


def _bought(rng: np.random.Generator, days: int, *, rate: float, chance: float) -> list[float]:
    """Purchases at a rate (a day) until the customer drops out, with a chance after each."""
    bought = [rng.uniform(0, days)]
    while rng.random() >= chance and rate > 0 and len(bought) < 100:
        bought.append(bought[-1] + rng.exponential(1 / rate))
    return [day for day in bought if day < days]
