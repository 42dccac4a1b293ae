"""Dagster's code server: the process that evaluates the sensor and starts runs. Started again when it dies.

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
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from bridgecart_assets.errors import BridgeCartError
from bridgecart_assets.location import LOCATION, MODULE, keep_sensor_switches
from bridgecart_assets.operations.children import NO_VARIABLES, child
from bridgecart_assets.operations.home import dagster_instance
from bridgecart_assets.runlock import is_run_lock_free
from bridgecart_assets.settings import Settings

START_SECONDS = 60.0
# One that ends sooner would end again and again.
SHORTEST_LIFE_SECONDS = 10.0
_POLL_SECONDS = 0.1


class CodeServerStopped(BridgeCartError):
    """The code server does not start, or does not stay."""


class CodeServer:
    """A code server on a socket of its own while the `with` block lasts, with every run that it started."""

    def __init__(self, settings: Settings, log: Path, variables: Mapping[str, str] = NO_VARIABLES) -> None:
        self._settings = settings
        self.log = log
        self._variables = variables
        # Not in the data directory: the path of a socket may have about 100 characters.
        self._folder = Path(tempfile.mkdtemp(prefix="bridgecart-"))
        self._socket = self._folder / "code-server"
        self._running = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0

    def __enter__(self) -> Self:
        place = {"location_name": LOCATION, "socket": str(self._socket)}
        # JSON is YAML.
        self.workspace.write_text(json.dumps({"load_from": [{"grpc_server": place}]}), encoding="utf-8")
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
        """Whether it has died."""
        return self._process is not None and self._process.poll() is not None

    def start_again(self) -> list[str]:
        """End the runs of the dead server, report them as failed, start another; the ids of these runs.

        Raises CodeServerStopped when the server did not live long enough to be worth it.
        """
        if time.monotonic() - self._started < SHORTEST_LIFE_SECONDS:
            raise CodeServerStopped(f"Dagster's code server ends as soon as it has started; see {self.log}")
        self._running.close()
        # Now, while the socket refuses: once another server listens there, its runs look alive.
        failed = self._report_orphans()
        self._start()
        return failed

    def _start(self) -> None:
        self._socket.unlink(missing_ok=True)
        command = [sys.executable, "-m", "dagster", "api", "grpc", "-m", MODULE, "--socket", str(self._socket)]
        command += ["--location-name", LOCATION, "--use-python-environment-entry-point"]
        self._running = ExitStack()
        self._process = self._running.enter_context(child(command, self.log, self._variables))
        self._started = time.monotonic()
        while not self._answers():
            if self.has_ended() or time.monotonic() - self._started > START_SECONDS:
                raise CodeServerStopped(f"Dagster's code server did not start; see {self.log}")
            time.sleep(_POLL_SECONDS)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            return probe.connect_ex(os.fspath(self._socket)) == 0

    def _report_orphans(self) -> list[str]:
        from bridgecart_assets.runs import report_orphans

        is_command_at_work = not is_run_lock_free(self._settings.data_dir)
        with dagster_instance(self._settings) as instance:
            return report_orphans(instance, datetime.now(UTC), is_command_at_work=is_command_at_work)
