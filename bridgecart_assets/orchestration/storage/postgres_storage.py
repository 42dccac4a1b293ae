"""Dagster's storage on PostgreSQL, whose password is in a file: the compose file's `dagster.yaml` names it.

Dagster's own takes the password from `dagster.yaml` or the environment, which whoever may look at a container sees.
"""

from pathlib import Path
from typing import Any, Self

from dagster import Field, IntSource, StringSource
from dagster_postgres import DagsterPostgresStorage
from sqlalchemy import URL

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.orchestration.storage.dagster_internals import ConfigurableClassData

# The driver that is installed; SQLAlchemy's own choice is another.
_DRIVER = "postgresql+psycopg2"


class PasswordUnreadable(BridgeCartError):
    """The file with the password of PostgreSQL cannot be read."""


class PostgresStorage(DagsterPostgresStorage):
    """Runs, events and ticks on a server."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Fields of its block in `dagster.yaml`; each may be `{env: NAME_OF_A_VARIABLE}`."""
        return {
            "hostname": StringSource,
            "port": Field(IntSource, is_required=False, default_value=5432),
            "username": StringSource,
            "password_file": StringSource,
            "db_name": StringSource,
        }

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Self:
        """The storage of such a block. Raises PasswordUnreadable."""
        url = URL.create(
            _DRIVER,
            username=config_value["username"],
            password=_password(Path(config_value["password_file"])),
            host=config_value["hostname"],
            port=config_value["port"],
            database=config_value["db_name"],
        )
        return cls(url.render_as_string(hide_password=False), inst_data=inst_data)


def _password(file: Path) -> str:
    try:
        password = file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise PasswordUnreadable(
            f"Cannot read the password of PostgreSQL in {file} ({why}): let user 10001 read it; its folder may be "
            "closed to others."
        ) from error
    if not password:
        raise PasswordUnreadable(f"The password of PostgreSQL in {file} is empty: write one.")
    return password
