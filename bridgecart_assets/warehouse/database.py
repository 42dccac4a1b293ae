"""Opening the DuckDB file: one writer, bounded waiting for the lock, one transaction at a time.

What belongs elsewhere: what is written (`writing.py`) and Dagster (`io_manager.py`).
"""

import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import duckdb

from bridgecart_assets.contracts import Contract
from bridgecart_assets.errors import BridgeCartError
from bridgecart_assets.settings import Settings

POLL_SECONDS = 0.05
_HOLDER = re.compile(r"Conflicting lock is held in (?P<holder>.+? \(PID \d+\))")
_UNUSABLE = (duckdb.IOException, duckdb.SerializationException, duckdb.FatalException, duckdb.InternalException)
_DISK_FULL = re.compile(r"no space left|disk (quota|full)|could not write|failed to write", re.IGNORECASE)


class WarehouseError(BridgeCartError):
    """The warehouse cannot be used; says why and what to do."""


class WarehouseLocked(WarehouseError):
    """Another process holds the file for longer than the deadline."""


class WarehouseMissing(WarehouseError):
    """There is no warehouse file, or not the table that was asked for."""


@dataclass(frozen=True)
class Warehouse:
    """Where the DuckDB file is and how it is opened. Opening happens per use, so nobody holds the lock idle."""

    path: Path
    lock_timeout_seconds: float = 60.0
    memory_limit: str = "2GB"
    naive_timezone: str = "UTC"

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The warehouse of these settings."""
        return cls(
            path=settings.warehouse_path,
            lock_timeout_seconds=settings.lock_timeout_seconds,
            memory_limit=settings.memory_limit,
            naive_timezone=settings.naive_timezone,
        )

    @property
    def exists(self) -> bool:
        """Whether the file is there."""
        return self.path.is_file()

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-only connection, closed at the end. Raises WarehouseMissing when there is no file."""
        if not self.exists:
            raise WarehouseMissing(f"There is no warehouse at {self.path} yet: run `bridgecart run` first.")
        connection = self._open(read_only=True)
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """One read-write transaction: committed at the end, rolled back on any exception, always closed."""
        _make_folder(self.path.parent)
        connection = self._open(read_only=False)
        try:
            connection.execute("begin transaction")
            try:
                yield connection
                connection.execute("commit")
            except BaseException:
                _roll_back(connection)
                raise
        except duckdb.Error as error:
            raise _explained(error, self.path) from error
        finally:
            connection.close()

    def _open(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        deadline = time.monotonic() + self.lock_timeout_seconds
        while True:
            try:
                connection = duckdb.connect(str(self.path), read_only=read_only, config=self._config())
            except duckdb.Error as error:
                if not _is_lock_conflict(error) or time.monotonic() > deadline:
                    raise _explained(error, self.path) from error
                # Jitter, so that two waiting processes do not meet at every poll.
                time.sleep(POLL_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311
            else:
                # Not possible as a connect option. Names are validated by the settings.
                connection.execute(f"set TimeZone = '{self.naive_timezone}'")
                return connection

    def _config(self) -> dict[str, str | bool | int | float | list[str]]:
        return {
            "memory_limit": self.memory_limit,
            "temp_directory": str(self.path.with_suffix(".tmp")),
            # The default of 16 MB stalls single commits for about a second; closing checkpoints what is left.
            "checkpoint_threshold": "256MB",
            "preserve_insertion_order": False,
        }


def table_exists(connection: duckdb.DuckDBPyConnection, contract: Contract) -> bool:
    """Whether the table stands in the warehouse."""
    rows = connection.execute(
        "select 1 from duckdb_tables() where database_name = current_database() and schema_name = ? and table_name = ?",
        [contract.schema, contract.name],
    ).fetchall()
    return bool(rows)


def _is_lock_conflict(error: duckdb.Error) -> bool:
    text = str(error)
    return "Could not set lock" in text or "different configuration" in text


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WarehouseError(
            f"Cannot write to {folder} ({error.strerror}): make it writable or set BRIDGECART_DATA_DIR."
        ) from error


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.execute("rollback")
    except duckdb.Error:
        # A fatal error has closed the transaction already; the error that led here is the one to raise.
        return


def _explained(error: duckdb.Error, path: Path) -> Exception:
    text = str(error)
    holder = _HOLDER.search(text)
    if holder:
        return WarehouseLocked(
            f"The warehouse {path} is held by {holder['holder']}: wait for it, or stop it, and try again."
        )
    if _DISK_FULL.search(text):
        return WarehouseError(f"No space left to write {path}: free some space and run again; nothing was changed.")
    if isinstance(error, duckdb.IOException) and "ermission denied" in text:
        return WarehouseError(f"Cannot write {path} (permission denied): make it writable or set BRIDGECART_DATA_DIR.")
    if isinstance(
        error, duckdb.IOException | duckdb.SerializationException | duckdb.FatalException | duckdb.InternalException
    ):
        return WarehouseError(
            f"The warehouse {path} cannot be opened ({text.splitlines()[0]}): restore it from a backup, or move it "
            "away and run `bridgecart run` to build it again from the topic."
        )
    return error
