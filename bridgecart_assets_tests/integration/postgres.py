"""A PostgreSQL server on loopback with nothing in it, gone with this process; Dagster's storage on it."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import yaml

from bridgecart_assets.processes.supervisor import SupervisedProcess
from bridgecart_assets_tests.integration.processes import wait_until
from bridgecart_assets_tests.support.requirements import missing

_USER = "postgres"
_START_SECONDS = 30.0
# Debian puts the server's programs beside the PATH.
_DEBIAN = Path("/usr/lib/postgresql")
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    # Far from UTC: what takes a local time for UTC shows.
    "timezone": "Asia/Kolkata",
}


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    port: int

    def new_database(self) -> str:
        """An empty database; its address for SQLAlchemy."""
        name = f"dagster_{uuid.uuid4().hex[:12]}"
        with closing(self._connect("postgres")) as connection:
            connection.autocommit = True
            connection.cursor().execute(f"create database {name}")
        return f"postgresql+psycopg2://{_USER}@127.0.0.1:{self.port}/{name}"

    def rows(self, url: str, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query in a database."""
        with closing(self._connect(url.rpartition("/")[2])) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def _connect(self, database: str) -> Any:
        return psycopg2.connect(host="127.0.0.1", port=self.port, user=_USER, dbname=database)


def storage_block(url: str) -> str:
    """What a user adds to dagster.yaml."""
    return yaml.safe_dump({"storage": {"postgres": {"postgres_url": url}}})


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """A server; the test is skipped, or fails, where there is none to start."""
    programs = _programs()
    # Not in pytest's folder, into which only its owner may look: the server refuses to run as root.
    folder = Path(tempfile.mkdtemp(prefix="bridgecart-postgres-"))
    try:
        as_user = _as_another_user(folder)
        data = folder / "data"
        initdb = [str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", _USER, "--no-sync"]
        subprocess.run([*as_user, *initdb], check=True, capture_output=True, timeout=60, cwd=folder)
        port = _free_port()
        options = {**_OPTIONS, "port": str(port), "unix_socket_directories": str(folder)}
        command = [str(programs / "postgres"), "-D", str(data)]
        command += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with (folder / "log").open("ab") as log:
            process = SupervisedProcess([*as_user, *command], output=log, env=os.environ)
        try:
            wait_until(lambda: _answers(port), _START_SECONDS, f"PostgreSQL answers; see {folder / 'log'}")
            yield Postgres(port)
        finally:
            process.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    versions = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda file: int(file.parent.parent.name))
    if not versions:
        missing("there is no PostgreSQL server: install postgresql")
    return versions[-1].parent


def _as_another_user(folder: Path) -> list[str]:
    if os.geteuid() != 0:
        return []
    try:
        shutil.chown(folder, _USER, _USER)
    except LookupError:
        missing(f"PostgreSQL does not run as root, and there is no user {_USER}")
    return ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        Postgres(port)._connect("postgres").close()
    except psycopg2.OperationalError:
        time.sleep(0.05)
        return False
    return True
