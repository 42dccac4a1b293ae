"""The report's figures are those of the warehouse."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from bridgecart_assets.report import figures
from bridgecart_assets.report.figures import gather
from bridgecart_assets.settings import Settings
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.database import Warehouse

PAGE = Path(figures.__file__).parent / "page"
CENT = pytest.approx


@pytest.fixture
def connection(grown: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    with Warehouse.from_settings(grown).reading() as reading:
        yield reading


def objects(table: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def rows(connection: duckdb.DuckDBPyConnection, settings: Settings, section: str) -> Sequence[Mapping[str, Any]]:
    return objects(gather(connection, settings)["tables"][section])


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("clv_growth", ("clv_growth", "customers", "closing_clv", "clv_growth_reason", "predicted_clv_growth")),
        ("churn_rate", ("churn_rate", "active", "churned", "estimated_churn_rate", "estimate_error")),
        ("average_order_value", ("average_order_value", "orders")),
        ("sales_contribution", ("sales", "sales_contribution")),
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
    with Warehouse.from_settings(empty).reading() as connection:
        tables = {name: objects(table) for name, table in gather(connection, empty)["tables"].items()}
    assert {name for name, found in tables.items() if found} == {"rejects", "batches"}
    assert tables["rejects"] == [{"reason": "not_json", "records": 1}]


def test_every_reason_for_a_missing_figure_has_words():
    files = ("kpi_clv_growth", "kpi_churn_rate", "kpi_average_order_value", "kpi_sales_contribution", "report/figures")
    reasons = {found for file in files for found in re.findall(r"then '([a-z_]+)'", read_sql(file))}
    words = (PAGE / "page.js").read_text(encoding="utf-8").split("REASONS = {")[1].split("}")[0]
    assert len(reasons) > 6
    assert [reason for reason in sorted(reasons) if f"{reason}:" not in words] == []
