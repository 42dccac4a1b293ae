"""The report's figures are those of the warehouse."""

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.export_file import Audience, Shape, export_customers
from bridgecart_assets.contracts import KPIS, Kpi
from bridgecart_assets.report import figures
from bridgecart_assets.report.figures import gather
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets_tests.report.pages import objects
from bridgecart_assets_tests.report.shops import open_shop
from bridgecart_assets_tests.sources.mapping.records import SAMPLES, sample_lines
from bridgecart_assets_tests.support.pipeline import run_silver, run_whole_tables
from bridgecart_assets_tests.support.records import Record, event, store_batch

CENT = pytest.approx
FACTS = (
    *("purchase_days_a_year", "net_a_purchase_day", "average_order_value", "orders_a_purchase_day"),
    "coupon_share",
    "refund_share",
)


@pytest.fixture
def connection(grown: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    with warehouse_from_settings(grown).reading() as reading:
        yield reading


def rows(connection: duckdb.DuckDBPyConnection, settings: Settings, section: str) -> Sequence[Mapping[str, Any]]:
    return objects(gather(connection, settings)["tables"][section])


def test_a_segment_hardly_below_the_mean_of_all_is_zero_away_from_it_without_a_sign(grown: Settings):
    with warehouse_from_settings(grown).copied() as copy:
        with copy.transaction() as connection:
            connection.execute("create temp table viewed as from gold.customer_segments")
            connection.execute("drop view gold.customer_segments")
            connection.execute("create table gold.customer_segments as from viewed")
            connection.execute("update gold.customer_segments set log_spend = hash(customer_id) % 2")
            connection.execute(
                "update gold.customer_segments set log_spend = o.mean - 1e-6 from (select avg(log_spend) as mean "
                "from gold.customer_segments where segment_key <> 'S01') o where segment_key = 'S01'"
            )
        with copy.reading() as connection:
            apart = [row["apart_spend"] for row in rows(connection, grown, "segments")]
    assert 0.0 in apart
    assert "-0.0" not in map(str, apart)


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("clv_growth", ("clv_growth", "customers", "closing_clv", "clv_growth_reason", "predicted_clv_growth")),
        ("churn_rate", ("churn_rate", "active", "churned", "estimated_churn_rate", "estimate_error")),
        (
            "average_order_value",
            ("average_order_value", "orders", "refund_share", "average_order_value_after_refunds", "model_changed"),
        ),
        (
            "sales_contribution",
            ("sales", "sales_contribution", "closing_sales_contribution", "largest_customer_at_most"),
        ),
    ],
)
def test_every_kpi_of_every_period_and_segment_is_that_of_its_table(
    connection: duckdb.DuckDBPyConnection, grown: Settings, table: str, columns: tuple[str, ...]
):
    stored = connection.sql(f"select period::varchar, segment_key, {', '.join(columns)} from kpi.{table}").fetchall()
    shown = {(row["period"], row["segment_key"]): row for row in rows(connection, grown, "figures")}
    assert len(stored) > 60
    for period, key, *values in stored:
        given = [shown[period, key][column] for column in columns]
        assert given == [float(value) if hasattr(value, "as_tuple") else value for value in values]


def test_the_totals_are_those_of_the_orders_themselves(connection: duckdb.DuckDBPyConnection, grown: Settings):
    totals = [row for row in rows(connection, grown, "figures") if row["segment_key"] == "all"]
    ((sales, purchases, purchase_sales),) = connection.sql(
        "select sum(net_amount), count(*) filter (where order_kind = 'purchase'), "
        "sum(net_amount) filter (where order_kind = 'purchase') from silver.orders"
    ).fetchall()
    assert sum(row["sales"] for row in totals) == CENT(float(sales), abs=0.005)
    assert sum(row["orders"] for row in totals) == purchases
    assert sum(row["purchase_sales"] for row in totals) == CENT(float(purchase_sales), abs=0.005)
    for row in totals:
        if row["orders"]:
            assert row["average_order_value"] == CENT(row["purchase_sales"] / row["orders"])
            assert row["average_order_value_after_refunds"] == CENT(row["sales"] / row["orders"])
            assert row["refund_share"] == CENT(1 - row["sales"] / row["purchase_sales"], abs=1e-9)


def test_the_churn_rate_of_all_customers_is_that_of_their_orders(
    connection: duckdb.DuckDBPyConnection, grown: Settings
):
    matured = [
        r for r in rows(connection, grown, "figures") if r["segment_key"] == "all" and r["churn_rate"] is not None
    ]
    assert len(matured) > 10
    for row in matured:
        ((active, churned),) = connection.execute(
            "with days as (select customer_id, purchased_at from silver.orders where order_kind = 'purchase'), "
            "active as (select distinct customer_id from days where purchased_at >= $opening::date - $window "
            "and purchased_at < $opening::date) "
            "select count(*), count(*) filter (where customer_id not in (select customer_id from days where "
            "purchased_at >= $opening::date and purchased_at < $opening::date + $window)) from active",
            {"opening": row["period"], "window": grown.churn_window_days},
        ).fetchall()
        assert (row["active"], row["churned"]) == (active, churned)
        assert row["churn_rate"] == CENT(churned / active)
        assert 0 <= row["churn_rate_low"] <= row["churn_rate"] <= row["churn_rate_high"] <= 1


def test_a_churn_rate_stands_beside_that_of_the_same_month_a_year_before(
    connection: duckdb.DuckDBPyConnection, grown: Settings
):
    figures = {(row["period"], row["segment_key"]): row for row in rows(connection, grown, "figures")}
    compared = 0
    for (period, key), row in figures.items():
        assert row["year_before"] == f"{int(period[:4]) - 1}{period[4:]}"
        before = figures.get((row["year_before"], key), {"churn_rate": None})
        assert row["churn_rate_year_before"] == before["churn_rate"]
        if None in (row["churn_rate"], before["churn_rate"]):
            assert row["churn_change_low"] is row["churn_change_high"] is None
            continue
        compared += 1
        # Newcombe 1998, method 10: the square and add limits.
        (low, rate, high), (low_then, then, high_then) = (
            [one[name] for name in ("churn_rate_low", "churn_rate", "churn_rate_high")] for one in (row, before)
        )
        assert row["churn_change_low"] == CENT(rate - then - math.hypot(rate - low, high_then - then))
        assert row["churn_change_high"] == CENT(rate - then + math.hypot(high - rate, then - low_then))
    assert compared > 8


def test_new_customers_and_returning_ones_are_told_apart_by_their_first_order(
    connection: duckdb.DuckDBPyConnection, grown: Settings
):
    orders = connection.sql(
        "select customer_id, date_trunc('month', purchased_at)::date::varchar, order_kind, net_amount "
        "from silver.orders"
    ).fetchall()
    came: dict[str, str] = {}
    for customer, month, *_ in orders:
        came[customer] = min(month, came.get(customer, month))
    shown = rows(connection, grown, "new_and_returning")
    assert len(shown) > 30
    for row in shown:
        month, is_new = row["period"], row["who"] == "new"
        every = [net for _, at, _, net in orders if at == month]
        own = [(who, kind, net) for who, at, kind, net in orders if at == month and (came[who] == month) == is_new]
        bought = [(who, net) for who, kind, net in own if kind == "purchase"]
        sales = sum((net for *_, net in own), Decimal(0))
        assert (row["orders"], row["buyers"]) == (len(bought), len({who for who, _ in bought}))
        assert row["sales"] == CENT(float(sales), abs=0.005)
        assert row["share"] == CENT(float(sales / sum(every)), abs=5e-6)
        average = float(sum(net for _, net in bought)) / len(bought) if bought else None
        assert row["average_order_value"] == (average if average is None else CENT(average))
        assert row["low_sample"] == (row["buyers"] < 30)


def test_clv_growth_of_all_customers_is_that_of_those_who_existed_at_the_opening(
    connection: duckdb.DuckDBPyConnection, grown: Settings
):
    (last,) = [r for r in rows(connection, grown, "figures") if r["segment_key"] == "all"][-1:]
    ((opening, closing),) = connection.execute(
        "with worth as (select customer_id, sum(net_amount) filter (where purchased_at < $opening::date) as opening, "
        "sum(net_amount) filter (where purchased_at < $close::date) as closing from silver.orders group by all) "
        "select sum(opening), sum(closing) filter (where opening is not null) from worth",
        {"opening": last["period"], "close": last["closes_on"]},
    ).fetchall()
    assert last["opening_clv"] == CENT(float(opening), abs=0.005)
    assert last["clv_growth"] == CENT(float(closing) / float(opening) - 1)


def test_every_waterfall_ends_at_the_closing_value(connection: duckdb.DuckDBPyConnection, grown: Settings):
    steps = {(r["period"], r["segment_key"], r["place"]): r for r in rows(connection, grown, "bridge")}
    ends = [key for key in steps if key[2] == 7]
    assert len(ends) > 60
    for period, key, _ in ends:
        assert steps[period, key, 6]["ends"] == CENT(steps[period, key, 7]["ends"], abs=0.005)
        assert [steps[period, key, place]["begins"] for place in (1, 7)] == [0, 0]
        for place in (2, 3, 4, 5, 6):
            assert steps[period, key, place]["begins"] == CENT(steps[period, key, place - 1]["ends"], abs=0.005)


def test_purchases_by_category_and_by_payment_add_up_to_those_of_the_kpis(
    connection: duckdb.DuckDBPyConnection, grown: Settings
):
    purchases = rows(connection, grown, "purchases")
    expected = sum(r["purchase_sales"] for r in rows(connection, grown, "figures") if r["segment_key"] == "all")
    assert {row["attribute"] for row in purchases} == {"none", "category", "payment"}
    for attribute in ("none", "category", "payment"):
        assert sum(r["sales"] for r in purchases if r["attribute"] == attribute) == CENT(expected, abs=0.005)


def test_of_attributes_with_very_many_values_the_rare_ones_are_together(
    connection: duckdb.DuckDBPyConnection, grown: Settings, monkeypatch: pytest.MonkeyPatch
):
    every = {r["value"] for r in rows(connection, grown, "purchases") if r["attribute"] == "category"}
    monkeypatch.setattr(figures, "MOST_VALUES", 2)
    few = rows(connection, grown, "purchases")
    values = {row["value"] for row in few if row["attribute"] == "category"}
    assert len(every) > 3
    assert "other" in values
    assert len(values) == 3
    sales = {a: sum(r["sales"] for r in few if r["attribute"] == a) for a in ("category", "none")}
    assert sales["category"] == CENT(sales["none"], abs=0.005)


def test_segments_lifecycles_and_flows_count_every_customer(connection: duckdb.DuckDBPyConnection, grown: Settings):
    ((customers, buyers),) = connection.sql("select count(*), count(lifecycle) from gold.customer_segments").fetchall()
    segments = rows(connection, grown, "segments")
    assert sum(row["customers"] for row in segments) == customers
    assert sum(row["share_of_customers"] for row in segments) == CENT(1, abs=1e-5)
    assert sum(row["customers"] for row in rows(connection, grown, "lifecycles")) == buyers
    flows = rows(connection, grown, "flows")
    last = max(row["period"] for row in flows)
    assert sum(row["customers"] for row in flows if row["period"] == last) == customers
    assert sum(row["customers"] for row in rows(connection, grown, "cohorts")) == buyers


def test_what_the_customers_of_a_segment_did_is_counted_from_their_orders(
    connection: duckdb.DuckDBPyConnection, grown: Settings
):
    segment_of = dict(connection.sql("select customer_id, segment_key from gold.customer_segments").fetchall())
    ((as_of,),) = connection.sql("select max(as_of) from gold.customer_segments").fetchall()
    orders = connection.sql(
        "select customer_id, purchased_at::date, order_kind, net_amount::double, coupon_used from silver.orders"
    ).fetchall()
    days: dict[str, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    bought_on: dict[str, set[date]] = defaultdict(set)
    for customer, day, kind, net, _ in orders:
        days[customer][day] += net
        if kind == "purchase":
            bought_on[customer].add(day)
    buyers = set(bought_on)

    def expected(customers: set[str]) -> Sequence[float]:
        purchases = [(net, coupon) for who, _, kind, net, coupon in orders if who in customers and kind == "purchase"]
        purchase_days = sum(len(bought_on[customer]) for customer in customers)
        return (
            365 * purchase_days / sum((as_of - min(bought_on[customer])).days for customer in customers),
            sum(sum(days[customer].values()) for customer in customers) / purchase_days,
            sum(net for net, _ in purchases) / len(purchases),
            len(purchases) / purchase_days,
            sum(coupon is True for _, coupon in purchases) / sum(coupon is not None for _, coupon in purchases),
            -sum(net for who, _, kind, net, _ in orders if who in customers and kind == "refund")
            / sum(net for net, _ in purchases),
        )

    segments = rows(connection, grown, "segments")
    assert len(segments) == 4
    for row in segments:
        counted = expected({customer for customer in buyers if segment_of[customer] == row["segment_key"]})
        assert [row[name] for name in FACTS] == [CENT(value, abs=0.005) for value in counted]
    (all_customers,) = rows(connection, grown, "everybody")
    assert [all_customers[name] for name in FACTS] == [CENT(value, abs=0.005) for value in expected(buyers)]


def test_the_average_order_the_orders_a_day_and_the_refunds_make_the_net_sales_a_day(
    connection: duckdb.DuckDBPyConnection, grown: Settings
):
    refunds = dict(
        connection.sql(
            "select segment_key, -sum(net_amount)::double from silver.orders join gold.customer_segments using "
            "(customer_hash, customer_id) where order_kind <> 'purchase' group by all"
        ).fetchall()
    )
    for row in rows(connection, grown, "segments"):
        before_refunds = row["average_order_value"] * row["orders_a_purchase_day"]
        share = refunds[row["segment_key"]] / (row["net_sales"] + refunds[row["segment_key"]])
        assert row["net_a_purchase_day"] == CENT(before_refunds * (1 - share), rel=0.002)


def test_the_share_of_the_largest_customer_stands_beside_the_sales_of_a_segment(
    connection: duckdb.DuckDBPyConnection, grown: Settings
):
    spent = connection.sql(
        "select segment_key, customer_id, sum(net_amount)::double from silver.orders "
        "join gold.customer_segments using (customer_id) group by all"
    ).fetchall()
    for row in rows(connection, grown, "segments"):
        own = [net for key, _, net in spent if key == row["segment_key"]]
        assert row["largest_customer_share"] == CENT(max(own) / sum(own), abs=1e-5)


def test_churn_risk_of_all_and_of_the_active_are_told_apart(connection: duckdb.DuckDBPyConnection, grown: Settings):
    risks = connection.execute(
        "select s.segment_key, avg(s.churn_risk), avg(s.churn_risk) filter (where s.customer_id in ("
        "select customer_id from silver.orders where order_kind = 'purchase' "
        "and purchased_at::date >= s.as_of - $window)) from gold.customer_segments s group by all order by 1",
        {"window": grown.churn_window_days},
    ).fetchall()
    shown = [
        (row["segment_key"], row["mean_churn_risk"], row["active_churn_risk"])
        for row in rows(connection, grown, "segments")
    ]
    assert shown == [(key, CENT(every, abs=1e-4), CENT(active, abs=1e-4)) for key, every, active in risks]
    assert all(active < every for _, every, active in shown)


def test_an_estimate_for_all_customers_is_in_hindsight_where_one_of_a_segment_is(
    connection: duckdb.DuckDBPyConnection, grown: Settings
):
    of_segments: dict[str, set[bool | None]] = defaultdict(set)
    figures = rows(connection, grown, "figures")
    for row in figures:
        if row["segment_key"] != "all":
            of_segments[row["period"]].add(row["in_hindsight"])
    shown = {row["period"]: row["in_hindsight"] for row in figures if row["segment_key"] == "all"}
    assert True in shown.values()
    assert shown == {
        period: True in found or (None if found == {None} else False) for period, found in of_segments.items()
    }


def test_the_cohorts_hold_every_order_of_their_customers(connection: duckdb.DuckDBPyConnection, grown: Settings):
    ((customers, worth),) = connection.sql(
        "select count(distinct customer_id), sum(net_amount)::double from silver.orders where customer_id in "
        "(select customer_id from silver.orders where order_kind = 'purchase')"
    ).fetchall()
    cohorts = rows(connection, grown, "cohorts")
    assert sum(row["customers"] for row in cohorts) == customers
    assert sum(row["net_sales"] for row in cohorts) == CENT(worth, abs=0.005)


def test_only_the_newest_periods_are_in_it(
    connection: duckdb.DuckDBPyConnection, grown: Settings, monkeypatch: pytest.MonkeyPatch
):
    every = sorted({row["period"] for row in rows(connection, grown, "figures")})
    monkeypatch.setattr(figures, "MOST_PERIODS", 3)
    for section in ("figures", "bridge", "flows", "purchases"):
        assert sorted({row["period"] for row in rows(connection, grown, section)}) == every[-3:]


def test_the_same_warehouse_gives_the_same_bytes(connection: duckdb.DuckDBPyConnection, grown: Settings):
    first, second = (json.dumps(gather(connection, grown)) for _ in range(2))
    assert first == second


def test_no_customer_is_named(connection: duckdb.DuckDBPyConnection, grown: Settings):
    text = json.dumps(gather(connection, grown))
    people = connection.sql("select customer_id, name, mobile from silver.customers").fetchall()
    assert len(people) > 100
    assert [value for person in people for value in person if value is not None and value in text] == []


def test_without_an_order_every_section_is_empty_and_the_reject_is_there(empty: Settings):
    with warehouse_from_settings(empty).reading() as connection:
        tables = {name: objects(table) for name, table in gather(connection, empty)["tables"].items()}
    assert {name for name, found in tables.items() if found} == {"rejects", "batches", "ends"}
    assert tables["ends"] == [{"refunds_inside": 0, "skipped": 0}]
    assert tables["rejects"] == [{"reason": "not_json", "records": 1}]


@pytest.mark.parametrize("kpi", KPIS, ids=lambda kpi: kpi.column)
def test_every_reason_for_a_missing_figure_has_words(kpi: Kpi):
    found = set(re.findall(r"then '([a-z_]+)'", read_sql(f"kpi/{kpi.column}")))
    assert found
    assert found <= set(kpi.reasons)


def test_every_reason_for_a_missing_figure_of_all_customers_has_words(
    connection: duckdb.DuckDBPyConnection, grown: Settings
):
    found = set(re.findall(r"then '([a-z_]+)'", read_sql("report/figures")))
    words = {reason for kpi in gather(connection, grown)["kpis"] for reason in kpi["reasons"]}
    assert len(found) > 3
    assert found <= words


def test_purchases_and_value_since_the_first_purchase_are_of_the_days_of_the_shops_calendar(tmp_path: Path):
    # The second is in the thirtieth day since the first, which in UTC ends eight hours earlier.
    times = ("2025-01-31T23:30:00-08:00", "2025-03-01T23:30:00-08:00")
    orders = [
        event(order_id=f"{customer}-{time}", customer_id=f"C{customer}", purchase_date=time)
        for customer in range(20)
        for time in times
    ]
    shop = open_shop(tmp_path, [Record(order) for order in orders], calendar_timezone="America/Los_Angeles")
    with warehouse_from_settings(shop).reading() as connection:
        shown = gather(connection, shop)
    assert (shown["clock"]["newest_order_at"], shown["settings"]["calendar"]) == (
        "2025-03-01T23:30:00",
        "America/Los_Angeles",
    )
    assert {row["period"] for row in objects(shown["tables"]["purchases"])} == {"2025-01-01", "2025-03-01"}
    (cohort,) = objects(shown["tables"]["cohorts"])
    assert (cohort["cohort"], cohort["customers"], cohort["whole_ages"]) == ("2025-01-01", 20, 1)
    assert {(row["age"], row["mean_clv"]) for row in objects(shown["tables"]["cohort_ages"])} == {(0, 200)}


def test_orders_of_a_mapping_that_were_sent_again_or_are_void_count_once_or_not_in_report_and_export(tmp_path: Path):
    shop = Settings(data_dir=tmp_path / "data", mapping=SAMPLES / "mappings" / "shopify.toml")
    warehouse, key = warehouse_from_settings(shop), "20300101T000000Z"
    store_batch(warehouse, key, [Record(line) for line in sample_lines("shopify-orders")])
    run_silver(warehouse, shop, key)
    run_whole_tables(warehouse, shop)
    with warehouse.reading() as reading:
        totals = [row for row in rows(reading, shop, "figures") if row["segment_key"] == "all"]
    # Two orders of 119.90, one with a refund of 29.70 inside; three older states and an order that became void.
    assert (sum(row["orders"] for row in totals), sum(row["sales"] for row in totals)) == (2, CENT(210.10))
    assert export_customers(shop, Audience(), Shape("parquet"), tmp_path / "customers.parquet").customers == 2
    ((worth,),) = duckdb.read_parquet(str(tmp_path / "customers.parquet")).sum("net_sales").fetchall()
    assert worth == Decimal("210.10")
