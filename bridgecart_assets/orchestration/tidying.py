"""The lake tidied every night, where Spark is the engine.

Nothing is done until somebody switches the schedule on: without Spark there is no lake.
"""

from datetime import timedelta

import dagster as dg

from bridgecart_assets.orchestration.asset_specs import POOL
from bridgecart_assets.orchestration.failures import cause_first
from bridgecart_assets.orchestration.resources import Platform

KEPT = timedelta(hours=1)
"""Files that were needed so long ago stay for whoever reads them."""


@dg.op(pool=POOL, out=dg.Out(dg.Nothing), description="Merges small files of the lake and deletes old ones.")
@cause_first()
def tidy_files(context: dg.OpExecutionContext, platform: Platform) -> None:
    """Merge and delete, and say how many files were deleted, by table."""
    deleted = platform.tidy_lake(KEPT)
    context.add_output_metadata({"files deleted": sum(deleted.values()), **deleted})


@dg.job(description="Merge small files of Spark's lake and delete those that no table needs any more.")
def tidy_lake() -> None:
    """One op."""
    tidy_files()


tidy_schedule = dg.ScheduleDefinition(
    name="tidy_schedule",
    job=tidy_lake,
    cron_schedule="30 3 * * *",
    description="Every night, with BRIDGECART_ENGINE=spark. Off until somebody switches it on.",
)
