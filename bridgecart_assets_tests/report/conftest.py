"""Shops and a browser, once for all tests of the report."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.report.writing import write_report
from bridgecart_assets_tests.report.pages import WIDE, Open, drawn
from bridgecart_assets_tests.report.shops import empty_shop, grown_shop, hostile_shop
from bridgecart_assets_tests.support.browser import chromium

QUIET = ("log", "info", "debug")
# Vega-Lite says so of every chart whose height follows from its rows.
WIDTH_ONLY = 'Dropping "fit-y" because spec has discrete height'


# Not of the session: while Playwright's event loop runs, nothing else in this process may run one, as Dagster does.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return grown_shop(tmp_path_factory.mktemp("grown"))


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return hostile_shop(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return empty_shop(tmp_path_factory.mktemp("empty"))


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """Opens a report and waits until it is drawn; at the end nothing may have failed in it or been fetched by it."""
    complaints: list[str] = []
    contexts = []

    def open_page(
        target: Settings | str, *, size: ViewportSize = WIDE, scheme: str = "light", choice: str = ""
    ) -> Page:
        context = browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on(
            "console",
            lambda said: None if said.type in QUIET or WIDTH_ONLY in said.text else complaints.append(said.text),
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"a dialog: {dialog.message}"))
        address = target if isinstance(target, str) else write_report(target).as_uri()
        page.on(
            "request",
            lambda sent: (
                complaints.append(f"asked for {sent.url}")
                if not sent.url.startswith((address, "data:", "blob:"))
                else None
            ),
        )
        page.goto(address + choice)
        drawn(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
