"""Metrics and health over HTTP: true, cheap, and without disturbing whoever writes."""

import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from dagster._core.scheduler.instigation import InstigatorStatus

from bridgecart_assets.base.settings import Settings, load_settings
from bridgecart_assets.commands.report_server import report_server
from bridgecart_assets.orchestration.batch_status import PARTITION_TAG
from bridgecart_assets.orchestration.checks import check_keys
from bridgecart_assets.orchestration.health import Health
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.orchestration.monitoring import observing
from bridgecart_assets.orchestration.monitoring.metrics import CONTENT_TYPE, exposition
from bridgecart_assets.orchestration.monitoring.observing import Observer
from bridgecart_assets.orchestration.partitions import BATCHES
from bridgecart_assets.processes.listening import Listener
from bridgecart_assets.processes.run_lock import CLI_LAUNCHER, LAUNCHER_TAG
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.support.pipeline import run_small_shop
from bridgecart_assets_tests.support.prometheus import Family, parsed
from bridgecart_assets_tests.support.sensors import beat, switch

NOW = datetime(2026, 1, 1, 1, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop") / "data"
    run_small_shop(Settings(data_dir=folder))
    return folder


@pytest.fixture
def shop(small_shop: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Fifty orders in one batch, an hour before NOW; every question is passed on."""
    shutil.copytree(small_shop, data_dir)
    for name in ("RECORDS_STAND", "TOPIC_STANDS", "SIZES_STAND"):
        monkeypatch.setattr(observing, name, 0.0)
    return load_settings()


@pytest.fixture
def instance(shop: Settings) -> Iterator[dg.DagsterInstance]:
    with dagster_instance(shop) as instance:
        yield instance


def read(observer: Observer) -> dict[str, Family]:
    return {name.removeprefix("bridgecart_"): family for name, family in parsed(exposition(observer, NOW)).items()}


def value(observer: Observer, name: str, labels: str = "") -> float:
    return read(observer)[name].values[labels]


def failed_check(instance: dg.DagsterInstance) -> None:
    key, *_ = check_keys()
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=key.asset_key, check_name=key.name, passed=False, metadata={}, description="3 row(s)."
        )
    )


def failed_batch(instance: dg.DagsterInstance, key: str, times: int) -> None:
    instance.add_dynamic_partitions(str(BATCHES.name), [key])
    for _ in range(times):
        run = dg.DagsterRun("orders_batch", status=DagsterRunStatus.STARTED, tags={PARTITION_TAG: key})
        instance.add_run(run)
        instance.report_run_failed(run, "no answer from Kafka")


def test_the_figures_are_those_of_the_pipeline(shop: Settings, instance: dg.DagsterInstance):
    beat(instance, NOW - timedelta(seconds=90))
    failed_check(instance)
    failed_batch(instance, "20260101T010000Z", 2)
    families = read(Observer(shop))
    figures = {name: family.values[""] for name, family in families.items() if "" in family.values}
    assert {name: figures[name] for name in ("batches_total", "records_total", "orders", "duplicates", "rejects")} == {
        "batches_total": 1,
        "records_total": 50,
        "orders": 50,
        "duplicates": 0,
        "rejects": 0,
    }
    assert figures["last_batch_age_seconds"] == 3600
    assert figures["warehouse_read_age_seconds"] < 10
    assert figures["data_age_seconds"] == (NOW - datetime(2025, 3, 20, 10, tzinfo=UTC)).total_seconds()
    assert figures["data_timestamp_seconds"] == datetime(2025, 3, 20, 10, tzinfo=UTC).timestamp()
    assert figures["daemon_heartbeat_age_seconds"] == 90
    assert (figures["sensor_on"], figures["batch_failures"], figures["batch_stuck"]) == (1, 2, 0)
    assert families["failed_checks"].values == {'{severity="error"}': 1, '{severity="warn"}': 0}
    sizes = families["size_bytes"].values
    assert sizes['{of="warehouse"}'] == shop.warehouse_path.stat().st_size
    assert sizes['{of="dagster_home"}'] > 10_000


def test_the_documents_have_every_metric_and_no_other(
    shop: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
):
    def topic(_: Observer) -> Health:
        return Health("topic orders", 7, 0, [], waiting_for_transactions=3)

    monkeypatch.setattr(Observer, "topic", topic)
    beat(instance, NOW)
    text = (Path(__file__).parents[3] / "docs" / "operations.md").read_text(encoding="utf-8")
    table = text.split("<!-- metrics:")[1].split("<!-- /metrics -->")[0]
    families = read(Observer(shop))
    assert families["lag_records"].values == {"": 7}
    assert families["transaction_waiting_records"].values == {"": 3}
    assert set(re.findall(r"`bridgecart_(\w+)", table)) == set(families)


def test_before_the_first_run_it_tells_what_there_is(settings: Settings):
    families = read(Observer(settings))
    assert families["kafka_up"].values == {"": 0}
    assert families["batches_total"].values == {"": 0}
    assert not {"lag_records", "last_batch_age_seconds", "sensor_on", "orders"} & set(families)
    assert not settings.data_dir.exists()


def test_a_broker_that_is_down_leaves_the_lag_out_and_nothing_else(shop: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BRIDGECART_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    monkeypatch.setenv("BRIDGECART_KAFKA_TIMEOUT_SECONDS", "0.3")
    families = read(Observer(load_settings()))
    assert families["kafka_up"].values == {"": 0}
    assert "lag_records" not in families
    assert families["orders"].values == {"": 50}


def test_a_run_that_holds_the_warehouse_is_not_waited_for_and_the_last_figures_stand_with_their_age(
    shop: Settings, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(observing, "LOCK_SECONDS", 0.05)
    observer = Observer(shop)
    assert value(observer, "orders") == 50
    then = time.monotonic()
    with warehouse.transaction() as connection:
        connection.execute("delete from silver.orders")
        # As a run that has committed before and goes on.
        warehouse.path.touch()
        passed = time.monotonic() - then
        families = read(observer)
        assert families["orders"].values == {"": 50}
        assert families["warehouse_read_age_seconds"].values[""] >= passed
        assert observer.problems(NOW) == []
    assert value(observer, "orders") == 0


def test_a_warehouse_that_nobody_changed_is_not_opened_again(shop: Settings, monkeypatch: pytest.MonkeyPatch):
    observer = Observer(shop)
    assert value(observer, "orders") == 50
    held = warehouse_from_settings(shop)
    with held._gate():
        # Whoever would open it would be refused.
        assert observer.standing() == (observer._standing.value, 0.0)
        assert observer._standing.hindrance is None


@pytest.fixture
def served(shop: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("BRIDGECART_ALERT_NO_DATA_HOURS", "0")
    with report_server(shop.report_path, Listener("127.0.0.1", 0), settings=load_settings()) as served:
        yield served.url


def health(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_health_is_200_when_all_is_well_and_else_503_with_what_to_do(served: str, instance: dg.DagsterInstance):
    assert health(served) == (200, "ok\n")
    beat(instance, datetime.now(UTC))
    switch(instance, InstigatorStatus.STOPPED)
    failed_check(instance)
    failed_batch(instance, "20260101T010000Z", 5)
    status, words = health(served)
    assert status == 503
    sensor, batch, check = words.splitlines()
    assert "Switch it on under Automation in the Dagster UI" in sensor
    assert "failed 5 times" in batch
    assert "no answer from Kafka" in batch
    assert "failed: 3 row(s)." in check


def test_a_daemon_that_fell_silent_is_no_health_until_a_command_does_its_work(
    served: str, instance: dg.DagsterInstance
):
    beat(instance, datetime.now(UTC) - timedelta(minutes=10))
    status, words = health(served)
    assert (status, words.startswith("Dagster's daemon was last heard at ")) == (503, True)
    run = dg.DagsterRun("refresh", status=DagsterRunStatus.STARTED, tags={LAUNCHER_TAG: CLI_LAUNCHER})
    instance.add_run(run)
    instance.report_run_failed(run)
    assert health(served) == (200, "ok\n")


def test_data_that_stays_away_is_no_health(shop: Settings):
    status_now = Observer(shop).problems(datetime(2026, 1, 2, 1, tzinfo=UTC))
    assert status_now == ["No new records for more than 24 hours: the last batch with any is of 2026-01-01 00:00 UTC."]


def test_a_warehouse_that_cannot_be_read_is_no_health(shop: Settings):
    shop.warehouse_path.write_bytes(b"no warehouse" * 1000)
    (problem,) = Observer(shop).problems(NOW)
    assert "restore it from a backup" in problem


def test_metrics_are_served_as_prometheus_asks_for_them(served: str):
    with urllib.request.urlopen(f"{served}/metrics", timeout=60) as answer:
        assert answer.headers["Content-Type"] == CONTENT_TYPE
        assert "bridgecart_orders" in parsed(answer.read().decode())
