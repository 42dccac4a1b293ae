"""`bridgecart` commands, and daemons, that kill -9 themselves at a chosen moment, or press their own Ctrl-C.

A moment is a step at which something outside the process has changed or is about to: an event stored by Dagster, a
run or a partition key registered, a chunk of records written, a commit, a file renamed. They are counted, not timed,
so that a test hits the same ones on every machine; `run_for` kills after a time, wherever that is.

As a script this is a server: it imports the program once and forks a process for every command, which saves the
imports of each of many runs.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from bridgecart_assets_tests.integration.processes import ROOT, environment

_FILES = ("stdout.txt", "stderr.txt", "moments.txt")
# What Dagster's instance stores: of runs, of batches, and of the sensor's ticks.
_STORING = (
    "handle_new_event",
    "add_run",
    "add_dynamic_partitions",
    "create_tick",
    "update_tick",
    "update_instigator_state",
)
_OWN = ("BRIDGECART_", "DAGSTER_")
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code (negative: signal), what it printed, moments and seconds it lived through."""

    returncode: int
    stdout: str
    stderr: str
    moments: int
    seconds: float

    @property
    def was_killed(self) -> bool:
        return self.returncode == -signal.SIGKILL


class Killer:
    """Runs commands, each in a process of its own; ends with its `with` block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment({}),
            cwd=ROOT,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.stdout.close()
        try:
            self._server.wait(10)
        finally:
            self._server.kill()

    def run(self, *arguments: str, **settings: str) -> Ended:
        """Run a command to its end."""
        return self._order(arguments, settings)

    def run_for(self, seconds: float, *arguments: str, settings: Mapping[str, str] = _NONE) -> Ended:
        """Run a command that is killed after this time, if it lives so long."""
        return self._order(arguments, settings, seconds=seconds)

    def run_until(
        self,
        moment: int | str,
        *arguments: str,
        how: signal.Signals = signal.SIGKILL,
        settings: Mapping[str, str] = _NONE,
    ) -> Ended:
        """Run a command that gets a signal at `moment`, if it lives so long: a number, or a name's first one."""
        return self._order(arguments, settings, moment=moment, signal=how)

    def _order(self, arguments: Sequence[str], settings: Mapping[str, str], **fault: float | str) -> Ended:
        order: dict[str, Any] = {
            "arguments": arguments,
            **fault,
            "settings": {name: value for name, value in environment(settings).items() if name.startswith(_OWN)},
            "folder": str(self._folder),
        }
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        begun = time.monotonic()
        code = int(self._server.stdout.readline())
        seconds = time.monotonic() - begun
        stdout, stderr, moments = ((self._folder / name).read_text() for name in _FILES)
        return Ended(code, stdout, stderr, int(moments or 0), seconds)


def _serve() -> None:
    import sklearn.cluster  # noqa: F401

    import bridgecart_assets.batches
    import bridgecart_assets.definitions
    import bridgecart_assets.operations.running  # noqa: F401

    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os._exit(_obey(order))
        with _killed_after(order.get("seconds"), pid):
            _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


@contextmanager
def _killed_after(seconds: float | None, pid: int) -> Iterator[None]:
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, os.kill, (pid, signal.SIGKILL))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _obey(order: dict[str, Any]) -> int:
    for name in [name for name in os.environ if name.startswith(_OWN)]:
        del os.environ[name]
    os.environ.update(order["settings"])
    stdout, stderr, moments = (Path(order["folder"]) / name for name in _FILES)
    for file, descriptor in ((stdout, 1), (stderr, 2)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    try:
        with _counted_moments(moments, order.get("moment"), order.get("signal", signal.SIGKILL)):
            _call(order["arguments"])
    except SystemExit as end:
        return int(end.code or 0)
    except Exception:  # noqa: BLE001
        traceback.print_exc()
        return 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _call(arguments: Sequence[str]) -> None:
    from bridgecart_assets.cli import main
    from bridgecart_assets_tests.integration import sensor_daemon

    if arguments[0] == sensor_daemon.TICK:
        sensor_daemon.tick(*arguments[1:])
    elif arguments[0] == sensor_daemon.QUEUE:
        sensor_daemon.work_off_the_queue()
    else:
        sys.argv = ["bridgecart", *arguments]
        main()


@contextmanager
def _counted_moments(count: Path, chosen: int | str | None, how: int) -> Iterator[None]:
    import dagster as dg

    from bridgecart_assets.warehouse import writing
    from bridgecart_assets.warehouse.database import Warehouse

    moments = 0

    def moment(name: str) -> None:
        nonlocal moments
        moments += 1
        if chosen in (moments, name):
            os.kill(os.getpid(), how)

    def before_and_after(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def called(*arguments: Any, **named: Any) -> Any:
            moment(f"before {name}")
            returned = original(*arguments, **named)
            moment(f"after {name}")
            return returned

        setattr(owner, name, called)

    transaction: Callable[[Warehouse], Any] = Warehouse.transaction

    @contextmanager
    def counted_transaction(warehouse: Warehouse) -> Iterator[Any]:
        with transaction(warehouse) as connection:
            yield connection
            moment("before commit")
        moment("after commit")

    for name in _STORING:
        before_and_after(dg.DagsterInstance, name)
    before_and_after(writing, "_insert_chunk")
    before_and_after(Path, "replace")
    before_and_after(Path, "rename")
    setattr(Warehouse, "transaction", counted_transaction)  # noqa: B010
    count.write_text("")
    yield
    count.write_text(str(moments))


if __name__ == "__main__":
    _serve()
