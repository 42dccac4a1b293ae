"""The small pictures beside an asset: what they show is what the rows say, and they fit where they stand."""

import base64
import itertools
import re
from datetime import date
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.pictures import (
    COLORS,
    FONT_SIZE,
    HEIGHT,
    PICTURES,
    WIDTH,
    Picture,
    bridge,
    segment_map,
    trends,
)
from bridgecart_assets.settings import Settings
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.database import Warehouse
from bridgecart_assets_tests.report.shops import grown_shop

SHOWN_IN_PLACE = 1_000
MONTHS = [date(2024 + n // 12, n % 12 + 1, 1) for n in range(18)]


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return grown_shop(tmp_path_factory.mktemp("grown"))


def svg_of(markdown: str) -> ElementTree.Element:
    (encoded,) = re.findall(r"^!\[[^\]]+\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)$", markdown)
    return ElementTree.fromstring(base64.b64decode(encoded))


def drawn(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(f"<svg>{picture}</svg>")


def texts(svg: ElementTree.Element) -> list[tuple[str, int]]:
    return [(str(text.text), int(text.get("y", 0))) for text in svg.iter() if text.tag.endswith("text")]


def end_of(path: str) -> tuple[int, int]:
    """Where a path of relative steps ends."""
    x, y = (int(n) for n in re.findall(r"^M(\d+) (\d+)", path)[0])
    steps = [(int(dx), int(dy)) for dx, dy in re.findall(r"l(-?\d+)([+-]\d+)", path)]
    return x + sum(dx for dx, _ in steps), y + sum(dy for _, dy in steps)


@pytest.mark.parametrize(("table", "name"), [(table, name) for table, named in PICTURES.items() for name in named])
def test_the_pictures_of_a_grown_shop_are_shown_where_they_stand(grown: Settings, table: object, name: str):
    picture = next(named[name] for of, named in PICTURES.items() if of == table)
    with Warehouse.from_settings(grown).reading() as connection:
        rows = connection.execute(read_sql(f"pictures/{picture.sql}")).fetchall()
    markdown = picture.markdown(rows)
    assert len(markdown) < SHOWN_IN_PLACE
    assert {text for text, _ in texts(svg_of(markdown))} >= ({"S01"} if name != "bridge" else {"opening", "closing"})


def test_a_line_falls_where_its_values_fall_and_its_segment_has_its_colour():
    rows = [(month, "S02", float(-n)) for n, month in enumerate(MONTHS)] + [(m, "S01", 5.0) for m in MONTHS]
    svg = drawn(trends(rows))
    by_color = {path.get("stroke"): str(path.get("d")) for path in svg.iter("path")}
    assert list(by_color) == [COLORS[0], COLORS[1]]
    level, falling = by_color.values()
    assert end_of(level)[1] == int(level.split(" ")[1].split("l")[0])
    assert end_of(falling)[1] > int(falling.split(" ")[1].split("l")[0])
    assert falling.count("l") == 11  # of the latest twelve periods


def test_a_value_that_does_not_exist_is_left_out():
    rows = [(MONTHS[0], "S01", None), (MONTHS[1], "S01", 1.0), (MONTHS[2], "S02", None)]
    assert [text for text, _ in texts(drawn(trends(rows)))] == ["S01"]
    assert texts(drawn(trends([(MONTHS[0], "S01", None)]))) == []


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=8))
def test_no_label_lies_upon_another_and_all_are_inside(values: list[float]):
    rows = [(MONTHS[0], f"S{n + 1:02}", value) for n, value in enumerate(values)]
    levels = [y for _, y in texts(drawn(trends(rows)))]
    assert all(lower - upper >= FONT_SIZE for upper, lower in itertools.pairwise(levels))
    assert all(FONT_SIZE - 1 <= y < HEIGHT for y in levels)


def test_the_area_of_a_circle_follows_the_number_of_customers_and_who_spends_more_is_further_right():
    circles = list(drawn(segment_map([("S01", -1.0, 0.5, 400), ("S02", 1.0, -0.5, 100)])).iter("circle"))
    assert [int(circle.get("r", 0)) for circle in circles] == [2 + 14, 2 + 7]
    many, few = ((int(circle.get("cx", 0)), int(circle.get("cy", 0))) for circle in circles)
    assert many[0] < few[0]
    assert many[1] < few[1]
    assert few[0] < WIDTH


def test_the_bridge_leads_from_the_opening_to_the_closing_value():
    bars = [
        (int(bar.get("y", 0)), int(bar.get("y", 0)) + int(bar.get("height", 0)))
        for bar in drawn(bridge([(100.0, 30.0, 20.0, -50.0, 100.0)])).iter("rect")
    ]
    opening, same, new, erased, closing = bars
    assert opening == closing
    assert same[1] == opening[0]
    assert new[1] == same[0]
    assert erased == (new[0], opening[0])


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_where_all_is_the_same_there_is_a_picture_too(value: float):
    svg_of(Picture("", trends, "x").markdown([(MONTHS[0], "S01", value)]))
    drawn(segment_map([("S01", value, value, 1)]))
    drawn(bridge([(value, 0.0, 0.0, 0.0, value)]))
