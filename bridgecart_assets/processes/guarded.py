"""A guarded process: a command that ends when the process that started it ends, however that happens.

The command runs under `watchdog`, which reads one end of a pipe. The other end is in this process only: children do
not inherit it and forks close it, so the pipe closes exactly when this process ends or calls `stop`. Both run in a
session of their own: a Ctrl-C in the terminal reaches this process, which decides when the command ends.
"""

import functools
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from bridgecart_assets.processes import watchdog

_STOP_SECONDS = 5.0

_held_pipes: set[int] = set()


class GuardedProcess:
    """`command` running under a watchdog, its output appended to `output`."""

    def __init__(self, command: Sequence[str], *, output: IO[bytes], env: Mapping[str, str]) -> None:
        _release_pipes_in_forks()
        reading, self._pipe = os.pipe()
        _held_pipes.add(self._pipe)
        try:
            # Site packages are not needed: without them the watchdog starts in a third of the time.
            self._watchdog = subprocess.Popen(
                [sys.executable, "-I", "-S", watchdog.__file__, *command],
                stdin=reading,
                stdout=output,
                stderr=output,
                env=dict(env),
                cwd=Path(sys.executable).anchor,
                **_own_session(),
            )
        except BaseException:
            _release(self._pipe)
            raise
        finally:
            os.close(reading)

    def is_running(self) -> bool:
        """Whether the command is alive."""
        return self._watchdog.poll() is None

    def stop(self) -> None:
        """Kill the command and wait until it is gone. Harmless when repeated, or called in a forked child."""
        if not _release(self._pipe):
            return
        try:
            self._watchdog.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._watchdog.kill()
            self._watchdog.wait()


def _own_session() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def _release(pipe: int) -> bool:
    if pipe not in _held_pipes:
        return False
    _held_pipes.remove(pipe)
    os.close(pipe)
    return True


@functools.cache
def _release_pipes_in_forks() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_release_all)


def _release_all() -> None:
    for pipe in list(_held_pipes):
        _release(pipe)
