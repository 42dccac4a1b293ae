"""The processes that `bridgecart up` starts: each with all its descendants in a group that ends when `up` ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType

from bridgecart_assets.processes import leader

STOP_SECONDS = 20.0
NO_VARIABLES: Mapping[str, str] = MappingProxyType({})


@contextmanager
def child(
    command: Sequence[str], log: Path, variables: Mapping[str, str] = NO_VARIABLES
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command in a session of its own, so that Ctrl-C reaches it through us; its output goes to `log`.

    `variables` are added to its environment. At the end it is interrupted, given time to finish, and whatever is left
    of it is killed.
    """
    environment = {**os.environ, **variables, "PYTHONWARNINGS": "ignore"}
    # Where this is set, every Dagster process compiles Dagster again.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", leader.__file__, *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    try:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
    finally:
        # Also after the leader itself is gone: its group lasts as long as one of its processes does.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdin is not None:
            process.stdin.close()
