"""Dagster's instance folder under the data directory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from bridgecart_assets.errors import BridgeCartError
from bridgecart_assets.settings import Settings

if TYPE_CHECKING:
    import dagster as dg


class DataDirectoryUnusable(BridgeCartError):
    """The data directory cannot be written."""


def prepare_home(settings: Settings) -> Path:
    """Make the folder with its `dagster.yaml` and point DAGSTER_HOME at it. Raises DataDirectoryUnusable."""
    home = settings.dagster_home
    try:
        home.mkdir(parents=True, exist_ok=True)
        config = home / "dagster.yaml"
        if not config.exists():
            partial = home / "dagster.yaml.partial"
            partial.write_bytes(files(__package__).joinpath("dagster.yaml").read_bytes())
            partial.replace(config)
    except OSError as error:
        raise DataDirectoryUnusable(
            f"Cannot write to {settings.data_dir} ({error.strerror}): make it writable or set BRIDGECART_DATA_DIR."
        ) from error
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    return home


@contextmanager
def dagster_instance(settings: Settings) -> "Iterator[dg.DagsterInstance]":
    """The Dagster instance of the data directory, closed at the end."""
    import dagster as dg

    from bridgecart_assets.sqlitefiles import kept_open

    home = prepare_home(settings)
    with kept_open(), dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


def shared_databases(home: Path) -> list[Path]:
    """The SQLite files of the instance that all its processes use; those of single runs apart."""
    return [home / "history" / "runs.db", home / "history" / "runs" / "index.db", home / "schedules" / "schedules.db"]
