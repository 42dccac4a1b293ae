import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.contracts import CUSTOMER_SEGMENTS
from bridgecart_assets.definitions import build_defs
from bridgecart_assets.orchestration.asset_specs import asset_key
from bridgecart_assets.orchestration.batch_status import OpenBatch
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.orchestration.run_limit import MAX_RUNTIME_TAG
from bridgecart_assets.orchestration.sensors import (
    FIRST_BACKOFF,
    Ask,
    BatchingPolicy,
    BatchStuck,
    Skip,
    decide,
    orders_sensor,
    segment_changes_sensor,
    warn_of_unknown_variables,
)

NOW = datetime(2026, 1, 31, 7, 5, 10, tzinfo=UTC)
NEW = "20260131T070510Z"
OPEN = "20260131T070400Z"


def decision(
    open_batch: OpenBatch | None = None, unread: dict[int, int] | None = None, *, max_attempts: int = 5
) -> Skip | Ask:
    return decide(open_batch=open_batch, unread=unread, new_key=NEW, now=NOW, max_attempts=max_attempts)


def test_new_records_ask_for_one_new_batch_and_say_how_many_wait() -> None:
    asked = decision(unread={0: 7, 1: 0, 2: 5})
    assert asked == Ask(NEW, is_new=True, reason="12 new records in 2 partitions")


@pytest.mark.parametrize("unread", [{}, {0: 0}, {0: 0, 1: 0}])
def test_without_new_records_nothing_is_asked_for_and_the_reason_says_why(unread: dict[int, int]) -> None:
    assert decision(unread=unread) == Skip("no new records: every record of the topic is in a batch")


def test_when_nothing_tells_where_the_ledger_ends_one_run_finds_out() -> None:
    asked = decision(unread=None)
    assert isinstance(asked, Ask)
    assert (asked.key, asked.is_new) == (NEW, True)
    assert "finds out" in asked.reason


def with_policy(waiting: int, *, age: float) -> Skip | Ask:
    return decide(
        open_batch=None,
        unread={0: waiting},
        new_key=NEW,
        now=NOW,
        max_attempts=5,
        last_batch_at=NOW - timedelta(seconds=age),
        policy=BatchingPolicy(min_records=100, max_delay=timedelta(seconds=60)),
    )


def test_a_small_batch_waits_for_more_records_and_says_how_many_and_how_long() -> None:
    assert with_policy(99, age=20) == Skip("99 new records; a batch starts at 100, or at 07:05:50 UTC")


def test_a_batch_is_asked_for_when_it_is_large_enough_or_has_waited_long_enough() -> None:
    assert isinstance(with_policy(100, age=0), Ask)
    assert isinstance(with_policy(1, age=60), Ask)


def test_a_clock_that_was_set_back_does_not_make_a_small_batch_wait() -> None:
    assert isinstance(with_policy(1, age=-3600), Ask)


@pytest.mark.parametrize("unread", [None, {0: 0}, {0: 9}])
def test_a_registered_batch_without_a_run_is_asked_for_again_before_anything_new(unread: dict[int, int] | None) -> None:
    asked = decision(OpenBatch(OPEN, failures=0, last_failed_at=None), unread)
    assert asked == Ask(OPEN, is_new=False, reason=f"batch {OPEN} is not done; attempt 1")


def test_a_failed_batch_waits_and_says_until_when() -> None:
    skipped = decision(OpenBatch(OPEN, failures=1, last_failed_at=NOW - timedelta(seconds=2)), {0: 9})
    assert skipped == Skip(f"batch {OPEN} failed 1 times; next attempt after 07:05:13 UTC")


def test_each_failure_doubles_the_wait() -> None:
    for failures in range(1, 5):
        wait = FIRST_BACKOFF * 2 ** (failures - 1)
        too_early = OpenBatch(OPEN, failures, NOW - wait + timedelta(microseconds=1))
        assert isinstance(decision(too_early), Skip)
        assert decision(OpenBatch(OPEN, failures, NOW - wait)) == Ask(
            OPEN, is_new=False, reason=f"batch {OPEN} is not done; attempt {failures + 1}"
        )


def test_a_failure_without_a_time_is_tried_again_at_once() -> None:
    assert isinstance(decision(OpenBatch(OPEN, failures=2, last_failed_at=None)), Ask)


def test_a_failure_from_before_the_clock_was_set_back_makes_nothing_wait() -> None:
    assert isinstance(decision(OpenBatch(OPEN, failures=1, last_failed_at=NOW + timedelta(hours=1))), Ask)


@pytest.mark.parametrize("failures", [3, 4])
def test_after_the_last_attempt_the_batch_is_named_and_everything_stops(failures: int) -> None:
    with pytest.raises(BatchStuck) as raised:
        decision(OpenBatch(OPEN, failures, NOW - timedelta(days=1)), {0: 9}, max_attempts=3)
    message = str(raised.value)
    assert f"Batch {OPEN} failed {failures} times and nothing after it is read" in message
    assert f"materialize batch {OPEN} in the UI or run `bridgecart run`" in message
    assert "\n" not in message


@given(
    failures=st.integers(0, 9),
    age=st.integers(0, 10_000),
    unread=st.none() | st.dictionaries(st.integers(0, 9), st.integers(0, 5)),
)
def test_an_open_batch_is_never_overtaken_and_is_asked_for_at_most_five_times(
    failures: int, age: int, unread: dict[int, int] | None
) -> None:
    batch = OpenBatch(OPEN, failures, NOW - timedelta(seconds=age) if failures else None)
    if failures >= 5:
        with pytest.raises(BatchStuck):
            decision(batch, unread)
        return
    outcome = decision(batch, unread)
    assert isinstance(outcome, Skip) or (outcome.key, outcome.is_new) == (OPEN, False)


def test_a_mistyped_variable_is_logged_once_in_the_life_of_a_code_server(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("BRIDGECART_KPI_PERID", "hunter2")
    for _ in range(2):
        warn_of_unknown_variables(logging.getLogger("tick"))
    assert [record.getMessage() for record in caplog.records] == [
        "BRIDGECART_KPI_PERID is no setting of this version: did you mean BRIDGECART_KPI_PERIOD?"
    ]


def test_every_run_of_a_sensor_has_a_limit_that_dagster_sees_and_prints_no_more_than_info(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_MAX_RUN_MINUTES", "30")
    with dg.DagsterInstance.ephemeral() as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization(asset_key(CUSTOMER_SEGMENTS)))
        resources = {"platform": Platform()}
        with dg.build_sensor_context(instance=instance, definitions=build_defs(), resources=resources) as context:
            (request,) = segment_changes_sensor.evaluate_tick(context).run_requests or []
    assert request.tags[MAX_RUNTIME_TAG] == "1800"
    assert request.run_config == {"loggers": {"console": {"config": {"log_level": "INFO"}}}}


def test_a_sensor_finds_its_resource_in_the_definitions_without_the_configuration_of_a_run(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BRIDGECART_KAFKA_BOOTSTRAP_SERVERS", raising=False)
    platform = (build_defs().resources or {})["platform"]
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_sensor_context(instance=instance, resources={"platform": platform}) as context,
    ):
        answer = orders_sensor(context)
    assert isinstance(answer, dg.SkipReason)
    assert str(answer.skip_message).startswith("nothing was read: No broker: ")
