"""The purchase model as a table: the data gate, when a version is fitted, and which one decides about a date."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bridgecart_assets.contracts import PURCHASE_MODEL
from bridgecart_assets.models.due import RefitMode
from bridgecart_assets.models.purchase_table import candidates_table, refit_purchases

AS_OF = date(2025, 3, 1)
DAYS = {"refit_days": 90, "window_days": 90}
NO_MODEL = pd.DataFrame(columns=list(PURCHASE_MODEL.column_names))


def test_enough_customers_history_and_repeat_buyers_give_predictions():
    (row,) = _fitted(_people())
    assert row["no_prediction_reason"] is None
    assert min(row[name] for name in ("r", "alpha", "a", "b")) > 0
    assert row["log_likelihood"] < 0
    assert (row["fitted_customers"], row["version"]) == (400, 1)
    assert 50 <= row["repeat_customers"] < 400


@pytest.mark.parametrize(
    ("people", "reason"),
    [
        ({"customers": 99}, "too_few_customers"),
        ({"repeat_share": 0.1}, "too_few_repeat_customers"),
        ({"history_days": 55}, "too_short_history"),
    ],
)
def test_below_the_data_gate_there_are_rates_to_cluster_by_but_no_predictions(people: dict[str, Any], reason: str):
    (row,) = _fitted(_people(**people))
    assert row["no_prediction_reason"] == reason
    assert [row["a"], row["b"], row["log_likelihood"]] == [None] * 3
    assert row["r"] == 1.0
    assert row["alpha"] > 0


def test_without_customers_there_is_no_version():
    assert refit_purchases(
        NO_MODEL, _people().iloc[:0], _nobody, pd.DataFrame, _nobody, mode=RefitMode.NOW, **DAYS
    ).empty


def test_the_same_customers_in_any_order_give_the_same_bytes_and_no_second_version():
    people = _people()
    model = _refit(NO_MODEL, people)
    assert _refit(model, people.sample(frac=1, random_state=1)) is model
    pd.testing.assert_frame_equal(_refit(NO_MODEL, people.sample(frac=1, random_state=2)), model, check_exact=True)


@pytest.mark.parametrize(("days", "versions"), [(0, 1), (89, 1), (90, 2), (-30, 1)])
def test_a_version_is_due_so_many_days_of_data_after_the_last(days: int, versions: int):
    model = _refit(NO_MODEL, _people())
    later = _people(as_of=AS_OF + timedelta(days=days), seed=2)
    assert len(_refit(model, later, RefitMode.WHEN_DUE)) == versions


@pytest.mark.parametrize("mode", [RefitMode.WHEN_DUE, RefitMode.ACCEPT])
def test_a_version_that_is_not_due_is_not_fitted_unless_asked_for(mode: RefitMode):
    model = _refit(NO_MODEL, _people())
    other = _people(seed=2)
    assert _refit(model, other, mode) is model
    newest = _refit(model, other, RefitMode.NOW).iloc[-1]
    assert (newest["version"], newest["in_force_from"].date()) == (2, AS_OF)


def test_the_share_of_coupons_is_one_of_orders_not_of_customers():
    people = _people().assign(orders=4, coupon_orders=1)
    people.loc[:199, ["orders", "coupon_orders"]] = [16, 16]
    (row,) = _fitted(people)
    assert row["coupon_share_mean"] == pytest.approx((200 * 16 + 200) / (200 * 16 + 200 * 4))


def test_customers_who_come_as_regularly_as_a_subscription_have_predictions_without_dropout():
    (row,) = _fitted(_people(regular=True))
    assert (row["no_prediction_reason"], row["candidate"], row["a"]) == (None, "no_dropout", 0.0)
    # Every second day, as they always have.
    assert (row["r"] + 150) / (row["alpha"] + 300 / 7) == pytest.approx(3.5, rel=0.01)


def test_the_candidates_of_the_newest_version_are_a_table_and_without_a_comparison_it_is_empty():
    model = _refit(NO_MODEL, _people())
    assert candidates_table(model).empty
    scored = model.assign(
        candidate="seasonal",
        pooled_log_score=-0.4,
        pooled_error=0.1,
        covariates_log_score=-0.3,
        covariates_error=0.05,
        seasonal_log_score=-0.2,
        seasonal_error=0.01,
    )
    assert candidates_table(pd.concat([model, scored])).to_dict("records") == [
        {"candidate": "pooled", "log_score": -0.4, "error": 0.1, "chosen": False},
        {"candidate": "covariates", "log_score": -0.3, "error": 0.05, "chosen": False},
        {"candidate": "seasonal", "log_score": -0.2, "error": 0.01, "chosen": True},
    ]


def _nobody() -> pd.DataFrame:
    """No customers before the last window: too few of all are there for a choice."""
    raise AssertionError("there is nothing to choose")


def _fitted(people: pd.DataFrame) -> list[dict[str, Any]]:
    rows = _refit(NO_MODEL, people).drop(columns=["coefficients", "season"]).to_dict("records")
    return [{str(name): None if pd.isna(value) else value for name, value in row.items()} for row in rows]


def _refit(model: pd.DataFrame, people: pd.DataFrame, mode: RefitMode = RefitMode.NOW) -> pd.DataFrame:
    return refit_purchases(model, people, _nobody, lambda: spend_days(people), _nobody, mode=mode, **DAYS)


def _people(
    *,
    customers: int = 400,
    repeat_share: float = 0.6,
    history_days: int = 300,
    regular: bool = False,
    as_of: date = AS_OF,
    seed: int = 1,
) -> pd.DataFrame:
    """Customers as `sql/models/sample_purchases.sql` gives them; all `regular` ones bought every second day."""
    rng = np.random.default_rng(seed)
    tenure = rng.integers(history_days // 2, history_days, customers)
    tenure[0] = history_days
    repeats = np.where(rng.random(customers) < repeat_share, rng.geometric(0.3, customers), 0)
    silent = np.where(repeats > 0, (tenure * rng.random(customers)).astype(int), tenure)
    if regular:
        tenure[:], repeats[:], silent[:] = history_days, history_days // 2, 0
    n = repeats + 1
    logs = rng.normal(3, 1, customers)
    last_day = pd.Timestamp(as_of) - pd.Timedelta(days=1)
    return pd.DataFrame(
        {
            "customer_id": [f"C{(number * 7919) % 10_007:05d}" for number in range(customers)],
            "as_of": pd.Timestamp(as_of),
            "first_purchased_on": last_day - pd.to_timedelta(tenure, unit="D"),
            "last_purchased_on": last_day - pd.to_timedelta(silent, unit="D"),
            "frequency": n,
            "orders": n,
            "coupon_orders": rng.integers(0, n + 1),
            "log_spend_sum": n * logs,
            "log_spend_square_sum": n * logs**2 + n * 0.2,
            "purchase_sales": n * np.exp(logs),
            "net_sales": 0.9 * n * np.exp(logs),
        }
    )


def spend_days(people: pd.DataFrame) -> pd.DataFrame:
    """The spend of these customers as `sql/models/sample_spend.sql` gives it: a fourth of the days are held out."""
    n = people["frequency"].to_numpy()
    mean = people["purchase_sales"].to_numpy() / n
    parts = {"after": n // 4, "before": n - n // 4}
    sums = {"spend": mean, "spend_square": mean**2, "log_spend": np.log(mean), "log_spend_square": np.log(mean) ** 2}
    return pd.DataFrame(
        {
            "customer_id": people["customer_id"],
            **{f"days_{part}": days for part, days in parts.items()},
            "first_spend_before": mean,
            "first_spend_after": np.zeros(len(n)),
            **{f"{name}_{part}": days * value for part, days in parts.items() for name, value in sums.items()},
        }
    )
