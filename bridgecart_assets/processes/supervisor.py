"""Commands that end, with everything they started, when the process that started them ends, however that happens.

A command runs under `supervised`, which reads one end of a pipe. The other end is in this process only: children do
not inherit it and forks close it, so the pipe closes exactly when this process ends or calls `stop`. Both run in a
session of their own: a Ctrl-C in the terminal reaches this process, which decides when the command ends.
"""

import functools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from bridgecart_assets.processes import supervised

STOP_SECONDS = 20.0
_KILL_SECONDS = 5.0
NO_VARIABLES: Mapping[str, str] = MappingProxyType({})
# A server must not keep the folder from being removed that somebody was in when it started.
_ROOT = Path(Path(sys.executable).anchor)

_held_pipes: set[int] = set()


class SupervisedProcess:
    """`command` under supervision, its output appended to `output`; `leader` is the process that supervises it.

    It works in `folder`, with None in that of this process.
    """

    def __init__(
        self, command: Sequence[str], *, output: IO[bytes], env: Mapping[str, str], folder: Path | None = _ROOT
    ) -> None:
        _release_pipes_in_forks()
        reading, self._pipe = os.pipe()
        _held_pipes.add(self._pipe)
        try:
            # Site packages are not needed: without them the supervising process starts in a third of the time.
            self.leader = subprocess.Popen(
                [sys.executable, "-I", "-S", supervised.__file__, *command],
                stdin=reading,
                stdout=output,
                stderr=output,
                env=dict(env),
                cwd=folder,
                **_own_session(),
            )
        except BaseException:
            _release(self._pipe)
            raise
        finally:
            os.close(reading)

    def is_running(self) -> bool:
        """True if the command is alive."""
        return self.leader.poll() is None

    def stop(self, *, finish_seconds: float = 0.0) -> None:
        """Kill the command and its family and wait until it is gone; interrupted first where it has time to finish.

        Harmless when repeated, or called in a forked child.
        """
        if self._pipe not in _held_pipes:
            return
        try:
            if finish_seconds and self.is_running():
                _signal_group(self.leader, signal.SIGINT)
                with suppress(subprocess.TimeoutExpired):
                    self.leader.wait(finish_seconds)
        finally:
            _release(self._pipe)
            self._kill()

    def _kill(self) -> None:
        try:
            self.leader.wait(_KILL_SECONDS)
        except subprocess.TimeoutExpired:
            self.leader.kill()
        finally:
            # Also after the leader itself is gone: its group lasts as long as one of its processes does.
            _signal_group(self.leader, signal.SIGKILL)
            self.leader.wait()


@contextmanager
def child(
    command: Sequence[str], log: Path, variables: Mapping[str, str] = NO_VARIABLES
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run one of the processes of `bridgecart up`, its output appended to `log`; yields the leader of its group.

    `variables` are added to its environment. At the end it is interrupted, given time to finish, and whatever is left
    of it is killed.
    """
    environment = {**os.environ, **variables, "PYTHONWARNINGS": "ignore"}
    # Where this is set, every Dagster process compiles Dagster again.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with log.open("ab") as output:
        process = SupervisedProcess(command, output=output, env=environment, folder=None)
    try:
        yield process.leader
    finally:
        process.stop(finish_seconds=STOP_SECONDS)


def _own_session() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def _signal_group(leader: "subprocess.Popen[bytes]", how: signal.Signals) -> None:
    if sys.platform == "win32":
        return
    with suppress(ProcessLookupError):
        os.killpg(leader.pid, how)


def _release(pipe: int) -> None:
    if pipe in _held_pipes:
        _held_pipes.remove(pipe)
        os.close(pipe)


@functools.cache
def _release_pipes_in_forks() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_release_all)


def _release_all() -> None:
    for pipe in list(_held_pipes):
        _release(pipe)
