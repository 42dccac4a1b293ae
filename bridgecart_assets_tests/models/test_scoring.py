"""Scoring in SQL against scikit-learn's predict of the same frozen model, and the model's life in the warehouse."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from bridgecart_assets.base.bounds import MOST_SEGMENTS
from bridgecart_assets.contracts import CUSTOMER_FEATURES, CUSTOMER_SEGMENTS, SEGMENT_MODEL, SILVER_ORDERS, TRAITS
from bridgecart_assets.models.arrays import Floats
from bridgecart_assets.models.due import RefitMode
from bridgecart_assets.models.model_table import model_arrays
from bridgecart_assets.models.refitting import refit
from bridgecart_assets.warehouse.queries import features_query, segments_query
from bridgecart_assets.warehouse.storage.tables import prepare
from bridgecart_assets_tests.models.people import features
from bridgecart_assets_tests.sql.history import (
    COUPON_SHARE,
    PURCHASES,
    SPEND,
    MemoryWarehouse,
    Order,
    compute_features,
    compute_snapshots,
    model_row,
    records,
    store_model,
    store_orders,
    store_purchase_model,
    tiny_settings,
    write,
)
from bridgecart_assets_tests.support.examples import examples
from bridgecart_assets_tests.support.pipeline import grow_up, run_model
from bridgecart_assets_tests.support.state import digest

AS_OF = pd.Timestamp(2025, 3, 1)
NO_MODEL = pd.DataFrame(columns=list(SEGMENT_MODEL.column_names))


@pytest.mark.parametrize("customers", [4_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_scoring_in_sql_is_what_scikit_learn_predicts_with_the_same_frozen_model(customers: int):
    model = _model()
    people = _random_people(customers)
    stored = _scored(people, model)
    distances = _predictor(model).transform(_standardised(people, model))
    order = np.argsort(distances, axis=1)
    keys = model["segment_key"].to_numpy()
    # All of them agree; a customer on a border to the last bit might not.
    assert _agreement(stored["segment_key"], keys[_predictor(model).predict(_standardised(people, model))]) >= 0.99999
    assert _agreement(stored["runner_up_key"], keys[order[:, 1]]) >= 0.99999
    nearest, second = np.take_along_axis(distances, order[:, :2], axis=1).T
    assert stored["confidence"].to_numpy() == pytest.approx((second - nearest) / (second + nearest), abs=1e-6)
    assert set(stored["segment_key"]) == set(keys)
    assert set(stored["segment"]) == set(model["segment"])


def test_customers_without_purchase_are_not_scored():
    model = _model()
    people = _random_people(3)
    people.loc[people.index[1], "frequency"] = 0
    assert list(_scored(people, model)["segment_key"] == "unassigned") == [False, True, False]


def test_a_customer_as_near_to_two_segments_gets_the_first_key_and_no_confidence():
    model = pd.concat(
        [
            model_row(key=key, name=key, centroid=dict.fromkeys(TRAITS, place))
            for key, place in (("S02", 1.0), ("S01", -1.0))
        ],
        ignore_index=True,
    )
    # On a line with the two centroids, and in the middle.
    people = _random_people(1)
    traits = _traits(people)[0]
    middle = dict(zip(TRAITS, traits, strict=True))
    model = model.assign(**{f"mean_{trait}": middle[trait] for trait in TRAITS})
    (row,) = _scored(people, model).to_dict("records")
    assert (row["segment_key"], row["runner_up_key"], row["confidence"]) == ("S01", "S02", 0.0)


CORNERS = st.tuples(*(st.sampled_from([-1.0, 0.0, 1.0]) for _ in TRAITS))


@examples(12)
@given(st.lists(CORNERS, min_size=2, max_size=MOST_SEGMENTS))
def test_of_segments_as_near_the_lower_key_comes_first_however_many_there_are(corners: list[tuple[float, ...]]):
    keys = [f"S{number:02d}" for number in range(1, len(corners) + 1)]
    people = _random_people(1)
    model = pd.concat(
        [
            model_row(key=key, name=key, centroid=dict(zip(TRAITS, corner, strict=True)))
            for key, corner in reversed(list(zip(keys, corners, strict=True)))
        ],
        ignore_index=True,
    ).assign(**{f"mean_{trait}": mean for trait, mean in zip(TRAITS, _traits(people)[0], strict=True)})
    (row,) = _scored(people, model).to_dict("records")
    (_, nearest), (_, runner_up), *_ = sorted(
        (sum(map(abs, corner)), key) for key, corner in zip(keys, corners, strict=True)
    )
    assert (row["segment_key"], row["segment"], row["runner_up_key"]) == (nearest, nearest, runner_up)


def test_the_model_comes_back_from_the_warehouse_as_it_was_stored():
    warehouse, settings = _shop(), tiny_settings(segments=3)
    assert run_model(warehouse, settings) == "fitted version 1 on 60 customers"
    before = digest(warehouse, SEGMENT_MODEL)
    assert run_model(warehouse, settings, mode=RefitMode.WHEN_DUE) == "kept version 1: a refit is not due"
    assert run_model(warehouse, settings, mode=RefitMode.NOW) == "kept version 1: same data, same model"
    assert digest(warehouse, SEGMENT_MODEL) == before


def test_what_is_not_known_is_null_in_the_warehouse_and_never_nan(monkeypatch: pytest.MonkeyPatch):
    grow_up(monkeypatch)
    warehouse = _shop()
    run_model(warehouse, tiny_settings(segments=2))
    run_model(warehouse, tiny_settings(segments=3))
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
    store_orders(warehouse, _orders(customers=70, first_month=4))
    compute_features(warehouse, settings)
    assert run_model(warehouse, settings, mode=RefitMode.NOW).startswith("fitted version 2")
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


def test_accepting_a_version_relabels_nothing_that_was_reported_before(monkeypatch: pytest.MonkeyPatch):
    grow_up(monkeypatch)
    warehouse = _shop()
    two, three = tiny_settings(segments=2), tiny_settings(segments=3)
    run_model(warehouse, two)
    assert "proposed" in run_model(warehouse, three)  # fitted as of 11 March
    store_orders(warehouse, _orders(start=60, customers=3, first_month=4))
    compute_features(warehouse, three)
    compute_snapshots(warehouse, three)
    before = _past_snapshots(warehouse, date(2025, 4, 1))
    assert run_model(warehouse, three, mode=RefitMode.ACCEPT) == "version 2 accepted"
    compute_snapshots(warehouse, three)
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


def _model() -> pd.DataFrame:
    return refit(NO_MODEL, lambda _: features(), 1, mode=RefitMode.NOW, segments=4, seed=42, refit_days=90).model


def _random_people(customers: int) -> pd.DataFrame:
    """Facts that give traits all over the place, also far from every centroid."""
    rng = np.random.default_rng(11)
    frequency = rng.geometric(0.1, customers)
    orders = frequency + rng.integers(0, 3, customers)
    tenure = rng.integers(0, 1_000, customers)
    return pd.DataFrame(
        {
            "customer_id": [f"C{number:07d}" for number in range(customers)],
            "frequency": frequency,
            "orders": orders,
            "coupon_orders": rng.integers(0, orders + 1),
            "first_purchased_on": AS_OF - pd.to_timedelta(tenure + 1, unit="D"),
            "last_purchased_on": AS_OF - pd.to_timedelta(rng.integers(0, tenure + 1) + 1, unit="D"),
            "log_spend_sum": np.round(frequency * rng.uniform(-2, 12, customers), 9),
        }
    )


def _traits(people: pd.DataFrame) -> Floats:
    """The traits as `kpis.md` has them, under the purchase model of these tests (customers x traits)."""
    n = people["frequency"].to_numpy()
    weeks = ((AS_OF - people["first_purchased_on"]).dt.days.to_numpy() - 1) / 7
    own_mean = people["log_spend_sum"].to_numpy() / np.maximum(n, 1)
    evidence = n / SPEND.within
    spend = (evidence * own_mean + SPEND.mean / SPEND.between) / (evidence + 1 / SPEND.between)
    coupons = (3 * COUPON_SHARE + people["coupon_orders"].to_numpy()) / (3 + people["orders"].to_numpy())
    rate = np.log((PURCHASES.r + n - 1) / (PURCHASES.alpha + weeks))
    return np.column_stack([rate, spend, coupons])


def _scored(people: pd.DataFrame, model: pd.DataFrame) -> pd.DataFrame:
    """`gold.customer_segments` of these customers under the model, by customer_id."""
    warehouse = MemoryWarehouse()
    store_purchase_model(warehouse)
    store_model(warehouse, model)
    with warehouse.transaction() as connection:
        prepare(connection, SILVER_ORDERS)
        connection.execute(replace(CUSTOMER_FEATURES, is_view=False).ddl())
        connection.register("people", people)
        connection.execute(
            "insert into gold.customer_features by name "
            "select *, date '2025-03-01' as as_of, 0 as zero_value_orders, 0 as refunds, 1 as net_sales, "
            "1 as category_count, 0 as log_spend_square_sum, 1 as purchase_sales, "
            "row_number() over () as customer_hash from people"
        )
        connection.unregister("people")
    write(warehouse, CUSTOMER_SEGMENTS, segments_query(tiny_settings()))
    with warehouse.reading() as connection:
        frame: pd.DataFrame = connection.sql("select * from gold.customer_segments order by customer_id").df()
    return frame


def _agreement(stored: pd.Series, expected: Any) -> float:
    return float((stored.to_numpy() == expected).mean())


def _predictor(model: pd.DataFrame) -> KMeans:
    """A scikit-learn model with the stored centroids, fitted to nothing else."""
    _, _, centroids = model_arrays(model)
    return KMeans(n_clusters=len(centroids), init=centroids, n_init=1, max_iter=1).fit(centroids)


def _standardised(people: pd.DataFrame, model: pd.DataFrame) -> Floats:
    mean, scale, _ = model_arrays(model)
    standardised: Floats = (_traits(people) - mean) / scale
    return standardised


def _counts(warehouse: MemoryWarehouse) -> dict[str, int]:
    found = records(warehouse, "select segment_key, count(*) as customers from gold.customer_segments group by all")
    return {row["segment_key"]: row["customers"] for row in found}


def _past_snapshots(warehouse: MemoryWarehouse, until: date) -> list[dict[str, Any]]:
    return records(
        warehouse, "select * from gold.customer_snapshots where as_of <= ? order by as_of, customer_id", until
    )
