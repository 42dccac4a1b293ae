"""The recipes of CONTRIBUTING, followed in a copy of the package: what is new is then as visible as all the others."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import duckdb
import pytest
from playwright.sync_api import expect

import bridgecart_assets
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.storage.migrations import MIGRATIONS
from bridgecart_assets_tests.report.pages import drawn, open_table
from bridgecart_assets_tests.support.browser import chromium
from bridgecart_assets_tests.support.pipeline import run_silver, run_whole_tables
from bridgecart_assets_tests.support.recipes import PRODUCT, ProjectCopy
from bridgecart_assets_tests.support.records import Record, event, store_batch

PACKAGE = Path(bridgecart_assets.__file__).parent
BATCH = "20260101T000000Z"
MOST_FILES = 4
KPI = "orders_per_customer"
TRAIT = "log_orders_a_day"

KPI_TABLE = """ORDERS_PER_CUSTOMER = _kpi(
    "orders_per_customer",
    "Orders per customer by opening segment: purchases over the customers who bought.",
    (
        Column("customers", "INTEGER", "Customers with a purchase in the period"),
        Column("orders", "INTEGER", "Purchases in the period"),
        Column("orders_per_customer", "DOUBLE", "orders / customers", nullable=True),
        _reason("orders_per_customer"),
        _LOW_SAMPLE,
    ),
)

"""
KPI_RECORD = """    Kpi(
        ORDERS_PER_CUSTOMER,
        label="Orders per customer",
        heading="Orders each",
        format="ratio",
        reasons={"no_orders": "no purchase in the period"},
        caption="Orders per customer: purchases over the customers who bought",
        direction="higher",
        total=Total("orders", "customers", "no_orders"),
    ),
"""
KPI_SQL = """-- Orders per customer by opening segment: purchases over the customers who bought.
-- needs: frame, flows
-- gives: kpi.orders_per_customer

with counted as (
    select period, opening_key as segment_key, sum(bought) as customers, sum(orders) as orders
    from flows
    group by period, opening_key
)
select
    f.*,
    coalesce(c.customers, 0) as customers,
    coalesce(c.orders, 0) as orders,
    case when c.customers > 0 then c.orders::double / c.customers end as orders_per_customer,
    case when coalesce(c.customers, 0) = 0 then 'no_orders' end as orders_per_customer_reason,
    coalesce(c.customers, 0) < 30 as low_sample
from frame f
left join counted c using (period, segment_key)
"""
KPI_MIGRATION = "drop table if exists kpi.segment_metrics_history;\n"
TRAIT_RECORD = """    Trait(
        Column("log_orders_a_day", "DOUBLE", "Trait: ln of orders on a purchase day", nullable=True),
        formula="ln(orders::double / frequency)",
        own="orders / frequency",
        reliability="1.0",
        label="orders again on the same day",
        short="orders_a_day",
        readable="orders_a_purchase_day",
        transform="log",
        decimals=2,
        high=Threshold(0.75, "several-a-day"),
    ),
"""
# Versions from before the trait was known go on without it: every customer is at the mean of it.
_COLUMNS_OF_THE_MODEL = {
    "mean": "double default 0",
    "scale": "double default 1e300",
    "centroid": "double default 0",
    "bounds": "double[] default []",
    "bin_customers": "integer[] default [1]",
}
TRAIT_MIGRATION = (
    "".join(
        f"alter table if exists gold.segment_model add column {part}_{TRAIT} {kind};\n"
        f"alter table if exists gold.segment_model alter column {part}_{TRAIT} drop default;\n"
        f"alter table if exists gold.segment_model alter column {part}_{TRAIT} set not null;\n"
        for part, kind in _COLUMNS_OF_THE_MODEL.items()
    )
    + f"alter table if exists gold.segment_model add column left_out_{TRAIT} varchar;\n"
    + "drop table if exists gold.customer_scores;\ndrop table if exists gold.customer_openings;\n"
)


@dataclass(frozen=True)
class Shop(ProjectCopy):
    """A copy of the package beside a warehouse that the package itself has filled."""

    data: Path

    def migrate(self, name: str, sql: str) -> None:
        """Add a migration, as whoever changes the columns of a table."""
        number = f"{len(MIGRATIONS) + 1:04}_{name}"
        self.write(f"sql/migrations/{number}.sql", sql)
        self.add_migrations(f'    "migrations/{number}",\n')

    def tell(self, *arguments: str) -> str:
        """Standard output of Python with the copy in place of the package."""
        paths = os.pathsep.join((str(self.folder), str(PACKAGE.parent)))
        return self.run(*arguments, env={"PYTHONPATH": paths, "BRIDGECART_DATA_DIR": str(self.data), "COLUMNS": "160"})

    def seen(self) -> Mapping[str, Any]:
        """What `support/seen.py` says of it."""
        said: dict[str, Any] = json.loads(self.tell("-m", "bridgecart_assets_tests.support.seen").splitlines()[-1])
        return said

    def published(self, sql: str, table: str) -> list[dict[str, Any]]:
        """Rows of a published file, which the query calls `published`."""
        with duckdb.connect() as connection:
            connection.read_parquet(str(self.data / "published" / f"{table}.parquet")).create_view("published")
            cursor = connection.execute(sql)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop of eighty customers, a third of whom order twice on a day, made by the package as it is."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("shop"))
    orders = [
        event(
            order_id=f"O{customer}-{month}-{day}-{again}",
            customer_id=f"C{customer}",
            purchase_date=f"2025-{month:02}-{day:02}T{10 + again}:00:00Z",
            purchase_amount=20 + 300 * (customer % 4 == 0) + customer % 7,
        )
        for customer in range(80)
        for month in (1, 2, 3, 4)
        for day in range(customer % 5 + 1, 28, 6 + 7 * (customer % 2))
        for again in range(1 + (customer % 3 == 0))
    ]
    warehouse = warehouse_from_settings(settings)
    store_batch(warehouse, BATCH, [Record(order) for order in orders])
    run_silver(warehouse, settings, BATCH)
    run_whole_tables(warehouse, settings)
    return settings.data_dir


def copied(shop: Path, folder: Path) -> Shop:
    copytree(PACKAGE, folder / "copy" / PRODUCT, ignore=ignore_patterns("__pycache__"))
    return Shop(folder / "copy", copytree(shop, folder / "data"))


@pytest.fixture
def copy(shop: Path, tmp_path: Path) -> Shop:
    return copied(shop, tmp_path / "other")


@pytest.fixture(scope="module")
def with_a_kpi(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    copy = copied(shop, tmp_path_factory.mktemp("kpi"))
    add_a_kpi(copy)
    return copy


@pytest.fixture(scope="module")
def seen_with_a_kpi(with_a_kpi: Shop) -> Mapping[str, Any]:
    return with_a_kpi.seen()


def add_a_kpi(copy: Shop) -> None:
    copy.insert_before("contracts/kpi.py", "_NO_BASELINE = {", KPI_TABLE)
    copy.insert_before("contracts/kpi.py", ")\n\nKPI_TABLES", KPI_RECORD)
    copy.write(f"sql/kpi/{KPI}.sql", KPI_SQL)
    copy.migrate(KPI, KPI_MIGRATION)


def add_a_trait(copy: Shop) -> None:
    copy.insert_before("contracts/traits.py", ")\n\nTRAIT_COLUMNS", TRAIT_RECORD)
    copy.migrate(TRAIT, TRAIT_MIGRATION)


def test_a_new_kpi_takes_four_files(with_a_kpi: Shop):
    assert 0 < len(with_a_kpi.touched()) <= MOST_FILES, with_a_kpi.touched()


def test_a_new_kpi_is_stored_checked_published_plotted_and_told_as_the_others(
    with_a_kpi: Shop, seen_with_a_kpi: Mapping[str, Any]
):
    copy, seen = with_a_kpi, seen_with_a_kpi
    assert seen["checks"][f"kpi/{KPI} keeps_its_contract"]
    assert all(passed for check, passed in seen["checks"].items() if check.startswith("kpi/"))
    rows = copy.published("select * from published order by period, segment_key", f"kpi/{KPI}")
    known = {(str(row["period"]), row["segment_key"]): row[KPI] for row in rows}
    plotted = seen["metadata"][f"kpi/{KPI}"]
    latest = {key: value for (period, key), value in known.items() if period == plotted["period"] and value}
    assert {name: float(value) for name, value in plotted.items() if name.startswith(KPI)} == {
        f"{KPI} {key}": value for key, value in latest.items()
    }
    assert len(latest) > 1

    history = copy.published("select * from published where is_current", "kpi/segment_metrics_history")
    newest = max(period for period, _ in known)
    assert {row["segment_key"]: row[KPI] for row in history} == {
        key: value for (period, key), value in known.items() if period == newest
    }
    told = json.loads(copy.tell("-m", "bridgecart_assets", "kpis", "--json"))
    assert {(row["period"], row["segment_key"]): row[KPI] for row in told} == known
    table = copy.tell("-m", "bridgecart_assets", "kpis")
    assert "Orders each" in table
    assert all(f" {value:,.2f} " in table for value in latest.values())
    assert "| Share of sales | Orders per customer |" in seen["summary"]
    assert all(f" {value:,.2f} |" in seen["summary"] for value in latest.values())
    assert f"## kpi.{KPI}" in seen["dictionary"]


def test_a_history_with_another_figure_than_the_new_kpi_fails_its_check(
    with_a_kpi: Shop, seen_with_a_kpi: Mapping[str, Any]
):
    assert seen_with_a_kpi["checks"]["kpi/segment_metrics_history metrics_agree_with_kpis"]
    wrong = f"update kpi.segment_metrics_history set {KPI} = 99 where is_current"
    assert int(with_a_kpi.tell("-m", "bridgecart_assets_tests.support.seen", wrong)) > 0


@pytest.mark.usefixtures("seen_with_a_kpi")
def test_the_report_draws_a_new_kpi_and_says_what_it_is_of_all_customers(with_a_kpi: Shop):
    totals = with_a_kpi.published(
        "select period, sum(orders) / sum(customers) as ratio from published where is_complete group by period "
        "order by period desc limit 1",
        f"kpi/{KPI}",
    )
    with chromium() as browser:
        page = browser.new_page()
        page.goto((with_a_kpi.data / "reports" / "segments.html").as_uri())
        drawn(page)
        expect(page.locator("#h-kpis")).to_contain_text("The five KPIs")
        card = page.locator("#cards .card", has_text="Orders per customer")
        expect(card.locator(".value")).to_have_text(f"{totals[0]['ratio']:,.2f}")
        figure = page.locator(f"figure[data-chart=trend_{KPI}]")
        expect(figure.locator("figcaption")).to_have_text(re.compile("^Orders per customer: purchases over"))
        assert figure.locator("svg .mark-symbol path").count() > 4
        open_table(page, "KPIs by period and segment")
        expect(page.locator("table:visible th", has_text="Orders per customer")).to_have_count(1)


def test_a_new_trait_takes_four_files_and_is_then_seen_wherever_the_others_are(copy: Shop):
    add_a_trait(copy)
    assert len(copy.touched()) <= MOST_FILES, copy.touched()
    seen = copy.seen()

    assert all(seen["checks"].values()), [check for check, passed in seen["checks"].items() if not passed]
    with duckdb.connect(str(Settings(data_dir=copy.data).warehouse_path), read_only=True) as connection:
        expected = "select customer_id, ln(orders::double / frequency) from gold.customer_features"
        traits = dict(connection.execute(expected).fetchall())
    stored = copy.published(f"select customer_id, {TRAIT} as trait from published", "gold/customer_segments")
    assert {row["customer_id"]: row["trait"] for row in stored} == pytest.approx(traits)
    assert len({round(value, 6) for value in traits.values()}) == 2

    (newest,) = copy.published(
        f"select any_value(mean_{TRAIT}) as mean, bool_or(segment like '%several-a-day%') as named, "
        f"count(distinct centroid_{TRAIT}) as centroids, count(*) as segments "
        "from published where version = (select max(version) from published)",
        "gold/segment_model",
    )
    assert newest["mean"] == pytest.approx(sum(traits.values()) / len(traits), abs=1e-6)
    assert newest["named"]
    assert newest["centroids"] > 1
    assert [row["measure"] for row in copy.published("from published", "gold/segment_drift")].count(TRAIT) == 1
    assert {"old_orders_a_purchase_day", "new_orders_a_purchase_day"} <= set(seen["compared"])
    assert f"`centroid_{TRAIT}`" in seen["dictionary"]
    with chromium() as browser:
        page = browser.new_page()
        page.goto((copy.data / "reports" / "segments.html").as_uri())
        drawn(page)
        labels = page.locator("figure[data-chart=apart] svg text").all_text_contents()
        assert "orders again on the same day" in labels


def test_a_warehouse_that_is_not_migrated_is_refused(copy: Shop):
    add_a_kpi(copy)
    copy.write("warehouse/storage/migrations.py", (PACKAGE / "warehouse/storage/migrations.py").read_text("utf-8"))
    with pytest.raises(AssertionError, match="has other columns than this version of BridgeCart knows"):
        copy.seen()
