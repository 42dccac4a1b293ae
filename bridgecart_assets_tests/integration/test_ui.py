"""Dagster's UI in a real browser, as a data engineer uses it: one server for all tests, in whatever order."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.contracts import SILVER_ORDERS
from bridgecart_assets.orchestration import location
from bridgecart_assets.orchestration.check_rules import RULES
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.processes import bridgecart, wait_until
from bridgecart_assets_tests.integration.served import RUN_SECONDS, Served, up
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.support.browser import chromium
from bridgecart_assets_tests.support.state import digests

MAPPING = (Path(__file__).parents[1] / "samples" / "mappings" / "flat.toml").read_text(encoding="utf-8")
LOCATION = f"locations/{location.LOCATION}"
PATIENCE = 30_000  # milliseconds; a browser, a webserver and a run share two cores
BACKFILLS = """query { partitionBackfillsOrError(limit: 5) { ... on PartitionBackfills { results {
  status numPartitions } } } }"""
STATE = """query ($selector: SensorSelector!) { sensorOrError(sensorSelector: $selector) { ... on Sensor {
  sensorState { status } } } }"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ui") / "data"


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    """A shop with two batches, whose mapping knows of no discount."""
    mapping = folder.parent / "mapping.toml"
    mapping.write_text(MAPPING.replace('"value.discount_amount"', '"0"'))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
        with up(folder, settings={"BRIDGECART_MAPPING": str(mapping)}) as running:
            shop = Shop(running.kafka, orders=2_000)
            create_topic(running.kafka, 3)
            for after in range(2):
                shop.sell(600)
                running.next_batch(after)
            yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


@pytest.fixture
def data_dir(folder: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BRIDGECART_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def warehouse(data_dir: Path) -> Warehouse:
    return warehouse_from_settings(load_settings())


def launch(page: Page, served: Served, keys: list[str]) -> None:
    """Choose batches of the job that runs from the topic to the report, by clicking, and launch."""
    page.goto(f"{served.url}/{LOCATION}/jobs/orders_batch")
    page.get_by_role("button", name="Materialize all").click()
    page.get_by_text("Select a partition or create one").click()
    for key in keys:
        page.get_by_role("menuitem", name=key).click()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^Launch")).click()


def of_silver(warehouse: Warehouse) -> dict[str, str]:
    """Tables in which no model is: one that was fitted stays until the next one is. Mappings stay on record too."""
    found = digests(warehouse).items()
    return {name: digest for name, digest in found if name.startswith("silver.") and name != "silver.mappings"}


def report_of(served: Served) -> str:
    """Where `up` says the report is."""
    (address,) = re.findall(r"Report: (\S+)", served.output.read_text())
    return str(address)


def test_the_graph_shows_every_layer_from_the_topic_to_the_report(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/asset-groups")
    for layer in ("kafka", "raw", "silver", "gold", "kpi", "report"):
        expect(page.get_by_text(layer, exact=True).first).to_be_visible(timeout=PATIENCE)


@pytest.mark.story
def test_a_batch_that_is_materialized_again_by_clicking_turns_green_and_nothing_changes(
    page: Page, served: Served, warehouse: Warehouse
) -> None:
    before, (key, *_) = digests(warehouse), served.partitions()
    launch(page, served, [key])
    said = page.get_by_text(re.compile("^Launched run "))
    (short_id,) = re.findall(r"Launched run (\w+)", said.inner_text())
    (run_id,) = [run["id"] for run in served.runs() if run["id"].startswith(short_id)]
    page.goto(f"{served.url}/runs/{run_id}")
    expect(page.get_by_text("Success", exact=True).first).to_be_visible(timeout=1_000 * RUN_SECONDS)
    assert digests(warehouse) == before


def test_the_checks_of_a_table_are_green_and_say_what_they_look_at(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/assets/silver/orders?view=checks")
    rules = [rule for rule in RULES if rule.table == SILVER_ORDERS]
    assert len(rules) > 3
    for rule in rules:
        page.get_by_text(rule.name, exact=True).first.click()
        expect(page.get_by_text(rule.promise).first).to_be_visible(timeout=PATIENCE)
        expect(page.get_by_text("Passed", exact=True).first).to_be_visible()


def test_the_sensor_is_switched_off_and_on_again(page: Page, served: Served) -> None:
    selector = {**served.repository(), "sensorName": "orders_sensor"}

    def status() -> str:
        return str(served.ask(STATE, selector=selector)["sensorOrError"]["sensorState"]["status"])

    page.goto(f"{served.url}/{LOCATION}/sensors/orders_sensor")
    switch = page.locator("input[type=checkbox]").first
    lever = page.locator("label:has(input[type=checkbox])").first  # it is drawn over the checkbox
    expect(switch).to_be_checked(timeout=PATIENCE)
    lever.click()
    expect(switch).not_to_be_checked()
    wait_until(lambda: status() == "STOPPED", RUN_SECONDS, "the sensor is off")
    lever.click()
    expect(switch).to_be_checked()
    wait_until(lambda: status() == "RUNNING", RUN_SECONDS, "the sensor is on")
    served.skips("no new records")


def test_a_backfill_by_a_mended_mapping_ends_well_with_the_rows_of_a_new_warehouse(
    page: Page, served: Served, warehouse: Warehouse, folder: Path, tmp_path: Path
) -> None:
    keys = served.partitions()
    assert len(keys) >= 2
    without_discount = of_silver(warehouse)
    Path(served.settings["BRIDGECART_MAPPING"]).write_text(MAPPING)
    launch(page, served, keys)
    page.goto(f"{served.url}/runs")

    def backfills() -> list[dict[str, object]]:
        found: list[dict[str, object]] = served.ask(BACKFILLS)["partitionBackfillsOrError"]["results"]
        return found

    wait_until(
        lambda: [one["status"] for one in backfills()] == ["COMPLETED_SUCCESS"], 4 * RUN_SECONDS, "the backfill ends"
    )
    assert [one["numPartitions"] for one in backfills()] == [len(keys)]
    new = {"BRIDGECART_KAFKA_BOOTSTRAP_SERVERS": served.kafka.bootstrap_servers, **served.settings}
    done = bridgecart("run", **new, BRIDGECART_DATA_DIR=str(tmp_path / "new"))
    assert done.returncode == 0, done.stderr
    assert without_discount != of_silver(warehouse) == of_silver(Warehouse(tmp_path / "new" / "bridgecart.duckdb"))


def test_an_asset_links_to_the_report_and_the_report_opens(page: Page, served: Served) -> None:
    for asset in ("kpi/churn_rate", "report/segments"):
        page.goto(f"{served.url}/assets/{asset}")
        expect(page.locator(f'a[href="{report_of(served)}"]').first).to_be_visible(timeout=PATIENCE)
    page.goto(report_of(served))
    expect(page.get_by_role("heading", name="Customer segments")).to_be_visible()
    expect(page.locator("figure svg").first).to_be_visible(timeout=PATIENCE)


def test_an_asset_plots_the_figure_of_each_segment(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/assets/kpi/sales_contribution")
    page.get_by_role("button", name="Plots").click()
    expect(page.get_by_text("sales_contribution unassigned", exact=True).first).to_be_visible(timeout=PATIENCE)


def test_new_orders_change_the_open_report_by_themselves(page: Page, served: Served, folder: Path) -> None:
    page.goto(report_of(served))
    words = page.locator("#health-words")
    batches = len(served.partitions())
    expect(words).to_contain_text(f"of {batches} batches", timeout=PATIENCE)
    shop = Shop(served.kafka, orders=2_000)
    shop.sent = 1_200
    shop.sell(100)
    expect(words).to_contain_text(f"of {batches + 1} batches", timeout=1_000 * RUN_SECONDS)
    assert time.time() - (folder / "reports" / "segments.html").stat().st_mtime < RUN_SECONDS
