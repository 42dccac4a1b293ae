"""Measuring: every side in a child process of its own, alternating, several times; what it took and held.

What belongs elsewhere: what the sides are (one module per benchmark) and what becomes of the rounds (`results.py`).
"""

import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from threading import Event, Thread
from typing import IO, Any

import psutil

from benchmarks.benchmark import Figures, Side

ROOT = Path(__file__).resolve().parent.parent
CHILD_SECONDS = 4 * 3_600.0
SAMPLE_SECONDS = 0.1
MEGABYTE = 1024 * 1024
# Where these are set, every child compiles what it imports again, or imports another Python's packages.
_NOT_FOR_CHILDREN = ("PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH")


class ChildFailed(Exception):
    """A child process failed or took too long; says why in a line."""


@dataclass
class Rounds:
    """The rounds of one side, oldest first; `not_run` says why there are none, or no more."""

    side: str
    rounds: list[Figures] = field(default_factory=list)
    not_run: str = ""


def alternate(sides: Sequence[Side], repeats: int, folder: Path) -> list[Rounds]:
    """Run the sides in turn, `repeats` times, each in an empty data directory below `folder`.

    A side that cannot be run, or fails once, is left out from then on, and says why.
    """
    measured = {side.name: Rounds(side.name, not_run=side.missing) for side in sides}
    for _ in range(repeats):
        for side in sides:
            rounds = measured[side.name]
            if rounds.not_run:
                continue
            with _empty_folder(folder / "data") as data_dir:
                try:
                    rounds.rounds.append(run_child(side, data_dir))
                except ChildFailed as failure:
                    rounds.not_run = str(failure)
    return list(measured.values())


def run_child(side: Side, data_dir: Path) -> Figures:
    """What the side's function returned, and the process's wall time, CPU time and peak memory. Raises ChildFailed."""
    command = child_command(side)
    # Files, because a pipe would be waited for as long as anybody has it open that the child leaves behind.
    with TemporaryFile("w+") as stdout, TemporaryFile("w+") as stderr:
        started, cpu = time.perf_counter(), _cpu_seconds()
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(data_dir),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        with sampled_memory(process.pid) as samples:
            _wait(process)
        outside = {"process_seconds": time.perf_counter() - started, "cpu_seconds": _cpu_seconds() - cpu}
        if process.returncode != 0:
            raise ChildFailed(_last_line(stderr) or f"ended with code {process.returncode}")
        figures: Figures = json.loads(_last_line(stdout))
    return {**figures, **outside, "peak_megabytes": peak_megabytes(samples)}


def _cpu_seconds() -> float:
    """Processor time of all children so far that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _wait(process: "subprocess.Popen[bytes]") -> None:
    """Until the process has ended; what is left of its session is ended too. Raises ChildFailed."""
    try:
        process.wait(CHILD_SECONDS)
    except subprocess.TimeoutExpired:
        raise ChildFailed(f"not finished within {CHILD_SECONDS:g} s") from None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def sampled_memory(pid: int) -> Iterator[list[int]]:
    """The resident memory, in bytes, of a process and all its descendants, again and again while the block lasts."""
    samples: list[int] = []
    ended = Event()

    def sample() -> None:
        while True:
            samples.append(tree_bytes(pid))
            if ended.wait(SAMPLE_SECONDS):
                return

    sampler = Thread(target=sample, daemon=True)
    sampler.start()
    try:
        yield samples
    finally:
        ended.set()
        sampler.join()


def tree_bytes(pid: int) -> int:
    """Resident memory of a process and all its descendants, bytes; pages that they share count for each of them."""
    try:
        root = psutil.Process(pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    return sum(map(_resident_bytes, tree))


def _resident_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def peak_megabytes(samples: Sequence[int]) -> float:
    """The highest sample, in megabytes."""
    return max(samples, default=0) / MEGABYTE


def median(rounds: Sequence[Figures], figure: str) -> float | None:
    """The median of a figure; None where no round has it."""
    values = [found[figure] for found in rounds if figure in found]
    return statistics.median(values) if values else None


def median_ratio(rounds: Sequence[Figures], reference: Sequence[Figures], figure: str) -> float | None:
    """The median of the ratios, round by round: what slows the machine down slows both sides of a round."""
    pairs = zip(rounds, reference, strict=False)
    ratios = [left[figure] / right[figure] for left, right in pairs if figure in left and right.get(figure)]
    return statistics.median(ratios) if ratios else None


@contextmanager
def _empty_folder(folder: Path) -> Iterator[Path]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def child_command(side: Side) -> list[str]:
    """What calls the side's function in a process of its own."""
    return [side.python, "-m", "benchmarks.child", function_name(side), json.dumps(dict(side.arguments))]


def function_name(side: Side) -> str:
    """The side's function as a child finds it (`child.function_of`)."""
    return f"{side.function.__module__}:{side.function.__qualname__}"


def environment(data_dir: Path) -> Mapping[str, str]:
    """The variables of such a process."""
    kept: dict[str, Any] = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_CHILDREN}
    return {**kept, "BRIDGECART_DATA_DIR": str(data_dir), "DAGSTER_DISABLE_TELEMETRY": "1"}


def _last_line(file: IO[str]) -> str:
    file.seek(0)
    lines = file.read().strip().splitlines()
    return lines[-1] if lines else ""
