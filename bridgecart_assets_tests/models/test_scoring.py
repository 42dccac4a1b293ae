"""Scoring in SQL against scikit-learn's predict of the same frozen model, and the model's life in the warehouse."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans

from bridgecart_assets.contracts import CUSTOMER_FEATURES, CUSTOMER_SEGMENTS, SEGMENT_MODEL, TRAITS
from bridgecart_assets.models.arrays import Floats
from bridgecart_assets.models.model_table import model_arrays
from bridgecart_assets.models.refitting import refit
from bridgecart_assets.queries import features_query, segments_query
from bridgecart_assets.warehouse.writing import prepare
from bridgecart_assets_tests.models.people import features
from bridgecart_assets_tests.sql.history import (
    MemoryWarehouse,
    Order,
    compute_features,
    compute_snapshots,
    model_row,
    records,
    store_model,
    store_orders,
    tiny_settings,
    write,
)
from bridgecart_assets_tests.support.pipeline import run_model
from bridgecart_assets_tests.support.state import digests

CUSTOMERS = 4_000
NO_MODEL = pd.DataFrame(columns=list(SEGMENT_MODEL.column_names))


def test_scoring_in_sql_is_what_scikit_learn_predicts_with_the_same_frozen_model():
    model = refit(NO_MODEL, features(), mode="now", segments=4, seed=42, refit_days=90).model
    people = _random_people()
    stored = _scored(people, model)
    distances = _predictor(model).transform(_standardised(people, model))
    order = np.argsort(distances, axis=1)
    keys = model["segment_key"].to_numpy()
    assert list(stored["segment_key"]) == list(keys[_predictor(model).predict(_standardised(people, model))])
    assert list(stored["runner_up_key"]) == list(keys[order[:, 1]])
    nearest, second = np.take_along_axis(distances, order[:, :2], axis=1).T
    assert stored["confidence"].to_numpy() == pytest.approx((second - nearest) / (second + nearest), abs=1e-6)
    assert set(stored["segment_key"]) == set(keys)
    assert set(stored["segment"]) == set(model["segment"])


def test_customers_without_traits_are_not_scored():
    model = refit(NO_MODEL, features(), mode="now", segments=4, seed=42, refit_days=90).model
    people = _random_people().head(3)
    people.loc[people.index[1], list(TRAITS)] = np.nan
    assert list(_scored(people, model)["segment_key"] == "unassigned") == [False, True, False]


def test_a_customer_as_near_to_two_segments_gets_the_first_key_and_no_confidence():
    model = pd.concat(
        [
            model_row(key=key, name=key, centroid=dict.fromkeys(TRAITS, place))
            for key, place in (("S02", 1.0), ("S01", -1.0))
        ],
        ignore_index=True,
    )
    people = _random_people().head(1)
    people[list(TRAITS)] = 0.0
    (row,) = _scored(people, model).to_dict("records")
    assert (row["segment_key"], row["runner_up_key"], row["confidence"]) == ("S01", "S02", 0.0)


def test_the_model_comes_back_from_the_warehouse_as_it_was_stored():
    warehouse, settings = _shop(), tiny_settings(segments=3)
    assert run_model(warehouse, settings) == "fitted version 1 on 60 customers"
    before = digests(warehouse)["gold.segment_model"]
    assert run_model(warehouse, settings, mode="when_due") == "kept version 1: a refit is not due"
    assert run_model(warehouse, settings, mode="now") == "kept version 1: same data, same model"
    assert digests(warehouse)["gold.segment_model"] == before


def test_what_is_not_known_is_null_in_the_warehouse_and_never_nan():
    warehouse = _shop()
    run_model(warehouse, tiny_settings(segments=3))
    run_model(warehouse, tiny_settings(segments=4))
    found = records(warehouse, "select version, status, in_force_from, matched_from, agreement from gold.segment_model")
    assert {(row["version"], row["status"]) for row in found} == {(1, "active"), (2, "proposed")}
    assert {row["agreement"] for row in found if row["version"] == 1} == {None}
    assert {row["in_force_from"] for row in found if row["version"] == 2} == {None}
    assert {row["matched_from"] for row in found if row["version"] == 1} == {None}


def test_below_the_data_gate_everyone_is_unassigned_and_nothing_fails():
    warehouse = MemoryWarehouse()
    store_orders(warehouse, [Order(f"C{number}", "2025-01-10", 10 + number) for number in range(29)])
    write(warehouse, CUSTOMER_FEATURES, features_query(tiny_settings(segments=3)))
    assert run_model(warehouse, tiny_settings(segments=3)) == "kept: 29 customers are too few for 3 segments"
    compute_features(warehouse, tiny_settings(segments=3))
    assert _counts(warehouse) == {"unassigned": 29}


def test_the_model_is_fitted_once_the_data_gate_is_passed():
    warehouse = MemoryWarehouse()
    store_orders(warehouse, [Order(f"C{number}", "2025-01-10", 10 + number) for number in range(30)])
    write(warehouse, CUSTOMER_FEATURES, features_query(tiny_settings(segments=3)))
    assert run_model(warehouse, tiny_settings(segments=3)) == "fitted version 1 on 30 customers"
    compute_features(warehouse, tiny_settings(segments=3))
    assert set(_counts(warehouse)) == {"S01", "S02", "S03"}


def test_a_refit_never_relabels_the_snapshots_before_it():
    warehouse, settings = _shop(), tiny_settings(segments=3)
    run_model(warehouse, settings)
    compute_snapshots(warehouse, settings)
    before = _past_snapshots(warehouse, date(2025, 3, 1))
    assert len(before) > 100
    store_orders(warehouse, _orders(start=60, customers=70, first_month=4))
    compute_features(warehouse, settings)
    assert run_model(warehouse, settings, mode="now").startswith("fitted version 2")
    compute_snapshots(warehouse, settings)
    assert _past_snapshots(warehouse, date(2025, 3, 1)) == before
    versions = records(
        warehouse,
        "select as_of, list(distinct model_version) as versions from gold.customer_snapshots group by 1 order by 1",
    )
    assert {str(row["as_of"]): row["versions"] for row in versions} == {
        **{f"2025-{month:02d}-01": [1] for month in (2, 3, 4, 5, 6)},
        "2025-06-11": [2],
    }


def test_accepting_a_version_relabels_nothing_that_was_reported_before():
    warehouse = _shop()
    three, four = tiny_settings(segments=3), tiny_settings(segments=4)
    run_model(warehouse, three)
    assert "proposed" in run_model(warehouse, four)  # fitted as of 11 March
    store_orders(warehouse, _orders(start=60, customers=3, first_month=4))
    compute_features(warehouse, four)
    compute_snapshots(warehouse, four)
    before = _past_snapshots(warehouse, date(2025, 4, 1))
    assert run_model(warehouse, four, mode="accept") == "version 2 accepted"
    compute_snapshots(warehouse, four)
    assert _past_snapshots(warehouse, date(2025, 4, 1)) == before
    assert records(warehouse, "select max(model_version) as v from gold.customer_snapshots") == [{"v": 2}]


def _orders(*, start: int = 0, customers: int = 60, first_month: int = 1) -> list[Order]:
    """Three kinds of customers, well apart, who order on the first ten days of three months."""
    orders = []
    for number in range(start, start + customers):
        kind = number % 3
        for purchase in range((2, 4, 9)[kind]):
            day = 1 + (number + purchase) % 10
            amount = (20, 90, 400)[kind] * (1 + number / 1000)
            orders.append(
                Order(
                    f"C{number:03d}",
                    f"2025-{first_month + purchase % 3:02d}-{day:02d}",
                    f"{amount:.2f}",
                    coupon=kind == 1,
                )
            )
    return orders


def _shop() -> MemoryWarehouse:
    warehouse = MemoryWarehouse()
    store_orders(warehouse, _orders())
    write(warehouse, CUSTOMER_FEATURES, features_query(tiny_settings(segments=3)))
    return warehouse


def _random_people() -> pd.DataFrame:
    """Traits all over the place, also far from every centroid."""
    rng = np.random.default_rng(11)
    traits = {
        "log_orders": rng.uniform(0, 5, CUSTOMERS),
        "log_order_value": rng.uniform(-2, 12, CUSTOMERS),
        "coupon_share": rng.uniform(0, 1, CUSTOMERS),
    }
    return pd.DataFrame({"customer_id": [f"C{number:05d}" for number in range(CUSTOMERS)], **traits})


def _scored(people: pd.DataFrame, model: pd.DataFrame) -> pd.DataFrame:
    """`gold.customer_segments` of these traits under the model, by customer_id."""
    warehouse = MemoryWarehouse()
    store_model(warehouse, model)
    with warehouse.transaction() as connection:
        prepare(connection, CUSTOMER_FEATURES)
        connection.register("people", people)
        connection.execute(
            "insert into gold.customer_features by name "
            "select *, date '2025-03-01' as as_of, 1 as frequency, 1 as orders, "
            "0 as zero_value_orders, 0 as refunds, 1 as net_sales, 1 as category_count from people"
        )
        connection.unregister("people")
    write(warehouse, CUSTOMER_SEGMENTS, segments_query())
    return pd.DataFrame(records(warehouse, "select * from gold.customer_segments order by customer_id"))


def _predictor(model: pd.DataFrame) -> KMeans:
    """A scikit-learn model with the stored centroids, fitted to nothing else."""
    _, _, centroids = model_arrays(model)
    return KMeans(n_clusters=len(centroids), init=centroids, n_init=1, max_iter=1).fit(centroids)


def _standardised(people: pd.DataFrame, model: pd.DataFrame) -> Floats:
    mean, scale, _ = model_arrays(model)
    standardised: Floats = (people[list(TRAITS)].to_numpy() - mean) / scale
    return standardised


def _counts(warehouse: MemoryWarehouse) -> dict[str, int]:
    found = records(warehouse, "select segment_key, count(*) as customers from gold.customer_segments group by all")
    return {row["segment_key"]: row["customers"] for row in found}


def _past_snapshots(warehouse: MemoryWarehouse, until: date) -> list[dict[str, Any]]:
    return records(
        warehouse, "select * from gold.customer_snapshots where as_of <= ? order by as_of, customer_id", until
    )
