"""A `bridgecart` command in a process of its own, watched: how long it took and how much memory it held."""

import json
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

import psutil

from bridgecart_assets_tests.integration.processes import command, environment

SAMPLE_SECONDS = 0.05
MEGABYTE = 1024 * 1024

Interval = tuple[float, float]
"""Start and end, seconds since 1970."""


@dataclass(frozen=True)
class Measured:
    """An ended command: exit code, its JSON summary, and what it held in memory at sampled instants."""

    returncode: int
    stdout: str
    stderr: str
    seconds: float
    samples: list[tuple[float, int]]

    @property
    def summary(self) -> dict[str, Any]:
        """What `--json` printed."""
        found: dict[str, Any] = json.loads(self.stdout)
        return found

    def peak_megabytes(self, during: Iterable[Interval] | None = None) -> float:
        """The most memory (RSS) it held, over all its life or within some intervals."""
        spans = [(0.0, float("inf"))] if during is None else list(during)
        held = [size for at, size in self.samples if any(start <= at <= end for start, end in spans)]
        return max(held) / MEGABYTE


def measured(*arguments: str, timeout: float, **settings: str) -> Measured:
    """Run the `bridgecart` command to its end and sample its memory all the while."""
    started = time.monotonic()
    process = subprocess.Popen(
        command(*arguments),
        env=environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    try:
        with _sampled(process.pid) as samples:
            stdout, stderr = process.communicate(timeout=timeout)
    finally:
        process.kill()
        process.wait()
    return Measured(process.returncode, stdout, stderr, time.monotonic() - started, samples)


@contextmanager
def _sampled(pid: int) -> Iterator[list[tuple[float, int]]]:
    samples: list[tuple[float, int]] = []
    ended = Event()
    sampler = Thread(target=_sample, args=(psutil.Process(pid), samples, ended), daemon=True)
    sampler.start()
    try:
        yield samples
    finally:
        ended.set()
        sampler.join()


def _sample(process: psutil.Process, samples: list[tuple[float, int]], ended: Event) -> None:
    while not ended.wait(SAMPLE_SECONDS):
        try:
            samples.append((time.time(), process.memory_info().rss))
        except psutil.Error:
            return
