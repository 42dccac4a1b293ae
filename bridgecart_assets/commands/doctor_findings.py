"""`bridgecart doctor`: compares ledger, registry, event log, runs, consumer group and topic with each other.

The ledger in the warehouse is the truth about what was read, the topic about what there is to read. What disagrees
with them is a finding; some findings can be mended without touching a row.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings, unknown_variables
from bridgecart_assets.commands.doctor_snapshot import BATCH_TABLES, Sides, look
from bridgecart_assets.commands.run_pipeline import Progress, settle_unfinished_runs
from bridgecart_assets.contracts import Contract
from bridgecart_assets.orchestration.asset_specs import asset_key
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.orchestration.metadata import ledger_metadata
from bridgecart_assets.orchestration.partitions import BATCHES
from bridgecart_assets.orchestration.run_health import relies_on_daemon
from bridgecart_assets.orchestration.runs import report_orphans
from bridgecart_assets.orchestration.storage.dagster_internals import SqliteEventLogStorage
from bridgecart_assets.orchestration.storage.sqlite_storage import EventLogStorage
from bridgecart_assets.processes.run_lock import run_lock
from bridgecart_assets.sources.files.history_file import is_file
from bridgecart_assets.sources.kafka.errors import KafkaFailure, RangeNotReadable, RecordsGone, TopicReplaced
from bridgecart_assets.sources.kafka.groups import commit_offsets
from bridgecart_assets.sources.kafka.offsets import BatchPlan, TopicState, lag
from bridgecart_assets.sources.kafka.reading import verify_plan
from bridgecart_assets.warehouse.mappings import mapping_in_use

_NAMED = 3
_RAW_TABLES = [contract for contract in BATCH_TABLES if contract.schema == "raw"]
_REPAIR = "`bridgecart doctor --repair`"


@dataclass(frozen=True)
class Finding:
    """One disagreement: which side is wrong, what it says, and what to do.

    Attributes:
        where: settings, ledger, registry, event log, runs, daemon, sensor, group, topic or storage.
        mend: what `--repair` does about it; None when a person has to.
        is_note: nothing is wrong, but a person may wonder.

    """

    where: str
    says: str
    remedy: str
    mend: Callable[[], None] | None = field(default=None, compare=False, repr=False)
    is_note: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.says} {self.remedy}"

    def to_json(self) -> dict[str, str | bool]:
        """Plain JSON types."""
        return {
            "where": self.where,
            "says": self.says,
            "remedy": self.remedy,
            "can_be_repaired": self.mend is not None,
            "is_note": self.is_note,
        }


def examine(settings: Settings) -> list[Finding]:
    """All disagreements as they are now; nothing is changed. Raises WarehouseError when it cannot be read."""
    with dagster_instance(settings) as instance:
        return list(_findings(look(settings, instance)))


def repair(settings: Settings, *, progress: Progress) -> tuple[list[Finding], list[Finding]]:
    """Mend what is safe to mend: the findings that were mended, and those that are left.

    Live orders keep it waiting for the end of the run in progress, no longer: the sensor asks for no other while a
    command holds the run lock. Raises AlreadyRunning, and BridgeCartError when the run does not end in time.
    """
    with dagster_instance(settings) as instance, run_lock(settings.data_dir):
        report = [f for f in _orphan_findings(look(settings, instance, is_command_at_work=False)) if f.mend]
        _mend(report)
        settle_unfinished_runs(instance, seconds=settings.run_wait_seconds, progress=progress)
        mended = [f for f in _findings(look(settings, instance, is_command_at_work=False)) if f.mend]
        _mend(mended)
        return [*report, *mended], list(_findings(look(settings, instance, is_command_at_work=False)))


def _mend(findings: Sequence[Finding]) -> None:
    for finding in findings:
        if finding.mend is not None:
            finding.mend()


def _findings(sides: Sides) -> Iterator[Finding]:
    yield from _settings_findings()
    yield from _mapping_findings(sides.settings)
    yield from _orphan_findings(sides)
    yield from _registry_findings(sides)
    yield from _event_log_findings(sides)
    yield from _row_findings(sides)
    yield from _history_findings(sides)
    yield from _topic_findings(sides)
    yield from _standstill_findings(sides)
    yield from _group_findings(sides)
    yield from _storage_findings(sides)


def _settings_findings() -> Iterator[Finding]:
    for sentence in unknown_variables(os.environ):
        yield Finding("settings", sentence, "Until then it has no effect.", is_note=True)


def _mapping_findings(settings: Settings) -> Iterator[Finding]:
    try:
        mapping = mapping_in_use(settings)
    except BridgeCartError as error:
        yield Finding("settings", f"{str(error).rstrip('.')}.", "Until then nothing is read.")
        return
    if mapping is not None:
        yield Finding("settings", f"Records of the topic are read by {mapping}.", "No hand is needed.", is_note=True)


def _orphan_findings(sides: Sides) -> Iterator[Finding]:
    orphans = [run.run_id for run in sides.orphans]
    if orphans:
        yield Finding(
            "runs",
            f"in progress for Dagster, but the process is gone: {_named(orphans, 'runs')}.",
            f"The sensor and {_REPAIR} report it as failed.",
            lambda: _report(sides),
        )
    batch = sides.open_batch
    if batch is not None and batch.failures >= sides.settings.max_batch_attempts:
        yield Finding(
            "runs",
            f"batch {batch.key} failed {batch.failures} times, and nothing after it is read.",
            f"Look at its runs, mend the cause, then materialize batch {batch.key} or run `bridgecart run`.",
        )


def _registry_findings(sides: Sides) -> Iterator[Finding]:
    missing = _unregistered(sides)
    if missing:
        yield Finding(
            "registry",
            f"in the ledger, but not registered with Dagster: {_named(missing)}.",
            f"{_REPAIR} registers them; the sensor then runs the newest once more, which changes nothing.",
            lambda: _register(sides.instance, missing),
        )
    open_key = sides.open_batch.key if sides.open_batch else None
    unread = [key for key in sides.registered if key not in sides.ledger.plans and key != open_key]
    if unread:
        yield Finding(
            "registry",
            f"registered, but not in the ledger (the warehouse has no rows of them): {_named(unread)}.",
            f"{_REPAIR} removes the keys; what the topic still has is read into new batches by itself.",
            lambda: _unregister(sides.instance, unread),
        )


def _unregistered(sides: Sides) -> list[str]:
    """Batches of the ledger that Dagster should list: the newest ones, as many as keys are kept."""
    newest = sorted(sides.ledger.plans)[-sides.settings.max_batch_keys :]
    registered = set(sides.registered)
    is_full = len(registered) >= sides.settings.max_batch_keys
    oldest = min(registered, default="")
    return [key for key in newest if key not in registered and not (is_full and key < oldest)]


def _event_log_findings(sides: Sides) -> Iterator[Finding]:
    known = set(sides.registered) | set(_unregistered(sides))
    missing = {
        contract: sorted(key for key in _stored(sides, contract) if key in known and key not in seen)
        for contract, seen in sides.materialized.items()
    }
    keys = sorted({key for of_table in missing.values() for key in of_table})
    if keys:
        yield Finding(
            "event log",
            f"in the warehouse, but shown as missing by Dagster: {_named(keys)}.",
            f"{_REPAIR} reports them as materialized.",
            lambda: _report_materialized(sides, missing),
        )


def _stored(sides: Sides, contract: Contract) -> Sequence[str]:
    incomplete = set(sides.incomplete_silver) if contract not in _RAW_TABLES else set()
    return [key for key in sides.ledger.plans if key not in incomplete]


def _row_findings(sides: Sides) -> Iterator[Finding]:
    if sides.wrong_raw:
        yield Finding(
            "ledger",
            f"raw.orders has other rows than the ledger says: {_named(sides.wrong_raw)}.",
            "Materialize raw/orders of each again: it reads exactly its offsets.",
        )
    open_key = sides.open_batch.key if sides.open_batch else None
    incomplete = [key for key in sides.incomplete_silver if key not in (*sides.wrong_raw, open_key)]
    if incomplete:
        yield Finding(
            "ledger",
            f"raw records that are in no silver table: {_named(incomplete)}.",
            "Materialize silver/orders of each again.",
        )


def _history_findings(sides: Sides) -> Iterator[Finding]:
    if sides.history is not None:
        remedy = "What the topic no longer has comes back only with a copy of the warehouse that has it."
        yield Finding("ledger", sides.history, remedy, is_note=True)


def _topic_findings(sides: Sides) -> Iterator[Finding]:
    if sides.topic is None:
        yield Finding(
            "topic",
            f"{(sides.kafka_says or '').rstrip('.')}.",
            "Without it, the topic and the group were not compared.",
        )
        return
    try:
        committed = sides.ledger.committed(sides.topic.topic_id)
        lag(committed, sides.topic, fail_on_data_loss=sides.settings.fail_on_data_loss)
    except KafkaFailure as error:
        yield Finding("topic", f"{str(error).rstrip('.')}.", "Until then nothing is read.")
    pending = sides.pending
    if pending is not None:
        is_hanging = pending.is_hanging(datetime.now(UTC))
        yield Finding("topic", f"{pending.says}.", pending.remedy, is_note=not is_hanging)
    of_topics = [plan for plan in sides.ledger.plans.values() if not is_file(plan.topic_id)]
    unreadable = [plan.batch_key for plan in of_topics if not _is_readable(plan, sides.topic)]
    if unreadable:
        yield Finding(
            "topic",
            f"no longer in the topic (retention, or it was created anew): {_named(unreadable)}.",
            "The rows stay in the warehouse; raw/orders of these batches cannot be materialized again.",
            is_note=True,
        )


def _standstill_findings(sides: Sides) -> Iterator[Finding]:
    """Records wait, and nobody is there to take them in: not the daemon that was, nor a command since."""
    waiting = _waiting_records(sides)
    heard = sides.daemon.last_heard_at
    if not waiting or heard is None or not relies_on_daemon(sides.daemon, sides.last_command_at):
        return
    if not sides.daemon.is_alive:
        yield Finding(
            "daemon",
            f"{waiting:,} records wait, and Dagster's daemon was last heard at {heard:%Y-%m-%d %H:%M} UTC.",
            "Start `bridgecart up` (in containers: the daemon), or run `bridgecart run`.",
        )
    elif not sides.sensor.is_on:
        yield Finding(
            "sensor",
            f"{waiting:,} records wait, and the orders sensor is off.",
            "Switch it on under Automation in the Dagster UI, or run `bridgecart run`.",
        )
    elif sides.sensor.failing is not None:
        yield Finding(
            "sensor",
            f"{waiting:,} records wait, and every tick of the orders sensor fails: {sides.sensor.failing}",
            "Mend that; the next tick goes on.",
        )


def _waiting_records(sides: Sides) -> int:
    """Records in no batch; 0 where the topic cannot say, which is a finding of its own."""
    if sides.topic is None:
        return 0
    try:
        committed = sides.ledger.committed(sides.topic.topic_id)
        return sum(lag(committed, sides.topic, fail_on_data_loss=sides.settings.fail_on_data_loss).values())
    except KafkaFailure:
        return 0


def _is_readable(plan: BatchPlan, topic: TopicState) -> bool:
    try:
        verify_plan(plan, topic)
    except (TopicReplaced, RecordsGone, RangeNotReadable):
        return False
    return True


def _group_findings(sides: Sides) -> Iterator[Finding]:
    if sides.topic is None or sides.group is None or sides.connection is None:
        return
    connection = sides.connection
    ends = sides.ledger.committed(sides.topic.topic_id)
    foreign = sorted(p for p, end in ends.items() if sides.group.get(p) != end)
    if foreign:
        p = foreign[0]
        yield Finding(
            "group",
            f"consumer group {sides.settings.kafka_group!r} is not at the ledger's end in {len(foreign)} Kafka "
            f"partition(s), for example {p}: group {sides.group.get(p, 'nowhere')}, ledger {ends[p]}. "
            "Only monitoring tools read it.",
            f"The next batch or {_REPAIR} sets it; if it comes back, another program uses this group.",
            lambda: commit_offsets(connection, sides.settings.kafka_group, ends),
        )


def _storage_findings(sides: Sides) -> Iterator[Finding]:
    storage = sides.instance.event_log_storage
    if isinstance(storage, SqliteEventLogStorage) and not isinstance(storage, EventLogStorage):
        yield Finding(
            "storage",
            "Dagster keeps ten times what a run needs: its home was made by an older version, and what is in "
            f"{sides.settings.dagster_home / 'dagster.yaml'} is yours.",
            "While nothing runs, put the storage block of docs/operations.md into it.",
            is_note=True,
        )


def _report(sides: Sides) -> None:
    report_orphans(sides.instance, datetime.now(UTC), is_command_at_work=False)


def _register(instance: dg.DagsterInstance, keys: Sequence[str]) -> None:
    # The newest batch is the one registered last: what is newer than the keys has to be registered after them.
    name = str(BATCHES.name)
    newer = [key for key in instance.get_dynamic_partitions(name) if key > min(keys)]
    _unregister(instance, newer)
    instance.add_dynamic_partitions(name, sorted([*keys, *newer]))


def _unregister(instance: dg.DagsterInstance, keys: Sequence[str]) -> None:
    for key in keys:
        instance.delete_dynamic_partition(str(BATCHES.name), key)


def _report_materialized(sides: Sides, missing: Mapping[Contract, Sequence[str]]) -> None:
    for contract, keys in missing.items():
        for key in keys:
            metadata = ledger_metadata(sides.ledger, sides.ledger.plans[key]) if contract in _RAW_TABLES else {}
            sides.instance.report_runless_asset_event(
                dg.AssetMaterialization(
                    asset_key(contract),
                    partition=key,
                    description="Found in the warehouse by bridgecart doctor.",
                    metadata=metadata,
                )
            )


def _named(keys: Sequence[str], what: str = "batches") -> str:
    more = f" and {len(keys) - _NAMED:,} more {what}" if len(keys) > _NAMED else ""
    return ", ".join(keys[:_NAMED]) + more
