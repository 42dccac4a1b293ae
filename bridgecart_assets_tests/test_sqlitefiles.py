"""SQLite files that stay open while there is work."""

import sqlite3
from contextlib import closing
from pathlib import Path

import psutil
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

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
