"""Measuring: every side in a child process of its own, in turn, several times; what it took and held.

What belongs elsewhere: what the sides are (one module per benchmark) and what becomes of the rounds (`results.py`).
"""

import json
import os
import resource
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any

import psutil

from benchmarks.benchmark import Figures, Side

ROOT = Path(__file__).resolve().parent.parent
CHILD_SECONDS = 4 * 3_600.0
SAMPLE_SECONDS = 0.1
MEGABYTE = 1024 * 1024
# Where these are set, every child compiles what it imports again, or imports another Python's packages.
_NOT_FOR_CHILDREN = ("PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH")


# Imports nothing but the standard library: any interpreter can run it, and what a side imports is the side's own.
_CALL = """
import importlib, json, sys
module, name, arguments = sys.argv[1:]
print("", json.dumps(getattr(importlib.import_module(module), name)(**json.loads(arguments))), sep="\\n")
"""


class ChildFailed(Exception):
    """A child process failed or took too long; says why in a line."""


def alternate(
    sides: Sequence[Side], repeats: int, folder: Path
) -> tuple[Sequence[Mapping[str, Any]], Mapping[str, str]]:
    """Rounds of the sides in turn, and why some have no more: one that fails once is left out from then on."""
    rounds: list[Mapping[str, Any]] = []
    failures: dict[str, str] = {}
    for _ in range(repeats):
        for side in sides:
            with TemporaryDirectory(dir=folder) as empty:
                try:
                    if side.name not in failures:
                        rounds.append(
                            {"side": side.name, **run_child(replace(side, data_dir=side.data_dir or Path(empty)))}
                        )
                except (ChildFailed, OSError) as failure:
                    failures[side.name] = str(failure)
    return rounds, failures


def run_child(side: Side) -> Figures:
    """What the side's function returned, and the process's CPU time and peak memory. Raises ChildFailed."""
    called = (side.function.__module__, side.function.__qualname__, json.dumps(dict(side.arguments)))
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_CHILDREN}
    own = {"BRIDGECART_DATA_DIR": str(side.data_dir), "DAGSTER_DISABLE_TELEMETRY": "1", **side.variables}
    # Files, because a pipe would be waited for as long as anybody has it open that the child leaves behind.
    with TemporaryFile("w+") as stdout, TemporaryFile("w+") as stderr:
        cpu = _cpu_seconds()
        process = subprocess.Popen(
            [side.python, "-c", _CALL, *called],
            cwd=side.checkout or ROOT,
            env=kept | own,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        peak = _peak_bytes(process)
        if process.returncode != 0:
            raise ChildFailed(_last_line(stderr) or f"ended with code {process.returncode}")
        figures: Figures = json.loads(_last_line(stdout))
    return {**figures, "cpu_seconds": _cpu_seconds() - cpu, "peak_megabytes": peak / MEGABYTE}


def tree_bytes(pid: int, *, shared_once: bool = False) -> int:
    """Resident memory of a process and all its descendants.

    Pages that they share count for each of them, or once where the system tells: that takes longer to find out.
    """
    held = 0
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.Error):
                memory = process.memory_full_info() if shared_once else process.memory_info()
                held += getattr(memory, "pss", memory.rss)
    return held


def _peak_bytes(process: "subprocess.Popen[bytes]") -> int:
    """The most that was held until the process ended; what is left of its session ends too. Raises ChildFailed."""
    peak, deadline = 0, time.monotonic() + CHILD_SECONDS
    try:
        while process.poll() is None:
            if time.monotonic() > deadline:
                raise ChildFailed(f"not finished within {CHILD_SECONDS:g} s")
            peak = max(peak, tree_bytes(process.pid))
            time.sleep(SAMPLE_SECONDS)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return peak


def _cpu_seconds() -> float:
    """Processor time of all children so far that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _last_line(file: IO[str]) -> str:
    file.seek(0)
    lines = file.read().strip().splitlines()
    return lines[-1] if lines else ""
