"""A benchmark: its sides, its sizes, the figures it shows and the targets it is held to."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Scale = Literal["quick", "full"]
Sizes = Mapping[str, Any]
Figures = dict[str, float]
"""What one run of a side found, by name. A name ends with its unit, unless it is a plain count."""
OUTSIDE = {"cpu_seconds": "CPU, s", "peak_megabytes": "Peak memory, MB"}
"""Measured from outside, imports included, of the child and its descendants."""


@dataclass(frozen=True)
class Side:
    """A function that a child process calls with these arguments; it returns the figures that it measured itself.

    So imports and set-up do not count unless the function says so.

    Attributes:
        data_dir: what all rounds work on; None gives every round an empty one.
        variables: more of the child's environment.
        checkout: another folder of the project, whose function of the same name is called instead.

    """

    name: str
    function: Callable[..., Figures]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    data_dir: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    python: str = sys.executable
    checkout: Path | None = None


@dataclass(frozen=True)
class Target:
    """What the figure of a side must reach; `relative_to` another side, round by round, where one is named.

    `only_full`: the sizes of the quick set say nothing about it.
    """

    says: str
    side: str
    figure: str
    at_least: float | None = None
    at_most: float | None = None
    relative_to: str = ""
    only_full: bool = False

    def is_met_by(self, value: float) -> bool:
        """Whether a value is good enough."""
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)


@dataclass(frozen=True)
class Benchmark:
    """One comparison. `sides` prepares what they share in a folder, gives them, and cleans up.

    Attributes:
        figures: headings of the document's columns, by figure.
        quick, full: what `sides` gets, and the number of `repeats`; no `quick` where it would take too long.
        profiled: the sides of `--profile`, with the sizes that differ from the full ones.

    """

    name: str
    sides: Callable[[Sizes, Path], AbstractContextManager[Sequence[Side]]]
    figures: Mapping[str, str]
    full: Sizes
    quick: Sizes | None = None
    targets: tuple[Target, ...] = ()
    profiled: Mapping[str, Sizes] = field(default_factory=dict)
