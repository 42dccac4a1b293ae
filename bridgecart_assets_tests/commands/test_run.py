import os
import warnings
from collections.abc import Callable

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.run_pipeline import (
    CheckResult,
    CheckStoppedRun,
    RunFailed,
    Summary,
    failure_of,
    open_batch_keys,
)
from bridgecart_assets.orchestration.batch_status import PARTITION_TAG
from bridgecart_assets.orchestration.partitions import newest_keys
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.sources.kafka.offsets import OffsetRange, TopicState
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.support.pipeline import run_silver
from bridgecart_assets_tests.support.records import TOPIC_ID, Record, event, store_batch


class ThingMissing(BridgeCartError):
    """What our code raises."""


def failed_run(raising: Callable[[], None], *, blocking: bool, severity: str) -> dg.ExecuteInProcessResult:
    """A run of an asset, a failing check on it, and a second asset that raises."""

    @dg.asset
    def first() -> None:
        return None

    @dg.asset(deps=[first])
    def second() -> None:
        raising()

    @dg.asset_check(asset=first, blocking=blocking)
    def looks_right() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity[severity], description="3 rows do not.")

    defs = dg.Definitions([first, second], asset_checks=[looks_right], jobs=[dg.define_asset_job("all", "*")])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        return defs.resolve_job_def("all").execute_in_process(raise_on_error=False)


def missing() -> None:
    try:
        os.environ["NO_SUCH_VARIABLE"]
    except KeyError as error:
        raise ThingMissing("The thing is missing: bring it.") from error


def bug() -> None:
    raise ZeroDivisionError("three lines\nof text\nabout it")


def test_the_line_is_what_our_code_raised_and_neither_its_wrapper_nor_its_cause() -> None:
    failure = failure_of(failed_run(missing, blocking=False, severity="ERROR"))
    assert str(failure) == "The thing is missing: bring it."
    assert failure.exit_code == 1
    assert "KeyError" in failure.details


def test_an_error_of_several_lines_is_cut_to_one() -> None:
    assert str(failure_of(failed_run(bug, blocking=False, severity="ERROR"))) == "three lines"


def test_a_blocking_check_is_named_with_what_it_says_and_has_an_exit_code_of_its_own() -> None:
    failure = failure_of(failed_run(bug, blocking=True, severity="ERROR"))
    assert isinstance(failure, CheckStoppedRun)
    assert str(failure) == "Check looks_right of first failed and stopped the run: 3 rows do not."
    assert failure.exit_code == 3


def test_a_check_that_stopped_nothing_is_not_the_reason() -> None:
    for severity in ("ERROR", "WARN"):
        failure = failure_of(failed_run(missing, blocking=False, severity=severity))
        assert type(failure) is RunFailed
    assert type(failure_of(failed_run(missing, blocking=True, severity="WARN"))) is RunFailed


@pytest.mark.parametrize(("severities", "is_good"), [([], True), (["WARN"], True), (["WARN", "ERROR"], False)])
def test_a_summary_is_good_without_failed_checks_of_severity_error(severities: list[str], is_good: bool) -> None:
    failed = [
        CheckResult("raw/orders", "looks_right", severity, "3 rows do not.", passed=False) for severity in severities
    ]
    passed = CheckResult("raw/orders", "has_rows", "ERROR", "", passed=True)
    summary = Summary(results=[passed, *failed])
    assert summary.is_good is is_good
    assert summary.fails_on("error") is not is_good
    assert summary.fails_on("warn") is bool(failed)
    assert (summary.checks_to_json()["checks"], len(summary.failed_checks)) == (1 + len(failed), len(failed))


def test_batches_left_behind_in_raw_come_first_and_new_ones_follow_up_to_the_end(
    warehouse: Warehouse, settings: Settings
) -> None:
    store_batch(warehouse, "20300101T000000Z", [Record(event())])
    with dg.DagsterInstance.ephemeral() as forgetful:
        keys = open_batch_keys(forgetful, Platform(), TopicState("orders", TOPIC_ID, "test", {0: OffsetRange(0, 2)}))
        assert next(keys) == "20300101T000000Z"
        run_silver(warehouse, settings, "20300101T000000Z")
        taken_in(forgetful, "20300101T000000Z")
        new = next(keys)
        assert list(newest_keys(forgetful, limit=9)) == [new, "20300101T000000Z"]
        store_batch(warehouse, new, [Record(event())], start=1)
        assert list(keys) == []


def test_it_ends_when_the_topic_was_created_again_meanwhile(warehouse: Warehouse) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        keys = open_batch_keys(instance, Platform(), TopicState("orders", TOPIC_ID, "test", {0: OffsetRange(0, 9)}))
        store_batch(warehouse, next(keys), [Record(event())], topic_id="another")
        assert list(keys) == []


def test_it_ends_when_the_topic_lost_what_it_had_and_a_batch_found_nothing_more(warehouse: Warehouse) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        keys = open_batch_keys(instance, Platform(), TopicState("orders", TOPIC_ID, "test", {0: OffsetRange(0, 9)}))
        for start, records in ((0, 2), (2, 0)):
            key = next(keys)
            store_batch(warehouse, key, [Record(event())] * records, start=start)
            taken_in(instance, key)
        assert list(keys) == []


def taken_in(instance: dg.DagsterInstance, key: str) -> None:
    create_run_for_test(instance, "ingest_batch", status=dg.DagsterRunStatus.SUCCESS, tags={PARTITION_TAG: key})
