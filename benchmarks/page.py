"""The report with many customers behind it: how long it takes to write, and how long until a browser shows it."""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.benchmark import OUTSIDE, Benchmark, Figure, Figures, Side, Sizes, Target
from benchmarks.growing_history import BASE_ORDERS, prepared
from benchmarks.histories import small_world
from benchmarks.surroundings import END, fresh_orders, fresh_topic, settings
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.report.writing import write_report
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings

WRITTEN, OPENED = "written", "opened in Chromium, until all is drawn"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BATCH = 1_000
POLL_MILLISECONDS = 10


def write(data_dir: str) -> Figures:
    """Written anew, by a process that has written none before; what the page is made of was kept by an earlier one."""
    with settings(BRIDGECART_DATA_DIR=data_dir):
        configured = load_settings()
        started = time.perf_counter()
        size = write_report(configured).stat().st_size
        seconds = time.perf_counter() - started
        with warehouse_from_settings(configured).reading() as connection:
            ((customers,),) = connection.execute("select count(*) from gold.customer_segments").fetchall()
    return {"seconds": seconds, "page_bytes": size, "customers": customers}


def open_page(data_dir: str, browser: str) -> Figures:
    """From the address to the last chart, in a browser that has started."""
    from playwright.sync_api import sync_playwright

    with settings(BRIDGECART_DATA_DIR=data_dir), sync_playwright() as playwright:
        address = load_settings().report_path.as_uri()
        # Its own sandbox needs rights that root in a container has not; it shows nothing but our own page.
        running = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = running.new_page(viewport={"width": 1280, "height": 900})
        started = time.perf_counter()
        page.goto(address)
        # The page's policy forbids Playwright's own way of waiting.
        while not page.evaluate("document.documentElement.dataset.drawn"):
            page.wait_for_timeout(POLL_MILLISECONDS)
        seconds = time.perf_counter() - started
        running.close()
    return {"seconds": seconds}


@contextmanager
def sides(sizes: Sizes, folder: Path) -> Iterator[Sequence[Side]]:
    """A warehouse with such a history and everything made of it."""
    orders = sizes["orders"]
    browser = next(filter(None, map(shutil.which, BROWSERS)), "")
    with fresh_topic(folder, partitions=1) as connection:
        base = small_world(min(BASE_ORDERS, orders), folder)
        base.store(folder)
        produce(connection, fresh_orders(BATCH, day=END.date(), customers=base.all_customers(orders), batch="P"))
        data_dir = str(folder / "shop")
        arguments = {"base_folder": str(folder), "orders": orders, "data_dir": data_dir}
        missing = prepared(arguments, folder)
        no_browser = missing or ("" if browser else "no Chromium")
        yield [
            Side(WRITTEN, write, {"data_dir": data_dir}, missing=missing),
            Side(OPENED, open_page, {"data_dir": data_dir, "browser": browser}, missing=no_browser),
        ]


BENCHMARK = Benchmark(
    name="page",
    title="Report",
    shows="The report of a shop with so many orders: written anew from the warehouse, which reads every customer, and "
    "opened from its file. What the page holds are sums, so its size does not follow the number of customers.",
    sides=sides,
    figures=(
        Figure("seconds", "Seconds", 2),
        Figure("customers", "Customers", 0),
        Figure("page_bytes", "Page, bytes", 0),
        *OUTSIDE,
    ),
    quick={"orders": 200_000, "repeats": 2},
    full={"orders": 15_000_000, "repeats": 3},
    targets=(Target("shown in 2 s with a million customers behind it", side=OPENED, figure="seconds", at_most=2.0),),
)
