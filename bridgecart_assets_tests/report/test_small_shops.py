"""A shop of a month or of a dozen customers: what is shown, and why the rest is not."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from bridgecart_assets.base.settings import Settings
from bridgecart_assets_tests.report.pages import Open
from bridgecart_assets_tests.report.shops import open_shop
from bridgecart_assets_tests.support.records import Record, event

PICTURES = """figures => figures.map(figure => [
    figure.dataset.chart,
    figure.querySelector(".nothing")?.innerText ?? "",
    figure.querySelectorAll(".role-mark path, .role-mark line").length,
])"""


@pytest.fixture(scope="module")
def young(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Twelve customers, one purchase each, in a month that is not over."""
    orders = [
        event(
            order_id=f"o{customer}",
            customer_id=f"c{customer}",
            purchase_date=f"2025-03-{customer + 1:02}T10:00:00Z",
            purchase_amount=20 + customer,
        )
        for customer in range(12)
    ]
    return open_shop(tmp_path_factory.mktemp("young"), list(map(Record, orders)))


def test_a_young_shop_is_told_what_is_not_there_yet_and_why(opened: Open, young: Settings):
    page = opened(young)
    words = page.locator("#missing-words li").all_inner_texts()
    assert [text.split(":")[0] for text in words] == [
        "The shop has 12 customers. Below 30 one of them moves every figure",
        "No month is over yet",
        "No churn rate yet",
        "No segments yet",
        "No predicted value and no churn risk yet",
    ]
    assert "they take 40 customers who bought, and 12 did." in words[3]
    assert "they take 100 customers who bought, and 12 did." in words[4]
    # No dash without a reason, no empty chart without one, and nothing that a day was made a year of.
    for card in page.locator("#cards .card").all():
        assert card.locator(".value").inner_text() != "-" or "None: " in card.inner_text()
    expect(page.locator("#cards")).to_contain_text("None: the first period: there is nothing to compare with.")
    expect(page.locator("#cards")).not_to_contain_text(re.compile(r"\b0 customers"))
    for chart, nothing, marks in page.locator("figure[data-chart]").evaluate_all(PICTURES):
        assert marks or re.search("Nothing to (draw yet|compare)[ :].+", nothing), chart
    expect(page.locator("#profiles")).to_contain_text(
        "Bought on 1.0 of the first 6.5 days, too few for a yearly figure"
    )
    expect(page.locator("#everything")).not_to_contain_text("days a year,")


def test_what_comes_first_is_said_with_its_day(opened: Open, tmp_path: Path):
    orders = [
        event(
            order_id=f"o{month}-{customer}",
            customer_id=f"c{customer}",
            purchase_date=f"2025-0{month}-{1 + customer % 25:02}T10:00:00Z",
            purchase_amount=20 + customer,
        )
        for month in (1, 2)
        for customer in range(120)
    ]
    page = opened(open_shop(tmp_path, list(map(Record, orders))))
    words = page.locator("#missing-words").inner_text()
    assert "Those of Feb 2025, the first with customers, are over on May 2, 2025." in words
    assert "they take 56 days of orders, and there are" in words
    assert "No month is over" not in words
