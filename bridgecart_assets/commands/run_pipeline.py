"""One shot: take in everything up to the topic's end, refresh everything, say what the checks found."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import SILVER_ORDERS
from bridgecart_assets.models.due import RefitMode
from bridgecart_assets.orchestration.location import job_origin
from bridgecart_assets.orchestration.resources import Platform, RefreshMode
from bridgecart_assets.processes.interrupts import interrupts
from bridgecart_assets.processes.run_lock import CLI_LAUNCHER, LAUNCHER_TAG, run_lock
from bridgecart_assets.sources.kafka.offsets import TopicState
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.warehouse.ingest.ledger import load_ends, load_ledger, load_position, newest_batches
from bridgecart_assets.warehouse.mappings import mapping_in_use
from bridgecart_assets.warehouse.remap import remap as remap_warehouse

if TYPE_CHECKING:
    import dagster as dg

    from bridgecart_assets.orchestration.storage.dagster_internals import StepFailureData

Progress = Callable[[str], None]
Remapped = Callable[[int, int], object]
FailOn = Literal["error", "warn"]
Result: TypeAlias = "dg.ExecuteInProcessResult | dg.JobExecutionResult"

INGEST = "ingest_batch"
_POLL_SECONDS = 0.2

# One level above what a console needs: the run's log is in Dagster's storage and its UI.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def _unwatched(_done: int, _of: int) -> None:
    """Nobody watches."""


class RunFailed(BridgeCartError):
    """A run failed; its text is the failed step's own line. `details` holds the full traceback."""

    exit_code = 1

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class CheckStoppedRun(RunFailed):
    """A blocking check of ERROR severity failed."""

    exit_code = 3


@dataclass(frozen=True)
class CheckResult:
    """Result of a check: asset, check, severity, whether it passed, and its message where it did not."""

    asset: str
    check: str
    severity: str
    says: str
    passed: bool

    def to_json(self) -> dict[str, str]:
        """A failed one in plain JSON types."""
        return {"asset": self.asset, "check": self.check, "severity": self.severity, "says": self.says}


_ENDS = {
    "orders": "orders",
    "lines": "lines of orders",
    "duplicates": "duplicates",
    "conflicting": "conflicting",
    "superseded": "superseded",
    "skipped": "skipped",
    "rejected": "rejected",
}
_ALWAYS_SAID = ("orders", "duplicates", "rejected")
_COUNTS = ("records", *_ENDS)


@dataclass
class Summary:
    """Result of one `bridgecart run`. Counts are of the batches it took in; `results` are those of all checks.

    `orders` are those of one event, `lines` the events of the others. `superseded` are also those that void an order.
    """

    batches: list[str] = field(default_factory=list)
    records: int = 0
    orders: int = 0
    lines: int = 0
    duplicates: int = 0
    conflicting: int = 0
    superseded: int = 0
    skipped: int = 0
    rejected: int = 0
    results: list[CheckResult] = field(default_factory=list)
    model: str = ""

    def ends(self) -> Sequence[str]:
        """Numbers of records by where they ended, in words; what most shops do not have only where there is any."""
        counted = {word: int(getattr(self, name)) for name, word in _ENDS.items()}
        return [f"{count:,} {word}" for word, count in counted.items() if count or word in _ALWAYS_SAID]

    @property
    def failed_checks(self) -> list[CheckResult]:
        """Those that did not pass."""
        return [result for result in self.results if not result.passed]

    @property
    def is_good(self) -> bool:
        """True if no check of ERROR severity failed."""
        return not self.fails_on("error")

    def fails_on(self, severity: FailOn) -> bool:
        """True if a check failed that is as severe as this, or more."""
        return any(severity == "warn" or check.severity == "ERROR" for check in self.failed_checks)

    def checks_to_json(self) -> dict[str, Any]:
        """Number of checks, and those that failed."""
        failed = [check.to_json() for check in self.failed_checks]
        return {"checks": len(self.results), "failed_checks": failed, "is_good": self.is_good}

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        counts = {name: getattr(self, name) for name in _COUNTS}
        return {"batches": self.batches, **counts, **self.checks_to_json(), "model": self.model}


def run_everything(
    settings: Settings,
    *,
    refit: RefitMode = RefitMode.WHEN_DUE,
    full: bool = False,
    remap: bool = False,
    progress: Progress,
    remapped: Remapped = _unwatched,
    summary: Summary | None = None,
) -> Summary:
    """Ingest up to the topic's end as it is now, then refresh customers, segments and KPIs.

    `full` rebuilds every row of theirs, also of customers that did not change. `remap` reads every batch from raw
    again before, and tells `remapped` how far it is. `summary` is filled on the way, for a caller who wants to know
    how far a run came that failed.
    Raises RunFailed at the first failed run, KafkaFailure when the topic cannot
    be read, AlreadyRunning when another command works on the data directory.
    """
    from bridgecart_assets.orchestration.instance import prepare_home

    prepare_home(settings)
    with run_lock(settings.data_dir):
        return run_holding_lock(
            settings, refit=refit, full=full, remap=remap, progress=progress, remapped=remapped, summary=summary
        )


def run_holding_lock(
    settings: Settings,
    *,
    refit: RefitMode = RefitMode.WHEN_DUE,
    full: bool = False,
    remap: bool = False,
    progress: Progress,
    remapped: Remapped = _unwatched,
    summary: Summary | None = None,
) -> Summary:
    """`run_everything` for a caller that holds the run lock."""
    from bridgecart_assets.orchestration.batch_status import assets_left
    from bridgecart_assets.orchestration.instance import dagster_instance
    from bridgecart_assets.orchestration.pruning import RUNS_AT_ONCE, prune_or_warn

    # Said before anything is done, and not by a run that fails.
    mapping_in_use(settings)
    platform = Platform()
    summary = Summary() if summary is None else summary
    with dagster_instance(settings) as instance:
        settle_unfinished_runs(instance, seconds=settings.run_wait_seconds, progress=progress)
        state = topic_state(platform.kafka, load_position(platform.warehouse).known)
        if remap and platform.warehouse.exists:
            progress("every batch again: raw to silver")
            remap_warehouse(platform.engine, settings, remapped)
            _check_newest_batch(instance, platform, summary)
        for key in open_batch_keys(instance, platform, state):
            progress(f"batch {key}: topic to silver")
            left = assets_left(INGEST, key, platform.warehouse, state)
            take_in(instance, key, summary, selection=left)
        progress("customers, segments and KPIs")
        refresh(instance, summary, refit=refit, full=full)
        prune_or_warn(instance, settings, progress, runs=len(summary.batches) + RUNS_AT_ONCE)
    return summary


def take_in(
    instance: "dg.DagsterInstance",
    key: str,
    summary: Summary,
    *,
    selection: "Sequence[dg.AssetKey] | None" = None,
    run_config: Mapping[str, Any] | None = None,
) -> None:
    """Take in a batch, or what is selected of it, and count it. Raises RunFailed."""
    result = _execute(instance, INGEST, summary, partition_key=key, selection=selection, run_config=run_config)
    summary.batches.append(key)
    _count_batch(result, summary)


def refresh(
    instance: "dg.DagsterInstance", summary: Summary, *, refit: RefitMode = RefitMode.WHEN_DUE, full: bool = False
) -> None:
    """Bring everything after silver up to date; for a caller that holds the run lock. Raises RunFailed."""
    from bridgecart_assets.orchestration.jobs import refit_config, refresh_config

    mode = RefreshMode.EVERYTHING if full else RefreshMode.CHANGES
    _execute(instance, "refresh", summary, run_config={**refit_config(refit), **refresh_config(mode)})


def _check_newest_batch(instance: "dg.DagsterInstance", platform: Platform, summary: Summary) -> None:
    """Let Dagster say of the newest batch what its silver is now; what it says of older ones is of their own runs."""
    from bridgecart_assets.orchestration.jobs import AFTER_RAW
    from bridgecart_assets.orchestration.partitions import BATCHES

    for key in newest_batches(platform.warehouse, limit=1):
        if instance.has_dynamic_partition(str(BATCHES.name), key):
            _execute(instance, INGEST, summary, partition_key=key, selection=AFTER_RAW[INGEST])


def settle_unfinished_runs(instance: "dg.DagsterInstance", *, seconds: float, progress: Progress) -> None:
    """End the runs of the dead, and wait for those of the living: those in progress, and those that are queued.

    For a caller that holds the run lock, which is why the sensor asks for no more of them. Raises BridgeCartError when
    they have not ended after so many seconds.
    """
    from bridgecart_assets.orchestration.runs import cancel_abandoned, report_orphans, unfinished_runs

    deadline = time.monotonic() + seconds
    waited_for = None
    while True:
        # The lock is that of all commands: their open runs are those of the dead.
        now = datetime.now(UTC)
        report_orphans(instance, now, is_command_at_work=False)
        cancel_abandoned(instance, now)
        running = unfinished_runs(instance)
        if not running:
            return
        which = f"Run {running[0].run_id} is queued or in progress"
        if time.monotonic() >= deadline:
            raise BridgeCartError(
                f"{which}: `bridgecart up` works on this data directory, or did within the last two minutes, and the "
                f"run has not ended within {seconds:g} s (BRIDGECART_RUN_WAIT_SECONDS). Wait until it has, or stop "
                "`bridgecart up`, then try again."
            )
        if running[0].run_id != waited_for:
            waited_for = running[0].run_id
            progress(f"waiting up to {seconds:g} s for run {waited_for}, which is queued or in progress")
        time.sleep(_POLL_SECONDS)


def open_batch_keys(instance: "dg.DagsterInstance", platform: Platform, state: TopicState) -> Iterator[str]:
    """Batches that never finished, then new ones until the ledger has reached the end in `state`."""
    from bridgecart_assets.orchestration.batch_status import open_batch
    from bridgecart_assets.orchestration.partitions import BATCHES

    while (unfinished := open_batch(instance, platform.warehouse)) is not None:
        if not unfinished.is_registered:
            instance.add_dynamic_partitions(str(BATCHES.name), [unfinished.key])
        yield unfinished.key
    while not _has_reached(platform, state):
        key = register_batch(instance, platform)
        yield key
        plan = load_ledger(platform.warehouse, only=key).plans[key]
        if plan.topic_id != state.topic_id or not (plan.records or plan.lost):
            # Created anew meanwhile, or it lost records that were not read: the end in `state` cannot be reached.
            return


def register_batch(instance: "dg.DagsterInstance", platform: Platform) -> str:
    """The key of a new batch, which Dagster now lists; the oldest ones beyond the limit it lists no more."""
    from bridgecart_assets.orchestration.partitions import BATCHES, expired_keys, newest_keys, next_batch_key

    known = [*newest_keys(instance, limit=100), *newest_batches(platform.warehouse, limit=100)]
    key = next_batch_key(datetime.now(UTC), known)
    instance.add_dynamic_partitions(str(BATCHES.name), [key])
    for expired in expired_keys(instance, platform.settings.max_batch_keys):
        instance.delete_dynamic_partition(str(BATCHES.name), expired)
    return key


def _has_reached(platform: Platform, state: TopicState) -> bool:
    ends = load_ends(platform.warehouse)
    committed = ends.get(state.topic_id, {})
    # The first batch, even an empty one, makes the tables that everything after it reads.
    return bool(ends) and all(committed.get(p, 0) >= span.end for p, span in state.partitions.items())


def _execute(
    instance: "dg.DagsterInstance",
    job: str,
    summary: Summary,
    *,
    partition_key: str | None = None,
    selection: "Sequence[dg.AssetKey] | None" = None,
    run_config: Mapping[str, Any] | None = None,
) -> Result:
    with _quietly(), interrupts() as interrupted_by:
        result = _run_here(instance, job, partition_key, selection, {**QUIET, **(run_config or {})})
        # Between two steps Dagster holds interrupts back, and after the last one it forgets them.
        if interrupted_by():
            raise KeyboardInterrupt
    summary.results += [
        CheckResult(
            asset=evaluation.asset_key.to_user_string(),
            check=evaluation.check_name,
            severity=evaluation.severity.value,
            says=evaluation.description or "",
            passed=evaluation.passed,
        )
        for evaluation in result.get_asset_check_evaluations()
    ]
    summary.model = _model_decision(result) or summary.model
    if not result.success:
        raise failure_of(result)
    return result


def _run_here(
    instance: "dg.DagsterInstance",
    name: str,
    partition_key: str | None,
    selection: "Sequence[dg.AssetKey] | None",
    run_config: Mapping[str, Any],
) -> "dg.JobExecutionResult":
    """Run a job in this process, as `execute_in_process` does, which leaves out where the job lives."""
    from bridgecart_assets.definitions import build_defs
    from bridgecart_assets.orchestration.batch_status import PARTITION_TAG
    from bridgecart_assets.orchestration.storage.dagster_internals import InMemoryJob, execute_run

    repository = build_defs().get_repository_def()
    job = repository.get_job(name)
    batch = {} if partition_key is None else {PARTITION_TAG: partition_key}
    run = instance.create_run_for_job(
        job,
        run_config=run_config,
        tags={**job.run_tags, **batch, LAUNCHER_TAG: CLI_LAUNCHER},
        asset_selection=frozenset(selection) if selection else None,
        remote_job_origin=job_origin(repository, name),
    )
    return execute_run(InMemoryJob(job), run, instance)


@contextmanager
def _quietly() -> Iterator[None]:
    import warnings

    with warnings.catch_warnings():
        # Preview and beta notices of Dagster are for us, not for who runs the command.
        warnings.simplefilter("ignore")
        yield


def _model_decision(result: Result) -> str:
    for event in result.get_asset_materialization_events():
        decision = event.materialization.metadata.get("decision")
        if decision is not None:
            return str(decision.value)
    return ""


def failure_of(result: Result) -> RunFailed:
    """The one line that says why a run failed: the blocking check, or else what the first failed step raised."""
    from bridgecart_assets.orchestration.checks import stopped_by

    for check in result.get_asset_check_evaluations():
        if check.blocking and not check.passed and check.severity.value == "ERROR":
            return CheckStoppedRun(stopped_by(check.check_name, check.asset_key.to_user_string(), check.description))
    for event in result.all_events:
        if event.is_step_failure and event.step_failure_data.error is not None:
            return RunFailed(_said_by(event.step_failure_data), details=event.step_failure_data.error.to_string())
    return RunFailed(f"Run {result.run_id} failed; open it in the Dagster UI (`bridgecart up`) to see why.")


def _said_by(failure: "StepFailureData") -> str:
    if failure.user_failure_data is not None and failure.user_failure_data.description:
        return _first_line(failure.user_failure_data.description)
    error = failure.error
    if error is None:
        return "unknown error"
    # Dagster wraps a bug; what that was raised from is for the details.
    while error.cause is not None and (error.cls_name or "").startswith("Dagster"):
        error = error.cause
    return re.sub(r"^[\w.]+(Error|Exception|Failure|\w*): ", "", _first_line(error.message), count=1)


def _first_line(message: str) -> str:
    return message.strip().splitlines()[0] if message.strip() else "unknown error"


def _count_batch(result: Result, summary: Summary) -> None:
    """Add what the materialization of the batch's orders says of its records."""
    from bridgecart_assets.orchestration.asset_specs import asset_key

    (silver,) = [
        event.materialization
        for event in result.get_asset_materialization_events()
        if event.asset_key == asset_key(SILVER_ORDERS)
    ]
    for name in _COUNTS:
        setattr(summary, name, getattr(summary, name) + int(str(silver.metadata[name].value)))
