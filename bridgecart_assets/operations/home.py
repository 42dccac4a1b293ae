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
            config.write_text(files(__package__).joinpath("dagster.yaml").read_text(encoding="utf-8"), encoding="utf-8")
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

    home = prepare_home(settings)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance
