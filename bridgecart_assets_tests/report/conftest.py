"""Shops and a browser, once for all tests of the report."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from bridgecart_assets.settings import Settings
from bridgecart_assets_tests.report.shops import empty_shop, grown_shop, hostile_shop
from bridgecart_assets_tests.support.browser import chromium


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
