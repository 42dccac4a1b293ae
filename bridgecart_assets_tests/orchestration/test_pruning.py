"""Old runs are pruned; what the pages of assets, batches and checks say stays."""

import logging
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster import DagsterRunStatus
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._core.test_utils import create_run_for_test
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.doctor_findings import examine
from bridgecart_assets.orchestration import pruning
from bridgecart_assets.orchestration.asset_specs import KAFKA_ORDERS
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.orchestration.partitions import BATCHES
from bridgecart_assets.orchestration.storage import run_logs
from bridgecart_assets.orchestration.storage.sqlite_files import shared_databases
from bridgecart_assets_tests.support.smalljob import CHECK, TABLE, WHOLE, make_run

logger = logging.getLogger(__name__)


@pytest.fixture
def instance(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setattr(pruning, "SETTLED_SECONDS", -1.0)
    with dagster_instance(settings) as instance:
        yield instance


def prune(instance: dg.DagsterInstance, settings: Settings, keep: int, *, runs: int = 100) -> int:
    return pruning.prune(instance, settings.model_copy(update={"keep_runs": keep}), runs=runs)


def runs_of(instance: dg.DagsterInstance) -> Sequence[str]:
    """Ids, oldest first."""
    return [run.run_id for run in instance.get_runs()][::-1]


def logs(settings: Settings) -> set[str]:
    folder = settings.dagster_home / "history" / "runs"
    return {file.name.split(".")[0] for file in folder.iterdir()} - {"index"}


def shown(instance: dg.DagsterInstance) -> tuple[object, ...]:
    """What pages of assets, batches and checks say now."""
    latest = {key: instance.get_latest_materialization_event(key) for key in (TABLE, WHOLE)}
    batches = instance.get_latest_storage_id_by_partition(TABLE, dg.DagsterEventType.ASSET_MATERIALIZATION)
    registered = {key: batches[key] for key in instance.get_dynamic_partitions(str(BATCHES.name))}
    result = instance.event_log_storage.get_latest_asset_check_execution_by_key([CHECK])
    newest = instance.fetch_materializations(WHOLE, limit=1).records
    return latest, registered, result, newest


def test_runs_beyond_the_newest_go_with_their_logs_and_what_is_shown_stays(
    instance: dg.DagsterInstance, settings: Settings
) -> None:
    runs = [make_run(instance, key) for key in "ABCDE"]
    before = shown(instance)
    assert prune(instance, settings, 2) == 3
    assert runs_of(instance) == runs[3:]
    assert logs(settings) == set(runs[3:])
    assert shown(instance) == before
    assert instance.get_materialized_partitions(TABLE) == set("ABCDE")
    # What is kept of a pruned run is one row: its batch.
    assert counted(instance, runs[0]) == (1, 0)
    assert prune(instance, settings, 2) == 0


def counted(instance: dg.DagsterInstance, run_id: str) -> tuple[int, int]:
    """Rows of events and of results that a run has in the tables of all runs."""
    with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
        of = [
            select(func.count()).where(table.c.run_id == run_id)
            for table in (SqlEventLogStorageTable, AssetCheckExecutionsTable)
        ]
        events, results = (connection.execute(query).scalar_one() for query in of)
    return events, results


def test_a_portion_takes_the_oldest(instance: dg.DagsterInstance, settings: Settings) -> None:
    runs = [make_run(instance, key) for key in "ABCDE"]
    assert prune(instance, settings, 1, runs=2) == 2
    assert runs_of(instance) == runs[2:]


def test_open_runs_and_those_of_the_newest_batch_are_never_pruned(
    instance: dg.DagsterInstance, settings: Settings
) -> None:
    # Whether the newest batch is done is read from its runs, however many came after them.
    first, later = make_run(instance, "A"), make_run(instance, "A")
    started = create_run_for_test(instance, "small", status=DagsterRunStatus.STARTED).run_id
    others = [create_run_for_test(instance, "other", status=DagsterRunStatus.SUCCESS).run_id for _ in range(3)]
    while prune(instance, settings, 1):
        pass
    assert set(runs_of(instance)) - set(others) == {first, later, started}
    make_run(instance, "B")
    while prune(instance, settings, 1):
        pass
    assert first not in runs_of(instance)
    assert started in runs_of(instance)


def test_a_batch_that_dagster_lists_no_more_leaves_when_its_run_has(
    instance: dg.DagsterInstance, settings: Settings
) -> None:
    runs = [make_run(instance, key) for key in "ABCD"]
    prune(instance, settings, 1)
    assert instance.get_materialized_partitions(TABLE) == set("ABCD")
    for key in "AB":
        instance.delete_dynamic_partition(str(BATCHES.name), key)
    instance.delete_run(runs[-1])
    make_run(instance, "E")
    make_run(instance, "F")
    prune(instance, settings, 1)
    assert instance.get_materialized_partitions(TABLE) >= set("CEF")
    assert not instance.get_materialized_partitions(TABLE) & set("AB")


@pytest.mark.parametrize("step", ["delete_run", "_remove_files"])
def test_pruning_that_was_killed_is_done_the_next_time(
    instance: dg.DagsterInstance, settings: Settings, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    runs = [make_run(instance, key) for key in "ABC"]
    before = shown(instance)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(instance.run_storage if step == "delete_run" else pruning, step, killed)
        with pytest.raises(KeyboardInterrupt):
            prune(instance, settings, 1)
    assert shown(instance) == before
    for file in (settings.dagster_home / "history" / "runs").iterdir():
        os.utime(file, (0, 0))
    monkeypatch.setattr(pruning, "_is_time_to_sweep", lambda _: True)
    prune(instance, settings, 1)
    assert runs_of(instance) == runs[2:]
    assert logs(settings) == {runs[2]}
    assert shown(instance) == before


def test_logs_of_ended_runs_are_packed_and_those_of_open_ones_are_not(
    instance: dg.DagsterInstance, settings: Settings
) -> None:
    ended = make_run(instance, "A")
    started = create_run_for_test(instance, "small", status=DagsterRunStatus.STARTED).run_id
    instance.report_engine_event("works", job_name="small", run_id=started)
    prune(instance, settings, 10)
    folder = settings.dagster_home / "history" / "runs"
    names = {file.name for file in folder.iterdir() if file.name.split(".")[0] != "index"}
    assert f"{ended}{run_logs.SUFFIX}" in names
    assert f"{ended}.db" not in names
    assert f"{started}.db" in names


def test_what_ticks_observed_is_kept_as_long_as_runs_are(instance: dg.DagsterInstance, settings: Settings) -> None:
    for lag in range(6):
        instance.report_runless_asset_event(dg.AssetObservation(KAFKA_ORDERS, metadata={"lag": lag}))
    for key in "ABC":
        make_run(instance, key)
    prune(instance, settings, 2)
    left = instance.fetch_observations(KAFKA_ORDERS, limit=10).records
    assert [record.asset_observation.metadata["lag"].value for record in left if record.asset_observation] == [5, 4]


def test_what_runs_printed_and_old_logs_of_ticks_go_too(
    instance: dg.DagsterInstance, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [make_run(instance, key) for key in "AB"]
    storage = settings.dagster_home / "storage"
    printed = [storage / run_id / "compute_logs" / "x.err" for run_id in (*runs, "a-run-deleted-in-the-ui")]
    ticks = [storage / "__repository__" / "orders_sensor" / name for name in ("1.err", "2.err")]
    for file in (*printed, *ticks):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    for old in (printed[2].parent, ticks[0]):
        os.utime(old, (0, time.time() - 100_000))
    monkeypatch.setattr(pruning, "_is_time_to_sweep", lambda _: True)
    prune(instance, settings, 1)
    assert [file.exists() for file in (*printed, *ticks)] == [False, True, False, False, True]


def test_a_home_of_an_older_version_is_pruned_too(settings: Settings) -> None:
    with dagster_instance(settings):
        config = settings.dagster_home / "dagster.yaml"
    older = yaml.safe_load(config.read_text())
    del older["storage"]
    config.write_text(yaml.safe_dump(older))
    with dagster_instance(settings) as instance:
        runs = [make_run(instance, key) for key in "ABC"]
        before = shown(instance)
        assert prune(instance, settings, 1) == 2
        assert shown(instance) == before
        # Dagster's own storage cannot read packed logs.
        assert [file.name for file in log_files(settings)] == [f"{runs[2]}.db"]
    assert [finding.is_note for finding in examine(settings) if finding.where == "storage"] == [True]


def log_files(settings: Settings) -> list[Path]:
    folder = settings.dagster_home / "history" / "runs"
    return [
        file for file in folder.iterdir() if not file.name.startswith("index") and not file.name.endswith(("l", "m"))
    ]


def test_a_file_in_use_is_a_warning_and_nothing_more(
    instance: dg.DagsterInstance, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object, **__: object) -> None:
        raise OperationalError("delete", {}, Exception("database is locked"))

    monkeypatch.setattr(pruning, "prune", busy)
    said: list[str] = []
    pruning.prune_or_warn(instance, settings, said.append)
    (line,) = said
    assert line.startswith("Old runs were not pruned (")
    assert "database is locked" in line


def size_of(settings: Settings) -> int:
    """Bytes of Dagster's home, once what waits beside its files is in them."""
    for file in shared_databases(settings.dagster_home):
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("pragma wal_checkpoint(truncate)").fetchall()
    return sum(file.stat().st_size for file in settings.dagster_home.rglob("*") if file.is_file())


def sizes(instance: dg.DagsterInstance, settings: Settings, runs: int, keep: int) -> list[int]:
    """Bytes of Dagster's home after every `keep` of so many runs, pruned as a sensor's ticks would do."""
    seen = []
    for number in range(runs):
        key = f"20260101T{number:06}Z"
        make_run(instance, key)
        if number >= 2 * keep:
            instance.delete_dynamic_partition(str(BATCHES.name), f"20260101T{number - 2 * keep:06}Z")
        prune(instance, settings, keep, runs=5)
        if (number + 1) % keep == 0:
            seen.append(size_of(settings))
            logger.info(f"{number + 1:,} runs, {keep} kept: {seen[-1]:,} bytes")
    return seen


def test_forty_runs_take_no_more_than_twenty_did(instance: dg.DagsterInstance, settings: Settings) -> None:
    seen = sizes(instance, settings, 40, keep=5)
    assert max(seen[4:]) < 1.05 * seen[3]


@pytest.mark.slow
@pytest.mark.timeout(7_200)
def test_two_thousand_runs_take_no_more_than_four_hundred_did(instance: dg.DagsterInstance, settings: Settings) -> None:
    seen = sizes(instance, settings, 2_000, keep=100)
    assert max(seen[4:]) < 1.05 * seen[3]
    assert len(instance.get_runs()) == 100
