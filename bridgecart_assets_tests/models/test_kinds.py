"""Shops where a trait says nothing, or with fewer kinds of customers than segments asked for."""

from collections.abc import Iterable
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from bridgecart_assets import contracts
from bridgecart_assets.contracts import SEGMENT_MODEL
from bridgecart_assets.models.due import RefitMode
from bridgecart_assets.models.fitting import LEFT_OUT_SCALE
from bridgecart_assets.models.refitting import refit
from bridgecart_assets.models.telling_traits import left_out_traits
from bridgecart_assets.warehouse import queries
from bridgecart_assets_tests.models.people import GROUPS, features, telling
from bridgecart_assets_tests.sql.history import (
    MemoryWarehouse,
    Order,
    compute_features,
    records,
    store_orders,
    tiny_settings,
    write,
)
from bridgecart_assets_tests.support.pipeline import run_model

NO_MODEL = pd.DataFrame(columns=list(SEGMENT_MODEL.column_names))
OPENED = date(2024, 1, 1)


def shop_with(orders: Iterable[Order]) -> MemoryWarehouse:
    """A shop with its models fitted, four segments asked for, and everybody scored."""
    warehouse = MemoryWarehouse()
    store_orders(warehouse, orders)
    settings = tiny_settings(segments=4)
    write(warehouse, contracts.CUSTOMER_FEATURES, queries.features_query(settings))
    run_model(warehouse, settings)
    compute_features(warehouse, settings)
    return warehouse


def made_orders(
    customers: int, *, price: float | None = None, coupons: frozenset[int] = frozenset(), coupon_chance: float = 0.0
) -> list[Order]:
    """Orders of a year of customers who differ in how often they buy and in what they spend; or all at one price.

    The first order of each of the `coupons` is with one, and any with `coupon_chance`.
    """
    rng = np.random.default_rng(8)
    orders = []
    for customer in range(customers):
        usual, weeks_between = np.exp(rng.normal(4, 0.8)), 1 + rng.gamma(1.0, 12.0)
        day = float(rng.integers(0, 300))
        first = True
        while day < 360:
            spent = price if price is not None else usual * np.exp(rng.normal(0, 0.2))
            coupon = (first and customer in coupons) or bool(rng.random() < coupon_chance)
            orders.append(
                Order(f"C{customer:05}", str(OPENED + timedelta(days=int(day))), f"{spent:.2f}", coupon=coupon)
            )
            # Some buy twice on a day, which at one price makes a larger sum.
            day += 0 if rng.random() < 0.02 else 1 + rng.exponential(7 * weeks_between)
            first = False
    return orders


@pytest.mark.parametrize("customers", [400, pytest.param(5_000, marks=pytest.mark.slow)])
def test_at_one_price_nobody_is_high_ticket_and_no_segment_is_made_of_prices(customers: int):
    warehouse = shop_with(made_orders(customers, price=10.0))
    model = records(warehouse, "select * from gold.segment_model")
    assert len(model) == 4
    assert not [row["segment"] for row in model if "ticket" in row["segment"]]
    assert {row["centroid_log_spend"] for row in model} == {0.0}
    assert {row["scale_log_spend"] for row in model} == {LEFT_OUT_SCALE}
    assert all("differ from the others by what a shop would feel" in row["left_out_log_spend"] for row in model)
    assert {row["left_out_log_purchase_rate"] for row in model} == {None}
    assert min(row["smallest_share"] for row in model) >= 0.03
    sizes = records(warehouse, "select count(*) as customers from gold.customer_segments group by segment_key")
    assert min(row["customers"] for row in sizes) >= 0.03 * customers


def test_three_coupons_among_four_hundred_customers_make_no_segment():
    model = records(shop_with(made_orders(400, coupons=frozenset({5, 50, 300}))), "select * from gold.segment_model")
    assert {row["left_out_coupon_share"] for row in model} == {
        "3 of 400 customers differ from the others by what a shop would feel"
    }
    assert {row["remarks"] for row in model} == {
        "Segments are not made of coupons: 3 of 400 customers differ from the others by what a shop would feel."
    }
    assert {row["centroid_coupon_share"] for row in model} == {0.0}
    assert {row["left_out_log_spend"] for row in model} == {None}


def test_coupons_that_everybody_uses_by_chance_say_nothing_and_those_of_coupon_hunters_do():
    by_chance = made_orders(600, coupon_chance=0.3)
    assert {row["why"] for row in _why_no_coupons(by_chance)} != {None}
    hunters = [order if int(order.customer[1:]) % 4 else _with_coupon(order) for order in made_orders(600)]
    assert {row["why"] for row in _why_no_coupons(hunters)} == {None}


def _why_no_coupons(orders: Iterable[Order]) -> list[dict[str, str | None]]:
    return records(shop_with(orders), "select left_out_coupon_share as why from gold.segment_model")


def _with_coupon(order: Order) -> Order:
    return Order(order.customer, order.at, order.net, coupon=True)


@pytest.mark.parametrize(
    ("reliability", "counted", "is_out"),
    [(0.19, None, True), (0.21, None, False), (0.11, True, False), (0.09, True, True), (0.29, False, True)],
)
def test_a_trait_near_the_limit_does_not_come_and_go(reliability: float, counted: bool | None, is_out: bool):
    until_now = None if counted is None else {"log_spend"} if counted else set()
    people = features().assign(reliability_log_spend=reliability)
    assert ("log_spend" in left_out_traits(people, counted=until_now)) is is_out


def test_two_clear_kinds_among_three_hundred_customers_are_two_segments_and_it_says_why():
    two = {name: GROUPS[name] for name in ("regulars", "spenders")}
    model = _fitted(features(each=150, groups=two))
    assert sorted(model["segment_customers"]) == [150, 150]
    assert set(model["fewer_because"]) == {"2 kinds of customers stand clearly apart"}


def test_two_kinds_of_customers_who_are_all_alike_are_two_segments():
    two = {name: GROUPS[name] for name in ("regulars", "spenders")}
    model = _fitted(features(each=150, groups=two, spread=0.0))
    assert sorted(model["segment_customers"]) == [150, 150]
    assert set(model["fewer_because"]) == {"2 kinds of customers by the traits that count"}


def test_customers_who_are_all_the_same_are_one_segment_of_all_customers():
    orders = [Order(f"C{customer}", "2024-03-01", 10) for customer in range(60)]
    warehouse = shop_with(orders)
    (row,) = records(warehouse, "select segment, segment_customers, fewer_because, remarks from gold.segment_model")
    assert (row["segment"], row["segment_customers"]) == ("all customers", 60)
    assert row["fewer_because"] == "one kind of customers by the traits that count"
    assert row["remarks"].startswith("One segment where 4 were asked for: one kind of customers by the traits that")
    scored = records(warehouse, "select distinct segment_key, runner_up_key, confidence from gold.customer_segments")
    assert scored == [{"segment_key": "S01", "runner_up_key": None, "confidence": None}]


def test_a_giant_follows_the_segments_and_makes_none():
    people = features(each=75)
    giant = people.iloc[[0]].assign(customer_id="giant", log_purchase_rate=30.0, log_spend=20.0, net_sales=1e9)
    model = _fitted(telling(pd.concat([people, giant], ignore_index=True)))
    assert list(model["fewer_because"]) == [None] * 4
    assert sorted(model["segment_customers"]) == [75, 75, 75, 76]


def test_a_kind_of_less_than_three_per_cent_is_no_segment_and_it_says_so():
    few = {"stars": (9.0, 9.0, 0.1)}
    people = pd.concat([features(each=100), features(each=11, groups=few)], ignore_index=True)
    model = _fitted(people, segments=5)
    assert min(model["segment_customers"]) >= 0.03 * len(people)
    assert len(model) == 4
    assert set(model["fewer_because"]) == {"of 5 segments one would hold 11 of 411 customers"}


@pytest.mark.parametrize("share", [0.1, 0.2])
def test_another_product_line_still_asks_a_person(share: float):
    people = features(each=100, spread=1.0)
    model = _fitted(people)
    line = features(each=round(share * 400), groups={"machines": (0.2, 13.0, 0.1)}, as_of=date(2025, 6, 1))
    later = pd.concat([people.assign(as_of=date(2025, 6, 1)), line], ignore_index=True)
    outcome = refit(model, lambda _: later, 1, mode=RefitMode.NOW, segments=4, seed=42, refit_days=90)
    assert "is proposed" in outcome.decision


def _fitted(people: pd.DataFrame, *, segments: int = 4) -> pd.DataFrame:
    return refit(NO_MODEL, lambda _: people, 1, mode=RefitMode.NOW, segments=segments, seed=42, refit_days=90).model
