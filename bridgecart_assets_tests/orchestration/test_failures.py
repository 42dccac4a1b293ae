"""Our own errors in Dagster: our line first, in a run and in a tick, and in its log; a bug stays a bug."""

import inspect
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.instigation_logger import get_instigation_log_records

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import SettingsError
from bridgecart_assets.definitions import build_defs
from bridgecart_assets.orchestration import failures, sensors
from bridgecart_assets.orchestration.batch_status import OpenBatch
from bridgecart_assets.orchestration.failures import UNREADABLE, TickFailed, answer_of
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.orchestration.sensors import orders_sensor
from bridgecart_assets.sources.kafka.errors import DataLoss
from bridgecart_assets.sources.kafka.offsets import TopicState
from bridgecart_assets.warehouse.storage.outputs import Table

LINE = "The thing is missing: bring it."
STEPS = [asset for asset in build_defs().assets or [] if isinstance(asset, dg.AssetsDefinition)]
SENSOR = ["__repository__", "orders_sensor"]
DAY = failures.LOGGED_TICKS


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """Dagster as people bring it, where a tick's log is a file."""
    with dg.instance_for_test(temp_dir=str(home)) as opened:
        yield opened


@pytest.fixture(autouse=True)
def no_logs(home: Path) -> None:
    shutil.rmtree(Path(home, "storage", *SENSOR), ignore_errors=True)


def context_of(instance: dg.DagsterInstance, tick: int = 1) -> dg.SensorEvaluationContext:
    return dg.SensorEvaluationContext(
        instance_ref=instance.get_ref(),
        last_tick_completion_time=None,
        last_run_key=None,
        cursor=None,
        log_key=[*SENSOR, str(tick)],
        repository_name=SENSOR[0],
        instance=instance,
        sensor_name=SENSOR[1],
        resources={"platform": Platform()},  # type: ignore[dict-item]
    )


def logged(instance: dg.DagsterInstance, tick: int = 1) -> list[tuple[str, str]]:
    records = get_instigation_log_records(instance, [*SENSOR, str(tick)])
    return [(record["levelname"], record["dagster_meta"]["orig_message"]) for record in records]


def raising(error: Exception) -> Callable[[], dg.SkipReason]:
    def tick() -> dg.SkipReason:
        raise error

    return tick


def test_every_step_that_meets_one_of_our_errors_fails_with_our_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that cannot be read are met by every asset that reads any."""
    monkeypatch.setenv("BRIDGECART_CHURN_WINDOW_DAYS", "many")
    context: Any = SimpleNamespace(partition_key="20300101T000000Z", run=SimpleNamespace(tags={}), instance=None)
    met = []
    for asset in STEPS:
        function: Any = asset.op.compute_fn.decorated_fn  # type: ignore[union-attr]
        names = inspect.signature(function).parameters
        if "platform" not in names:
            continue
        met.append(asset.op.name)
        known = {"platform": Platform(), "context": context, "config": SimpleNamespace(refit=None, file=None)}
        with pytest.raises(dg.Failure, match="BRIDGECART_CHURN_WINDOW_DAYS") as raised:
            list(function(**{name: known.get(name, Table("t")) for name in names}))
        assert raised.value.metadata["kind"].value == "SettingsError"
        assert isinstance(raised.value.__cause__, SettingsError)
    assert len(met) >= 11


def test_a_run_shows_our_line_first_and_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    job = build_defs().resolve_job_def("refresh")

    def error_of_features() -> Any:
        failed = job.execute_in_process(
            asset_selection=[dg.AssetKey(["gold", "customer_features"])], raise_on_error=False
        )
        (event,) = [event for event in failed.all_events if event.is_step_failure]
        return event.step_failure_data

    ours = error_of_features()
    assert ours.error.message.startswith("dagster._core.definitions.events.Failure: Not in the warehouse yet: ")
    assert ours.user_failure_data.description in ours.error.message
    monkeypatch.setattr("bridgecart_assets.orchestration.assets.features.features_query", lambda *_: 1 / 0)
    bug = error_of_features()
    assert bug.user_failure_data is None
    assert bug.error.cause.cls_name == "ZeroDivisionError"
    assert bug.error.cause.stack


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_tick_that_could_not_read_skips_and_says_so_in_reason_and_log(
    instance: dg.DagsterInstance, kind: type[BridgeCartError]
) -> None:
    with context_of(instance) as context:
        answer = answer_of(context, raising(kind(LINE)))
    assert isinstance(answer, dg.SkipReason)
    assert answer.skip_message == f"nothing was read: {LINE}"
    assert logged(instance) == [("ERROR", LINE)]


def test_what_needs_a_person_fails_the_tick_with_our_line_and_not_with_dagsters(instance: dg.DagsterInstance) -> None:
    for tick, error in enumerate((DataLoss(LINE), sensors.BatchStuck(LINE), SettingsError(LINE)), start=1):
        with context_of(instance, tick) as context, pytest.raises(TickFailed) as raised:
            answer_of(context, raising(error))
        assert str(raised.value) == LINE
        assert isinstance(raised.value, dg.DagsterError)  # all that is not Dagster's own is wrapped
        assert logged(instance, tick) == [("ERROR", LINE)]


def test_a_bug_in_a_tick_is_left_as_it_is(instance: dg.DagsterInstance) -> None:
    with context_of(instance) as context, pytest.raises(ZeroDivisionError):
        answer_of(context, raising(ZeroDivisionError()))


def test_why_a_tick_skipped_stands_in_its_log(instance: dg.DagsterInstance) -> None:
    with context_of(instance) as context:
        answer_of(context, lambda: dg.SkipReason("no new records"))
    assert logged(instance) == [("INFO", "no new records")]


def test_without_a_broker_the_sensor_skips_with_a_sentence(instance: dg.DagsterInstance) -> None:
    with context_of(instance) as context:
        evaluated = orders_sensor.evaluate_tick(context)
    assert evaluated.skip_message is not None
    assert evaluated.skip_message.startswith("nothing was read: No broker: set BRIDGECART_KAFKA_BOOTSTRAP_SERVERS")
    assert evaluated.log_key == [*SENSOR, "1"]


def test_a_stuck_batch_is_the_first_line_of_the_failed_tick(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = OpenBatch("20300101T000000Z", failures=99, last_failed_at=None)
    monkeypatch.setattr(sensors, "open_batch", lambda *_: stuck)
    monkeypatch.setattr(sensors, "topic_state", lambda *_: TopicState("bridgecart.orders", "id", None, {}))
    monkeypatch.setattr(sensors, "unread_records", lambda *_: None)
    monkeypatch.setenv("BRIDGECART_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    with context_of(instance) as context, pytest.raises(TickFailed, match=r"^Batch 20300101T000000Z failed 99 times"):
        orders_sensor.evaluate_tick(context)


def test_logs_of_ticks_go_with_their_ticks_and_others_stay(instance: dg.DagsterInstance, home: Path) -> None:
    folder = Path(home, "storage", *SENSOR)
    for tick in (1, 2, 12, DAY + 1, DAY + 2, DAY + 5):
        with context_of(instance, tick) as context:
            answer_of(context, lambda: dg.SkipReason("no new records"))
    # One that began between the ticks of another sensor is not left behind.
    assert sorted(int(file.stem) for file in folder.iterdir()) == [12, DAY + 1, DAY + 2, DAY + 5]
