"""A small batch on histories of growing size, and the report of a shop with a long one."""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from pathlib import Path

from benchmarks.benchmark import OUTSIDE, Benchmark, Figures, Side, Sizes, Target
from benchmarks.histories import BASE_ORDERS, open_shop, write_base
from benchmarks.surroundings import END, fresh_topic
from bridgecart_assets.base.settings import load_settings

SAME_DAY, NEW_DAY = "{:,} orders, same day", "{:,} orders, new day"
SMALL, LARGE, LARGEST = (SAME_DAY.format(orders) for orders in (100_000, 1_000_000, 100_000_000))
OPENED = "opened in Chromium, until all is drawn"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
POLL_MILLISECONDS = 10


@contextmanager
def sides(sizes: Sizes, folder: Path) -> Iterator[Sequence[Side]]:
    """A shop of every size, one or two batches a round.

    The first has orders of the data's last day, the second opens the next day: everybody is a day older.
    """
    with fresh_topic(folder) as connection:
        write_base(min(BASE_ORDERS, *sizes["history"]), folder)
        made = []
        for orders in sizes["history"]:
            names = [SAME_DAY, NEW_DAY] if orders <= sizes["new_days_up_to"] else [SAME_DAY]
            rounds = [range(n, n + 2) if NEW_DAY in names else range(1) for n in range(sizes["repeats"])]
            days = [(END + timedelta(days=day - 1)).date() for day in chain([0], *rounds)]
            shop = open_shop(connection, folder, orders, days, sizes["batch"])
            made += [replace(shop, name=name.format(orders)) for name in names]
        yield made


def open_page() -> Figures:
    """From the report's address to its last chart, in a browser that has started."""
    from playwright.sync_api import sync_playwright

    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise RuntimeError("no Chromium")
    with sync_playwright() as playwright:
        # Its own sandbox needs rights that root in a container has not; it shows nothing but our own page.
        running = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = running.new_page(viewport={"width": 1280, "height": 900})
        started = time.perf_counter()
        page.goto(load_settings().report_path.as_uri())
        # The page's policy forbids Playwright's own way of waiting.
        while not page.evaluate("document.documentElement.dataset.drawn"):
            page.wait_for_timeout(POLL_MILLISECONDS)
        seconds = time.perf_counter() - started
        running.close()
    return {"seconds": seconds}


@contextmanager
def page_sides(sizes: Sizes, folder: Path) -> Iterator[Sequence[Side]]:
    """A shop with everything made of its history."""
    with fresh_topic(folder) as connection:
        write_base(min(BASE_ORDERS, sizes["orders"]), folder)
        shop = open_shop(connection, folder, sizes["orders"], [END.date()], 1_000)
        yield [replace(shop, name=OPENED, function=open_page)]


GROWING_HISTORY = Benchmark(
    name="growing_history",
    sides=sides,
    figures={"seconds": "Seconds", **OUTSIDE},
    quick={"history": [100_000, 1_000_000], "new_days_up_to": 0, "batch": 10_000, "repeats": 2},
    # All of 100 million orders takes a quarter of an hour, once in the preparation.
    full={"history": [10**6, 10**7, 10**8], "new_days_up_to": 10**7, "batch": 10_000, "repeats": 3},
    targets=(
        Target(
            "a batch on 100 million orders: 1.5 times 1 million", LARGEST, "seconds", at_most=1.5, relative_to=LARGE
        ),
        Target("a batch on 1 million orders: 1.5 times 100,000", LARGE, "seconds", at_most=1.5, relative_to=SMALL),
        Target("a batch on 100 million orders in 2,048 MB", LARGEST, "peak_megabytes", at_most=2_048),
    ),
    profiled={name: {"history": [orders], "new_days_up_to": 0} for name, orders in ((LARGE, 10**6), (LARGEST, 10**8))},
)
PAGE = Benchmark(
    name="page",
    sides=page_sides,
    figures={"seconds": "Seconds", **OUTSIDE},
    quick={"orders": 200_000, "repeats": 2},
    full={"orders": 15_000_000, "repeats": 3},
    targets=(Target("the report of a million customers shown in 2 s", OPENED, "seconds", at_most=2.0),),
)
