"""The pictures in docs/images, taken anew: `.venv/bin/python -m bridgecart_assets_tests.screenshots`."""

import tempfile
from pathlib import Path

from playwright.sync_api import Page

from bridgecart_assets.orchestration import location
from bridgecart_assets_tests.integration.processes import ROOT, bridgecart
from bridgecart_assets_tests.integration.served import up
from bridgecart_assets_tests.support.browser import chromium

IMAGES = ROOT / "docs" / "images"
LOCATION = f"locations/{location.LOCATION}"
SETTLE_MILLISECONDS = 6_000


def take(page: Page, name: str, url: str, *, height: int = 900) -> None:
    """One picture of a page once it has settled."""
    page.set_viewport_size({"width": page.viewport_size["width"] if page.viewport_size else 1280, "height": height})
    page.goto(url)
    page.wait_for_timeout(SETTLE_MILLISECONDS)
    page.screenshot(path=IMAGES / f"{name}.png")


def take_plots(page: Page, name: str, url: str) -> None:
    """The same of an asset, where Dagster plots its numbers."""
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(url)
    page.get_by_role("button", name="Plots").click()
    page.wait_for_timeout(SETTLE_MILLISECONDS)
    page.get_by_role("button", name="Plots").evaluate("button => button.scrollIntoView()")
    page.screenshot(path=IMAGES / f"{name}.png")


def take_dagster(page: Page, url: str) -> None:
    """Dagster's UI."""
    take(page, "dagster-report", f"{url}/assets/report/segments")
    take(page, "dagster-checks", f"{url}/assets/silver/orders?view=checks")
    take(page, "dagster-sensor", f"{url}/{LOCATION}/sensors/orders_sensor")
    take(page, "dagster-graph", f"{url}/asset-groups")
    take_plots(page, "dagster-churn", f"{url}/assets/kpi/churn_rate")
    take_plots(page, "dagster-model", f"{url}/assets/gold/segment_model")


def main() -> None:
    """A demo, then the UI and the report with live orders."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        data_dir = Path(folder) / "data"
        assert bridgecart("demo", BRIDGECART_DATA_DIR=str(data_dir)).returncode == 0
        with up(data_dir, rate=20) as served:
            served.next_batch(after=1)
            wide = browser.new_page(viewport={"width": 1280, "height": 900})
            report = (data_dir / "reports" / "segments.html").as_uri()
            take(wide, "report", report, height=1_010)
            take(wide, "report-segments", f"{report}#segment=S02&period=2025-12-01", height=1_100)
            wide.evaluate("document.getElementById('h-segments').scrollIntoView()")
            wide.screenshot(path=IMAGES / "report-segments.png")
            wide.evaluate("document.getElementById('h-movement').scrollIntoView()")
            wide.screenshot(path=IMAGES / "report-movement.png")
            phone = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark")
            take(phone, "report-phone", report, height=844)
            take_dagster(wide, served.url)


if __name__ == "__main__":
    main()
