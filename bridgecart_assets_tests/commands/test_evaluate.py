"""How good the pipeline is on a made-up world, as bounds; and that the evaluation looks at the pipeline as it is."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.evaluate_world import (
    ORDERS_A_CUSTOMER,
    Evaluation,
    EvaluationImpossible,
    evaluate_world,
    store_orders,
)
from bridgecart_assets.contracts import CUSTOMER_FEATURES, CUSTOMER_SEGMENTS, SILVER_ORDERS
from bridgecart_assets.models.evaluation import Forecast
from bridgecart_assets.synthetic import Event, WorldConfig, simulate
from bridgecart_assets.warehouse.queries import features_query, segments_query
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.writing import write_query
from bridgecart_assets_tests.support.command_line import (
    Bridgecart,
    assert_one_line,
)
from bridgecart_assets_tests.support.pipeline import run_model, run_silver
from bridgecart_assets_tests.support.records import Record, store_batch
from bridgecart_assets_tests.support.state import digests, rows

GOLD = ("gold.customer_features", "gold.purchase_model", "gold.segment_model", "gold.customer_segments")
COORDINATES = {"topic_id", "partition", "offset", "kafka_timestamp", "batch_key"}
TROUBLED = WorldConfig(
    orders=2_000, share_redelivered=0.1, share_late=0.1, share_refunded=0.1, share_malformed=0.1, horizon_days=90
)


@pytest.fixture(scope="module", params=[20_000, pytest.param(100_000, marks=pytest.mark.slow)])
def evaluation(request: pytest.FixtureRequest) -> Evaluation:
    return evaluate_world(WorldConfig(orders=request.param * ORDERS_A_CUSTOMER), progress=lambda _: None)


def test_segments_recover_the_personas_far_better_than_the_textbooks_tries(evaluation: Evaluation):
    ours, auto, demographic, rfm = (each.adjusted_rand_index for each in evaluation.recovery)
    assert evaluation.recovery[0].segments == 4
    assert min(ours, auto) >= 0.65
    assert max(demographic, rfm) <= 0.2


def test_the_risk_of_churn_is_calibrated_and_tells_customers_apart(evaluation: Evaluation):
    month, quarter = (holdout.silence for holdout in evaluation.holdouts[:2])
    assert max(month.error, quarter.error) <= 0.03
    assert month.auc is not None
    assert quarter.auc is not None
    assert min(month.auc, quarter.auc) >= 0.88


def test_the_probability_of_being_alive_is_near_the_hidden_truth(evaluation: Evaluation):
    assert evaluation.alive.error <= 0.03
    assert evaluation.alive.auc is not None
    assert evaluation.alive.auc >= 0.92


def test_purchases_and_sales_of_a_quarter_are_forecast_within_five_percent_and_those_of_a_segment_within_twelve(
    evaluation: Evaluation,
):
    for holdout in evaluation.holdouts[:2]:
        assert max(_off(holdout.purchases[0]), _off(holdout.sales[0])) <= 0.05
        assert max(max(_off(segment.purchases), _off(segment.sales)) for segment in holdout.segments) <= 0.12


def test_purchases_of_eleven_months_are_forecast_within_ten_percent_and_those_of_a_segment_within_twelve(
    evaluation: Evaluation,
):
    assert _off(evaluation.holdouts[2].purchases[0]) <= 0.1
    assert max(_off(segment.purchases) for segment in evaluation.holdouts[2].segments) <= 0.12


def test_the_risk_of_churn_is_calibrated_in_every_segment(evaluation: Evaluation):
    for holdout in evaluation.holdouts:
        assert max(segment.silence.error for segment in holdout.segments) <= 0.05


def test_a_customers_purchases_are_forecast_better_than_by_any_simple_method(evaluation: Evaluation):
    for holdout in evaluation.holdouts:
        ours, *simple = holdout.purchases
        assert ours.customer_error < min(each.customer_error for each in simple)
        assert (ours.rank_correlation or 0) > max(each.rank_correlation or 0 for each in simple)


def test_a_customers_sales_are_forecast_nearer_than_by_any_simple_method_and_within_ten_percent(
    evaluation: Evaluation,
):
    for holdout in evaluation.holdouts:
        ours, *simple = holdout.sales
        assert ours.customer_error < min(each.customer_error for each in simple)
        assert _off(ours) <= 0.1


def _off(forecast: Forecast) -> float:
    assert forecast.error is not None
    return abs(forecast.error)


def test_neither_seed_nor_order_of_rows_moves_a_single_customer(evaluation: Evaluation):
    assert evaluation.stability.reseeded == (1.0,) * 5


def test_a_refit_a_month_later_keeps_the_segments(evaluation: Evaluation):
    assert evaluation.stability.refit_is_settled
    assert evaluation.stability.refitted >= 0.95
    assert evaluation.stability.stayed >= 0.95


def test_scikit_learn_predicts_the_segments_that_sql_gives(evaluation: Evaluation):
    assert evaluation.stability.predicted >= 0.99999


def test_orders_put_into_silver_give_what_their_events_give_and_the_future_changes_nothing(
    settings: Settings, tmp_path: Path
):
    world = simulate(TROUBLED)
    told, made = Warehouse(tmp_path / "told.duckdb"), Warehouse(tmp_path / "made.duckdb")
    _store_events(told, settings, "20300101T000000Z", world.history())
    _run_gold(told, settings)
    store_orders(made, world)
    as_of = settings.model_copy(update={"as_of": world.config.end.date()})
    _run_gold(made, as_of)
    of_events, of_orders = digests(told), digests(made)
    assert {name: of_events[name] for name in GOLD} == {name: of_orders[name] for name in GOLD}
    assert {row[0] for row in rows(made, "select distinct segment_key from gold.customer_segments")} > {"S01", "S04"}

    _store_events(told, settings, "20300102T000000Z", world.live(world.config.start))
    assert _orders(told) == _orders(made)


@pytest.mark.parametrize("orders", [0, 1, 300])
def test_a_world_that_is_too_small_says_what_to_do(orders: int):
    with pytest.raises(EvaluationImpossible, match="raise --customers"):
        evaluate_world(WorldConfig(orders=orders), progress=lambda _: None)


@pytest.mark.parametrize(
    "config",
    [WorldConfig(horizon_days=89), replace(WorldConfig(), end=datetime(2026, 1, 1, 12, tzinfo=UTC))],
    ids=["without a future", "that ends at noon"],
)
def test_a_world_that_cannot_be_held_out_is_refused(config: WorldConfig):
    with pytest.raises(EvaluationImpossible, match="change end or horizon_days"):
        evaluate_world(config, progress=lambda _: None)


def _store_events(warehouse: Warehouse, settings: Settings, batch_key: str, batches: Iterable[list[Event]]) -> None:
    records = [
        Record(event.value, datetime.fromtimestamp(event.timestamp_ms / 1000, UTC))
        for batch in batches
        for event in batch
    ]
    store_batch(warehouse, batch_key, records, topic_id=batch_key)
    run_silver(warehouse, settings, batch_key)


def _run_gold(warehouse: Warehouse, settings: Settings) -> None:
    with warehouse.transaction() as connection:
        write_query(connection, CUSTOMER_FEATURES, features_query(settings), None)
    run_model(warehouse, settings)
    with warehouse.transaction() as connection:
        write_query(connection, CUSTOMER_SEGMENTS, segments_query(settings), None)


def _orders(warehouse: Warehouse) -> list[tuple[object, ...]]:
    columns = ", ".join(name for name in SILVER_ORDERS.column_names if name not in COORDINATES)
    return rows(warehouse, f"select {columns} from silver.orders order by order_key")


def test_an_evaluation_prints_tables_of_80_columns_and_touches_nothing_of_the_users(
    bridgecart: Bridgecart, data_dir: Path
) -> None:
    done = bridgecart("evaluate", "--customers", "1500")
    assert (done.code, done.err) == (0, "")
    assert all(len(line) <= 80 for line in done.out.splitlines())
    assert done.out.startswith("World of seed 7: 21,000 orders of ")
    assert all(words in done.out for words in ("BridgeCart, k=4", "no purchase in 90 days", "Sales in 330 days"))
    assert not data_dir.exists()


def test_an_evaluation_as_json_is_the_same_each_time(bridgecart: Bridgecart) -> None:
    first, second = (bridgecart("evaluate", "--orders", "15000", "--seed", "3", "--json") for _ in range(2))
    assert first == second
    scores = json.loads(first.out)
    assert (scores["seed"], scores["orders"]) == (3, 15_000)
    assert {"recovery", "alive", "holdouts", "stability"} < set(scores)
    assert [holdout["days"] for holdout in scores["holdouts"]] == [30, 90, 330]


def test_an_evaluation_of_too_few_orders_says_what_to_do(bridgecart: Bridgecart) -> None:
    assert_one_line(bridgecart("evaluate", "--orders", "100"), "too few customers", "raise --customers")
    assert_one_line(bridgecart("evaluate", "--orders", "-1"), "orders must be a whole number", code=2)
