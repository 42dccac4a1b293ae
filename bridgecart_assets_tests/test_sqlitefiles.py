"""SQLite files that stay open while there is work."""

import sqlite3
from contextlib import closing
from pathlib import Path

import dagster as dg
import psutil
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

from bridgecart_assets.operations.home import dagster_instance
from bridgecart_assets.settings import Settings
from bridgecart_assets.sqlitefiles import kept_open


def write(file: Path) -> None:
    """What Dagster does for every event: open, write, close."""
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("create table if not exists events (id integer)"))
        connection.execute(text("insert into events values (1)"))


def make(file: Path) -> Path:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("pragma journal_mode = wal")
    return file


def log_of(file: Path) -> Path:
    """SQLite deletes it when the last connection to the file is closed."""
    return file.with_name(f"{file.name}-wal")


def test_of_many_files_only_those_in_use_stay_open(tmp_path: Path) -> None:
    # Dagster makes a file for every run; one command may do hundreds of runs.
    shared = make(tmp_path / "index.db")
    runs = [make(tmp_path / f"run-{number}.db") for number in range(60)]
    with kept_open():
        before = psutil.Process().num_fds()
        for file in runs:
            write(file)
            write(shared)
        assert psutil.Process().num_fds() - before < 60
        assert log_of(shared).exists()
        assert log_of(runs[-1]).exists()
        assert not log_of(runs[0]).exists()


def waits_for_disk(file: Path) -> bool:
    """Whether every commit through Dagster's way to open the file waits until it is on the disk."""
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)
    with engine.connect() as connection:
        return bool(connection.execute(text("pragma synchronous")).scalar_one() == 2)


def test_while_there_is_work_commits_to_a_log_do_not_wait_for_the_disk(tmp_path: Path) -> None:
    logged, plain = make(tmp_path / "index.db"), tmp_path / "plain.db"
    with kept_open():
        assert not waits_for_disk(logged)
        # Without a log the file itself may break when the power fails in the middle.
        assert waits_for_disk(plain)
    assert waits_for_disk(logged)


def test_every_file_of_dagster_has_a_log(settings: Settings) -> None:
    with dagster_instance(settings) as instance:
        run_id = str(instance.create_run_for_job(dg.GraphDefinition("nothing").to_job()).run_id)
        instance.report_engine_event("so that it has a file", job_name="nothing", run_id=run_id)
        files = [file for file in settings.dagster_home.rglob("*.db") if file.stat().st_size]
        assert len(files) >= 3
        assert [file.name for file in files if waits_for_disk(file)] == []


def dialects(instance: dg.DagsterInstance) -> set[int]:
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


def test_every_file_of_dagster_has_one_engine_while_a_command_works(settings: Settings) -> None:
    with dagster_instance(settings) as instance:
        assert len(dialects(instance)) == 2
    # Afterwards as Dagster has it: an engine for every look.
    with dg.DagsterInstance.from_ref(instance.get_ref()) as later:
        assert len(dialects(later)) >= 20


def test_files_are_kept_until_the_last_who_asked_for_it_has_ended(tmp_path: Path) -> None:
    file = make(tmp_path / "index.db")
    with kept_open():
        with kept_open():
            write(file)
        assert log_of(file).exists()
    assert not log_of(file).exists()
