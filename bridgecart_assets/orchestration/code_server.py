"""Dagster's code server: the process that evaluates the sensor and starts runs. Started again when it is lost.

`dagster dev` would start one of its own, and would not notice its death: every later tick would fail.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.orchestration.location import LOCATION, keep_sensor_switches
from bridgecart_assets.processes.listening import free_port
from bridgecart_assets.processes.run_lock import is_run_lock_free
from bridgecart_assets.processes.supervisor import NO_VARIABLES, child

# On a busy machine its imports take a while.
START_SECONDS = 120.0
# One that ends sooner would end again and again.
SHORTEST_LIFE_SECONDS = 10.0
ANSWER_SECONDS = 5
HOST = "127.0.0.1"
PROCESS = "bridgecart_assets.orchestration.code_process"
_POLL_SECONDS = 0.1
_NO_PROXY = "no_grpc_proxy"


class CodeServerStopped(BridgeCartError):
    """The code server does not start, or does not stay."""


@dataclass(frozen=True)
class _Place:
    """Address of the server: a socket of its own, or a port of the loopback address."""

    socket: Path | None = None
    port: int | None = None

    @property
    def address(self) -> dict[str, object]:
        """As Dagster's workspace file, its client and its server name it."""
        return {"socket": str(self.socket)} if self.socket else {"host": HOST, "port": self.port}

    def is_gone(self) -> bool:
        """True if nobody can reach a server there any more."""
        return self.socket is not None and not self.socket.exists()

    def is_listened_at(self) -> bool:
        """True if a server accepts connections."""
        family, where = (socket.AF_UNIX, str(self.socket)) if self.socket else (socket.AF_INET, (HOST, self.port))
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.settimeout(ANSWER_SECONDS)
            return probe.connect_ex(where) == 0


class CodeServer:
    """A code server at a place of its own while the `with` block lasts, with every run that it started."""

    def __init__(self, settings: Settings, log: Path, variables: Mapping[str, str] = NO_VARIABLES) -> None:
        self._settings = settings
        self.log = log
        self._variables = variables
        self._folder = _own_folder(settings.data_dir / "run")
        self._place = _place(self._folder / "code-server")
        self._running = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0

    def __enter__(self) -> Self:
        with dagster_instance(self._settings) as instance:
            keep_sensor_switches(instance)
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def workspace(self) -> Path:
        """The file that tells Dagster's other processes where this server is."""
        return self._folder / "workspace.yaml"

    def has_ended(self) -> bool:
        """True if it has died."""
        return self._process is not None and self._process.poll() is not None

    def is_unreachable(self) -> bool:
        """True if it lives where nobody finds it: somebody has removed its socket."""
        return not self.has_ended() and self._place.is_gone()

    def answers(self) -> bool:
        """True if it answers a question."""
        from bridgecart_assets.orchestration.storage.dagster_internals import (
            DagsterGrpcClient,
            DagsterUserCodeUnreachableError,
        )

        place = self._place
        client = DagsterGrpcClient(
            host=HOST, port=place.port, socket=None if place.socket is None else str(place.socket)
        )
        try:
            client.get_server_id(timeout=ANSWER_SECONDS)
        except DagsterUserCodeUnreachableError:
            return False
        return True

    def start_again(self) -> list[str]:
        """End the server and its runs, report these as failed, start another; the ids of these runs.

        Raises CodeServerStopped when the server did not live long enough to be worth it.
        """
        if self.has_ended() and time.monotonic() - self._started < SHORTEST_LIFE_SECONDS:
            raise CodeServerStopped(f"Dagster's code server ends as soon as it has started; see {self.log}")
        self._running.close()
        # Now, while nobody listens there: once another server does, its runs look alive.
        failed = self._report_orphans()
        self._start()
        return failed

    def _start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        location = {"location_name": LOCATION, **self._place.address}
        # JSON is YAML.
        self.workspace.write_text(json.dumps({"load_from": [{"grpc_server": location}]}), encoding="utf-8")
        if self._place.socket is not None:
            self._place.socket.unlink(missing_ok=True)
        command = [sys.executable, "-m", PROCESS, str(self.workspace)]
        self._running = ExitStack()
        self._process = self._running.enter_context(child(command, self.log, self._variables))
        self._started = time.monotonic()
        while not self._place.is_listened_at():
            if self.has_ended() or time.monotonic() - self._started > START_SECONDS:
                raise CodeServerStopped(f"Dagster's code server did not start; see {self.log}")
            time.sleep(_POLL_SECONDS)

    def _report_orphans(self) -> list[str]:
        from bridgecart_assets.orchestration.runs import report_orphans

        is_command_at_work = not is_run_lock_free(self._settings.data_dir)
        with dagster_instance(self._settings) as instance:
            return report_orphans(instance, datetime.now(UTC), is_command_at_work=is_command_at_work)


def _own_folder(parent: Path) -> Path:
    """A new folder in the data directory, where no cleaner of temporary files goes; those of the dead are removed.

    Its name is no other server's: a run knows its server by the path of the socket.
    """
    shutil.rmtree(parent, ignore_errors=True)
    parent.mkdir(parents=True)
    return Path(tempfile.mkdtemp(prefix="up-", dir=parent))


def _place(path: Path) -> _Place:
    """A socket at this path; a port where there can be none: a path of a socket has about 100 characters at most."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(str(path))
        except OSError:
            _reach_without_proxy(HOST)
            return _Place(port=free_port(HOST))
    path.unlink()
    return _Place(socket=path)


def _reach_without_proxy(host: str) -> None:
    """For this process and its children: gRPC would ask the proxy of `http_proxy` even for this machine's own ports."""
    hosts = os.environ.get(_NO_PROXY, "").split(",")
    os.environ[_NO_PROXY] = ",".join([*filter(None, hosts), *([] if host in hosts else [host])])
