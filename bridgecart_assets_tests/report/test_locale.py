"""Numbers, money and dates as the shop's country writes them, wherever people read; downloads are for programs."""

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.report.figures import Figures, gather
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets_tests.report.pages import Open, column, objects, open_table, page_with, replaced
from bridgecart_assets_tests.report.test_looks import newest_only

TREND = "figure[data-chart=trend_average_order_value]"
# Of S01 and of the others, so that one dwarfs the rest.
DEAR, CHEAP = 1_234_567.895, 12_345.678


@pytest.mark.parametrize(
    ("locale", "currency", "money", "short", "share", "cell", "head", "month"),
    [
        ("en", "EUR", "€1,234,567.90", "€1.23M", "-12.3%", "1,234,567.90", "Average order, EUR", "Dec 2025"),
        ("de-DE", "EUR", "1.234.567,90 €", "1,23 Mio. €", "-12,3 %", "1.234.567,90", "Average order, EUR", "Dez. 2025"),
        ("ja-JP", "JPY", "￥1,234,568", "￥123万", "-12.3%", "1,234,568", "Average order, JPY", "2025年12月"),
        ("en", "KWD", "KWD 1,234,567.895", "KWD 1.23M", "-12.3%", "1,234,567.895", "Average order, KWD", "Dec 2025"),
        ("en", None, "1,234,567.90", "1.23M", "-12.3%", "1,234,567.90", "Average order, currency units", "Dec 2025"),
    ],
)
def test_money_shares_and_dates_are_written_as_the_country_writes_them_and_downloads_are_not(
    opened: Open,
    figures: Figures,
    tmp_path: Path,
    locale: str,
    currency: str | None,
    money: str,
    short: str,
    share: str,
    cell: str,
    head: str,
    month: str,
):
    shop = {**figures, "settings": {**figures["settings"], "locale": locale, "currency": currency}}
    page = opened(page_with(shop, tmp_path), choice="#segment=S01")
    cards = _plain(page.locator("#cards").inner_text())
    assert money in cards
    assert f"close: {short}." in cards
    assert share.replace("-", "\u2212") in cards
    axis = [_plain(text) for text in page.locator(f"{TREND} .role-axis-label text").all_text_contents()]
    unit = money.strip("0123456789., ")
    assert any(unit in text and text != month for text in axis if text)
    assert month in axis
    expect(page.locator("#h-kpis")).to_have_text(f"The four KPIs, {month}")
    page.locator(f"{TREND} .mark-symbol.role-mark path").first.hover()
    expect(page.locator("#vg-tooltip-element")).to_contain_text(month)
    tooltip = _plain(page.locator("#vg-tooltip-element").inner_text()).split("\n")
    assert {money, month} <= set(tooltip)
    open_table(page, "KPIs by period and segment")
    heads = page.locator("[data-table] table:visible th").all_inner_texts()
    assert [column(page, heads.index(head) + 1)] == [[cell]]
    assert "CLV growth, %" in heads
    assert column(page, 1) == [month]
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    download.value.save_as(tmp_path / "figures.csv")
    (row,) = csv.DictReader((tmp_path / "figures.csv").read_text(encoding="utf-8-sig").splitlines())
    assert (row["period"], row["average_order_value"], row["clv_growth"]) == ("2025-12-01", "1234567.90", "-0.1234")


@pytest.fixture(scope="module")
def figures(grown: Settings) -> Figures:
    """The newest period; one segment's orders are a hundred times those of the others."""
    with warehouse_from_settings(grown).reading() as connection:
        gathered = newest_only(gather(connection, grown))
    rows = objects(gathered["tables"]["figures"])
    for row in rows:
        amount = DEAR if row["segment_key"] == "S01" else CHEAP
        row.update(average_order_value=amount, closing_clv=amount, clv_growth=-0.1234)
    return replaced(gathered, "figures", rows)


def _plain(text: str) -> str:
    """Without the spaces that keep a number and its unit on one line."""
    return re.sub("[\u00a0\u202f]", " ", text)
