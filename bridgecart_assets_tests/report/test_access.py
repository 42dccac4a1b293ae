"""Nothing in the report keeps people out: axe's rules, and the colours that axe cannot see in a chart."""

import itertools
import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.report.charts import specs
from bridgecart_assets.report.figures import gather
from bridgecart_assets.report.page import write_page
from bridgecart_assets.report.writing import write_report
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets_tests.report.pages import PHONE, WIDE, Open, open_table, page_with, with_segments

# Every rule of the levels A and AA of WCAG 2.0, 2.1 and 2.2, and of what axe calls best practice; none is left out.
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "rules": {"target-size": {"enabled": True}},  # of 2.2: axe runs it only when it is asked to
}
# WCAG's ratios for text, and for what is drawn.
TEXT, DRAWN = 4.5, 3.0
STYLE = Path(write_page.__code__.co_filename).parent / "page" / "page.css"


def violations(page: Page) -> list[tuple[str, str, list[str]]]:
    """What axe finds. Playwright hands axe's script to the page as a debugger would, so that its policy stays on."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [(one["id"], one["help"], [node["html"][:120] for node in one["nodes"][:3]]) for one in found]


@pytest.mark.parametrize(
    ("choice", "size", "scheme"),
    [("#segment=S02", WIDE, "light"), ("#segment=S02", PHONE, "dark"), ("#read", PHONE, "light")],
)
def test_axe_finds_nothing_that_keeps_people_out(
    opened: Open, grown: Settings, choice: str, size: ViewportSize, scheme: str
):
    page = opened(grown, size=size, scheme=scheme, choice=choice)
    if choice != "#read":
        for title in ("KPIs by period", "Changes of the segments", "Rows per table", "Why records were rejected"):
            open_table(page, title)
    assert violations(page) == []


@pytest.mark.parametrize(("shop", "scheme"), [("twelve segments", "dark"), ("hostile", "light"), ("empty", "dark")])
def test_nor_in_a_shop_of_another_kind(
    opened: Open, request: pytest.FixtureRequest, tmp_path: Path, shop: str, scheme: str
):
    page = opened(address(shop, request, tmp_path), scheme=scheme)
    open_table(page, "Why records were rejected")
    assert violations(page) == []


def address(shop: str, request: pytest.FixtureRequest, folder: Path) -> str:
    if shop != "twelve segments":
        return write_report(request.getfixturevalue(shop)).as_uri()
    grown: Settings = request.getfixturevalue("grown")
    with warehouse_from_settings(grown).reading() as connection:
        return page_with(with_segments(gather(connection, grown), 12), folder)


Theme = Mapping[str, str]


def themes() -> Mapping[str, Theme]:
    """The colours of the style by their names, light and dark."""
    light, dark = (
        dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", part))
        for part in STYLE.read_text("utf-8").split("@media screen", 1)
    )
    return {"light": light, "dark": {**light, **dark}}


def contrast(one: str, other: str) -> float:
    """WCAG's ratio of two colours."""
    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color: str) -> float:
    parts = (int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_and_marks_stand_out_from_what_they_stand_on_in_the_charts_too(theme: str):
    colors = themes()[theme]
    texts = itertools.product(("text", "soft", "accent", "good", "bad"), ("card", "back"))
    weak_texts = [pair for pair in texts if contrast(*(colors[name] for name in pair)) < TEXT]
    # A key stands on the bar of its segment in the colour of the card.
    segments = {name: value for name, value in colors.items() if re.fullmatch(r"s\d|nobody", name)}
    weak_keys = [name for name, color in segments.items() if contrast(color, colors["card"]) < TEXT]
    fixed = set(re.findall(r"#[0-9a-f]{6}", json.dumps(specs()))) - {"#ffffff", "#10243e"}
    weak_marks = [color for color in fixed if contrast(color, colors["card"]) < DRAWN]
    assert len(fixed) > 8
    assert (weak_texts, weak_keys, weak_marks) == ([], [], [])
