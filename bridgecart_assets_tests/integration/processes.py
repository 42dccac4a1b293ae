"""Processes of the tests: the `bridgecart` command, waiting with a bound, and what is still alive."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import psutil

from bridgecart_assets_tests.support.batching import AT_ONCE

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent.parent
COMMAND_SECONDS = 120.0


def wait_until(condition: Callable[[], T | None], seconds: float, what: str, *, every: float = 0.05) -> T:
    """Poll until the condition gives something true; fail with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(every)
    return found


def command(*arguments: str, python: str = sys.executable) -> list[str]:
    """The `bridgecart` command as a list for subprocess, with the BridgeCart of this Python."""
    return [python, "-m", "bridgecart_assets", *arguments]


def bridgecart(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run the `bridgecart` command to its end in a process of its own."""
    return subprocess.run(
        command(*arguments),
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This test's environment and some more settings; batches start at once unless they say otherwise."""
    return {**AT_ONCE, **os.environ, **settings}


def processes_of(data_dir: Path) -> list[psutil.Process]:
    """The living processes that were started for this data directory, whoever their parent is."""
    found = []
    for process in psutil.process_iter():
        try:
            if (
                process.pid != os.getpid()
                and process.environ().get("BRIDGECART_DATA_DIR") == str(data_dir)
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found
