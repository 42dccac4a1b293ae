"""What a benchmark is: its sides, its sizes, the figures it shows and the targets it is held to."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Scale = Literal["quick", "full"]
Sizes = Mapping[str, Any]
FIRST = "the first side"
# Of the document.
WIDTH = 120
Figures = dict[str, float]
"""What one run of a side found, by name. A name ends with its unit, unless it is a plain count."""


@dataclass(frozen=True)
class Side:
    """A function that a child process calls with these arguments; it returns the figures that it measured itself.

    So imports and set-up do not count unless the function says so. `missing` says why the side cannot be run here.
    """

    name: str
    function: Callable[..., Figures]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    python: str = sys.executable
    missing: str = ""


@dataclass(frozen=True)
class Figure:
    """A column of the document: a figure's name, its heading, and how many decimals it is shown with."""

    name: str
    heading: str
    decimals: int = 1


OUTSIDE = (Figure("cpu_seconds", "CPU of the process, s"), Figure("peak_megabytes", "Peak memory, MB", 0))
"""Measured from outside, imports included: processor time, which other work on the machine disturbs least, and resident
memory, both of the child and its descendants."""


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
class Profiled:
    """The side to profile at the full sizes, or at these where they are others."""

    side: str
    sizes: Sizes = field(default_factory=dict)


@dataclass(frozen=True)
class Benchmark:
    """One comparison. `sides` prepares what they share in a folder, gives them, and cleans up.

    Attributes:
        shows: what it measures and how, in a sentence or two.
        figures: the columns; the first is the one that ratios are made of.
        quick, full: the sizes that `sides` gets, and the number of `repeats`.
        limits: where a target is missed, what the time goes to, and so what it would take.
        profiles: the sides of which the document shows where their time goes.
        ratio_to: the side that ratios are relative to, or FIRST; empty where the sides are not to be compared.

    """

    name: str
    title: str
    shows: str
    sides: Callable[[Sizes, Path], AbstractContextManager[Sequence[Side]]]
    figures: tuple[Figure, ...]
    quick: Sizes | None
    full: Sizes
    targets: tuple[Target, ...] = ()
    ratio_to: str = ""
    limits: str = ""
    profiles: tuple[Profiled, ...] = ()

    def sizes(self, scale: Scale) -> Sizes | None:
        """The sizes of a scale; None when the benchmark is not part of it."""
        return self.quick if scale == "quick" else self.full
