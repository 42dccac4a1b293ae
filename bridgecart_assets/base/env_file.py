"""Settings from the file `.env` in the working folder, for `bridgecart` as for every process of Dagster.

Dagster's processes read that file when they start, and what it says counts before the environment. A `bridgecart` that
did not read it would work with other settings than the code server and the runs that it starts. So `.env` is put into
the environment once, when a command starts; from there all settings are read, and every child inherits it.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from bridgecart_assets.base.errors import BridgeCartError

NAME = ".env"


class EnvFileUnusable(BridgeCartError):
    """`.env` cannot be read, or says what cannot be."""


def load_env_file(folder: Path) -> list[str]:
    """Put what `.env` in the folder says into the environment; the variables that were set otherwise.

    Names only: a value may be a secret. Raises EnvFileUnusable when the file cannot be read.
    """
    values = env_file(folder)
    replaced = [name for name, value in values.items() if os.environ.get(name, value) != value]
    os.environ.update(values)
    return sorted(replaced)


def env_file(folder: Path) -> Mapping[str, str]:
    """Variables of `.env` in the folder, as Dagster reads it; empty where there is none.

    Raises EnvFileUnusable when the file cannot be read.
    """
    file = folder / NAME
    try:
        return {name: value for name, value in dotenv_values(file).items() if value is not None}
    except (OSError, UnicodeError) as error:
        raise EnvFileUnusable(f"Cannot read {file} ({error}): make it readable, as UTF-8, or remove it.") from None


def require_own_home(dagster_home: Path, folder: Path) -> None:
    """Raise EnvFileUnusable where `.env` would point Dagster's processes at another instance than ours."""
    home = env_file(folder).get("DAGSTER_HOME")
    if home is not None and Path(home) != dagster_home:
        raise EnvFileUnusable(
            f"{folder / NAME} sets DAGSTER_HOME to another folder than {dagster_home}, where BridgeCart keeps "
            "Dagster's records: remove that line, or set BRIDGECART_DATA_DIR to the folder above."
        )
