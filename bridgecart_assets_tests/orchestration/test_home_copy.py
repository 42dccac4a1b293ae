"""Dagster's home in a backup: every record once, whatever becomes of its files meanwhile."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import pytest

from bridgecart_assets.orchestration.home_copy import copy_home
from bridgecart_assets.orchestration.storage import sqlite_files
from bridgecart_assets.orchestration.storage.run_logs import packed_path, remove_database


class Copies:
    """Keeps what is copied; after the first file something happens."""

    def __init__(self, folder: Path, meanwhile: Callable[[], None]) -> None:
        self.folder, self.meanwhile = folder, meanwhile
        self.names: list[str] = []

    def add(self, name: str, file: BinaryIO) -> None:
        def write(target: Path) -> None:
            target.write_bytes(file.read())

        self._keep(name, write)

    def add_written(self, name: str, write: Callable[[Path], None]) -> None:
        self._keep(name, write)

    def _keep(self, name: str, write: Callable[[Path], None]) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        write(self.folder / name)
        self.names.append(name)
        if len(self.names) == 1:
            self.meanwhile()


def database(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table said (word text)")
        connection.execute("insert into said values ('before')")
        connection.commit()
    return file


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the logs of two runs."""
    home = tmp_path / "dagster_home"
    for file in (*sqlite_files.shared_databases(home), *(home / "history" / "runs" / f"{run}.db" for run in "ab")):
        database(file)
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}")
    return home


def test_a_log_that_is_packed_or_removed_meanwhile_is_copied_as_what_it_became_or_not_at_all(
    home: Path, tmp_path: Path
) -> None:
    runs = home / "history" / "runs"

    def prune() -> None:
        packed_path(runs / "a.db").write_bytes(b"packed")
        remove_database(runs / "a.db")
        remove_database(runs / "b.db")
        database(runs / "c.db")

    copies = Copies(tmp_path / "copy", prune)
    copy_home(home, "home", copies)
    of_runs = {Path(name).name for name in copies.names if name.startswith("home/history/runs/")}
    assert of_runs == {"index.db", "a.jsonl.gz", "c.db"}
    assert len(copies.names) == len(set(copies.names)) == 6
    assert not (runs / "b.db").exists()


def test_a_database_is_copied_as_it_was_committed_while_another_process_writes(home: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(home / "history" / "runs.db")) as writer:
        writer.execute("insert into said values ('committed')")
        writer.commit()
        writer.execute("insert into said values ('not yet')")
        copy_home(home, "home", Copies(tmp_path / "copy", lambda: None))
    with closing(sqlite3.connect(tmp_path / "copy" / "home" / "history" / "runs.db")) as copied:
        assert copied.execute("select word from said order by 1").fetchall() == [("before",), ("committed",)]
