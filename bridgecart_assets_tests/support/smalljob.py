"""A job of two tables and a check that takes a fifth of a second: its runs, events and results are Dagster's own."""

import dagster as dg

from bridgecart_assets.orchestration.partitions import BATCHES

# Keys of the real platform: what is said of its batches holds for these.
TABLE = dg.AssetKey(["raw", "orders"])
WHOLE = dg.AssetKey(["gold", "customer_features"])
CHECK = dg.AssetCheckKey(TABLE, "is_long_enough")


@dg.asset(key=TABLE, partitions_def=BATCHES)
def table() -> dg.MaterializeResult[None]:
    """A batch."""
    return dg.MaterializeResult(metadata={"rows": 7})


@dg.asset_check(asset=TABLE, name=CHECK.name)
def is_long_enough() -> dg.AssetCheckResult:
    """It always is."""
    return dg.AssetCheckResult(passed=True, description="it is long enough to be compressed: " + "x" * 500)


@dg.asset(key=WHOLE, ins={"table": dg.AssetIn(TABLE, dagster_type=dg.Nothing)})
def whole() -> int:
    """A table that is made from all batches."""
    return 1


@dg.asset(ins={"whole": dg.AssetIn(WHOLE)})
def fails_when_asked(context: dg.AssetExecutionContext, whole: int) -> None:
    """Reads an input; fails in a run that says so."""
    if "fail" in context.run.tags:
        raise ValueError("asked to")


SMALL = dg.Definitions(
    assets=[table, whole, fails_when_asked],
    asset_checks=[is_long_enough],
    jobs=[dg.define_asset_job("small")],
    executor=dg.in_process_executor,
    resources={"io_manager": dg.mem_io_manager},
)


def make_run(instance: dg.DagsterInstance, key: str, *, fails: bool = False) -> str:
    """One run of the job for a batch, which it registers; the id of the run."""
    instance.add_dynamic_partitions(str(BATCHES.name), [key])
    job = SMALL.resolve_job_def("small")
    tags = {"fail": "yes"} if fails else {}
    return str(job.execute_in_process(instance=instance, partition_key=key, tags=tags, raise_on_error=False).run_id)
