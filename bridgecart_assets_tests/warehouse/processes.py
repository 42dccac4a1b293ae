"""Other processes: real ones, that hold the warehouse, wait for it or die with it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREAMBLE = """
import os, signal, sys
from pathlib import Path
import duckdb
from bridgecart_assets.warehouse.storage.database import Warehouse, WarehouseError
path = Path(sys.argv[1])
warehouse = Warehouse(path, lock_timeout_seconds=30)
def ready():
    print("ready", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def process(path: Path, script: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process on this warehouse; the script may use `warehouse`, `path` and `ready()`.

    Given once the script has called `ready()`, where it waits for a line. It is gone at the end.
    """
    command = [sys.executable, "-c", _PREAMBLE + script, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline() == "ready\n"
            yield running
        finally:
            running.kill()


def release(running: subprocess.Popen[str]) -> int:
    """Let the process go on, and wait for its exit code."""
    assert running.stdin is not None
    running.stdin.write("\n")
    running.stdin.flush()
    return running.wait(timeout=60)


def run(path: Path, script: str) -> str:
    """What a script prints that runs to its end."""
    command = [sys.executable, "-c", _PREAMBLE + script, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
