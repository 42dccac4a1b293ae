"""A small batch on histories of growing size, and the report of a shop with a long one."""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from benchmarks.benchmark import OUTSIDE, Benchmark, Figures, Side, Sizes, Target
from benchmarks.histories import Batch, open_shop, write_base
from benchmarks.surroundings import BASE_ORDERS, END, fresh_topic
from bridgecart_assets.base.settings import load_settings

KINDS = SAME_DAY, LATE, NEW_DAY, ANEW = tuple(
    f"{{:,}} orders, {what}" for what in ("same day", "one a year late", "new day", "everything anew")
)
# In this order a round.
UP_TO = {LATE: "late_up_to", NEW_DAY: "new_days_up_to", ANEW: "anew_up_to"}
SMALL, LARGE, LARGER, LARGEST = (SAME_DAY.format(orders) for orders in (10**5, 10**6, 10**7, 10**8))
OPENED = "opened in Chromium, until all is drawn"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
POLL_MILLISECONDS = 10


@contextmanager
def sides(sizes: Sizes, folder: Path) -> Iterator[Sequence[Side]]:
    """A shop of every size, up to four batches a round.

    The first has orders of the data's last day, the second too, but for one that is a year late; the third opens the
    next day: everybody is a day older. After the fourth all tables of customers are made anew.
    """
    with fresh_topic(folder) as connection:
        write_base(min(BASE_ORDERS, *sizes["history"]), folder)
        made = []
        for orders in sizes["history"]:
            kinds = [SAME_DAY, *(kind for kind, up_to in UP_TO.items() if orders <= sizes[up_to])]
            batches = [_batch(kind, number) for number in range(sizes["repeats"]) for kind in kinds]
            shop = open_shop(connection, folder, orders, [_batch(SAME_DAY, 0), *batches], sizes["batch"])
            made += [replace(shop, name=kind.format(orders), arguments={"is_whole": kind == ANEW}) for kind in kinds]
        yield made


def _batch(kind: str, number: int) -> Batch:
    """The batch of a kind in a round."""
    opens = number + (kind in (NEW_DAY, ANEW))
    return Batch((END + timedelta(days=opens - 1)).date(), is_late=kind == LATE)


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
        shop = open_shop(connection, folder, sizes["orders"], [Batch(END.date())], 1_000)
        yield [replace(shop, name=OPENED, function=open_page)]


GROWING_HISTORY = Benchmark(
    name="growing_history",
    sides=sides,
    figures={"seconds": "Seconds", **OUTSIDE},
    quick={
        "history": [10**5, 10**6],
        "late_up_to": 0,
        "new_days_up_to": 0,
        "anew_up_to": 0,
        "batch": 10_000,
        "repeats": 2,
    },
    # All of 100 million orders takes a quarter of an hour, once in the preparation.
    full={
        "history": [10**6, 10**7, 10**8],
        "late_up_to": 10**8,
        "new_days_up_to": 10**8,
        "anew_up_to": 10**7,
        "batch": 10_000,
        "repeats": 3,
    },
    targets=(
        Target(
            "a batch on 100 million orders: 1.5 times 1 million", LARGEST, "seconds", at_most=1.5, relative_to=LARGE
        ),
        Target("a batch on 1 million orders: 1.5 times 100,000", LARGE, "seconds", at_most=1.5, relative_to=SMALL),
        Target(
            "a new day on 10 million orders: 1.5 times the same day",
            NEW_DAY.format(10**7),
            "seconds",
            at_most=1.5,
            relative_to=LARGER,
        ),
        Target(
            "a new day on 100 million orders: 3 times the same day",
            NEW_DAY.format(10**8),
            "seconds",
            at_most=3.0,
            relative_to=LARGEST,
        ),
        Target(
            "one order a year late on 10 million: 1.5 times the same day",
            LATE.format(10**7),
            "seconds",
            at_most=1.5,
            relative_to=LARGER,
        ),
        Target(
            "one order a year late on 100 million: 1.5 times the same day",
            LATE.format(10**8),
            "seconds",
            at_most=1.5,
            relative_to=LARGEST,
        ),
        Target("a batch on 100 million orders in 2,048 MB", LARGEST, "peak_megabytes", at_most=2_048),
    ),
    profiled={
        name: {"history": [orders], **dict.fromkeys(UP_TO.values(), 0)}
        for name, orders in ((LARGE, 10**6), (LARGEST, 10**8))
    },
)
PAGE = Benchmark(
    name="page",
    sides=page_sides,
    figures={"seconds": "Seconds", **OUTSIDE},
    quick={"orders": 200_000, "repeats": 2},
    full={"orders": 15_000_000, "repeats": 3},
    targets=(Target("the report of a million customers shown in 2 s", OPENED, "seconds", at_most=2.0),),
)
