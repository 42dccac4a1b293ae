"""The choice between models of spend: each wins where it is true, and samples at a cent fool none of them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.models.arrays import Floats
from bridgecart_assets.models.gamma_gamma import GammaGamma
from bridgecart_assets.models.spend_choice import (
    GROUPS,
    MIN_HELD_OUT,
    Credibility,
    PurchaseDays,
    choose_spend,
    fit_credibility,
    repeat_scale,
)
from bridgecart_assets_tests.support.examples import examples


def log_normal(rng: np.random.Generator, customers: int) -> list[Floats]:
    levels = rng.normal(4, 1.2, customers)
    return [rng.lognormal(level, 0.4, days) for level, days in zip(levels, _days(rng, customers), strict=True)]


def gamma_gamma(rng: np.random.Generator, customers: int) -> list[Floats]:
    scales = 1 / rng.gamma(3.5, 1 / 40, customers)
    return [rng.gamma(1.0, scale, days) for scale, days in zip(scales, _days(rng, customers), strict=True)]


def samples_at_a_cent(rng: np.random.Generator, customers: int) -> list[Floats]:
    """A tenth of all purchases; the others are about 100 for everybody."""
    return [np.where(rng.random(days) < 0.1, 0.01, rng.normal(103, 25, days)) for days in _days(rng, customers)]


def test_log_normal_spend_is_found_to_be_log_normal():
    assert choose_spend(_sums(log_normal(np.random.default_rng(1), 3_000))).name == "log-normal"


def test_gamma_spend_is_found_to_be_gamma_gamma_and_the_line_is_its_own():
    choice = choose_spend(_sums(gamma_gamma(np.random.default_rng(2), 3_000)))
    assert choice.name == "Gamma-Gamma"
    # p = 1, q = 3.5, v = 40.
    assert choice.line.mean == pytest.approx(40 / 2.5, rel=0.1)
    assert choice.line.prior_days == pytest.approx(2.5, rel=0.2)


def test_samples_at_a_cent_do_not_make_anybody_worth_twenty_times():
    population = samples_at_a_cent(np.random.default_rng(3), 600)
    choice = choose_spend(_sums(population))
    mean = np.concatenate(population).mean()
    assert choice.name == "credibility"
    assert choice.line.mean == pytest.approx(mean, rel=0.01)
    error = choice.backtest.loc[choice.backtest["customers_by_spend"] == "all"].set_index("candidate")["error"]
    assert abs(error["credibility"]) < 0.05
    assert abs(error["log-normal"]) < 0.05, "nor would it be with the model that was"
    plain = replace(choice.log_normal, scale=1.0)
    known = PurchaseDays.of(_sums(population), "before")
    assert plain.expected(known).mean() > 1.5 * mean


def test_the_table_has_every_candidate_for_all_and_for_each_fourth_of_the_customers():
    backtest = choose_spend(_sums(gamma_gamma(np.random.default_rng(5), 1_000))).backtest
    assert list(backtest["candidate"].unique()) == ["credibility", "log-normal", "Gamma-Gamma"]
    for _, rows in backtest.groupby("candidate"):
        of_all, *fourths = rows.to_dict("records")
        assert [row["customers_by_spend"] for row in fourths] == list(GROUPS)
        assert of_all["purchase_days"] == sum(row["purchase_days"] for row in fourths)
        assert of_all["actual"] == pytest.approx(sum(row["actual"] for row in fourths), abs=0.05)
        assert of_all["error"] == pytest.approx(of_all["predicted"] / of_all["actual"] - 1, abs=1e-5)


@pytest.mark.parametrize(("customers", "is_compared"), [(MIN_HELD_OUT - 1, False), (MIN_HELD_OUT, True)])
def test_with_too_few_who_bought_in_the_days_held_out_nothing_is_compared(customers: int, is_compared: bool):
    choice = choose_spend(_sums(log_normal(np.random.default_rng(6), customers)))
    assert choice.backtest.empty is not is_compared
    assert is_compared or choice.name == "credibility"


def test_candidates_as_good_are_decided_by_who_supposes_least():
    # Everybody always spends the same: all of them say so.
    choice = choose_spend(_sums([np.full(4, 20.0)] * 100))
    scores = choice.backtest.loc[choice.backtest["customers_by_spend"] == "all"].set_index("candidate")["log_score"]
    assert scores["credibility"] == scores["log-normal"]
    assert choice.name == "credibility"


def test_where_first_orders_are_trials_spend_is_expected_as_on_repeat_days():
    rng = np.random.default_rng(8)
    population = [np.concatenate([[1.0], rng.normal(50, 10, days - 1)]) for days in _days(rng, 1_000)]
    customers = _sums(population)
    choice = choose_spend(customers)
    known = PurchaseDays.of(customers, "before") + PurchaseDays.of(customers, "after")
    chosen = choice.log_normal if choice.name == "log-normal" else choice.line
    expected = choice.repeat_scale * chosen.expected(known)
    assert (known.repeat_days * expected).sum() == pytest.approx(known.repeat_spend.sum(), rel=1e-6)
    error = choice.backtest.loc[choice.backtest["customers_by_spend"] == "all"].set_index("candidate")["error"]
    assert abs(error[choice.name]) < 0.05


def test_where_first_orders_are_as_all_others_nothing_is_scaled():
    scales = [choose_spend(_sums(log_normal(np.random.default_rng(seed), 300))).repeat_scale for seed in range(20)]
    assert sum(scale != 1 for scale in scales) <= 3
    assert max(scales) < 1.2
    assert min(scales) > 0.8


def test_without_repeat_days_nothing_is_scaled():
    once = PurchaseDays(*(np.ones(3),) * 6)
    assert repeat_scale(np.full(3, 2.0), once) == 1


def test_the_line_of_gamma_gamma_is_its_expected_spend():
    model = GammaGamma(p=6.25, q=3.74, v=15.44)
    days, mean = np.array([0.0, 1.0, 7.0]), np.array([0.0, 35.0, 80.0])
    known = PurchaseDays(days, days * mean, *(np.zeros(3),) * 4)
    assert Credibility(model.mean, model.prior_transactions).expected(known) == pytest.approx(
        model.expected_spend(days, mean)
    )


amounts = st.floats(0.01, 1e9).map(lambda amount: round(amount, 2))


@given(st.lists(st.lists(amounts, min_size=2, max_size=5), min_size=1, max_size=80))
@examples(50)
def test_whatever_was_paid_the_line_of_credibility_lies_within_it(population: list[list[float]]):
    customers = _sums([np.array(own) for own in population])
    known = PurchaseDays.of(customers, "before") + PurchaseDays.of(customers, "after")
    expected = fit_credibility(known).expected(known)
    paid = [amount for own in population for amount in own]
    assert np.isfinite(expected).all()
    assert min(paid) * (1 - 1e-6) - 1e-6 <= expected.min() <= expected.max() <= max(paid) * (1 + 1e-6)


def _days(rng: np.random.Generator, customers: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.int64]]":
    return 1 + rng.geometric(0.3, customers)


def _sums(population: list[Floats]) -> pd.DataFrame:
    """Customers as `sql/models/sample_spend.sql` gives them, the last day of each held out."""
    rows = [
        {
            "customer_id": f"C{number:05d}",
            **{
                f"{name}_{part}": float(values.sum())
                for part, own in (("before", spent[:-1]), ("after", spent[-1:]))
                for name, values in (
                    ("days", np.ones(len(own))),
                    ("spend", own),
                    ("spend_square", own**2),
                    ("log_spend", np.log(own)),
                    ("log_spend_square", np.log(own) ** 2),
                    ("first_spend", spent[:1] if part == "before" else np.zeros(0)),
                )
            },
        }
        for number, spent in enumerate(population)
    ]
    return pd.DataFrame(rows)
