"""What to do: the money of every kind of opportunity is that of its definition, and no more."""

import inspect
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import date, timedelta
from decimal import Decimal

import pytest

from bridgecart_assets.base.settings import Period, Settings
from bridgecart_assets.contracts import CLV_GROWTH
from bridgecart_assets.contracts.opportunities import FACTS, NO_ADVICE, OPPORTUNITIES
from bridgecart_assets.models import purchase_table
from bridgecart_assets.sql import read_sql
from bridgecart_assets_tests.docs import KPIS
from bridgecart_assets_tests.report.opportunities import (
    Customer,
    Row,
    customers_as_of,
    expected_opportunities,
    section,
)
from bridgecart_assets_tests.sql import oracle
from bridgecart_assets_tests.sql.history import (
    MemoryWarehouse,
    Order,
    compute_kpi,
    store_purchase_model,
    tiny_settings,
    warehouse_with,
)

CENT = pytest.approx
FIRST_DAY = date(2025, 1, 1)
DAYS = 140


def random_shop(seed: int, customers: int = 600) -> oracle.Orders:
    """Customers of many habits: once, often, lapsed, back again, with coupons, giving back."""
    return tuple(
        order for number in range(customers) for order in _orders_of(number, random.Random(f"{seed} {number}"))
    )


def _orders_of(number: int, rng: random.Random) -> Iterator[Order]:
    level, coupons, returns = rng.choice((20, 400)), rng.choice((0.1, 0.2, 0.8)), rng.choice((0, 0, 0, 0.9))
    for day in _days_of(rng):
        at = (FIRST_DAY + timedelta(days=day)).isoformat()
        cents = 100 * level + rng.randrange(50 * level)
        coupon = rng.random() < coupons
        discount = rng.randrange(level) if coupon else 0
        yield Order(f"C{number}", at, f"{cents / 100:.2f}", discount=discount, coupon=coupon)
        if rng.random() < returns:
            yield Order(f"C{number}", at, f"-{rng.randrange(1, cents) / 100:.2f}")


def _days_of(rng: random.Random) -> list[int]:
    """The days of one customer's purchases, by a habit."""
    first, gap = rng.randrange(DAYS), rng.choice((4, 9))
    habits = {
        "once": [DAYS - 1 - first // 2],
        "again": [DAYS - 1 - first // 2, DAYS - first // 2 + rng.randrange(5, 40)],
        "lapsed": [*range(first // 2, first // 2 + 20, gap)],
        "back": [*range(first // 3, first // 3 + 20, gap), DAYS - rng.randrange(1, 25)],
        "stopped": [*range(first // 2, DAYS - rng.randrange(16, 22), 3)],
        "steady": [*range(first // 2, DAYS, gap)],
    }
    return [day for day in habits[rng.choice([*habits, "once", "once", "steady"])] if day < DAYS]


def computed(orders: Sequence[Order], settings: Settings) -> MemoryWarehouse:
    warehouse = warehouse_with(orders)
    compute_kpi(warehouse, settings, CLV_GROWTH)
    return warehouse


def by_key(rows: Sequence[Row]) -> dict[tuple[str, str, str], Row]:
    return {(row["kind"], row["segment_key"], row["lifecycle"]): row for row in rows}


@pytest.mark.parametrize(("seed", "unit", "window"), [(1, "month", 30), (2, "week", 45)])
def test_every_opportunity_and_cell_of_a_random_shop_is_that_of_its_definition(seed: int, unit: Period, window: int):
    orders = random_shop(seed)
    settings = tiny_settings(kpi_period=unit, churn_window_days=window)
    warehouse = computed(orders, settings)
    shown, expected = by_key(section(warehouse, settings, "opportunities")), expected_opportunities(orders, settings)
    assert shown.keys() == expected.keys()
    for key, row in expected.items():
        assert (shown[key]["customers"], shown[key]["reason"]) == (row["customers"], row["reason"]), key
        if row["reason"] is None:
            # Each customer's prediction, each silence of a group is rounded to the cent.
            assert float(shown[key]["money"]) == CENT(row["money"], abs=0.01 * row["customers"]), key
            for figure in ("expected", "fewest", "most"):
                assert figure not in row or float(shown[key][figure]) == CENT(row[figure], abs=0.1), key
        else:
            assert shown[key]["money"] is None, key
    advised = {kind for (kind, _, _), row in expected.items() if row["reason"] is None}
    assert len(advised) >= 4, advised
    assert_cells_are_those_of(customers_as_of(orders, FIRST_DAY + timedelta(days=DAYS), window), warehouse, settings)


def assert_cells_are_those_of(people: Mapping[str, Customer], warehouse: MemoryWarehouse, settings: Settings) -> None:
    cells: dict[tuple[str, str], list[Customer]] = defaultdict(list)
    for customer in people.values():
        cells[customer.segment, customer.lifecycle].append(customer)
    shown = {(row["segment_key"], row["lifecycle"]): row for row in section(warehouse, settings, "lifecycles")}
    assert shown.keys() == cells.keys()
    for key, members in cells.items():
        predicted = float(sum(one.predicted for one in members))
        assert shown[key]["customers"] == len(members)
        assert shown[key]["net_sales"] == sum(one.worth for one in members)
        assert float(shown[key]["predicted_clv"]) == CENT(predicted, abs=0.01 * len(members))
        at_risk = shown[key]["predicted_clv"] if key[1] == "at risk" else 0
        assert shown[key]["value_at_risk"] == at_risk


def everyone(prefix: str, count: int, *orders: tuple[str, int, int, bool]) -> list[Order]:
    """So many customers with these orders: day, net amount, discount on it, coupon."""
    return [
        Order(f"{prefix}{number}", f"2025-{day}", net, discount, coupon)
        for number in range(count)
        for day, net, discount, coupon in orders
    ]


def bought(*purchases: tuple[str, int]) -> list[tuple[str, int, int, bool]]:
    return [(day, net, 0, False) for day, net in purchases]


# The examples of docs/kpis.md: the data end on 31 March, the churn window is 30 days.
SILENT = [
    *everyone("A", 10, *bought(("01-10", 200), ("03-15", 300))),
    *everyone("B", 30, *bought(("01-10", 200))),
    *everyone("C", 50, *bought(("02-10", 250))),
    *everyone("D", 16, *bought(("02-20", 20), ("03-10", 30))),
    *everyone("E", 24, *bought(("02-20", 20))),
    *everyone("F", 35, *bought(("03-25", 25))),
    *everyone("G", 1, *bought(("03-31", 25))),
]
MARCH = ("03-01", "03-11", "03-21", "03-31")
HABITS = [
    *everyone("N", 30, ("03-01", 180, 20, True), *bought(*((day, 200) for day in MARCH[1:]))),
    *everyone("P", 30, ("03-01", 200, 0, False), *((day, 160, 40, True) for day in MARCH[1:])),
    *everyone("R", 30, *bought(*((day, 200) for day in MARCH), *((day, -120) for day in MARCH[1:]))),
    *everyone("S", 60, *bought(*((day, 200) for day in MARCH))),
]


def of_march(orders: Sequence[Order]) -> Mapping[tuple[str, str, str], Row]:
    settings = tiny_settings(churn_window_days=30)
    return by_key(section(computed(orders, settings), settings, "opportunities"))


def test_the_win_back_and_second_purchase_by_hand_are_those_computed():
    rows = of_march(SILENT)
    back = rows["win_back", "S01", "dormant"]
    assert (back["in_group"], back["customers"], back["like_them"], back["came"]) == (80, 50, 40, 10)
    assert (back["opened_on"], back["days"]) == (date(2025, 3, 1), 31)
    again = rows["second_purchase", "S02", "new"]
    assert (again["in_group"], again["customers"], again["like_them"], again["came"]) == (36, 36, 40, 16)
    assert rows["win_back", "S02", "dormant"]["reason"] == "few_customers"
    assert [(row["expected"], row["money"], row["each"]) for row in (back, again)] == [
        (Decimal("12.5"), 3_750, 300),
        (Decimal("14.4"), 432, 30),
    ]
    assert [(row["fewest"], row["most"]) for row in (back, again)] == [
        (Decimal("7.09"), Decimal("20.10")),
        (Decimal("9.49"), Decimal("19.95")),
    ]
    assert_said(
        "50 x 10 / 40 = **12.5** (7.09 to 20.10)", "**3,750**", "36 x 16 / 40 = **14.4** (9.49 to 19.95)", "**432**"
    )


def test_the_coupons_and_returners_by_hand_are_those_computed():
    rows = of_march(HABITS)
    few, much, back = (rows[kind, "S01", "active"] for kind in ("needless_coupons", "coupon_dependence", "returns"))
    assert [(row["customers"], row["money"]) for row in (few, much, back)] == [
        *((30, 600), (30, 2_760)),
        (30, Decimal("8561.70")),
    ]
    assert (much["discount_share"], much["shop_discount_share"]) == (Decimal("0.15"), Decimal("0.035"))
    assert (back["refund_share"], back["shop_refund_share"]) == (Decimal("0.45"), Decimal("0.093264"))
    assert_said("**600**", "**2,760**", "**8,561.70**", "9.3264 %")


def test_value_at_risk_is_the_predicted_value_of_those_at_risk_and_of_nobody_else():
    often = [f"02-{day:02}" for day in range(1, 29, 2)] + ["03-01"]
    orders = [*everyone("K", 30, *bought(*((day, 30) for day in often))), *everyone("S", 40, *bought(("03-31", 20)))]
    settings = tiny_settings(churn_window_days=30)
    warehouse = computed(orders, settings)
    (one,) = {
        person.predicted
        for name, person in customers_as_of(tuple(orders), date(2025, 4, 1), 30).items()
        if name[0] == "K"
    }
    kept = by_key(section(warehouse, settings, "opportunities"))["keep", "S02", "at risk"]
    assert kept["customers"] == 30
    assert float(kept["money"]) == CENT(30 * float(one), abs=0.3)
    at_risk = {row["lifecycle"]: row["value_at_risk"] for row in section(warehouse, settings, "lifecycles")}
    assert at_risk == {"new": 0, "at risk": kept["money"]}


def test_without_predictions_nothing_is_at_risk_in_money_and_the_reason_stands_there():
    often = [f"02-{day:02}" for day in range(1, 29, 2)] + ["03-01"]
    orders = [*everyone("K", 30, *bought(*((day, 30) for day in often))), *everyone("S", 40, *bought(("03-31", 20)))]
    settings = tiny_settings(churn_window_days=30)
    warehouse = warehouse_with(orders)
    store_purchase_model(warehouse, reason="too_few_customers")
    compute_kpi(warehouse, settings, CLV_GROWTH)
    kept = by_key(section(warehouse, settings, "opportunities"))["keep", "S02", "at risk"]
    assert (kept["money"], kept["reason"]) == (None, "too_few_customers")
    (cell,) = (row for row in section(warehouse, settings, "lifecycles") if row["lifecycle"] == "at risk")
    assert (cell["customers"], cell["predicted_clv"], cell["value_at_risk"]) == (30, None, None)


@pytest.mark.parametrize(
    ("orders", "key", "reason"),
    [
        # One of ten brought nearly all.
        (
            [*SILENT, Order("A0", "2025-03-16", 9_000)],
            ("win_back", "S01", "dormant"),
            "one_customer",
        ),
        # What came back went back.
        (
            [*SILENT, *everyone("A", 10, ("03-20", -300, 0, False))],
            ("win_back", "S01", "dormant"),
            "nothing",
        ),
        # Nobody had been silent as long as they are now.
        (
            [order for order in SILENT if order.customer[0] != "C"],
            ("win_back", "S01", "dormant"),
            "nobody_like_them",
        ),
        ([order for order in HABITS if order.customer != "N0"], ("needless_coupons", "S01", "active"), "few_customers"),
        (everyone("T", 40, ("01-20", 20, 0, False)), ("second_purchase", "S02", "new"), "short_history"),
    ],
)
def test_no_money_is_named_that_a_sceptic_would_not_believe(
    orders: Sequence[Order], key: tuple[str, str, str], reason: str
):
    row = of_march(orders)[key]
    assert [row[name] for name in ("money", "expected", "fewest", "most", "each")] == [None] * 5
    assert row["reason"] == reason


def test_the_words_of_every_kind_name_figures_that_its_rows_have():
    row, *_ = of_march(HABITS).values()
    assert FACTS.keys() <= row.keys()
    for kind in OPPORTUNITIES:
        words = " ".join(getattr(kind, one.name) for one in fields(kind))
        assert set(re.findall(r"\{(\w+)\}", words)) <= {*FACTS, "window", "horizon"}
        assert {"customers", "money"} <= set(re.findall(r"\{(\w+)\}", kind.sentence))


def test_every_kind_and_every_reason_of_the_sql_has_words():
    said = read_sql("report/opportunities")
    kinds = {kind.kind for kind in OPPORTUNITIES}
    assert kinds == kinds & set(re.findall(r"'([a-z_]+)'", said))
    reasons = set(re.findall(r"then '([a-z_]+)'\n", said)) - kinds
    no_predictions = set(re.findall(r'"(t[a-z_]+|no_maximum)"', inspect.getsource(purchase_table._below_gate))) | {
        "no_maximum"
    }
    assert len(reasons) == 5
    assert reasons | no_predictions | {"out_of_bounds"} == NO_ADVICE.keys()


def assert_said(*texts: str) -> None:
    section_of_document = " ".join(
        KPIS.read_text(encoding="utf-8").partition("## What to do")[2].partition("\n## ")[0].split()
    )
    for text in texts:
        assert text in section_of_document, text
