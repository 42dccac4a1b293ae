"""The cost model: what takes how long by the length of the history, fitted to what was measured."""

from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.engines import BY
from benchmarks.growing_history import KINDS
from benchmarks.results import Result

MILLION, BILLION = 10**6, 10**9
_HEAD = ("", "Fixed, s", "Every million orders, s", "A billion orders, s", "Off by at most, %")


_MEASURED = {"growing_history": ("a batch of 10,000, ", KINDS), "engines": ("everybody anew, ", BY)}


def rows_of(results: Sequence[Result]) -> list[Sequence[str]]:
    """A row a kind of work: wall seconds by the number of orders, in a straight line."""
    return [_HEAD, *(row for result in results for row in _rows(result))]


def _rows(result: Result) -> Iterator[Sequence[str]]:
    seconds = result.medians(["seconds"])["seconds"]
    what, kinds = _MEASURED[result.benchmark]
    for kind in kinds:
        found = {n: seconds[name] for n in result.sizes["history"] if (name := kind.format(n)) in seconds}
        if len(found) > 1:
            fixed, each, off = fit(list(found), list(found.values()))
            figures = (fixed, each * MILLION, fixed + each * BILLION, 100 * off)
            yield f"{what}{kind.partition(', ')[2]}", *(f"{figure:,.2f}" for figure in figures)


def fit(orders: Sequence[int], seconds: Sequence[float]) -> tuple[float, float, float]:
    """The seconds of any history and those of every order, and by how much they are off at worst.

    A second of few counts as much as one of many: the squares are those of shares.
    """
    terms = np.column_stack([np.ones(len(orders)), orders]) / np.array(seconds)[:, None]
    (fixed, each), *_ = np.linalg.lstsq(terms, np.ones(len(orders)), rcond=None)
    return float(fixed), float(each), float(np.abs(terms @ [fixed, each] - 1).max())
