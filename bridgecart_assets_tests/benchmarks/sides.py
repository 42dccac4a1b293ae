"""Small sides, called in children by the tests."""

import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.benchmark import Figures

_HELD = "held = b'x' * ({megabytes} * 1024 * 1024); import time; time.sleep(1)"
_WORKS = "import time\nwhile time.process_time() < {seconds}:\n    pass"
_WRITES = "import sys, time\nwhile True:\n    open(sys.argv[1], 'a').write('x')\n    time.sleep(0.02)"


def note(log: str, name: str) -> Figures:
    """Write that it was called, and count what is in its data directory before it leaves something there."""
    with Path(log).open("a") as file:
        file.write(f"{name}\n")
    folder = Path(os.environ["BRIDGECART_DATA_DIR"])
    found = len(list(folder.iterdir()))
    (folder / "left.txt").touch()
    return {"files": found}


def fail() -> Figures:
    """Raise."""
    raise RuntimeError("it broke")


def hold(megabytes: int) -> Figures:
    """Hold so much memory for a while."""
    held = b"x" * (megabytes * 1024 * 1024)
    time.sleep(0.5)
    return {"bytes": len(held)}


def hold_in_a_child(megabytes: int) -> Figures:
    """Hold so much memory, and let a child hold as much."""
    held = b"x" * (megabytes * 1024 * 1024)
    subprocess.run([sys.executable, "-c", _HELD.format(megabytes=megabytes)], check=True)
    return {"bytes": len(held)}


def work_in_a_child(seconds: float) -> Figures:
    """Let a child use so much processor time."""
    subprocess.run([sys.executable, "-c", _WORKS.format(seconds=seconds)], check=True)
    return {}


def leave_a_child_behind(marker: str) -> Figures:
    """Start a child that would run for ever, and fail."""
    subprocess.Popen([sys.executable, "-c", _WRITES, marker])
    while not Path(marker).exists():
        time.sleep(0.01)
    return fail()


def variable(name: str) -> Figures:
    """The number in a variable of the environment."""
    return {"variable": float(os.environ[name])}
