"""Dagster's instance folder under the data directory."""

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from bridgecart_assets.base.errors import WRITABLE, BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.orchestration.storage.dagster_internals import NO_COMPUTE_LOGS
from bridgecart_assets.orchestration.storage.sqlite_files import can_shrink, shared_databases

if TYPE_CHECKING:
    import dagster as dg

CREATE_SECONDS = 60.0
# A command shows what happens itself. Captured, its output would go through two more processes for every run.
_IN_THIS_PROCESS = {"compute_logs": NO_COMPUTE_LOGS}
_READ_ONLY = re.compile("readonly database|unable to open database file")


class DataDirectoryUnusable(BridgeCartError):
    """The data directory cannot be written."""


class StorageFailed(BridgeCartError):
    """Dagster's storage of runs and events cannot be used."""


def prepare_home(settings: Settings) -> Path:
    """Make the folder, with its `dagster.yaml` and storage, and point DAGSTER_HOME at it.

    Raises DataDirectoryUnusable, StorageFailed.
    """
    home = settings.dagster_home
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    try:
        if not home.is_dir():
            _create(home)
    except OSError as error:
        raise DataDirectoryUnusable(f"Cannot write to {settings.data_dir} ({error.strerror}): {WRITABLE}.") from error
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def remove_home(settings: Settings) -> None:
    """Remove the folder, all of it or nothing."""
    home = settings.dagster_home
    if home.is_dir():
        shutil.rmtree(_partial(home), ignore_errors=True)
        home.rename(_partial(home))
    shutil.rmtree(_partial(home), ignore_errors=True)


@contextmanager
def dagster_instance(settings: Settings) -> "Iterator[dg.DagsterInstance]":
    """The Dagster instance of the data directory, closed at the end. Raises StorageFailed, whenever it happens."""
    with instance_in(prepare_home(settings)) as instance:
        yield instance


def _create(home: Path) -> None:
    """All of it or nothing: a storage whose creation was cut off is never completed by Dagster and stays useless."""
    from filelock import FileLock, Timeout

    home.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(home.with_name(f"{home.name}.lock"), timeout=CREATE_SECONDS):
            if not home.is_dir():
                _create_alone(home)
    except Timeout:
        raise DataDirectoryUnusable(
            f"Another process has been making {home} for {CREATE_SECONDS:g} s: stop it, then try again."
        ) from None


def _create_alone(home: Path) -> None:
    partial = _partial(home)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    (partial / "dagster.yaml").write_bytes(files(__package__).joinpath("dagster.yaml").read_bytes())
    with instance_in(partial):
        # Opening makes the storage.
        pass
    for file in shared_databases(partial):
        can_shrink(file)
    partial.rename(home)


def _partial(home: Path) -> Path:
    return home.with_name(f"{home.name}.partial")


@contextmanager
def instance_in(home: Path) -> "Iterator[dg.DagsterInstance]":
    """The Dagster instance of a folder, closed at the end. Raises StorageFailed, whenever it happens."""
    try:
        with _instance(home) as instance, _closed_schedules(instance):
            yield instance
    except Exception as error:
        said = _storage_error(error)
        if said is None:
            raise
        if _READ_ONLY.search(said):
            raise DataDirectoryUnusable(f"Cannot write to {home} ({said}): {WRITABLE}.") from error
        raise StorageFailed(
            f"Dagster's storage failed ({said}): free some space if its disk is full, start it if it is a server, "
            f"or correct `storage` in {home / 'dagster.yaml'}; then run again."
        ) from error


@contextmanager
def _closed_schedules(instance: "dg.DagsterInstance") -> "Iterator[None]":
    """Close the storage of ticks at the end: Dagster closes those of runs and events only."""
    try:
        yield
    finally:
        if instance.schedule_storage is not None:
            instance.schedule_storage.dispose()


def _instance(home: Path) -> "dg.DagsterInstance":
    import dagster as dg

    from bridgecart_assets.orchestration.storage.dagster_internals import CheckError, InstanceRef

    # The storage's place in `dagster.yaml`.
    os.environ["DAGSTER_HOME"] = str(home)
    try:
        return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=_IN_THIS_PROCESS))
    except (CheckError, dg.DagsterInvalidConfigError) as error:
        why = " ".join(str(error).split())
        raise StorageFailed(f"Dagster cannot use {home / 'dagster.yaml'} ({why}): correct it.") from error


def _storage_error(error: BaseException) -> str | None:
    """The database's own message, if it was one; dagster-postgres wraps it."""
    from sqlalchemy.exc import DBAPIError

    if isinstance(error, BridgeCartError):
        return None
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, DBAPIError | sqlite3.Error):
            said = cause.orig if isinstance(cause, DBAPIError) else cause
            return " ".join(str(said).split())
        cause = cause.__cause__
    return None
