"""`gold.customer_segments`: lifecycle, predictions and their reasons; samples for the fits."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from bridgecart_assets import queries
from bridgecart_assets.warehouse.sampling import read_sample
from bridgecart_assets_tests.sql import predictions
from bridgecart_assets_tests.sql.histories import busy_history
from bridgecart_assets_tests.sql.history import (
    MemoryWarehouse,
    Order,
    compute_features,
    records,
    store_purchase_model,
    tiny_settings,
    warehouse_with,
)

TODAY = date(2025, 6, 30)
W = 30


@pytest.mark.parametrize(
    ("days_ago", "stage"),
    [
        ([0], "new"),
        ([10, 5], "new"),
        ([10], "new"),
        # One in four drops out after the first purchase here.
        ([11], "needs attention"),
        ([31], "dormant"),
        ([300, 31], "dormant"),
        # Who buys once a year is not lost after a month.
        ([300, 30], "needs attention"),
        # Twice a week, and now silent for more than a week, for three weeks.
        ([*range(60, 2, -3), 2], "active"),
        ([*range(60, 9, -3)], "needs attention"),
        ([*range(60, 21, -3)], "at risk"),
    ],
)
def test_the_lifecycle_follows_recency_and_the_chance_that_the_customer_lives(days_ago: list[int], stage: str):
    row = _segments(_bought(days_ago))["A"]
    assert row["lifecycle"] == stage, row["p_alive"]


@pytest.mark.parametrize(
    ("days_ago", "stage"),
    [
        ([10], "new"),
        ([40, 10], "active"),
        ([40, 11], "needs attention"),
        ([40, 20], "needs attention"),
        ([40, 21], "at risk"),
        ([40, 30], "at risk"),
        ([40, 31], "dormant"),
    ],
)
def test_without_predictions_the_lifecycle_goes_by_thirds_of_the_churn_window(days_ago: list[int], stage: str):
    warehouse = _bought(days_ago)
    store_purchase_model(warehouse, reason="too_few_customers")
    row = _segments(warehouse)["A"]
    assert row["lifecycle"] == stage
    assert row["no_prediction_reason"] == "too_few_customers"
    assert [row[name] for name in ("p_alive", "churn_risk", "predicted_clv", "expected_purchases")] == [None] * 4
    assert row["segment_key"] == "S02", "segments need no predictions"


def test_a_customer_without_purchase_has_neither_lifecycle_nor_prediction():
    row = _segments(warehouse_with([Order("A", "2025-06-01", -5), Order("B", "2025-06-30", 5)]))["A"]
    assert (row["lifecycle"], row["p_alive"], row["no_prediction_reason"]) == (None, None, "no_purchase")
    assert (row["segment_key"], row["ambiguous"]) == ("unassigned", None)


def test_predictions_are_those_of_the_model_worked_out_for_one_customer_at_a_time():
    history = busy_history(4)
    warehouse = warehouse_with(history)
    rows = _segments(warehouse)
    (clock,) = {row["as_of"] for row in rows.values()}
    days = _purchase_days(warehouse)
    assert len(days) > 50
    for customer, own in days.items():
        row = rows[customer]
        assert row["p_alive"] == pytest.approx(predictions.p_alive(own, clock), rel=1e-9)
        assert row["churn_risk"] == pytest.approx(predictions.churn_risk(own, clock, window_days=W), rel=1e-9)
        weeks = ((clock - own[0]).days - 1) / 7
        bought = predictions.expected_if_alive(len(own) - 1, weeks, 365 / 7)
        assert row["expected_purchases"] == pytest.approx(row["p_alive"] * bought, rel=1e-7)
        log_spend = row["log_spend"] * len(own)
        assert float(row["predicted_clv"]) == pytest.approx(
            float(predictions.predicted_clv(own, log_spend, clock)), rel=1e-7, abs=0.011
        )
        assert row["no_prediction_reason"] is None


def test_margin_and_discount_rate_are_settings_of_the_predicted_value():
    warehouse = _bought([100, 50, 5])
    plain = _segments(warehouse, clv_discount_rate=0.0)["A"]
    assert float(plain["predicted_clv"]) == pytest.approx(
        plain["expected_purchases"] * plain["expected_spend"], abs=0.01
    )
    half = _segments(warehouse, clv_discount_rate=0.0, clv_margin=0.5)["A"]
    assert float(half["predicted_clv"]) == pytest.approx(float(plain["predicted_clv"]) / 2, abs=0.01)
    assert _segments(warehouse)["A"]["predicted_clv"] < plain["predicted_clv"]
    assert _segments(warehouse, clv_horizon_days=30)["A"]["expected_purchases"] < plain["expected_purchases"] / 5


def test_a_customer_whose_value_no_money_column_could_hold_does_not_stop_the_run():
    warehouse = warehouse_with([Order("A", f"2025-06-{day:02d}", "9999999999999.99") for day in range(1, 31)])
    assert _segments(warehouse, clv_horizon_days=3650)["A"]["predicted_clv"] > 10**13


def test_a_customer_between_two_segments_is_ambiguous():
    warehouse = warehouse_with([Order("A", "2025-06-30", "100.01"), Order("B", "2025-06-30", 25)])
    rows = _segments(warehouse)
    assert (rows["A"]["ambiguous"], rows["B"]["ambiguous"]) == (True, False)
    assert rows["A"]["confidence"] < 0.1 < rows["B"]["confidence"]


@pytest.mark.parametrize("file", ["sample_purchases", "sample_traits"])
def test_the_sample_of_a_fit_depends_on_the_ids_alone(file: str):
    history = busy_history(5)
    warehouse, grown = warehouse_with(history), warehouse_with([*history, Order("newcomer", "2024-05-01", 10)])
    sample, other = _sample(warehouse, file, 20), _sample(grown, file, 20)
    assert len(sample) == 20
    assert sample != sorted(sample), "by hash, not by name"
    assert sample == _sample(warehouse_with(list(reversed(history))), file, 20)
    assert len(set(sample) & set(other)) >= 19, "a newcomer takes at most one place"
    assert set(sample) <= set(_sample(warehouse, file, 40))


@pytest.mark.parametrize("file", ["sample_purchases", "sample_traits"])
def test_customers_without_purchase_are_in_no_sample(file: str):
    warehouse = warehouse_with([Order("A", "2025-06-01", -5), Order("B", "2025-06-30", 5)])
    assert _sample(warehouse, file, 10) == ["B"]


def _sample(warehouse: MemoryWarehouse, file: str, customers: int) -> list[str]:
    compute_features(warehouse, tiny_settings())
    (sample,) = [sample for sample in (queries.purchase_sample(), queries.traits_sample(1)) if sample.file == file]
    smaller = replace(sample, parameters={**sample.parameters, "fitted_customers": customers})
    with warehouse.reading() as connection:
        return list(read_sample(connection, smaller)["customer_id"])


def _bought(days_ago: list[int]) -> MemoryWarehouse:
    """Customer A bought so many days before today; somebody else today."""
    own = [Order("A", (TODAY - timedelta(days=ago)).isoformat(), 20) for ago in days_ago]
    return warehouse_with([*own, Order("Z", TODAY.isoformat(), 20)])


def _segments(warehouse: MemoryWarehouse, **changed: Any) -> dict[str, dict[str, Any]]:
    settings = tiny_settings(churn_window_days=W).model_copy(update=changed)
    compute_features(warehouse, settings)
    return {row["customer_id"]: row for row in records(warehouse, "select * from gold.customer_segments")}


def _purchase_days(warehouse: MemoryWarehouse) -> dict[str, list[date]]:
    sql = (
        "select customer_id, purchased_at::date as day from silver.orders group by all having sum(net_amount) > 0 "
        "order by all"
    )
    days: dict[str, list[date]] = {}
    for row in records(warehouse, sql):
        days.setdefault(row["customer_id"], []).append(row["day"])
    return days
