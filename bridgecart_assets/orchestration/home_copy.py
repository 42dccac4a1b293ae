"""Dagster's home in a backup: its settings and records, where these are files.

What belongs elsewhere: records on a PostgreSQL server, which has backups of its own, and what Dagster prints.
"""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

import dagster as dg

from bridgecart_assets.orchestration.storage import sqlite_files
from bridgecart_assets.orchestration.storage.dagster_internals import SqliteEventLogStorage

_PACKED = "*.jsonl.gz"


class Target(Protocol):
    """Place for copies, by their paths below the home."""

    def add(self, name: str, file: BinaryIO) -> None:
        """Copy an open file."""

    def add_written(self, name: str, write: Callable[[Path], None]) -> None:
        """A file that is written by a function."""


def has_records(instance: dg.DagsterInstance, home: Path) -> bool:
    """True if runs and events are in files of this home."""
    is_sqlite = isinstance(instance.event_log_storage, SqliteEventLogStorage)
    return is_sqlite and all(file.is_file() for file in sqlite_files.shared_databases(home))


def copy_home(home: Path, name: str, target: Target) -> None:
    """Copy `dagster.yaml` and all records, each file as it is at one moment; no run may be in progress.

    A run's log is packed, or removed, whenever the sensor ticks: so files are looked for until there is no other.
    """
    done: set[Path] = set()
    while files := [file for file in _files(home) if file not in done]:
        for file in files:
            done.add(file)
            try:
                _copy(file, f"{name}/{file.relative_to(home).as_posix()}", target)
            except FileNotFoundError:
                continue


def size_of(home: Path) -> int:
    """About what a copy takes, bytes."""
    return sum(file.stat().st_size for file in _files(home) if file.exists())


def _files(home: Path) -> list[Path]:
    runs = home / "history" / "runs"
    shared = sqlite_files.shared_databases(home)
    of_runs = {*runs.glob("*.db"), *runs.glob(_PACKED)}.difference(shared)
    return [home / "dagster.yaml", *shared, *sorted(of_runs)]


def _copy(file: Path, name: str, target: Target) -> None:
    if file.suffix == ".db":
        target.add_written(name, lambda copy: sqlite_files.copy(file, copy))
    else:
        with file.open("rb") as opened:
            target.add(name, opened)
