"""Reports of closed periods: kept as they are, but for orders that come late, which they say."""

import re
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.base.settings import Period, Settings
from bridgecart_assets.commands.report_server import report_server
from bridgecart_assets.contracts import BATCH_SUMS, FORGOTTEN_CUSTOMERS
from bridgecart_assets.processes.listening import Listener
from bridgecart_assets.report import page
from bridgecart_assets.report.keeping import KeptUnreadable, keep_reports
from bridgecart_assets.report.kept import period_name
from bridgecart_assets.report.writing import write_report
from bridgecart_assets.warehouse.erasure import erase_customers
from bridgecart_assets_tests.report.pages import Open
from bridgecart_assets_tests.support.examples import examples
from bridgecart_assets_tests.support.pipeline import run_silver, run_small_shop, run_whole_tables
from bridgecart_assets_tests.support.records import Record, event, store_batch

FRAME = '<script type="application/json" id="figures">{{figures}}</script>'
START = date(2024, 12, 20)
DAYS = st.integers(0, 80)
CENTS = st.integers(-20_000, 100_000)
STEP = st.one_of(
    st.tuples(st.just("order"), DAYS, CENTS),
    st.tuples(st.sampled_from(["withdraw", "forget"]), DAYS, st.just(0)),
    st.tuples(st.just("mature"), DAYS, st.just(0)),
)


class Books:
    """A shop's orders by day, and the figures of a report as far as keeping looks at them."""

    def __init__(self, folder: Path, **others: Any) -> None:
        self.settings = Settings(data_dir=folder, **others)
        self.reports = self.settings.report_path.parent
        self.reports.mkdir(parents=True)
        self.connection = duckdb.connect()
        for contract in (BATCH_SUMS, FORGOTTEN_CUSTOMERS):
            self.connection.execute(f"create schema if not exists {contract.schema}")
            self.connection.execute(contract.ddl())
        self.orders: dict[int, tuple[date, Decimal]] = {}
        self.count = 0
        self.newest = START
        self.matured = 0

    def order(self, day: date, net: Decimal) -> None:
        self.count += 1
        self.orders[self.count] = (day, net)
        self.newest = max(self.newest, day)
        row = [str(self.count), day, int(net > 0), int(net == 0), int(net < 0), max(net, Decimal(0)), net]
        fingerprint = (int(100 * net) + 1) * (7_919 * self.count)
        self.connection.execute(f"insert into silver.batch_sums values (?, ?, ?, ?, ?, ?, ?, {fingerprint})", row)

    def take(self, number: int) -> tuple[date, Decimal]:
        self.connection.execute("delete from silver.batch_sums where batch_key = ?", [str(number)])
        return self.orders.pop(number)

    def forget(self, number: int) -> tuple[date, Decimal]:
        erased = [f"hash {number}", "salt", self.newest]
        self.connection.execute("insert into raw.forgotten_customers values (?, ?, ?)", erased)
        return self.take(number)

    def keep(self, **others: Any) -> dict[str, bytes]:
        """The kept reports after a refresh, by their names."""
        settings = self.settings.model_copy(update=others)
        days = (self.newest - START).days + 1
        spans = sorted({span(settings.kpi_period, START + timedelta(days=number)) for number in range(days)})
        rows = [[str(opens), str(closes), closes <= self.newest + timedelta(days=1)] for opens, closes in spans]
        figures = {
            "clock": {"newest_order_at": f"{self.newest}T12:00:00"},
            "settings": {"period": settings.kpi_period},
            "tables": {"figures": {"columns": ["period", "closes_on", "is_complete"], "rows": rows}},
            "matured": self.matured,
        }
        keep_reports(self.connection, settings, figures)
        return self.pages()

    def pages(self) -> dict[str, bytes]:
        return {file.stem: file.read_bytes() for file in self.reports.glob("2*.html")}

    def listed(self) -> list[str]:
        return re.findall('href="([^"]+).html"', (self.reports / "index.html").read_text(encoding="utf-8"))[1:]


def span(unit: Period, day: date) -> tuple[date, date]:
    """The period of a day: a month, or a week from Monday."""
    if unit == "week":
        opens = day - timedelta(days=day.weekday())
        return opens, opens + timedelta(days=7)
    opens = day.replace(day=1)
    return opens, (opens + timedelta(days=31)).replace(day=1)


@contextmanager
def books(**others: Any) -> Iterator[Books]:
    """Books whose pages are their figures and nothing else."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "_cache", list)
        patch.setattr(page, "_make_frame", lambda: FRAME)
        made = Books(Path(folder), **others)
        try:
            yield made
        finally:
            made.connection.close()


@examples(12)
@given(st.lists(STEP, min_size=5, max_size=15))
def test_a_kept_report_changes_when_orders_of_its_period_do_and_never_else(steps: list[tuple[str, int, int]]):
    with books() as shop:
        late, late_sales = Counter[str](), defaultdict[str, Decimal](Decimal)
        before: dict[str, bytes] = {}
        for what, number, cents in steps:
            day, count, sales = START + timedelta(days=number), 0, Decimal(0)
            if what == "order":
                count, sales = 1, Decimal(cents) / 100
                shop.order(day, sales)
            elif what == "mature" or not shop.orders:
                shop.matured += 1
            else:
                which = sorted(shop.orders)[number % len(shop.orders)]
                day, taken = (shop.take if what == "withdraw" else shop.forget)(which)
                count, sales = (-1, -taken) if what == "withdraw" else (0, Decimal(0))
            after = shop.keep()
            month = f"{day:%Y-%m}"
            if month in before and count:
                late[month] += count
                late_sales[month] += sales
                words = f"orders {late[month]:+,}, net sales {late_sales[month]:+,.2f}. First written"
                assert words.encode() in after[month]
                assert words in (shop.reports / "index.html").read_text(encoding="utf-8")
            for name in before.keys() - ({month} if count else set()):
                assert after[name] == before[name]
            assert shop.keep() == after, "another refresh of the same orders"
            assert shop.listed() == sorted(after, reverse=True)
            before = after


def test_first_the_latest_closed_period_is_kept_and_then_every_one_that_closes():
    with books() as shop:
        for day in ("2024-12-24", "2025-01-10", "2025-02-28"):
            shop.order(date.fromisoformat(day), Decimal(10))
        assert list(shop.keep()) == ["2025-01"], "February is not over while orders of its last day may come"
        shop.order(date(2025, 4, 1), Decimal(10))
        shop.order(date(2025, 3, 31), Decimal(10))
        assert sorted(shop.keep()) == ["2025-01", "2025-02", "2025-03"]
        assert shop.listed() == ["2025-03", "2025-02", "2025-01"]


def test_as_many_are_kept_as_the_setting_says():
    with books() as shop:
        for month in range(1, 6):
            shop.order(date(2025, month, 3), Decimal(10))
            shop.keep()
        assert sorted(shop.keep(keep_reports=2)) == ["2025-03", "2025-04"]
        assert shop.keep(keep_reports=0) == {}
        assert "none is kept" in (shop.reports / "index.html").read_text(encoding="utf-8")


def test_what_is_remembered_stands_in_the_pages_too():
    with books() as shop:
        for day in ("2025-01-10", "2025-02-03", "2025-03-03"):
            shop.order(date.fromisoformat(day), Decimal(10))
            shop.keep()
        shop.order(date(2025, 1, 11), Decimal("2.50"))
        kept, memory = shop.keep(), (shop.reports / "kept.json").read_text(encoding="utf-8")
        for lost in ("kept.json", "index.html"):
            (shop.reports / lost).unlink()
        assert shop.keep() == kept
        assert (shop.reports / "kept.json").read_text(encoding="utf-8") == memory
        shop.order(date(2025, 1, 12), Decimal("2.50"))
        assert b"orders +2, net sales +5.00" in shop.keep()["2025-01"]


def test_whoever_is_forgotten_stays_in_the_figures_and_is_no_late_order():
    with books() as shop:
        for day in ("2025-01-10", "2025-01-11", "2025-02-20"):
            shop.order(date.fromisoformat(day), Decimal(10))
        kept = shop.keep()
        shop.forget(1)
        assert shop.keep() == kept
        shop.order(date(2025, 1, 12), Decimal(5))
        assert b"orders +1, net sales +5.00" in shop.keep()["2025-01"]


def test_a_warehouse_that_was_put_back_changes_no_report_until_it_has_gone_on():
    with books() as shop:
        for day in ("2025-01-10", "2025-01-11", "2025-02-20"):
            shop.order(date.fromisoformat(day), Decimal(10))
        kept = shop.keep()
        shop.take(1)
        shop.newest = date(2025, 2, 10)
        assert shop.keep() == kept
        shop.newest = date(2025, 2, 21)
        assert b"orders -1, net sales -10.00" in shop.keep()["2025-01"]


def test_reports_of_another_length_of_periods_wait():
    with books() as shop:
        shop.order(date(2025, 1, 10), Decimal(10))
        shop.order(date(2025, 2, 20), Decimal(20))
        month = shop.keep()
        shop.order(date(2025, 1, 11), Decimal(5))
        assert shop.keep(kpi_period="week") == month | {"2025-W07": shop.pages()["2025-W07"]}
        assert b"orders +1, net sales +5.00" in shop.keep()["2025-01"]


@pytest.mark.parametrize(
    ("name", "text"), [("kept.json", "{"), ("kept.json", '[{"unit": "day"}]'), ("2024-01.html", "")]
)
def test_a_memory_that_is_broken_is_told_with_what_to_do(name: str, text: str):
    with books() as shop:
        (shop.reports / name).write_text(text, encoding="utf-8")
        with pytest.raises(KeptUnreadable, match=rf"{re.escape(name)} is .*: (delete|move) it[, ]"):
            shop.keep()


@pytest.mark.parametrize(
    ("unit", "opens", "name"),
    [
        ("month", "2025-12-01", "2025-12"),
        ("week", "2025-12-01", "2025-W49"),
        ("week", "2024-12-30", "2025-W01"),
        ("day", "2025-12-03", "2025-12-03"),
    ],
)
def test_a_period_has_the_name_that_people_give_it(unit, opens: str, name: str):
    assert period_name(unit, opens) == name


def test_a_real_report_is_kept_over_late_orders_and_erasures_and_opens_as_its_period(tmp_path: Path, opened: Open):
    settings = Settings(data_dir=tmp_path / "data", currency="EUR")
    warehouse, folder = run_small_shop(settings), settings.report_path.parent
    write_report(settings)
    february = folder / "2025-02.html"
    first = february.read_bytes()
    assert sorted(file.name for file in folder.glob("*.html")) == ["2025-02.html", "index.html", "segments.html"]

    def take_in(batch_key: str, start: int, **fields: Any) -> None:
        store_batch(warehouse, batch_key, [Record(event(order_id=batch_key, **fields))], start=start)
        run_silver(warehouse, settings, batch_key)

    def refresh() -> None:
        run_whole_tables(warehouse, settings)
        write_report(settings)

    take_in("20260102T000000Z", 50, customer_id="C1", purchase_date="2025-04-02T10:00:00Z", purchase_amount=7)
    with warehouse.transaction() as connection:
        erase_customers(connection, settings, ["C3"])
    refresh()
    assert february.read_bytes() == first
    take_in("20260103T000000Z", 51, customer_id="C5", purchase_date="2025-02-14T10:00:00Z", purchase_amount=1234)
    refresh()
    says = (
        "Report of 2025-02, kept as it was with orders until 2025-04-02 10:00. Changed since it was first written, "
        "because orders came late or were corrected: orders +1, net sales EUR +1,234.00. First written with orders "
        "until 2025-03-20 10:00."
    )
    assert february.read_bytes() != first
    march = folder / "2025-03.html"
    with report_server(settings.report_path, Listener("127.0.0.1", 0)) as served:
        shown = opened(f"{served.url}/2025-02.html")
        assert shown.locator("#kept").inner_text() == f"{says} Reports of closed periods"
        assert shown.locator("#kept a").get_attribute("href") == "index.html"
        assert shown.locator("#period").input_value() == "2025-02-01"
        assert shown.title() == "Report of 2025-02"
        shown.close()
        with urllib.request.urlopen(f"{served.url}/index.html", timeout=10) as answer:
            index = answer.read().decode()
    assert re.findall('href="([^"]+.html)"', index) == ["segments.html", march.name, february.name]
    assert opened(settings.report_path.as_uri()).locator("#kept").inner_text() == "Reports of closed periods"
