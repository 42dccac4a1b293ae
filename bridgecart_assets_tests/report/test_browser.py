"""The report as people use it: in a real browser, with a mouse, a keyboard, a phone, in the dark."""

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.report_server import report_server
from bridgecart_assets.processes.listening import Listener
from bridgecart_assets.report.figures import MOST_PERIODS, gather
from bridgecart_assets.report.page import write_page
from bridgecart_assets.report.writing import write_report
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets_tests.report.pages import (
    PHONE,
    WIDE,
    Open,
    column,
    computed,
    drawn,
    month_name,
    objects,
    open_table,
    page_with,
    replaced,
    times_drawn,
    with_rows,
    with_segments,
)
from bridgecart_assets_tests.report.shops import HOSTILE, grown_shop

# The target of `python -m benchmarks --full page`; this page takes less than half of it.
DRAWN_SECONDS = 2.0


def test_every_chart_is_drawn_and_every_kpi_has_a_figure(opened: Open, grown: Settings):
    page = opened(grown)
    assert page.locator("figure[data-chart]").count() == page.locator("figure[data-chart] svg").count() == 19
    assert page.locator("figure svg .mark-symbol path, figure svg .mark-rect path").count() > 100
    cards = page.locator("#cards .card")
    assert cards.locator("h3").all_inner_texts() == ["CLV growth", "Churn rate", "Average order value", "Net sales"]
    assert all(re.search(r"\d", text) for text in cards.locator(".value").all_inner_texts())
    expect(page.locator("#empty")).to_be_hidden()
    expect(page.locator("#missing")).to_be_hidden()
    expect(page.locator("#profiles .card").first).to_contain_text("of the customers")


def test_choosing_a_segment_filters_the_cards_the_charts_and_the_tables(opened: Open, grown: Settings):
    page = opened(grown)
    open_table(page, "CLV bridge by period")
    all_rows = len(column(page, 1))
    before = page.locator("figure[data-chart=bridge] svg").inner_html()
    page.locator("#segment").select_option("S02")
    drawn(page, 2)
    expect(page.locator("#cards")).to_contain_text("Contribution to sales")
    expect(page.locator("figure[data-chart=bridge] figcaption")).to_contain_text("CLV bridge of S02")
    assert page.locator("figure[data-chart=bridge] svg").inner_html() != before
    names = column(page, 2)
    assert 0 < len(names) < all_rows
    assert all(name.startswith("S02 ") for name in names)
    expect(page.locator("#legend button[data-key=S02]")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Show all").click()
    drawn(page, 3)
    assert len(column(page, 1)) == all_rows


def test_choosing_a_period_shows_its_figures_and_the_address_keeps_the_choice(opened: Open, grown: Settings):
    page = opened(grown)
    expect(page.locator("#h-kpis")).to_contain_text("Dec 2025")
    page.locator("#period").select_option("2025-03-01")
    drawn(page, 2)
    expect(page.locator("#h-kpis")).to_contain_text("Mar 2025")
    page.locator("#legend button").first.click()
    assert page.evaluate("location.hash") == "#segment=S01&period=2025-03-01"
    again = opened(grown, choice="#segment=S01&period=2025-03-01")
    expect(again.locator("#h-kpis")).to_contain_text("Mar 2025")
    expect(again.locator("#segment")).to_have_value("S01")
    assert again.locator("#cards").inner_text() == page.locator("#cards").inner_text()


def test_the_advice_and_the_grid_lead_to_exactly_the_customers_that_are_meant(
    opened: Open, grown: Settings, tmp_path: Path
):
    figures = with_rows(grown, "segments", lambda row: {**row, "segment": HOSTILE})
    rows = {(row["segment_key"], row["lifecycle"]): row for row in objects(figures["tables"]["lifecycles"])}
    advised = [row for row in objects(figures["tables"]["opportunities"]) if row["money"] is not None]
    page = opened(page_with(figures, tmp_path))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    cards = page.locator("#advice > li")
    assert len(advised) > 1
    amounts = [_amount(text) for text in cards.locator(".value").all_inner_texts()]
    assert amounts == [pytest.approx(float(row["money"]), rel=0.005) for row in advised]
    assert advised == sorted(advised, key=lambda row: -row["money"])
    first = cards.first.inner_text()
    for words in (HOSTILE, f"{advised[0]['customers']:,} customers", "The amount: ", "Who: ", "If it works: "):
        assert words in first
    assert not re.search(r"[{}]|undefined|NaN", " ".join(cards.locator("p").all_inner_texts()))
    expect(page.locator("#no-advice")).to_contain_text("keep (fewer than 30 customers)")
    assert page.locator("#everything img, #everything script").count() == 0

    cell = page.locator('[data-cell="S02/active"]')
    expect(cell).to_contain_text(f"{rows['S02', 'active']['customers']:,} customers")
    cell.focus()
    page.keyboard.press("Enter")
    drawn(page, 2)
    expect(cell).to_have_attribute("aria-pressed", "true")
    expect(cell).to_be_focused()
    assert page.evaluate("location.hash") == "#segment=S02&lifecycle=active"
    expect(page.locator("#lifecycle")).to_have_value("active")
    assert cards.count() == sum((row["segment_key"], row["lifecycle"]) == ("S02", "active") for row in advised)
    command, query = page.locator("#chosen-customers code").all_inner_texts()
    assert command == "bridgecart export --segment S02 --lifecycle active"
    page.get_by_role("button", name=f"Copy: {command}").click()
    expect(page.locator("#chosen-customers")).to_contain_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == command
    with warehouse_from_settings(grown).reading() as connection:
        meant = connection.execute(query.replace("'published/gold/audiences.parquet'", "gold.customer_segments"))
        assert len(meant.fetchall()) == rows["S02", "active"]["customers"]

    page.locator('[data-cell="/at risk"]').click()
    expect(page.locator("#chosen-customers code").first).to_have_text('bridgecart export --lifecycle "at risk"')
    expect(page.locator("#advice")).to_have_text("")
    page.get_by_role("button", name="Show all").click()
    assert page.evaluate("location.hash") == ""
    assert cards.count() == len(advised)
    assert page.locator("#cells [aria-pressed=true]").count() == 0


@pytest.mark.parametrize(("length", "name"), [("week", "week of Dec 22, 2025"), ("day", "Dec 31, 2025")])
def test_periods_of_any_length_have_a_name_and_only_as_many_as_fit(
    opened: Open, tmp_path: Path, length: str, name: str
):
    page = opened(grown_shop(tmp_path, kpi_period=length))
    expect(page.locator("#h-kpis")).to_have_text(f"The four KPIs, {name}")
    expect(page.locator("#cards")).not_to_contain_text("from")
    assert page.locator("#period option").count() <= 1 + MOST_PERIODS


def test_the_categories_stand_in_the_order_of_their_sales(opened: Open, grown: Settings):
    page = opened(grown)
    open_table(page, "Purchases by product category")
    sales: dict[str, float] = {}
    for category, amount in zip(column(page, 3), column(page, 5), strict=True):
        sales[category] = sales.get(category, 0) + float(amount.replace(",", ""))
    axis = page.locator("figure[data-chart=categories] .role-axis-label text").all_text_contents()
    assert [text for text in axis if text in sales] == sorted(sales, key=lambda name: -sales[name])


def test_a_choice_that_there_is_not_is_no_choice(opened: Open, grown: Settings):
    page = opened(grown, choice="#segment=<b>&period=1999-01-01")
    expect(page.locator("#segment")).to_have_value("")
    expect(page.locator("#h-kpis")).to_contain_text("Dec 2025")


def test_a_table_sorts_by_any_column_and_says_how(opened: Open, grown: Settings):
    page = opened(grown)
    open_table(page, "Purchases by product category")
    heading = page.get_by_role("columnheader", name="Sales")
    expect(heading).to_have_attribute("aria-sort", "none")
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    sales = [float(text.replace(",", "")) for text in column(page, 5)]
    assert len(sales) > 100
    assert sales == sorted(sales, reverse=True)
    page.keyboard.press("Enter")  # the focus stays on the heading
    expect(heading).to_have_attribute("aria-sort", "ascending")
    assert column(page, 5) == [f"{value:,.2f}" for value in sorted(sales)]


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "dark"), (PHONE, "light")], ids=["wide", "phone"])
def test_what_a_row_is_of_stays_in_sight_while_a_table_is_scrolled(
    opened: Open, hostile: Settings, size: ViewportSize, scheme: str
):
    page = opened(hostile, size=size, scheme=scheme)
    open_table(page, "Purchases by product category")
    long_name = page.locator("[data-table] table:visible tbody td", has_text="<script>").first
    assert long_name.get_attribute("title") == HOSTILE
    assert long_name.evaluate("cell => cell.clientWidth < cell.scrollWidth && cell.clientWidth < 300")
    open_table(page, "KPIs by period")
    scroll = page.locator("[data-table] .scroll:visible").first
    cells = "[...box.querySelectorAll('thead th, tbody tr:last-child td')]"
    places = f"box => {cells}.map(one => one.getBoundingClientRect().left)"
    scroll.evaluate("box => box.scrollTop = box.scrollHeight")
    before = scroll.evaluate(places)
    scroll.evaluate("box => box.scrollLeft = 200")
    after = scroll.evaluate(places)
    columns = len(before) // 2
    moved = [one - other for one, other in zip(before, after, strict=True)]
    assert moved == [0, 0, *[200] * (columns - 2)] * 2
    # What is scrolled goes below them, and there is room for it.
    left, top, room = scroll.evaluate(
        "box => { const [all, name] = [box, box.querySelector('td + td')].map(one => one.getBoundingClientRect());"
        "return [all.left, all.top, all.right - name.right] }"
    )
    assert page.evaluate(f"document.elementFromPoint({left + 20}, {top + 12}).innerText") == "Period"
    assert all(
        "rgba" not in color
        for (color,) in computed(page, "[data-table] table:visible td:nth-child(2)", "background-color")
    )
    assert room > 120


def test_a_table_downloads_as_csv_with_what_is_chosen(opened: Open, grown: Settings, tmp_path: Path):
    page = opened(grown, choice="#segment=S03")
    open_table(page, "KPIs by period and segment")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    assert download.value.suggested_filename == "figures.csv"
    target = tmp_path / "figures.csv"
    download.value.save_as(target)
    with target.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(column(page, 1)) == 18
    assert {row["name"].split()[0] for row in rows} == {"S03"}
    assert target.read_bytes().startswith(b"\xef\xbb\xbf")
    assert [row["sales"] for row in rows] == [text.replace(",", "") for text in column(page, 12)]
    assert {re.sub(r"\d+\.\d\d", "amount", row["average_order_value"]) for row in rows} == {"", "amount"}


def test_in_the_dark_it_is_dark_and_the_button_changes_it(opened: Open, grown: Settings):
    page = opened(grown, scheme="dark")

    def brightness() -> int:
        return sum(
            int(part)
            for part in re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))[:3]
        )

    colors = computed(page, "figure[data-chart=shares] svg .mark-rect path", "fill")
    assert brightness() < 150
    page.get_by_role("button", name="Light").click()
    assert brightness() > 600
    assert computed(page, "figure[data-chart=shares] svg .mark-rect path", "fill") != colors
    expect(page.get_by_role("button", name="Dark")).to_be_visible()


@pytest.mark.parametrize("width", [320, 375, 768, 1920])
def test_on_no_screen_the_page_is_wider_than_it(opened: Open, grown: Settings, width: int):
    page = opened(grown, size=ViewportSize(width=width, height=800))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wider = page.evaluate(
        "[...document.querySelectorAll('figure svg')].filter(one => one.getBoundingClientRect().width > "
        "one.closest('figure').getBoundingClientRect().width).map(one => one.closest('figure').dataset.chart)"
    )
    assert wider == []


def test_everything_is_reached_by_keyboard(opened: Open, grown: Settings):
    page = opened(grown)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the figures")).to_be_focused()
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"segment", "period", "theme", "BUTTON", "SUMMARY"} <= reached
    button = page.locator("#legend button[data-key=S03]")
    button.focus()
    page.keyboard.press("Enter")
    drawn(page, 2)
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(button).to_be_focused()


def test_on_a_phone_many_segments_take_one_line_and_the_chosen_one_is_in_sight(
    opened: Open, grown: Settings, tmp_path: Path
):
    with warehouse_from_settings(grown).reading() as connection:
        figures = with_segments(gather(connection, grown), 12)
    page = opened(page_with(figures, tmp_path), size=PHONE, choice="#segment=S11")
    legend = page.locator("#legend").bounding_box()
    button = page.locator("#legend button[data-key=S11]").bounding_box()
    assert legend is not None
    assert button is not None
    assert legend["height"] < 60
    assert 0 <= button["x"] < PHONE["width"] - 100


def test_texts_of_events_stay_texts(opened: Open, hostile: Settings):
    page = opened(hostile)
    assert page.locator("img").count() == 0
    assert page.locator("body script:not([id])").count() == 2
    open_table(page, "Purchases by product category")
    assert HOSTILE in column(page, 3)
    drawn_texts = page.locator("figure[data-chart=categories] svg text").all_text_contents()
    assert any(text.startswith("<script>alert") for text in drawn_texts)
    page.locator("figure[data-chart=categories] svg .mark-rect path").first.hover()
    expect(page.locator("#vg-tooltip-element")).to_contain_text("<script>")
    assert page.locator("#vg-tooltip-element img, #vg-tooltip-element script").count() == 0


def test_a_text_that_a_spreadsheet_would_execute_is_a_text_in_the_download(
    opened: Open, grown: Settings, tmp_path: Path
):
    target = tmp_path / "hostile.html"
    text = write_report(grown).read_text(encoding="utf-8")
    assert '"Books"' in text
    target.write_text(text.replace('"Books"', '"=HYPERLINK(1),\\n\\"x\\""'), encoding="utf-8")
    page = opened(target.as_uri())
    open_table(page, "Purchases by product category")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    download.value.save_as(tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        values = {row["value"] for row in csv.DictReader(file)}
    assert '\'=HYPERLINK(1),\n"x"' in values


def test_without_orders_it_says_so_and_shows_what_the_pipeline_did(opened: Open, empty: Settings):
    page = opened(empty)
    expect(page.locator("#empty")).to_contain_text("No orders yet")
    expect(page.locator("#everything")).to_be_hidden()
    expect(page.locator("#health-words")).to_contain_text(
        "1 records = 0 orders + 0 duplicates + 1 rejected. The only batch was"
    )
    open_table(page, "Why records were rejected")
    assert column(page, 1) == ["not_json"]


def test_it_says_until_when_by_the_clock_of_whose_calendar(opened: Open, hostile: Settings):
    page = opened(hostile)
    expect(page.locator("#about")).to_have_text(
        re.compile(r"^Orders until Mar 20, 2025, 10:00\sAM in the shop's calendar \(UTC\)\.$")
    )


def test_few_customers_are_called_few_and_a_figure_that_does_not_exist_says_why(opened: Open, hostile: Settings):
    page = opened(hostile)
    expect(page.locator("#cards")).to_contain_text("Low confidence: only 20 customers")
    expect(page.locator("#cards")).to_contain_text("None: the window after the opening is not over yet.")
    expect(page.locator("#profiles")).to_contain_text("Low confidence: fewer than 30 customers.")


def test_a_served_page_takes_in_newer_figures_where_it_stands(opened: Open, grown: Settings, tmp_path: Path):
    target = tmp_path / "segments.html"
    target.write_bytes(write_report(grown).read_bytes())
    with report_server(target, Listener("127.0.0.1", 0)) as served:
        page = opened(f"{served.url}/", choice="#segment=S02")
        open_table(page, "Rows per table")
        count = times_drawn(page)
        text = target.read_text(encoding="utf-8")
        newer = text.replace('["silver.orders",4038,', '["silver.orders",4039,')
        assert newer != text
        target.write_text(newer, encoding="utf-8")
        drawn(page, count + 1)
        expect(page.locator("#health-words")).to_contain_text("4,039 orders")
        assert "4,039" in column(page, 2)
        expect(page.locator("#segment")).to_have_value("S02")


def test_the_cards_of_the_segments_say_what_their_customers_did_and_what_is_predicted(opened: Open, grown: Settings):
    page = opened(grown)
    with warehouse_from_settings(grown).reading() as connection:
        tables = gather(connection, grown)["tables"]
    for row in objects(tables["segments"]):
        card = page.locator("#profiles .card", has_text=f"{row['segment_key']} ").inner_text()
        said = re.search(
            r"Bought on ([\d.]+) days a year, ([\d.,]+) on each, ([\d.]+)% of the purchases with a coupon\.\s+"
            r"Average order so far ([\d.,]+) before refunds, ([\d.]+) orders on such a day\. Refunds take "
            r"([\d.]+)% of the sales",
            card,
        )
        assert said, card
        numbers = [float(text.replace(",", "")) for text in said.groups()]
        *counted, orders, refunds = numbers
        facts = ("purchase_days_a_year", "net_a_purchase_day", "coupon_share", "average_order_value")
        expected = [row[name] * (100 if name == "coupon_share" else 1) for name in facts]
        assert counted == [pytest.approx(value, abs=0.0501) for value in expected]
        assert orders == pytest.approx(1, abs=0.2)
        assert refunds == pytest.approx(100 * row["refund_share"], abs=0.0501)
        assert "predicted for the next 365 days" in card
    expect(page.locator("#everybody-words")).to_contain_text("All customers bought on")
    expect(page.locator("#cards")).to_contain_text("Estimate in hindsight for Dec 2025")


def test_a_giant_serial_returners_and_a_new_model_are_told_beside_the_figures(
    opened: Open, grown: Settings, tmp_path: Path
):
    with warehouse_from_settings(grown).reading() as connection:
        figures = gather(connection, grown)
    usual = opened(grown, choice="#segment=S02")
    expect(usual.locator("#cards")).to_contain_text("By the segment at the close: ")
    expect(usual.locator("#cards")).to_contain_text("After refunds: ")
    assert usual.locator("#cards strong, #profiles strong").count() == 0
    assert usual.locator("#movement-words").inner_text() == ""

    segments, kpis = (objects(figures["tables"][name]) for name in ("segments", "figures"))
    figures = replaced(figures, "segments", [{**row, "largest_customer_share": 0.97} for row in segments[:1]])
    figures = replaced(figures, "figures", [{**row, "refund_share": 0.8, "model_changed": True} for row in kpis])
    page = opened(page_with(figures, tmp_path), choice="#segment=S02")
    expect(page.locator("#cards strong")).to_have_text("Refunds take 80.0% of these sales.")
    expect(page.locator("#profiles strong")).to_have_text("The largest customer makes 97.0% of its net sales so far.")
    expect(page.locator("#movement-words")).to_contain_text("another segment model came into force")


def test_a_season_is_told_from_a_loss_by_the_same_period_a_year_before(opened: Open, grown: Settings, tmp_path: Path):
    with warehouse_from_settings(grown).reading() as connection:
        figures = gather(connection, grown)
    page = opened(page_with(figures, tmp_path))
    expect(page.locator("#year-words")).to_have_text(
        "Compared with the period before and, because of the season, with the same one a year before, Dec 2024."
    )
    order, churn = (page.locator("#cards .card", has_text=title) for title in ("Average order value", "Churn rate"))
    rows = {(row["period"], row["segment_key"]): row for row in objects(figures["tables"]["figures"])}
    now, then = (rows[period, "all"]["average_order_value"] for period in ("2025-12-01", "2024-12-01"))
    expect(order).to_contain_text(f"{100 * abs(now / then - 1):.1f}% against Dec 2024")
    expect(churn).to_contain_text(re.compile(r"points against Sep 2025.*points against Oct 2024", re.DOTALL))
    expect(churn).to_contain_text("Within chance the same as in Oct 2024")
    assert churn.locator(".better, .worse").count() == 0
    expect(page.locator("#season-words")).to_contain_text(
        re.compile(r"that of all customers was highest from (\w+) 2024 and \1 2025 on: [\d.]+%")
    )
    expect(page.locator("#season-words")).to_contain_text("The purchase model counts every day alike")
    (share,) = [
        row["share"]
        for row in objects(figures["tables"]["new_and_returning"])
        if (row["period"], row["who"]) == ("2025-12-01", "new")
    ]
    expect(page.locator("#newcomer-words")).to_contain_text(f"In Dec 2025 new customers made {100 * share:.1f}% of")

    season = [0.7, 0.7, 0.8, 0.9, 0.9, 0.9, 0.8, 0.8, 1.0, 1.1, 1.3, 2.1]
    (model,) = objects(figures["tables"]["purchase_models"])
    figures = replaced(figures, "purchase_models", [{**model, "season": season}])
    figures = replaced(figures, "silent", [{"customers": 100, "waiting": 7}])
    worse = [{**row, "churn_change_low": 0.01} for row in rows.values()]
    page = opened(page_with(replaced(figures, "figures", worse), tmp_path), choice="#period=2025-03-01")
    expect(page.locator("#year-words")).to_contain_text(
        "of the same one a year before, Mar 2024, there are no figures here"
    )
    expect(page.locator("#cards")).to_contain_text("by more than chance: not the season alone")
    assert page.locator("#cards .card", has_text="Churn rate").locator(".better, .worse").count() > 0
    expect(page.locator("#season-words")).to_contain_text("a day in December as 2.1, in January as 0.7 days")
    expect(page.locator("#season-words")).to_contain_text("7 of them are not called dormant")


def test_cohorts_are_a_table_of_who_came_back_or_of_value_and_nothing_is_shown_before_its_time(
    opened: Open, grown: Settings
):
    with warehouse_from_settings(grown).reading() as connection:
        tables = gather(connection, grown)["tables"]
    cells = {(row["cohort"], row["age"]): row for row in objects(tables["cohort_ages"])}
    cohorts = [row["cohort"] for row in objects(tables["cohorts"])]
    ages = max(age for _, age in cells) + 1
    page = opened(grown, choice="#segment=S02")
    grid = page.locator("#cohorts table")
    assert grid.locator("tbody th[scope=row]").all_inner_texts() == ["all of these", *map(month_name, cohorts)]
    assert grid.locator("th[scope=colgroup]").inner_text() == "Month of age: share who bought in it, %"

    def lines() -> list[list[str]]:
        return [row.locator("td").all_inner_texts()[1:] for row in grid.locator("tbody tr").all()]

    retention = lines()
    for cohort, line in zip(("all", *cohorts), retention, strict=True):
        expected = [cells[cohort, age]["retention"] if (cohort, age) in cells else None for age in range(ages)]
        assert [float(text) / 100 if text else None for text in line] == [
            share if share is None else pytest.approx(share, abs=0.000501) for share in expected
        ]
    assert set(retention[-1]) == {""}, "the newest cohort is no month old"
    shades = [float(shade) for (shade,) in computed(page, "#cohorts tbody tr:not(:first-child) td", "--shade") if shade]
    assert (min(shades), max(shades)) == (0, 1)
    expect(page.locator("#cohort-words")).to_contain_text("bought again in month 1. After ")
    expect(page.locator("#cohort-words")).to_contain_text("These are all customers, whatever segment is chosen")
    page.get_by_role("button", name="Value so far").click()
    expect(page.get_by_role("button", name="Value so far")).to_be_focused()
    expect(grid.locator("caption")).to_contain_text("Value so far: customers by the month of their first purchase")
    assert [[bool(text) for text in line] for line in lines()] == [[bool(text) for text in line] for line in retention]
    assert lines() != retention


def test_growth_of_a_sum_and_parts_of_a_whole_are_not_coloured_good_or_bad(opened: Open, grown: Settings):
    page = opened(grown, choice="#segment=S02")
    judged = {
        card.locator("h3").inner_text(): card.locator(".better, .worse").count()
        for card in page.locator("#cards .card").all()
    }
    # Against the period before and against the same one a year before.
    # Churn is as it was in the same month a year before, within chance.
    assert judged == {"CLV growth": 0, "Churn rate": 0, "Average order value": 2, "Contribution to sales": 0}
    # In words and by an arrow too: not everybody sees the colour.
    for verdict in page.locator("#cards .better, #cards .worse").all():
        says = verdict.inner_text()
        goes_up, is_better = says.startswith("▲ +"), says.endswith(": better")
        assert goes_up != says.startswith("▼ \u2212")
        assert is_better != says.endswith(": worse")
        assert is_better == ("better" in str(verdict.get_attribute("class")))
        title = verdict.locator("xpath=../h3").inner_text()
        assert is_better == (goes_up if title == "Average order value" else not goes_up)
    expect(page.locator("#cards .card").first).to_contain_text("falls as history gets longer")
    expect(page.locator("figure[data-chart=trend_clv_growth] figcaption")).to_contain_text(
        "compare segments, not periods"
    )
    assert {color for (color,) in computed(page, "figure[data-chart=bridge] .mark-rect path", "fill")} == {
        *("rgb(107, 118, 131)", "rgb(47, 127, 193)", "rgb(183, 121, 31)"),
    }


def test_every_card_has_the_trend_of_its_figure_as_a_picture_and_its_range_in_words(
    opened: Open, grown: Settings, tmp_path: Path
):
    figures = with_rows(grown, "figures", _with_a_gap)
    rows = [row for row in objects(figures["tables"]["figures"]) if row["segment_key"] == "S02"]
    shares = [row["sales_contribution"] for row in rows if row["period"] <= "2025-11-01"][-13:]
    page = opened(page_with(figures, tmp_path), choice="#segment=S02&period=2025-11-01")
    growth, churn, order, share = page.locator("#cards .card").all()
    expect(share).to_contain_text(f"Between {min(shares):.1%} and {max(shares):.1%} in 13 months.")
    heights = [float(y) for _, y in re.findall(r"([\d.]+) ([\d.]+)", _line(share))]
    assert [heights[place] for place in sorted(range(13), key=lambda place: -shares[place])] == sorted(heights)
    assert (_line(share).count("M"), _line(churn).count("M")) == (1, 2)
    # One figure is no trend.
    assert growth.locator(".sparkline").count() == 0
    assert order.locator(".sparkline[aria-hidden=true]").count() == 1


def _with_a_gap(row: dict[str, Any]) -> dict[str, Any]:
    growth = row["clv_growth"] if row["period"] == "2025-11-01" else None
    return {**row, "clv_growth": growth, "churn_rate": None if row["period"] == "2025-06-01" else row["churn_rate"]}


def _line(card: Locator) -> str:
    return str(card.locator(".sparkline path").get_attribute("d"))


def test_what_is_not_known_of_a_point_is_not_said_to_be_nobody(opened: Open, grown: Settings):
    page = opened(grown)
    nobody = computed(page, "#legend button[data-key=new] .swatch path", "stroke")[0]
    points = "figure[data-chart=trend_average_order_value] .mark-symbol.role-mark path"
    place = computed(page, points, "stroke").index(nobody)
    page.locator(points).nth(place).hover()
    expect(page.locator("#vg-tooltip-element")).to_contain_text("Customers who bought")
    told = page.locator("#vg-tooltip-element td.value").all_inner_texts()
    assert told[0] == "new customers"
    assert "0" not in told


def test_segments_that_are_far_apart_stand_on_a_logarithmic_scale_and_others_do_not(
    opened: Open, grown: Settings, tmp_path: Path
):
    figure = "figure[data-chart=trend_average_order_value]"

    def lowest_label(page: Page) -> float:
        texts = page.locator(f"{figure} .role-axis-label text").all_text_contents()
        return min(float(text.replace("K", "e3").replace(",", "")) for text in texts if text and not text[0].isalpha())

    bridge = "figure[data-chart=bridge]"
    page = opened(grown)
    expect(page.locator(f"{figure} figcaption")).to_contain_text("logarithmic scale")
    assert lowest_label(page) > 0
    expect(page.locator(f"{bridge} figcaption")).to_contain_text("does not begin at zero")
    assert "0" not in page.locator(f"{bridge} .role-axis-label text").all_text_contents()
    near = with_rows(
        grown, "figures", lambda row: {**row, "average_order_value": 50.0 + int(row["customers"] or 0) % 7}
    )
    page = opened(page_with(near, tmp_path), choice="#period=2024-08-01")
    expect(page.locator(f"{figure} figcaption")).not_to_contain_text("logarithmic")
    assert lowest_label(page) == 0
    expect(page.locator(f"{bridge} figcaption")).not_to_contain_text("begin at zero")
    assert "0" in page.locator(f"{bridge} .role-axis-label text").all_text_contents()


def test_bars_of_money_say_their_amounts(opened: Open, grown: Settings):
    with warehouse_from_settings(grown).reading() as connection:
        tables = gather(connection, grown)["tables"]
    page = opened(grown, choice="#period=2024-08-01&segment=S01")
    steps = [row["change"] for row in objects(tables["bridge"]) if _is_shown(row)]
    written = page.locator("figure[data-chart=bridge] .mark-text.role-mark text").all_text_contents()
    amounts = [_amount(text) for text in written if text]
    assert sorted(amounts) == [pytest.approx(value, rel=0.001, abs=0.01) for value in sorted(map(float, steps))]
    sales: dict[str, float] = {}
    for row in objects(tables["purchases"]):
        if _is_shown(row) and row["attribute"] == "category":
            sales[row["value"]] = sales.get(row["value"], 0) + row["sales"]
    texts = page.locator("figure[data-chart=categories] .mark-text.role-mark text").all_text_contents()
    totals = [_amount(text) for text in texts if text and not text.startswith("S")]
    assert sorted(totals) == [pytest.approx(value, rel=0.001) for value in sorted(sales.values())]


def _is_shown(row: Mapping[str, Any]) -> bool:
    return bool(row["period"] == "2024-08-01" and row["segment_key"] == "S01")


def _amount(text: str) -> float:
    size = {"K": 1e3, "M": 1e6}.get(text[-1], 1.0)
    return float(text.rstrip("KM").replace(",", "").replace("\u2212", "-")) * size


def test_an_estimate_in_hindsight_looks_different_and_is_called_so(opened: Open, grown: Settings, tmp_path: Path):
    def estimated(rows: list[dict[str, Any]], *, in_hindsight: bool) -> int:
        return sum(
            row["segment_key"] == "all" and is_known(row) and row["in_hindsight"] is in_hindsight for row in rows
        )

    def is_known(row: Mapping[str, Any]) -> bool:
        return row["estimated_churn_rate"] is not None

    changed = with_rows(grown, "figures", lambda row: {**row, "in_hindsight": row["period"] < "2025-09-01"})
    rows = objects(changed["tables"]["figures"])
    page = opened(page_with(changed, tmp_path))
    colors = [color for (color,) in computed(page, "figure[data-chart=churn] .mark-symbol.role-mark path", "stroke")]
    assert colors.count("rgb(151, 105, 58)") == estimated(rows, in_hindsight=True) > 5
    assert colors.count("rgb(194, 65, 12)") == estimated(rows, in_hindsight=False) > 2
    legend = page.locator("figure[data-chart=churn] .role-legend-label text").all_text_contents()
    assert legend == ["what happened", "early estimate", "estimate in hindsight", "a year before"]
    expect(page.locator("#cards")).to_contain_text("Early estimate for Dec 2025")
    expect(page.locator("#cards")).to_contain_text("of the customers active at its opening")


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (["zz_m-in-e"], "The only batch, zz_m-in-e, has 1 records"),
        (["20260101T000000Z", "zz_m-in-e"], "The latest of 2 batches was planned at 2026-01-01 00:00:00 UTC with 1"),
        (["backfill", "zz_m-in-e"], "One of 2 batches, zz_m-in-e, has 1 records"),
    ],
)
def test_a_batch_that_a_person_named_is_called_by_its_name(
    opened: Open, empty: Settings, tmp_path: Path, keys: list[str], says: str
):
    with warehouse_from_settings(empty).reading() as connection:
        figures = gather(connection, empty)
    (batch,) = objects(figures["tables"]["batches"])
    figures = replaced(figures, "batches", [{**batch, "batch_key": key} for key in keys])
    stored = [row if row[0] != "raw.batches" else [row[0], len(keys), row[2]] for row in figures["stored"]["rows"]]
    page = opened(page_with({**figures, "stored": {**figures["stored"], "rows": stored}}, tmp_path))
    expect(page.locator("#health-words")).to_contain_text(says)


def test_an_empty_page_is_a_page(opened: Open, tmp_path: Path, empty: Settings):
    with warehouse_from_settings(empty).reading() as connection:
        figures = dict(gather(connection, empty))
    figures["stored"] = {"columns": ["table", "rows", "meaning"], "rows": []}
    figures["tables"] = {name: {**table, "rows": []} for name, table in figures["tables"].items()}
    write_page(figures, tmp_path / "segments.html")
    page = opened((tmp_path / "segments.html").as_uri())
    expect(page.locator("#health-words")).to_have_text("No batch has run yet.")


def test_the_page_says_how_many_records_wait_and_which_checks_failed(opened: Open, grown: Settings, tmp_path: Path):
    failed = {"severity": "WARN", "asset": "silver/orders", "check": HOSTILE, "says": f"1 row. {HOSTILE}"}
    health = {"lag": 1_234, "checks": 52, "failed_checks": [failed]}
    page = opened(_written(grown, tmp_path, health))
    expect(page.locator("#health-words")).to_contain_text("Lag: 1,234 records wait in the topic. 1 of 52 checks failed")
    open_table(page, "Checks that failed")
    assert column(page, 3) == [HOSTILE]
    assert column(page, 4) == [f"1 row. {HOSTILE}"]


@pytest.mark.parametrize(
    ("health", "says"),
    [
        ({"lag": 0, "checks": 52, "failed_checks": []}, "No record waits in the topic. All 52 checks passed"),
        ({"lag": None, "checks": 0, "failed_checks": []}, "the broker could not be asked. No check has been"),
    ],
)
def test_the_page_says_that_all_is_well_or_not_known(
    opened: Open, grown: Settings, tmp_path: Path, health: dict[str, Any], says: str
):
    page = opened(_written(grown, tmp_path, health))
    expect(page.locator("#health-words")).to_contain_text(says)
    expect(page.locator("summary", has_text="Checks that failed")).to_have_text("Checks that failed (0 rows)")


def _written(settings: Settings, folder: Path, health: dict[str, Any]) -> str:
    target = folder / "segments.html"
    target.write_bytes(write_report(settings, health).read_bytes())
    return target.as_uri()


def test_the_label_of_a_period_stands_below_its_points(opened: Open, grown: Settings):
    page = opened(grown, choice="#period=2025-07-01")
    apart = page.locator("figure[data-chart^=trend_]").evaluate_all(
        """figures => figures.map(figure => {
            const middle = (one) => { const { left, right } = one.getBoundingClientRect(); return (left + right) / 2; };
            const labels = [...figure.querySelectorAll(".role-axis-label text")];
            const label = labels.find((one) => one.textContent === "Jul 2025");
            return middle(label) - middle(figure.querySelector(".mark-rule.role-mark line"));
        })"""
    )
    assert len(apart) == 4
    assert max(map(abs, apart)) < 2


def test_the_page_is_drawn_in_two_seconds_of_its_processor_time(opened: Open, grown: Settings, tmp_path: Path):
    with warehouse_from_settings(grown).reading() as connection:
        figures = with_segments(gather(connection, grown), 12)
    page = opened(page_with(figures, tmp_path))
    session = page.context.new_cdp_session(page)
    # Of the page's thread, whatever else the machine has to do.
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.reload()
    drawn(page)
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    assert 0.1 < metrics["TaskDuration"] < DRAWN_SECONDS


def test_the_name_of_a_topic_may_be_as_long_as_kafka_allows(opened: Open, grown: Settings, tmp_path: Path):
    named = with_rows(grown, "batches", lambda row: {**row, "topic": "t" * 249})
    page = opened(page_with(named, tmp_path), size=PHONE)
    expect(page.locator("#health-words")).to_contain_text("t" * 249)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_chart_without_a_figure_says_so_and_no_word_is_squeezed_into_a_bar(opened: Open, hostile: Settings):
    page = opened(hostile)
    for chart in ("trend_churn_rate", "churn"):
        expect(page.locator(f"figure[data-chart={chart}]")).to_contain_text("Nothing to draw yet")
    assert page.locator("figure[data-chart=trend_clv_growth] svg .mark-symbol path").count() > 0
    assert "unassigned" not in page.locator("figure svg .mark-text.role-mark text").all_text_contents()
    expect(page.locator("#h-changes")).to_be_hidden()
