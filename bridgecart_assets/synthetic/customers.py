"""Customers: who they are, and the hidden parameters that make them buy."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridgecart_assets.synthetic.catalog import GENDER_SHARES, PAYMENT_POPULARITY
from bridgecart_assets.synthetic.columns import Columns
from bridgecart_assets.synthetic.names import NamePools
from bridgecart_assets.synthetic.personas import PERSONAS, Persona

STILL_ALIVE = -1
"""`died_ms` of a customer that has not dropped out by the end of the horizon."""

FEMALE, MALE = 0, 1
AGE_SD_YEARS = 10.0
ADULT, OLDEST = 18, 90
LOG_INCOME_SD = 0.45
FIRST_MOBILE, LAST_MOBILE = 6_000_000_000, 9_999_999_999
# A Beta draw can round to exactly 0, and a geometric draw needs a positive chance.
SMALLEST_CHANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Customers(Columns):
    """Row i is customer number i + 1.

    `rate` is per operational day (a calendar day on average), `log_spend_mean` and `log_spend_sd` describe
    ln(net INR per order), `arrival` counts operational days since the start, `*_ms` are epoch milliseconds,
    `income` is INR a year.
    """

    persona: NDArray[np.int8]
    rate: NDArray[np.float64]
    dropout: NDArray[np.float64]
    log_spend_mean: NDArray[np.float64]
    log_spend_sd: NDArray[np.float64]
    coupon_affinity: NDArray[np.float64]
    payment: NDArray[np.int8]
    first_name: NDArray[np.int16]
    last_name: NDArray[np.int16]
    gender: NDArray[np.int8]
    age: NDArray[np.int16]
    income: NDArray[np.int64]
    mobile: NDArray[np.int64]
    arrival: NDArray[np.float64]
    arrived_ms: NDArray[np.int64]
    died_ms: NDArray[np.int64]


def draw_customers(rng: np.random.Generator, count: int, *, names: NamePools, window_days: float) -> Customers:
    """`count` customers in random order, arriving evenly over `window_days` operational days.

    `arrived_ms` and `died_ms` are left at `STILL_ALIVE`: only their purchases tell.
    """
    persona = rng.choice(len(PERSONAS), size=count, p=[p.share for p in PERSONAS]).astype(np.int8)

    def of(parameter: Callable[[Persona], float]) -> NDArray[np.float64]:
        return np.array([parameter(p) for p in PERSONAS])[persona]

    gender = rng.choice(len(GENDER_SHARES), size=count, p=GENDER_SHARES).astype(np.int8)
    income = rng.lognormal(np.log(of(lambda p: p.income)), LOG_INCOME_SD)
    return Customers(
        persona=persona,
        rate=rng.standard_gamma(of(lambda p: p.rate_shape)) * of(lambda p: p.rate / p.rate_shape),
        dropout=_draw_chance(rng, of(lambda p: p.dropout), of(lambda p: p.dropout_concentration)),
        log_spend_mean=rng.normal(of(lambda p: np.log(p.spend)), of(lambda p: p.spend_sd_between)),
        log_spend_sd=of(lambda p: p.spend_sd_within),
        coupon_affinity=_draw_chance(rng, of(lambda p: p.coupon), of(lambda p: p.coupon_concentration)),
        payment=rng.choice(len(PAYMENT_POPULARITY), size=count, p=PAYMENT_POPULARITY).astype(np.int8),
        first_name=_draw_first_names(rng, gender, names),
        last_name=rng.integers(len(names.last), size=count).astype(np.int16),
        gender=gender,
        age=np.clip(rng.normal(of(lambda p: p.age), AGE_SD_YEARS), ADULT, OLDEST).astype(np.int16),
        income=np.round(income, -3).astype(np.int64),
        mobile=rng.integers(FIRST_MOBILE, LAST_MOBILE, size=count, endpoint=True),
        arrival=rng.random(count) * window_days,
        arrived_ms=np.full(count, STILL_ALIVE),
        died_ms=np.full(count, STILL_ALIVE),
    )


def _draw_chance(
    rng: np.random.Generator, mean: NDArray[np.float64], concentration: NDArray[np.float64]
) -> NDArray[np.float64]:
    chance = rng.beta(mean * concentration, (1 - mean) * concentration)
    return np.clip(chance, SMALLEST_CHANCE, 1 - SMALLEST_CHANCE)


def _draw_first_names(rng: np.random.Generator, gender: NDArray[np.int8], names: NamePools) -> NDArray[np.int16]:
    low = np.where(gender == MALE, names.female, 0)
    high = np.where(gender == FEMALE, names.female, len(names.first))
    return rng.integers(low, high).astype(np.int16)
