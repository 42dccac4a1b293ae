"""Dagster's storage as `dagster.yaml` names it: the same answers as Dagster's own, from smaller files."""

import os
import sqlite3
import time
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import dagster as dg
import psutil
import pytest
import yaml
from dagster._serdes import serialize_value
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import Engine

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.orchestration.batch_status import PARTITION_TAG
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.orchestration.storage import packed_text, run_logs
from bridgecart_assets.orchestration.storage.sqlite_files import shared_databases
from bridgecart_assets.orchestration.storage.sqlite_storage import EventLogStorage
from bridgecart_assets_tests.support.smalljob import CHECK, SMALL, TABLE, make_run

ADLER = 1726160866


def storage_of(instance: dg.DagsterInstance) -> EventLogStorage:
    storage = instance.event_log_storage
    assert isinstance(storage, EventLogStorage)
    return storage


def log_beside(file: Path) -> Path:
    """SQLite deletes it when the last connection to the file is closed."""
    return file.with_name(f"{file.name}-wal")


def run_page(instance: dg.DagsterInstance, run_id: str) -> tuple[object, ...]:
    """What the UI's page of a run is made of."""
    records = instance.get_records_for_run(run_id).records
    events = [(record.storage_id, record.event_log_entry.message) for record in records]
    return events, instance.get_run_stats(run_id), instance.get_run_step_stats(run_id)


def kinds(instance: dg.DagsterInstance, run_id: str) -> Counter[str]:
    records = instance.get_records_for_run(run_id).records
    return Counter(str(record.event_log_entry.dagster_event_type) for record in records)


def test_a_packed_log_shows_the_same_page_of_the_run_in_an_eighth_of_the_bytes(instance: dg.DagsterInstance) -> None:
    run_id = make_run(instance, "A")
    log = storage_of(instance).log_of(run_id)
    before = run_page(instance, run_id)
    records = instance.get_records_for_run(run_id).records
    said = sum(len(serialize_value(record.event_log_entry)) for record in records)
    run_logs.pack(log)
    assert not log.exists()
    assert run_logs.packed_path(log).stat().st_size < said / 8
    assert run_page(instance, run_id) == before


def test_an_event_after_the_log_was_packed_is_added_to_it(instance: dg.DagsterInstance) -> None:
    run_id = make_run(instance, "A")
    log = storage_of(instance).log_of(run_id)
    before = instance.get_records_for_run(run_id).records
    run_logs.pack(log)
    instance.report_engine_event("the process has ended", job_name="small", run_id=run_id)
    for _ in ("as it is", "packed again"):
        after = instance.get_records_for_run(run_id).records
        assert after[:-1] == before
        assert after[-1].event_log_entry.message == "the process has ended"
        assert after[-1].storage_id > before[-1].storage_id
        if log.exists():
            run_logs.pack(log)


def test_a_pack_that_was_cut_off_loses_nothing(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = make_run(instance, "A")
    log = storage_of(instance).log_of(run_id)
    before = run_page(instance, run_id)
    for step in (os, "fsync"), (run_logs, "remove_database"):
        with monkeypatch.context() as patch:
            patch.setattr(*step, interrupt)
            with pytest.raises(KeyboardInterrupt):
                run_logs.pack(log)
        assert run_page(instance, run_id) == before
    run_logs.pack(log)
    assert run_page(instance, run_id) == before


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_looking_at_a_run_that_is_gone_leaves_no_file(instance: dg.DagsterInstance) -> None:
    folder = storage_of(instance).log_of("x").parent
    before = sorted(folder.iterdir())
    assert instance.get_records_for_run("00000000-0000-0000-0000-000000000000").records == []
    assert sorted(folder.iterdir()) == before


def test_a_run_that_a_person_deletes_takes_its_files_with_it(instance: dg.DagsterInstance) -> None:
    gone, packed, stays = (make_run(instance, key) for key in "ABC")
    log = storage_of(instance).log_of
    run_logs.pack(log(packed))
    for run_id in (gone, packed):
        instance.delete_run(run_id)
    left = {file.name.split(".")[0] for file in log(stays).parent.iterdir()}
    assert left == {"index", stays}


def test_two_processes_that_begin_a_log_at_once_lose_no_event(settings: Settings) -> None:
    with dagster_instance(settings) as instance:
        run_id = instance.create_run_for_job(dg.GraphDefinition("nothing").to_job()).run_id

    def say(number: int) -> None:
        # Everybody has a storage of his own.
        with dagster_instance(settings) as other:
            other.report_engine_event(f"number {number}", job_name="nothing", run_id=run_id)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(say, range(16)))
    with dagster_instance(settings) as instance:
        said = [record.event_log_entry.message for record in instance.get_records_for_run(run_id).records]
    assert sorted(said) == sorted(f"number {number}" for number in range(16))


def test_what_nobody_reads_is_not_stored_and_all_else_is_as_dagster_has_it(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    (tmp_path / "dagster.yaml").touch()
    with dg.DagsterInstance.from_config(str(tmp_path)) as dagsters_own:
        theirs = kinds(dagsters_own, make_run(dagsters_own, "A"))
    ours = kinds(instance, make_run(instance, "A"))
    assert set(theirs - ours) == {
        "DagsterEventType.STEP_INPUT",
        "DagsterEventType.LOADED_INPUT",
        "DagsterEventType.HANDLED_OUTPUT",
    }
    assert ours - theirs == Counter()


def test_pages_of_assets_and_checks_have_what_the_run_found(instance: dg.DagsterInstance) -> None:
    runs = [make_run(instance, key) for key in "AB"]
    latest = instance.get_latest_materialization_event(TABLE)
    assert latest is not None
    assert latest.run_id == runs[1]
    assert latest.asset_materialization is not None
    assert latest.asset_materialization.metadata["rows"].value == 7
    assert instance.get_materialized_partitions(TABLE) == {"A", "B"}
    ((_, result),) = instance.event_log_storage.get_latest_asset_check_execution_by_key([CHECK]).items()
    assert result.run_id == runs[1]
    assert result.evaluation is not None
    assert result.evaluation.target_materialization_data is not None
    assert result.evaluation.target_materialization_data.run_id == runs[1]
    assert result.evaluation.description == "it is long enough to be compressed: " + "x" * 500
    # Later events have later numbers, also where earlier ones are gone.
    numbers = [record.storage_id for record in instance.fetch_materializations(TABLE, limit=10).records]
    assert numbers == sorted(numbers, reverse=True)


def test_what_dagsters_own_storage_wrote_is_read(settings: Settings) -> None:
    with dagster_instance(settings):
        home = settings.dagster_home
    config = yaml.safe_load((home / "dagster.yaml").read_text())
    ours = config.pop("storage")
    (home / "dagster.yaml").write_text(yaml.safe_dump(config))
    with dagster_instance(settings) as older:
        run_id = make_run(older, "A")
        before = run_page(older, run_id)
    (home / "dagster.yaml").write_text(yaml.safe_dump(config | {"storage": ours}))
    with dagster_instance(settings) as instance:
        assert run_page(instance, run_id) == before
        assert instance.get_materialized_partitions(TABLE) == {"A"}
        make_run(instance, "B")
        assert instance.get_materialized_partitions(TABLE) == {"A", "B"}


def engines(instance: dg.DagsterInstance) -> set[int]:
    """The engines behind twenty looks at Dagster's runs and events, by their dialects: each engine has its own."""
    seen: dict[int, object] = {}

    def note(connection: Connection) -> None:
        seen[id(connection.dialect)] = connection.dialect

    event.listen(Engine, "engine_connect", note)
    for _ in range(10):
        instance.get_runs(limit=1)
        instance.get_latest_materialization_event(dg.AssetKey("none"))
    event.remove(Engine, "engine_connect", note)
    return set(seen)


def test_every_file_has_one_engine_as_long_as_the_storage_is_open(instance: dg.DagsterInstance) -> None:
    assert len(engines(instance)) == 2


def test_files_are_open_while_the_storage_is_and_whole_afterwards(settings: Settings) -> None:
    with dagster_instance(settings) as instance:
        make_run(instance, "A")
        (_, index, _) = shared_databases(settings.dagster_home)
        assert log_beside(index).exists()
    assert list(settings.data_dir.rglob("*.db-wal")) == []


def test_a_storage_that_is_there_is_opened_without_a_look_at_the_migrations(settings: Settings) -> None:
    with dagster_instance(settings) as made:
        run = make_run(made, "20260131T070510Z")
    unread = AssertionError("the migrations were read")
    with patch("alembic.script.ScriptDirectory.from_config", side_effect=unread), dagster_instance(settings) as opened:
        assert [found.run_id for found in opened.get_runs()] == [run]


def test_of_many_runs_only_the_files_of_the_last_stay_open(instance: dg.DagsterInstance) -> None:
    before = psutil.Process().num_fds()
    for number in range(40):
        instance.report_engine_event("so that it has a file", job_name="nothing", run_id=f"run-{number}")
    assert psutil.Process().num_fds() - before < 40


def test_whether_the_plan_of_a_run_is_known_is_told_without_reading_it(instance: dg.DagsterInstance) -> None:
    run = instance.get_run_by_id(make_run(instance, "A"))
    assert run is not None
    with patch.object(instance.run_storage, "_get_snapshot", side_effect=AssertionError):
        known = [instance.run_storage.has_execution_plan_snapshot(str(run.execution_plan_snapshot_id))]
        known += [instance.run_storage.has_execution_plan_snapshot("of no run")]
    assert known == [True, False]


def test_commits_do_not_wait_for_the_disk(instance: dg.DagsterInstance) -> None:
    run_id = make_run(instance, "A")
    storage = storage_of(instance)
    for connection in (storage.index_connection, lambda: storage.run_connection(run_id)):
        with connection() as opened:
            # With a log the file stays whole when the power fails.
            assert opened.execute(text("pragma journal_mode")).scalar_one() == "wal"
            assert opened.execute(text("pragma synchronous")).scalar_one() == 1


def test_the_events_of_a_step_are_written_together(instance: dg.DagsterInstance) -> None:
    committed: Counter[str] = Counter()

    def note(connection: Connection) -> None:
        committed[Path(str(connection.engine.url.database)).stem] += 1

    event.listen(Engine, "commit", note)
    run_id = make_run(instance, "A")
    event.remove(Engine, "commit", note)
    said = kinds(instance, run_id)
    # A step is written with its start, and where it looks at what it has read; the events of the run beside.
    assert committed[run_id] <= 2 * said["DagsterEventType.STEP_START"] + 6


def test_who_looks_sees_what_waits_to_be_written(instance: dg.DagsterInstance) -> None:
    run_id = instance.create_run_for_job(SMALL.resolve_job_def("small"), tags={PARTITION_TAG: "A"}).run_id
    assert set(kinds(instance, run_id)) == {
        "DagsterEventType.ASSET_MATERIALIZATION_PLANNED",
        "DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED",
    }


def test_who_asks_again_for_materializations_sees_those_of_another_process(settings: Settings) -> None:
    with dagster_instance(settings) as instance, dagster_instance(settings) as other:
        for key in "AB":
            run_id = make_run(other, key)
            assert instance.fetch_materializations(TABLE, limit=1).records[0].run_id == run_id


def test_what_belongs_to_no_run_is_written_at_once(settings: Settings, instance: dg.DagsterInstance) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(TABLE))
    with dagster_instance(settings) as another:
        assert another.get_latest_materialization_event(TABLE) is not None


def test_the_results_of_a_step_that_fails_are_stored_before_its_failure(instance: dg.DagsterInstance) -> None:
    run_id = make_run(instance, "A", fails=True)
    said = [str(record.event_log_entry.dagster_event_type) for record in instance.get_records_for_run(run_id).records]
    assert said.index("DagsterEventType.ASSET_CHECK_EVALUATION") < said.index("DagsterEventType.STEP_FAILURE")


def test_the_shared_files_give_back_what_is_free_in_them(settings: Settings) -> None:
    with dagster_instance(settings):
        files = shared_databases(settings.dagster_home)
    for file in files:
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("pragma auto_vacuum").fetchone() == (2,)


def test_who_watches_a_run_is_told_of_every_event(instance: dg.DagsterInstance) -> None:
    run_id = make_run(instance, "A")
    told: list[str] = []
    first = instance.get_records_for_run(run_id, limit=1)

    def hear(entry: dg.EventLogEntry, _cursor: str) -> None:
        told.append(entry.message)

    instance.watch_event_logs(run_id, first.cursor, hear)
    deadline = time.monotonic() + 20
    expected = [record.event_log_entry.message for record in instance.get_records_for_run(run_id).records][1:]
    while len(told) < len(expected) and time.monotonic() < deadline:
        time.sleep(0.05)
    instance.end_watch_event_logs(run_id, hear)
    assert told == expected


def test_the_dictionary_is_that_of_the_events_that_were_written() -> None:
    # Another one reads nothing of what is there: a better one needs a name of its own in the stored bytes.
    assert zlib.adler32(packed_text.DICTIONARY) == ADLER


@given(st.one_of(st.none(), st.text(), st.text(min_size=300).map(lambda rest: "{" + rest)))
def test_a_text_is_read_as_it_was_written(written: str | None) -> None:
    assert packed_text.unpacked(packed_text.packed(written)) == written
