"""`bridgecart` commands, and daemons, that kill -9 themselves at a chosen moment, or press their own Ctrl-C.

A moment is a step at which something outside the process has changed or is about to: an event stored by Dagster, a
run or a partition key registered, a chunk of records written, a commit, a file renamed. They are counted, not timed,
so that a test hits the same ones on every machine; `run_for` kills after a time, wherever that is.

As a script this is a server: it imports the program once and forks a process for every command, which saves the
imports of each of many runs.
"""

import gc
import importlib
import json
import os
import resource
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
_DISK_FULL = -1
# What the command prints is in a file, too.
_WRITABLE_BYTES = 4096
# An interpreter with everything imported takes 10 s to end where ten others want the two cores.
_EXIT_SECONDS = 60.0
_OWN = ("BRIDGECART_", "DAGSTER_", "SPARK_")
# What the commands and steps import on their way, with all that comes along.
_IMPORTED = (
    "bridgecart_assets.cli",
    "bridgecart_assets.commands.ci_summary",
    "bridgecart_assets.commands.run_alerts",
    "bridgecart_assets.commands.status_text",
    "bridgecart_assets.orchestration.pruning",
    "bridgecart_assets.orchestration.status",
    "bridgecart_assets.orchestration.storage.sqlite_storage",
    "bridgecart_assets_tests.integration.sensor_daemon",
    "dagster._core.executor.in_process",
    "dagster._core.storage.root",
    "dagster._core.storage.sqlite_storage",
    "pyarrow.parquet",
    "sklearn.cluster",
    "upath",
)
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


@dataclass(frozen=True)
class Paused:
    """A command that has stopped at its moment; `Killer.resume` lets it go on."""

    pid: int
    folder: Path


class Killer:
    """Runs commands, each in a process of its own; ends with its `with` block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._orders = 0
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
            self._server.wait(_EXIT_SECONDS)
        finally:
            self._server.kill()

    def run(self, *arguments: str, **settings: str) -> Ended:
        """Run a command to its end."""
        return self._ended(self._order(arguments, settings))

    def run_for(self, seconds: float, *arguments: str, settings: Mapping[str, str] = _NONE) -> Ended:
        """Run a command that is killed after this time, if it lives so long."""
        return self._ended(self._order(arguments, settings, seconds=seconds))

    def run_until(
        self,
        moment: int | str,
        *arguments: str,
        how: signal.Signals = signal.SIGKILL,
        settings: Mapping[str, str] = _NONE,
    ) -> Ended:
        """Run a command that gets a signal at `moment`, if it lives so long: a number, or a name's first one."""
        return self._ended(self._order(arguments, settings, moment=moment, signal=how))

    def run_with_disk_full_at(self, moment: int | str, *arguments: str) -> Ended:
        """Run a command that from `moment` on can write no file beyond its first few bytes."""
        return self._ended(self._order(arguments, _NONE, moment=moment, signal=_DISK_FULL))

    def pause_at(self, moment: int | str, *arguments: str, settings: Mapping[str, str] = _NONE) -> Paused:
        """Run a command until it stops at `moment`, which has to come."""
        answer = self._order(arguments, settings, moment=moment, signal=signal.SIGSTOP)
        assert "stopped" in answer, self._ended(answer)
        return Paused(answer["pid"], Path(answer["folder"]))

    def resume(self, paused: Paused) -> Ended:
        """Let a paused command go on to its end."""
        return self._ended(self._ask({"resume": paused.pid, "folder": str(paused.folder)}))

    def _order(self, arguments: Sequence[str], settings: Mapping[str, str], **fault: float | str) -> dict[str, Any]:
        self._orders += 1
        folder = self._folder / str(self._orders)
        folder.mkdir()
        own = {name: value for name, value in environment(settings).items() if name.startswith(_OWN)}
        return self._ask({"arguments": arguments, **fault, "settings": own, "folder": str(folder)})

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        answer: dict[str, Any] = json.loads(self._server.stdout.readline())
        return answer

    def _ended(self, answer: dict[str, Any]) -> Ended:
        assert "code" in answer, answer
        stdout, stderr, moments = ((Path(answer["folder"]) / name).read_text() for name in _FILES)
        return Ended(answer["code"], stdout, stderr, int(moments or 0), answer["seconds"])


def _serve() -> None:
    for name in _IMPORTED:
        importlib.import_module(name)
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        begun = time.monotonic()
        if pid := order.get("resume"):
            os.kill(pid, signal.SIGCONT)
        elif (pid := os.fork()) == 0:
            os._exit(_obey(order))
        with _killed_after(order.get("seconds"), pid):
            _, status = os.waitpid(pid, os.WUNTRACED)
        how = {"stopped": True} if os.WIFSTOPPED(status) else {"code": os.waitstatus_to_exitcode(status)}
        answer = {**how, "pid": pid, "folder": order["folder"], "seconds": time.monotonic() - begun}
        sys.stdout.write(f"{json.dumps(answer)}\n")
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
    moments.write_text("")
    for file, descriptor in ((stdout, 1), (stderr, 2)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    try:
        with _counted_moments(moments, order.get("moment"), order.get("signal", signal.SIGKILL)):
            _call(order["arguments"])
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
            return 1
        return end.code or 0
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

    command, *rest = arguments
    if command in sensor_daemon.STEPS:
        sensor_daemon.STEPS[command](*rest)
    else:
        sys.argv = ["bridgecart", *arguments]
        main()


@contextmanager
def _counted_moments(count: Path, chosen: int | str | None, how: int) -> Iterator[None]:
    import dagster as dg

    from bridgecart_assets.warehouse import slices
    from bridgecart_assets.warehouse.storage.database import Warehouse

    moments = 0
    seen: set[str] = set()

    def moment(name: str) -> None:
        nonlocal moments
        moments += 1
        is_first = name not in seen
        seen.add(name)
        if chosen != moments and not (chosen == name and is_first):
            return
        if how == _DISK_FULL:
            resource.setrlimit(resource.RLIMIT_FSIZE, (_WRITABLE_BYTES, resource.RLIM_INFINITY))
        else:
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
        moment("before begin")
        with transaction(warehouse) as connection:
            yield connection
            moment("before commit")
        moment("after commit")

    for name in _STORING:
        before_and_after(dg.DagsterInstance, name)
    before_and_after(slices._Arriving, "follow")
    before_and_after(Path, "replace")
    before_and_after(Path, "rename")
    setattr(Warehouse, "transaction", counted_transaction)  # noqa: B010
    yield
    count.write_text(str(moments))


if __name__ == "__main__":
    _serve()
