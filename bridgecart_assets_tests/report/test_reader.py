"""The page for who reads it for the first time: every word in a sentence, with the figures of this shop."""

import re
from datetime import date
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Page, expect

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.report.figures import gather
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets_tests.report.pages import Open, drawn, objects, page_with, replaced, with_rows

TERMS = [
    *("Segment", "Lifecycle", "Period", "Customer lifetime value (CLV)", "CLV growth", "Churn rate"),
    *("Early estimate, estimate in hindsight", "Average order value", "Contribution to sales", "New customers"),
    *("Without a segment", "Low confidence"),
]


def meaning(page: Page, term: str) -> str:
    """What stands below a term."""
    text = page.locator("#terms dt", has_text=re.compile(f"^{re.escape(term)}$")).locator("+ dd").inner_text()
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_it_is_one_click_from_the_top_on_its_own_and_keeps_the_choice(opened: Open, grown: Settings):
    page = opened(grown, choice="#segment=S03&period=2025-03-01")
    expect(page.locator("#reader")).to_be_hidden()
    page.get_by_role("link", name="New here?").click()
    drawn(page, 2)
    assert page.evaluate("location.hash") == "#read&segment=S03&period=2025-03-01"
    assert page.locator("#terms dt").all_inner_texts() == TERMS
    expect(page.locator("#h-reader")).to_be_focused()
    expect(page.locator("#everything")).to_be_hidden()
    expect(page.locator("#health")).to_be_hidden()
    expect(page.locator("#reader-words")).to_contain_text("of S03 frequent, low-ticket and of Mar 2025")
    page.locator("#segment").select_option("S02")
    drawn(page, 3)
    assert page.evaluate("location.hash") == "#read&segment=S02&period=2025-03-01"
    expect(page.locator("#reader-words")).to_contain_text("of S02 every 17 days, 2200 a time and of Mar 2025")
    page.get_by_role("link", name="Back to the figures").click()
    drawn(page, 4)
    expect(page.locator("#reader")).to_be_hidden()
    expect(page.locator("figure[data-chart=bridge] figcaption")).to_contain_text("CLV bridge of S02")
    assert page.evaluate("location.hash") == "#segment=S02&period=2025-03-01"


def test_every_word_has_the_figures_of_the_kpi_tables(opened: Open, grown: Settings):
    page = opened(grown, choice="#read&segment=S02&period=2025-08-01")
    with warehouse_from_settings(grown).reading() as connection:

        def row(sql: str) -> tuple[float, ...]:
            return only(connection.execute(sql, {"key": "S02", "period": date(2025, 8, 1)}))

        where = "where period = $period and segment_key = $key"
        members, opening, organic, growth = row(
            f"select customers, opening_clv - removed, organic, 100 * clv_growth from kpi.clv_growth {where}"
        )
        active, churned, rate = row(f"select active, churned, 100 * churn_rate from kpi.churn_rate {where}")
        (estimate,) = row(f"select 100 * estimated_churn_rate from kpi.churn_rate {where}")
        orders, sales, average = row(f"select orders, sales, average_order_value from kpi.average_order_value {where}")
        (buyers,) = row(f"select customers from kpi.average_order_value {where}")
        own, total = row(f"select sales, total_sales from kpi.sales_contribution {where}")
        newcomers, brought = row(
            "select customers, 100 * sales_contribution from kpi.sales_contribution "
            "where period = $period and segment_key = 'new' and $key <> ''"
        )
        stages = dict(
            connection.execute(
                "select lifecycle, count(*) from gold.customer_segments where segment_key = 'S02' group by all"
            ).fetchall()
        )
    assert (
        f"The {members} customers in S02 on Aug 1, 2025 had brought {opening:,.2f} by then, and {organic:,.2f} more "
        f"by the close: +{growth:.1f}%."
    ) in meaning(page, "CLV growth")
    assert (
        f"S02, Aug 1, 2025: of {active} active customers {churned} bought nothing in the 90 days after it: {rate:.1f}%."
    ) in meaning(page, "Churn rate")
    assert f"S02, Aug 1, 2025: {estimate:.1f}%, in hindsight." in meaning(page, estimate_term())
    assert f"of Aug 1, 2025 and in hindsight, said {estimate:.1f}%; {rate:.1f}% came" in meaning(page, estimate_term())
    assert f"In Aug 2025, {orders} purchases of S02 came to {sales:,.2f}: {average:,.2f} each." in meaning(
        page, "Average order value"
    )
    assert f"In Aug 2025, S02 brought {own:,.2f} of {total:,.2f}: {100 * own / total:.1f}%." in meaning(
        page, "Contribution to sales"
    )
    assert f"In Aug 2025: {newcomers} customers with a purchase, who brought {brought:.1f}% of the net" in meaning(
        page, "New customers"
    )
    for stage, count in stages.items():
        assert re.search(rf"^{stage}, .*: {count} customers? of S02$", meaning(page, "Lifecycle"), re.MULTILINE), stage
    assert meaning(page, "Period").endswith("The figures here are those from Aug 1, 2025 to Aug 31, 2025.")
    assert meaning(page, "Without a segment").endswith("On Aug 1, 2025: nobody.")
    assert min(members, active, buyers) >= 30
    assert meaning(page, "Low confidence").endswith("No figure of S02 in Aug 2025 is of fewer.")


def only(found: duckdb.DuckDBPyConnection) -> tuple[float, ...]:
    (row,) = found.fetchall()
    return tuple(row)


def estimate_term() -> str:
    return "Early estimate, estimate in hindsight"


def test_of_a_hundred_customers_or_more_it_says_how_many_of_a_hundred(opened: Open, grown: Settings, tmp_path: Path):
    changed = with_rows(
        grown.model_copy(update={"currency": "INR"}),
        "figures",
        lambda row: (
            {**row, "active": 1911, "churned": 287, "churn_rate": 287 / 1911} if row["segment_key"] == "S02" else row
        ),
    )
    segments = [
        {**row, "customers": 12 if row["segment_key"] == "S03" else row["customers"]}
        for row in objects(changed["tables"]["segments"])
    ]
    page = opened(page_with(replaced(changed, "segments", segments), tmp_path), choice="#read&period=2025-10-01")
    assert meaning(page, "Churn rate").endswith(
        "S02, Oct 1, 2025: of 1,911 active customers 287 bought nothing in the 90 days after it: 15.0%, about 15 "
        "of 100."
    )
    assert "Segments of fewer than 30 customers now: S03 (12)." in meaning(page, "Low confidence")
    assert re.search(r"₹[\d,.]+ on each", meaning(page, "Segment"))
    assert re.search(r"S02 has brought ₹[\d,.]+ so far on average, and ₹", meaning(page, TERMS[3]))


def test_without_segments_and_predictions_it_speaks_of_all_customers(opened: Open, hostile: Settings):
    page = opened(hostile, choice="#read&segment=S01")
    expect(page.locator("#reader-words")).to_contain_text("of all customers and of Feb 2025")
    assert "This shop has no segments yet" in meaning(page, "Segment")
    assert "needs attention, bought nothing for more than 30 days: 0 customers" in meaning(page, "Lifecycle")
    # 20 customers, 100 to 2,000 a month, three months.
    assert meaning(page, TERMS[3]).endswith(
        "A customer has brought 3,150.00 so far on average; nothing is predicted: there are too few customers."
    )
    assert meaning(page, "Churn rate").endswith("none, the window after the opening is not over yet.")
    assert meaning(page, estimate_term()).endswith("none, the models had no predictions for it.")
    assert meaning(page, "Without a segment").endswith("On Feb 1, 2025: 20 customers.")
    assert meaning(page, "Low confidence").endswith(
        "Figures of all customers in Feb 2025 with fewer than 30 customers behind them: CLV growth (20), Churn rate "
        "(20), Average order (20), Share of sales (20)."
    )
    # March is still open.
    page.locator("#period").select_option("2025-03-01")
    drawn(page, 2)
    assert "from Mar 1, 2025 to Mar 20, 2025, as far as the orders reach: it is still open" in meaning(page, "Period")


def test_a_shop_of_one_segment_or_of_a_model_that_does_not_fit_is_told_so(
    opened: Open, grown: Settings, tmp_path: Path
):
    with warehouse_from_settings(grown).reading() as connection:
        figures = gather(connection, grown)
    (model,) = objects(figures["tables"]["versions"])
    segments = objects(figures["tables"]["segments"])[1:2]
    unpredicted = [{**row, "mean_predicted_clv": None} for row in segments]
    purchases = objects(figures["tables"]["purchase_models"])
    remark = "One segment where 4 were asked for: the customers are not of different kinds."
    for section, rows in {
        "segments": unpredicted,
        "versions": [{**model, "remarks": remark}],
        "purchase_models": [{**row, "no_prediction_reason": "no_maximum"} for row in purchases],
    }.items():
        figures = replaced(figures, section, rows)
    page = opened(page_with(figures, tmp_path), choice="#read")
    assert meaning(page, "Segment").endswith(remark)
    assert page.locator("#terms li .swatch").count() == 1
    assert "nothing is predicted: purchases here do not follow the model." in meaning(page, TERMS[3])
    assert "at risk, bought nothing for more than 60 days" in meaning(page, "Lifecycle")


@pytest.mark.parametrize("choice", ["#read", "#read&segment=S02&period=1999-01-01"])
def test_without_an_order_the_words_stand_alone(opened: Open, empty: Settings, choice: str):
    page = opened(empty, choice=choice)
    assert page.locator("#terms dt").all_inner_texts() == TERMS
    expect(page.locator("#terms .example")).to_have_count(0)
    expect(page.locator("#reader-words")).to_contain_text("there are no figures of this shop yet")
    expect(page.locator("#empty")).to_be_hidden()
    expect(page.locator("#filters")).to_be_hidden()
    page.get_by_role("link", name="Back to the figures").click()
    drawn(page, 2)
    expect(page.locator("#empty")).to_be_visible()
