"""`bridgecart demo` as a new user runs it: 100,000 orders, the real broker, the real pipeline."""

import json
import re
import shutil
from pathlib import Path

import pytest

from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.killable import Killer
from bridgecart_assets_tests.integration.processes import bridgecart, processes_of
from bridgecart_assets_tests.support.records import Record, event, store_batch
from bridgecart_assets_tests.support.state import digests, rows


@pytest.fixture(scope="module")
def demo_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "data"


@pytest.fixture
def data_dir(demo_dir: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tests of this module look at one demo."""
    monkeypatch.setenv("BRIDGECART_DATA_DIR", str(demo_dir))
    return demo_dir


@pytest.fixture(scope="module")
def printed(demo_dir: Path) -> str:
    done = bridgecart("demo", BRIDGECART_DATA_DIR=str(demo_dir))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def warehouse(printed: str, data_dir: Path) -> Warehouse:
    return warehouse_from_settings(load_settings())


@pytest.mark.story
def test_every_event_is_an_order_a_duplicate_or_rejected(printed: str, warehouse: Warehouse) -> None:
    found = re.search(
        r"([\d,]+) events sent = ([\d,]+) orders and refunds \+ ([\d,]+) dupl.* \+ ([\d,]+) rejected", printed
    )
    assert found is not None
    events, *parts = (int(figure.replace(",", "")) for figure in found.groups())
    assert sum(parts) == events > 100_000
    tables = "silver.orders", "silver.duplicate_orders", "silver.rejected_orders"
    assert [rows(warehouse, f"select count(*) from {table}")[0][0] for table in tables] == parts
    assert rows(warehouse, "select count(*) from raw.orders") == [(events,)]


def test_there_are_100_000_orders_of_over_5_000_customers_in_18_months(warehouse: Warehouse) -> None:
    (figures,) = rows(
        warehouse,
        "select count(*), count(distinct customer_id), count(distinct date_trunc('month', purchased_at)) "
        "from silver.orders where order_kind = 'purchase'",
    )
    assert figures[0] == 100_000
    assert figures[1] >= 5_000
    assert figures[2] == 18


def test_most_customers_come_back(warehouse: Warehouse) -> None:
    ((share,),) = rows(warehouse, "select avg((orders > 1)::int) from gold.customer_features where orders > 0")
    assert share > 0.6


def test_sales_in_the_kpis_are_those_of_the_orders_to_the_cent(warehouse: Warehouse) -> None:
    ((kpi, silver),) = rows(
        warehouse,
        "select (select sum(sales) from kpi.sales_contribution), (select sum(net_amount) from silver.orders)",
    )
    assert kpi == silver > 0


def test_it_ends_with_the_kpi_table(printed: str) -> None:
    assert "KPIs by segment, period from 2025-12-01" in printed
    assert all(key in printed for key in ("S01", "S02", "S03", "S04", "unassigned"))
    assert all(len(line) <= 160 for line in printed.splitlines())


def test_kpis_as_json_have_the_fields_others_rely_on(warehouse: Warehouse) -> None:
    done = bridgecart("kpis", "--json")
    listed = json.loads(done.stdout)
    fields = {"segment_key", "segment", "period", "customers", "clv_growth", "churn_rate"}
    assert fields | {"average_order_value", "sales_contribution"} <= set(listed[0])
    assert len(listed) == 18 * 6
    for period in {row["period"] for row in listed}:
        shares = [row["sales_contribution"] for row in listed if row["period"] == period]
        assert sum(round(share * 1_000_000) for share in shares) == 1_000_000


def test_no_process_is_left(printed: str, data_dir: Path) -> None:
    assert processes_of(data_dir) == []


def test_another_demo_takes_the_place_of_the_first(
    killer: Killer, printed: str, demo_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_DATA_DIR", str(shutil.copytree(demo_dir, tmp_path / "copy")))
    warehouse = warehouse_from_settings(load_settings())
    before, report = digests(warehouse), load_settings().report_path
    assert '["silver.orders",2' not in report.read_text(encoding="utf-8")
    of_the_first = report.with_name("2020-01.html")
    of_the_first.touch()
    done = killer.run("demo", "--orders", "2000")
    assert done.returncode == 0, done.stderr
    assert '["silver.orders",2' in report.read_text(encoding="utf-8")
    assert not of_the_first.exists()
    assert rows(warehouse, "select count(*) from silver.orders where order_kind = 'purchase'") == [(2_000,)]
    assert digests(warehouse) != before


def test_the_demo_does_not_touch_orders_of_another_cluster(
    killer: Killer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_DATA_DIR", str(tmp_path / "real"))
    real = warehouse_from_settings(load_settings())
    store_batch(real, "b1", [Record(event())])
    before = digests(real)
    done = killer.run("demo")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "BRIDGECART_DATA_DIR" in done.stderr
    assert digests(real) == before
