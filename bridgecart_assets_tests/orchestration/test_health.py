"""What is not in the warehouse: records that wait, checks that failed."""

import dagster as dg
from dagster import DagsterEvent, DagsterEventType
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.orchestration.checks import build_checks, check_keys
from bridgecart_assets.orchestration.health import Health, read_health


def evaluated(instance: dg.DagsterInstance, key: dg.AssetCheckKey, *, passed: bool) -> None:
    evaluation = dg.AssetCheckEvaluation(
        check_name=key.name, asset_key=key.asset_key, passed=passed, metadata={}, description="look at it"
    )
    instance.report_runless_asset_event(evaluation)


def test_the_keys_of_the_checks_are_those_of_their_definitions():
    defined = [key for step in build_checks() for key in step.check_keys]
    assert sorted(map(str, check_keys())) == sorted(map(str, defined))


def test_only_the_latest_evaluation_of_a_check_counts(settings: Settings):
    mended, broken, sound, *_ = check_keys()
    with dg.DagsterInstance.ephemeral() as instance:
        for key, passed in ((mended, False), (broken, True), (sound, True), (mended, True), (broken, False)):
            evaluated(instance, key, passed=passed)
        health = read_health(settings, instance)
    assert health.checks == 3
    assert health.failed_checks == [
        {
            "severity": "ERROR",
            "asset": broken.asset_key.to_user_string(),
            "check": broken.name,
            "says": "look at it",
        }
    ]


def test_a_failed_check_stays_failed_while_a_run_is_about_to_make_it_again(settings: Settings):
    broken, *_ = check_keys()
    with dg.DagsterInstance.ephemeral() as instance:
        evaluated(instance, broken, passed=False)
        run = dg.DagsterRun("refresh")
        planned = AssetCheckEvaluationPlanned(asset_key=broken.asset_key, check_name=broken.name)
        event = DagsterEvent(
            DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED.value, run.job_name, event_specific_data=planned
        )
        instance.report_dagster_event(event, run.run_id)
        health = read_health(settings, instance)
    assert (health.checks, [check["check"] for check in health.failed_checks]) == (1, [broken.name])


def test_without_a_broker_the_lag_is_unknown_and_it_says_what_to_do(settings: Settings):
    health = read_health(settings, None)
    assert (health.lag, health.checks, health.failed_checks) == (None, 0, [])
    assert "BRIDGECART_KAFKA_BOOTSTRAP_SERVERS" in health.kafka


def test_a_page_for_others_does_not_say_where_the_broker_is():
    health = Health("topic orders at broker-7.internal:9092", 5, 1, [])
    assert health.for_report() == {
        "lag": 5,
        "waiting_for_transactions": None,
        "checks": 1,
        "failed_checks": [],
    }
