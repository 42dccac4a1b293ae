"""The lake is tidied by a job of its own, every night once somebody switched its schedule on."""

from datetime import timedelta

import dagster as dg
import pytest

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.definitions import build_defs
from bridgecart_assets.orchestration.jobs import PRINTED
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.orchestration.tidying import tidy_schedule
from bridgecart_assets_tests.support.causes import our_own

defs = build_defs()
TIDY = defs.resolve_job_def("tidy_lake")


def test_the_job_keeps_an_hour_and_says_how_many_files_it_deleted_by_table(monkeypatch: pytest.MonkeyPatch):
    kept: list[timedelta] = []

    def tidy_lake(_: Platform, keep: timedelta) -> dict[str, int]:
        # What it does is tested on Spark.
        kept.append(keep)
        return {"raw.orders": 3, "silver.orders": 4}

    monkeypatch.setattr(Platform, "tidy_lake", tidy_lake)
    with dg.DagsterInstance.ephemeral() as instance:
        done = TIDY.execute_in_process(instance=instance, run_config=PRINTED)
    (output,) = [event.step_output_data for event in done.all_events if event.is_successful_output]
    told = {name: entry.value for name, entry in output.metadata.items()}
    assert told == {"files deleted": 7, "raw.orders": 3, "silver.orders": 4}
    assert kept == [timedelta(hours=1)]


def test_without_spark_the_job_fails_with_one_line(settings: Settings):
    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(BridgeCartError, match="no lake to tidy"), our_own():
        TIDY.execute_in_process(instance=instance)


def test_the_schedule_is_off_until_somebody_switches_it_on():
    assert (tidy_schedule.job_name, tidy_schedule.cron_schedule) == ("tidy_lake", "30 3 * * *")
    assert tidy_schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    assert defs.schedules == [tidy_schedule]
