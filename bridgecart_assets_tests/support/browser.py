"""A real browser: the machine's Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from bridgecart_assets_tests.support.requirements import missing

NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser; the test is skipped where there is none, failed where there has to be one."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        missing("there is no Chromium (Debian: apt install chromium)")
    with sync_playwright() as playwright:
        # Its own sandbox needs rights that root in a container has not; it shows nothing but our own pages.
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()
