"""Every segment looks like itself, however many there are and however few colours somebody sees."""

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Page

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.report.figures import Figures, gather
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets_tests.report.pages import Open, computed, objects, page_with, replaced, with_segments

TRENDS = ("clv_growth", "churn_rate", "average_order_value", "sales_contribution")
LINE = ("stroke", "stroke-dasharray")
# What is left of linear red, green and blue for people with one kind of cone missing (Machado and others, 2009).
Matrix = tuple[tuple[float, float, float], ...]
SIGHTS: Mapping[str, Matrix] = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no red": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "no green": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "no blue": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
}
# CIE 1976; 2.3 is just noticeable side by side.
CLEARLY_DIFFERENT = 15.0


@pytest.fixture(scope="module")
def figures(grown: Settings) -> Figures:
    with warehouse_from_settings(grown).reading() as connection:
        return gather(connection, grown)


def lines_of_legend(page: Page) -> Mapping[str, tuple[str, ...]]:
    keys = page.locator("#legend button").evaluate_all("buttons => buttons.map(button => button.dataset.key)")
    return dict(zip(keys, computed(page, "#legend .swatch path:first-child", *LINE), strict=True))


def test_each_of_twelve_segments_has_a_line_a_point_and_a_bar_of_its_own_in_every_chart(
    opened: Open, grown: Settings, figures: Figures, tmp_path: Path
):
    page = opened(page_with(with_segments(figures, 12), tmp_path))
    legend = lines_of_legend(page)
    assert sorted(legend) == [*(f"S{number:02}" for number in range(1, 13)), "new", "unassigned"]
    assert len(set(legend.values())) == 14
    for trend in TRENDS:
        lines = computed(page, f"figure[data-chart=trend_{trend}] .mark-line path", *LINE)
        assert sorted(lines) == sorted(set(lines)), trend
        assert {legend[key] for key in legend if key.startswith("S")} <= set(lines), trend
    bars = computed(page, "figure[data-chart=shares] .mark-rect path", "fill", "fill-opacity", *LINE)
    assert len(bars) == 3 * 12
    assert len(set(bars)) == 12
    for chart in ("categories", "payments", "ages"):
        assert set(computed(page, f"figure[data-chart={chart}] .mark-rect path", "fill", "fill-opacity", *LINE)) == set(
            bars
        )
    points = computed(page, "figure[data-chart=apart] .mark-symbol.role-mark path", "fill", "d")
    assert len(set(points)) == 12
    bubbles = computed(page, "figure[data-chart=map] .mark-symbol.role-mark path", "fill", "fill-opacity")
    assert len(bubbles) == len(set(bubbles)) == 12
    rows = page.locator("figure[data-chart=lifecycles] .role-axis-label text").all_text_contents()
    assert {f"S{number:02}" for number in range(1, 13)} <= set(rows)
    # As before the others were opened.
    before = lines_of_legend(opened(grown))
    assert before == {key: legend[key] for key in before}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_segments_of_one_dash_are_told_apart_by_people_who_see_few_colours(
    opened: Open, figures: Figures, tmp_path: Path, scheme: str
):
    looks = lines_of_legend(opened(page_with(newest_only(with_segments(figures, 12)), tmp_path), scheme=scheme))
    alike = [
        (one, other, sight, round(distance, 1))
        for (one, a), (other, b) in itertools.combinations(looks.items(), 2)
        for sight, matrix in SIGHTS.items()
        if a[1] == b[1] and (distance := math.dist(seen(a[0], matrix), seen(b[0], matrix))) < CLEARLY_DIFFERENT
    ]
    assert alike == []


def test_56_keys_have_56_lines(opened: Open, figures: Figures, tmp_path: Path):
    page = opened(page_with(newest_only(with_segments(figures, 56)), tmp_path))
    assert len(set(lines_of_legend(page).values())) == 58


def newest_only(figures: Figures) -> Figures:
    """The figures of the newest period, and nothing else to draw."""
    rows = objects(figures["tables"]["figures"])
    newest = max(row["period"] for row in rows)
    for section in figures["tables"]:
        if section not in ("figures", "segments", "everybody"):
            figures = replaced(figures, section, [])
    return replaced(figures, "figures", [row for row in rows if row["period"] == newest])


def seen(color: str, matrix: Matrix) -> Sequence[float]:
    """A colour of the browser as somebody sees it, in CIE L*a*b*."""
    red, green, blue = (_linear(int(part) / 255) for part in re.findall(r"\d+", color)[:3])
    r, g, b = (min(1.0, max(0.0, x * red + y * green + z * blue)) for x, y, z in matrix)
    x = _root((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047)
    y = _root(0.2126 * r + 0.7152 * g + 0.0722 * b)
    z = _root((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _root(value: float) -> float:
    return math.cbrt(value) if value > 0.008856 else 7.787 * value + 16 / 116
