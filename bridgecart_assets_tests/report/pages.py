"""Reports in a browser, and reports with some of their figures changed."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, ViewportSize

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.report.figures import Figures, gather
from bridgecart_assets.report.page import write_page
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings

Row = dict[str, Any]
Open = Callable[..., Page]
WIDE = ViewportSize(width=1280, height=900)
PHONE = ViewportSize(width=390, height=844)
DRAW_SECONDS = 15.0


def drawn(page: Page, times: int = 1) -> None:
    """Wait until everything was drawn so many times. The page's policy forbids Playwright's own way of waiting."""
    deadline = time.monotonic() + DRAW_SECONDS
    while times_drawn(page) < times:
        assert time.monotonic() < deadline, f"not drawn {times} times within {DRAW_SECONDS:g} s"
        page.wait_for_timeout(20)


def times_drawn(page: Page) -> int:
    return int(page.evaluate("document.documentElement.dataset.drawn ?? 0"))


def computed(page: Page, selector: str, *properties: str) -> list[tuple[str, ...]]:
    """Properties of the style of everything that the selector finds, as the browser computes them."""
    found = page.locator(selector).evaluate_all(
        "(marks, names) => marks.map(mark => names.map(name => getComputedStyle(mark).getPropertyValue(name)))",
        list(properties),
    )
    return [tuple(values) for values in found]


def open_table(page: Page, title: str) -> None:
    summary = page.locator("summary", has_text=re.compile(f"^{title}"))
    summary.click()
    # The browser tells the page a moment later.
    summary.locator("xpath=..").locator("table, .nothing").wait_for()


def month_name(day: str) -> str:
    """The month of an ISO date as the page writes it for the locale `en`."""
    return f"{date.fromisoformat(day):%b %Y}"


def column(page: Page, place: int) -> list[str]:
    return page.locator("[data-table] table:visible tbody tr").locator(f"td:nth-child({place})").all_inner_texts()


def objects(table: Mapping[str, Any]) -> list[Row]:
    """The rows of a section by the names of their columns."""
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def replaced(figures: Figures, section: str, rows: Sequence[Row]) -> Figures:
    """The figures with other rows in one section."""
    columns = figures["tables"][section]["columns"]
    table = {"columns": columns, "rows": [[row[column] for column in columns] for row in rows]}
    return {**figures, "tables": {**figures["tables"], section: table}}


def with_rows(settings: Settings, section: str, change: Callable[[Row], Row]) -> Figures:
    """The figures of a warehouse with every row of a section changed."""
    with warehouse_from_settings(settings).reading() as connection:
        figures = gather(connection, settings)
    return replaced(figures, section, list(map(change, objects(figures["tables"][section]))))


def with_segments(figures: Figures, count: int) -> Figures:
    """The figures as if refits had opened segments up to this number: each has the rows of one that there was."""
    for section, table in figures["tables"].items():
        rows = objects(table)
        keys = sorted({row["segment_key"] for row in rows if str(row.get("segment_key")).startswith("S")})
        opened = [f"S{number:02}" for number in range(len(keys) + 1, count + 1)] if keys else []
        for place, key in enumerate(opened):
            like = keys[place % len(keys)]
            rows += [{**row, "segment_key": key} for row in rows if row["segment_key"] == like]
        figures = replaced(figures, section, rows)
    return figures


def page_with(figures: Figures, folder: Path) -> str:
    """The address of a report with these figures."""
    target = folder / "segments.html"
    write_page(figures, target)
    return target.as_uri()
