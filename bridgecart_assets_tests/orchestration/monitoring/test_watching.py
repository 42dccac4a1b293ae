"""Causes found in Dagster's records and in the warehouse; and that a command tells of itself."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from dagster._core.scheduler.instigation import InstigatorStatus

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings, load_settings
from bridgecart_assets.commands.run_alerts import watched
from bridgecart_assets.commands.run_pipeline import CheckStoppedRun
from bridgecart_assets.orchestration.batch_status import PARTITION_TAG
from bridgecart_assets.orchestration.checks import check_keys
from bridgecart_assets.orchestration.monitoring.causes import Book, Cause
from bridgecart_assets.orchestration.monitoring.sensor import alerts_sensor
from bridgecart_assets.orchestration.monitoring.telling import book_path
from bridgecart_assets.orchestration.monitoring.watching import daemon_sees, failed_runs
from bridgecart_assets.orchestration.partitions import BATCHES
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.processes.run_lock import CLI_LAUNCHER, LAUNCHER_TAG
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.support.pipeline import run_small_shop
from bridgecart_assets_tests.support.sensors import switch
from bridgecart_assets_tests.support.webhooks import Webhook, webhook

KEY = "20260301T115600Z"


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    with webhook() as hook:
        monkeypatch.setenv("BRIDGECART_ALERT_WEBHOOK", hook.url)
        yield hook


def ended(instance: dg.DagsterInstance, *, well: bool, job: str = "orders_batch", **tags: str) -> None:
    """A run that has ended, as Dagster reports it."""
    named = {name.replace("__", "/"): value for name, value in tags.items()}
    run = dg.DagsterRun(job, status=DagsterRunStatus.STARTED, tags=named)
    instance.add_run(run)
    if well:
        event = dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, job)
        instance.report_dagster_event(event, run.run_id)
    else:
        instance.report_run_failed(run, "no answer from Kafka within 10 s")


def told(causes: list[Cause], at: datetime) -> Book:
    return Book(told={cause.key: cause.over for cause in causes}, looked_at=at)


def test_a_batch_that_fails_is_one_cause_however_often_until_a_run_of_it_succeeds(instance: dg.DagsterInstance):
    now = datetime.now(UTC)
    batch = {PARTITION_TAG.replace("/", "__"): KEY}
    assert failed_runs(instance, Book(), now) == []
    ended(instance, well=False, **batch)
    (cause,) = failed_runs(instance, Book(), now)
    assert cause.key == f"run/batch/{KEY}"
    assert cause.says == f"A run of batch {KEY} failed: no answer from Kafka within 10 s"
    book = told([cause], datetime.now(UTC))
    ended(instance, well=False, **batch)
    assert [cause.key for cause in failed_runs(instance, book, now)] == [f"run/batch/{KEY}"]
    # A person materializes it in the UI: another job, the same batch.
    ended(instance, well=True, job="__ASSET_JOB", **batch)
    assert failed_runs(instance, book, now) == []


def test_a_failure_that_was_put_right_between_two_looks_is_told_and_over_at_the_next(instance: dg.DagsterInstance):
    now = datetime.now(UTC)
    ended(instance, well=False, job="refresh")
    ended(instance, well=True, job="refresh")
    (cause,) = failed_runs(instance, Book(), now)
    assert cause.says.startswith("A run of job refresh failed")
    assert failed_runs(instance, told([cause], datetime.now(UTC)), now) == []
    assert failed_runs(instance, Book(looked_at=datetime.now(UTC)), now) == []


def test_what_failed_long_before_the_first_look_is_history_and_a_commands_run_is_its_own_to_tell(
    instance: dg.DagsterInstance,
):
    ended(instance, well=False, job="refresh")
    ended(instance, well=False, job="ingest_batch", **{LAUNCHER_TAG.replace("/", "__"): CLI_LAUNCHER})
    assert failed_runs(instance, Book(), datetime.now(UTC) + timedelta(hours=2)) == []
    assert [cause.key for cause in failed_runs(instance, Book(), datetime.now(UTC))] == ["run/job/refresh"]


def test_the_daemon_sees_sensor_batch_checks_and_data(
    instance: dg.DagsterInstance, settings: Settings, warehouse: Warehouse
):
    run_small_shop(settings)
    key, *_ = check_keys()
    failed = dg.AssetCheckEvaluation(
        asset_key=key.asset_key, check_name=key.name, passed=False, metadata={}, description="3 row(s)."
    )
    instance.report_runless_asset_event(failed)
    instance.add_dynamic_partitions(str(BATCHES.name), [KEY])
    for _ in range(settings.max_batch_attempts):
        ended(instance, well=False, **{PARTITION_TAG.replace("/", "__"): KEY})
    switch(instance, InstigatorStatus.STOPPED)
    now = datetime.now(UTC)
    seen = daemon_sees(instance, settings, Book(), now)
    found = {watch: [cause.key for cause in causes or ()] for watch, causes in seen.items()}
    # The one batch of the shop is months old.
    assert found == {
        "sensor": ["sensor/off"],
        "batch": [f"batch/{KEY}"],
        "check": [f"check/{key.asset_key.to_user_string()}/{key.name}"],
        "data": ["data/none"],
        "run": [f"run/batch/{KEY}"],
    }
    # A run that writes is not waited for.
    with warehouse.transaction():
        held = daemon_sees(instance, settings, Book(), now)
    assert {watch: causes and len(causes) for watch, causes in held.items()} == {
        "sensor": 1,
        "batch": None,
        "data": None,
        "check": 1,
        "run": 1,
    }


def test_the_sensor_is_silent_without_the_setting_and_posts_with_it(
    instance: dg.DagsterInstance, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    switch(instance, InstigatorStatus.STOPPED)

    def tick() -> str:
        with dg.build_sensor_context(instance=instance, resources={"platform": Platform()}) as context:
            skipped = alerts_sensor(context)
        assert isinstance(skipped, dg.SkipReason)
        return skipped.skip_message or ""

    assert tick() == "BRIDGECART_ALERT_WEBHOOK is not set: nobody is told"
    assert not book_path(settings).exists()
    with webhook() as hook:
        monkeypatch.setenv("BRIDGECART_ALERT_WEBHOOK", hook.url)
        assert tick() == "1 message(s) posted, 0 wait; 1 cause(s) last."
        assert tick() == "0 message(s) posted, 0 wait; 1 cause(s) last."
        switch(instance, InstigatorStatus.RUNNING)
        hook.status = 500
        assert "it answered 500" in tick()
        hook.status = 200
        assert len(hook.posted) == 1
    assert "The orders sensor is off" in hook.posted[0]


def test_a_command_that_fails_is_told_once_and_once_when_it_succeeds(hook: Webhook, settings: Settings):
    said: list[str] = []

    def run(error: Exception | None = None) -> None:
        with watched("run", load_settings(), said.append):
            if error is not None:
                raise error

    for _ in range(3):
        with pytest.raises(BridgeCartError):
            run(BridgeCartError("No answer from Kafka at broker:9092."))
    run()
    run()
    assert [message.split(" UTC. ")[1] for message in hook.posted] == [
        "`bridgecart run` failed: No answer from Kafka at broker:9092.",
        "Over: `bridgecart run` succeeded.",
    ]
    assert said == []


def test_what_hinders_telling_is_said_and_the_command_ends_as_it_would(
    hook: Webhook, settings: Settings, data_dir: object
):
    said: list[str] = []
    hook.status = 500
    with pytest.raises(ZeroDivisionError), watched("run", load_settings(), said.append):
        raise ZeroDivisionError("of customer C1")
    assert said == ["The webhook of BRIDGECART_ALERT_WEBHOOK did not take a message: it answered 500."]
    assert "C1" not in book_path(settings).read_text()


def test_where_nothing_can_be_written_a_failed_command_is_told_all_the_same(hook: Webhook, settings: Settings):
    settings.data_dir.write_text("a file")
    said: list[str] = []
    with pytest.raises(BridgeCartError), watched("run", load_settings(), said.append):
        raise BridgeCartError("Cannot write to data.")
    assert hook.posted == ["BridgeCart (bridgecart.orders): `bridgecart run` failed: Cannot write to data."]
    ((words),) = said
    assert "make its folder writable" in words


def test_the_check_that_stopped_a_command_is_the_cause_and_not_the_command(
    hook: Webhook, settings: Settings, instance: dg.DagsterInstance
):
    key, *_ = check_keys()
    failed = dg.AssetCheckEvaluation(
        asset_key=key.asset_key, check_name=key.name, passed=False, metadata={}, description="3 row(s)."
    )
    instance.report_runless_asset_event(failed)
    with pytest.raises(CheckStoppedRun), watched("run", load_settings(), print):
        raise CheckStoppedRun("Check stopped the run")
    (message,) = hook.posted
    assert f"Check {key.name} of {key.asset_key.to_user_string()} failed: 3 row(s)." in message


def test_a_command_that_is_stopped_has_not_failed(hook: Webhook, settings: Settings):
    with pytest.raises(KeyboardInterrupt), watched("run", load_settings(), print):
        raise KeyboardInterrupt
    assert hook.posted == []
