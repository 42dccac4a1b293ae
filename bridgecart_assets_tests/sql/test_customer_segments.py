"""`gold.customer_segments`: lifecycle, predictions and their reasons; samples for the fits."""

import math
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridgecart_assets.models.purchase import PurchaseModel
from bridgecart_assets.models.spend import SpendModel
from bridgecart_assets.models.spend_choice import Credibility
from bridgecart_assets.warehouse import queries
from bridgecart_assets.warehouse.sampling import read_sample
from bridgecart_assets.warehouse.storage.tables import ContractBroken
from bridgecart_assets_tests.sql import predictions
from bridgecart_assets_tests.sql.histories import busy_history
from bridgecart_assets_tests.sql.history import (
    REFUND_SHARE,
    MemoryWarehouse,
    Order,
    compute_features,
    records,
    spend_model,
    store_purchase_model,
    tiny_settings,
    warehouse_with,
)
from bridgecart_assets_tests.support.examples import examples

TODAY = date(2025, 6, 30)
W = 30
FIGURES = ("p_alive", "churn_risk", "expected_purchases", "expected_spend")


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


def test_of_a_model_that_stands_twice_nobody_gets_two_rows():
    warehouse = _bought([10])
    with warehouse.transaction() as connection:
        connection.execute("insert into gold.purchase_model from gold.purchase_model")
    with pytest.raises(ContractBroken, match="is not unique, for example"):
        _segments(warehouse)


def test_predictions_are_those_of_the_model_worked_out_for_one_customer_at_a_time():
    history = busy_history(4)
    warehouse = warehouse_with(history)
    rows = _segments(warehouse)
    (clock,) = {row["as_of"] for row in rows.values()}
    days = _purchase_days(warehouse)
    assert len(days) > 50
    sales = _sales_and_refunds(warehouse)
    for customer, own in days.items():
        row = rows[customer]
        assert row["p_alive"] == pytest.approx(predictions.p_alive(own, clock), rel=1e-9)
        assert row["churn_risk"] == pytest.approx(predictions.churn_risk(own, clock, window_days=W), rel=1e-9)
        weeks = ((clock - own[0]).days - 1) / 7
        bought = predictions.expected_if_alive(len(own) - 1, weeks, 365 / 7)
        assert row["expected_purchases"] == pytest.approx(row["p_alive"] * bought, rel=1e-7)
        log_spend = row["log_spend"] * len(own)
        assert float(row["predicted_clv"]) == pytest.approx(
            float(predictions.predicted_clv(own, log_spend, clock, **sales[customer])), rel=1e-7, abs=0.011
        )
        assert row["no_prediction_reason"] is None


def test_margin_and_discount_rate_are_settings_of_the_predicted_value():
    warehouse = _bought([100, 50, 5])
    plain = _segments(warehouse, clv_discount_rate=0.0)["A"]
    assert float(plain["predicted_clv"]) == pytest.approx(
        plain["expected_purchases"] * _after_refunds(plain["expected_spend"], sales=60), abs=0.01
    )
    half = _segments(warehouse, clv_discount_rate=0.0, clv_margin=0.5)["A"]
    assert float(half["predicted_clv"]) == pytest.approx(float(plain["predicted_clv"]) / 2, abs=0.01)
    assert _segments(warehouse)["A"]["predicted_clv"] < plain["predicted_clv"]
    assert _segments(warehouse, clv_horizon_days=30)["A"]["expected_purchases"] < plain["expected_purchases"] / 5


def test_a_customer_whose_value_no_money_column_could_hold_has_none_and_does_not_stop_the_run():
    warehouse = warehouse_with([Order("A", f"2025-06-{day:02d}", "299999999999999.99") for day in range(1, 31)])
    store_purchase_model(warehouse, largest_mean_spend=1e15)
    row = _segments(warehouse, clv_horizon_days=3650)["A"]
    assert (row["predicted_clv"], row["no_prediction_reason"]) == (None, "out_of_bounds")


def test_nobody_is_expected_to_spend_more_than_the_best_customer_of_the_fit_or_than_is_usual_for_themselves():
    """Spend that scatters over eleven powers of ten has a mean that nobody ever spent."""
    warehouse = warehouse_with(
        [*(Order("A", f"2025-06-{day:02d}", 10) for day in (1, 2)), Order("B", "2025-06-03", 900)]
    )
    store_purchase_model(warehouse, spend=SpendModel(mean=0.0, within=160.0, between=1e12), largest_mean_spend=500.0)
    rows = _segments(warehouse)
    assert rows["A"]["expected_spend"] == 500
    assert rows["B"]["expected_spend"] == pytest.approx(900)


def test_nobody_is_expected_to_spend_more_than_their_segment_ever_did_on_one_day():
    """One purchase of a cent says little, and the mean of all, 90, is more than anybody small ever paid."""
    model = spend_model().assign(largest_spend=[400.0, 30.0, 1e9])
    warehouse = warehouse_with([Order("A", "2025-06-29", "0.01"), Order("B", "2025-06-30", 5_000)], model)
    store_purchase_model(warehouse, line=Credibility(mean=90.0, prior_days=9.0))
    rows = _segments(warehouse)
    assert rows["A"]["expected_spend"] == 30.0
    assert rows["B"]["expected_spend"] == pytest.approx((5_000 + 9 * 90) / 10), "but as much as is their own mean"


def test_a_line_of_credibility_lies_between_own_mean_and_that_of_all():
    warehouse = warehouse_with(
        [*(Order("A", f"2025-06-{day:02d}", 10) for day in (1, 2, 3)), Order("B", "2025-06-30", 50)]
    )
    store_purchase_model(warehouse, line=Credibility(mean=100.0, prior_days=2.0))
    rows = _segments(warehouse)
    assert rows["A"]["expected_spend"] == pytest.approx((30 + 2 * 100) / 5)
    assert rows["B"]["expected_spend"] == pytest.approx((50 + 2 * 100) / 3)


@pytest.mark.parametrize("line", [None, Credibility(mean=100.0, prior_days=2.0)])
def test_expected_spend_is_scaled_to_that_of_repeat_purchases(line: Credibility | None):
    warehouse = warehouse_with(
        [*(Order("A", f"2025-06-{day:02d}", 10) for day in (1, 2, 3)), Order("B", "2025-06-30", 50)]
    )
    spent = []
    for scale in (1.0, 1.5):
        store_purchase_model(warehouse, line=line, repeat_scale=scale)
        spent.append([_segments(warehouse)[customer]["expected_spend"] for customer in ("A", "B")])
    assert spent[1] == pytest.approx([1.5 * spend for spend in spent[0]])


def test_a_customer_who_returns_half_is_worth_half_and_one_who_never_did_the_share_of_all():
    days = [f"2025-06-{day:02d}" for day in range(1, 31)]
    keeps = [Order("A", day, 20) for day in days]
    returns = [Order("B", day, 20) for day in days] + [Order("B", f"{day}T23:00", -20) for day in days[1::2]]
    more = [Order("C", "2025-06-01", 20), *(Order("C", f"2025-06-{day:02d}", -20) for day in range(2, 9))]
    rows = _segments(warehouse_with([*keeps, *returns, *more]), clv_discount_rate=0.0)
    kept = {
        name: float(row["predicted_clv"]) / (row["expected_purchases"] * row["expected_spend"])
        for name, row in rows.items()
    }
    spend = rows["A"]["expected_spend"]
    assert kept["A"] == pytest.approx(1 - 3 * spend * REFUND_SHARE / (600 + 3 * spend), abs=1e-4)
    assert 0.45 < kept["B"] < 0.55
    assert kept["C"] == 0, "nobody is worth less than nothing"


@pytest.fixture(scope="module")
def shop() -> MemoryWarehouse:
    """A shop for models of all kinds."""
    return _bought([300, 200, 199, 1])


extremes = st.floats(-6, 6).map(lambda power: 10**power)


@given(
    model=st.builds(PurchaseModel, r=extremes, alpha=extremes, a=extremes, b=extremes),
    spend=st.builds(SpendModel, mean=st.floats(-5, 25), within=st.floats(1e-6, 200), between=st.floats(1e-6, 200)),
    most=st.floats(-2, 9).map(lambda power: 10**power),
)
@example(PurchaseModel(0.646039, 3.057835, 16538.967825, 94683.831344), SpendModel(3.9, 0.1, 0.2), 170.0)
@example(PurchaseModel(1e6, 1e-6, 1e-6, 1e6), SpendModel(25.0, 200.0, 200.0), 1e9)
@examples(10)
def test_whatever_the_models_say_predictions_are_finite_and_bounded_and_below_money(
    shop: MemoryWarehouse, model: PurchaseModel, spend: SpendModel, most: float
):
    store_purchase_model(shop, model=model, spend=spend, largest_mean_spend=most)
    for row in _segments(shop).values():
        assert all(math.isfinite(row[name]) for name in FIGURES)
        assert 0 <= row["p_alive"] <= 1
        assert 0 <= row["churn_risk"] <= 1
        assert 0 <= row["expected_purchases"] <= 365
        assert 0 < row["expected_spend"] <= max(most, math.exp(25) * 10, 1000)
        assert 0 <= row["predicted_clv"] <= Decimal(365 * row["expected_spend"] + 0.01)
        assert row["no_prediction_reason"] is None


@pytest.mark.parametrize("parameter", ["a", "b", "log_spend_variance_within"])
@pytest.mark.parametrize("number", ["nan", "inf"])
def test_a_model_that_says_no_number_predicts_nothing_with_a_reason_and_stops_nothing(parameter: str, number: str):
    warehouse = warehouse_with(busy_history(5))
    with warehouse.transaction() as connection:
        connection.execute(f"update gold.purchase_model set {parameter} = '{number}'::double")
    for row in _segments(warehouse).values():
        assert (row["predicted_clv"], row["no_prediction_reason"]) == (None, "out_of_bounds")
        assert all(row[name] is None or math.isfinite(row[name]) for name in FIGURES)


def test_a_customer_between_two_segments_is_ambiguous():
    warehouse = warehouse_with([Order("A", "2025-06-30", "100.01"), Order("B", "2025-06-30", 25)])
    rows = _segments(warehouse)
    assert (rows["A"]["ambiguous"], rows["B"]["ambiguous"]) == (True, False)
    assert rows["A"]["confidence"] < 0.1 < rows["B"]["confidence"]


@pytest.mark.parametrize("file", ["models/sample_purchases", "models/sample_traits"])
def test_the_sample_of_a_fit_depends_on_the_ids_alone(file: str):
    history = busy_history(5)
    warehouse, grown = warehouse_with(history), warehouse_with([*history, Order("newcomer", "2024-05-01", 10)])
    sample, other = _sample(warehouse, file, 20), _sample(grown, file, 20)
    assert len(sample) == 20
    assert sample != sorted(sample), "by hash, not by name"
    assert sample == _sample(warehouse_with(list(reversed(history))), file, 20)
    assert len(set(sample) & set(other)) >= 19, "a newcomer takes at most one place"
    assert set(sample) <= set(_sample(warehouse, file, 40))


@pytest.mark.parametrize("file", ["models/sample_purchases", "models/sample_traits"])
def test_customers_without_purchase_are_in_no_sample(file: str):
    warehouse = warehouse_with([Order("A", "2025-06-01", -5), Order("B", "2025-06-30", 5)])
    assert _sample(warehouse, file, 10) == ["B"]


def _after_refunds(spend: float, *, sales: float) -> float:
    """What stays of an expected spend of a customer without refunds."""
    return spend * (1 - 3 * spend * REFUND_SHARE / (sales + 3 * spend))


def _sales_and_refunds(warehouse: MemoryWarehouse) -> dict[str, dict[str, Decimal]]:
    found = records(
        warehouse,
        "select customer_id, coalesce(sum(net_amount) filter (where order_kind = 'purchase'), 0) as sales, "
        "-coalesce(sum(net_amount) filter (where order_kind <> 'purchase'), 0) as refunds "
        "from silver.orders group by all",
    )
    return {row.pop("customer_id"): row for row in found}


def test_the_spend_of_a_fit_is_that_of_the_same_customers_before_and_in_the_days_held_out():
    warehouse = warehouse_with(
        [
            *(Order("A", "2025-06-01T08:00", amount) for amount in (10, 5)),
            *(Order("A", day, amount) for day, amount in (("2025-05-02", 1), ("2025-06-20", 20), ("2025-06-20", -50))),
            Order("B", "2025-06-30", "0.01"),
            Order("C", "2025-06-30", -5),
        ]
    )
    compute_features(warehouse, tiny_settings())
    with warehouse.reading() as connection:
        sample = read_sample(connection, queries.spend_sample(tiny_settings(churn_window_days=28)))
    first, second = sample.to_dict("records")
    assert [first["customer_id"], second["customer_id"]] == ["A", "B"]
    assert [first[f"{name}_before"] for name in ("days", "spend", "spend_square")] == [2, 16, 226]
    assert first["log_spend_before"] == pytest.approx(math.log(15), abs=1e-9)
    assert first["log_spend_square_before"] == pytest.approx(math.log(15) ** 2, abs=1e-8)
    assert [first[f"{name}_after"] for name in ("days", "spend", "spend_square")] == [1, 20, 400]
    assert [second[name] for name in ("days_before", "days_after", "spend_after")] == [0, 1, 0.01]


def test_the_months_of_a_season_count_repeat_purchases_of_whole_months_before_and_in_the_days_held_out():
    warehouse = warehouse_with(
        [
            Order("A", "2025-04-10", 10),
            *(Order("A", day, 5) for day in ("2025-04-20", "2025-05-01", "2025-06-01", "2025-06-02", "2025-06-20")),
            Order("A", "2025-06-20", -5),
            Order("B", "2025-04-30", 1),
            Order("C", "2025-05-31", 1),
        ]
    )
    compute_features(warehouse, tiny_settings(as_of=date(2025, 6, 25)))
    with warehouse.reading() as connection:
        settings = tiny_settings(churn_window_days=20, as_of=date(2025, 6, 25))
        sample = read_sample(connection, queries.season_sample(settings))
    assert [tuple(row.values()) for row in sample.to_dict("records")] == [
        # April's two customers in May, then in June; before the 5th and from then on.
        (663, 1, 5, False, 2 * 31, 1),
        (663, 2, 6, False, 2 * 4, 2),
        (663, 2, 6, True, 2 * 20, 1),
        (664, 1, 6, False, 1 * 4, 0),
        (664, 1, 6, True, 1 * 20, 0),
    ]


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
        "select customer_id, purchased_at::date as day from silver.orders where order_kind = 'purchase' group by all "
        "order by all"
    )
    days: dict[str, list[date]] = {}
    for row in records(warehouse, sql):
        days.setdefault(row["customer_id"], []).append(row["day"])
    return days
