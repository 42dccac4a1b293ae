"""The cost model: what a run takes per order, customer, snapshot and batch, fitted to what `costs.py` measured.

Every quantity is a sum of non-negative costs, by least squares of the relative errors (Lawson and Hanson's NNLS), so a
small history weighs as much as a large one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill

import numpy as np
from scipy.optimize import nnls

from benchmarks.benchmark import WIDTH, Figures
from benchmarks.measuring import MEGABYTE
from benchmarks.results import Result

FIXED = "fixed"
STORED = (FIXED, "orders", "customers", "snapshots")
PER_BATCH = (*STORED, "batch")
# What a cost is of, and in how many of it the document states it.
UNITS = {
    FIXED: (1, "a run"),
    "batch": (10_000, "10,000 orders of the batch"),
    "orders": (1_000_000, "1,000,000 orders"),
    "customers": (1_000_000, "1,000,000 customers"),
    "snapshots": (1_000_000, "1,000,000 snapshots (a customer as of a period)"),
}

CONCLUSION = (
    (
        "On these two cores the time of a batch gives first. Memory stays within its limit, because "
        "everything is made in parts of the customers; the file fits on a disk; to make everything anew once "
        "a day is a matter of an hour. But a batch takes minutes where seconds are wanted: the rows of its "
        "customers are looked for among those of all."
    ),
    (
        "What then moves to a distributed engine are the tables of customers (customers, features, segments, "
        "snapshots, membership) and the search for their orders, partitioned by `customer_hash` as the parts "
        "are here already, so that every worker searches its own share. Raw and silver can stay, since what "
        "they cost a batch does not depend on the history, and so can the KPIs, which are sums over some "
        "thousand rows of `gold.segment_flows`."
    ),
)


@dataclass(frozen=True)
class Model:
    """A quantity as a sum of costs, each by how much there is of something."""

    costs: Mapping[str, float]

    @classmethod
    def fit(cls, terms: Sequence[str], cases: Sequence[Mapping[str, float]], values: Sequence[float]) -> "Model":
        """The costs that come nearest to all values. `cases`: how much there was of each term, `fixed` being 1."""
        amounts = np.array([[case.get(term, 1.0) / UNITS[term][0] for term in terms] for case in cases])
        found, _ = nnls(amounts / np.array(values)[:, None], np.ones(len(values)))
        return cls({term: float(cost) / UNITS[term][0] for term, cost in zip(terms, found, strict=True)})

    def of(self, case: Mapping[str, float]) -> float:
        """The quantity where there is so much."""
        return sum(self.parts(case).values())

    def parts(self, case: Mapping[str, float]) -> dict[str, float]:
        """What each term contributes."""
        return {term: cost * case.get(term, 1.0) for term, cost in self.costs.items()}


@dataclass(frozen=True)
class CostModel:
    """Seconds of making everything anew and of a batch, and the size of the file in bytes."""

    whole: Model
    batch: Model
    file: Model

    @classmethod
    def fit(cls, measured: Sequence[Figures]) -> "CostModel":
        """The model of these measurements of `costs.measure`."""
        batches = [case for found in measured for case in _batches(found)]
        return cls(
            Model.fit(STORED, measured, [found["whole_seconds"] for found in measured]),
            Model.fit(PER_BATCH, [case for case, _ in batches], [seconds for _, seconds in batches]),
            Model.fit(STORED, measured, [found["file_bytes"] for found in measured]),
        )


def _batches(found: Figures) -> list[tuple[dict[str, float], float]]:
    return [({**found, "batch": found[size]}, found[f"{size}_seconds"]) for size in ("few", "many")]


def section(result: Result) -> list[str]:
    """The end of the document: the costs, how they meet the shape that was left out, and a billion orders."""
    *fitted, held_out = [side for side in result.sides if side.rounds]
    model = CostModel.fit([side.rounds[0] for side in fitted])
    return [
        "## Cost model",
        "",
        f"Fitted to {len(fitted)} of the histories above (`benchmarks/cost_model.py`); no cost is negative.",
        "",
        *_costs_table(model),
        "",
        f"Checked on the one that the fit has not seen, {held_out.side}:",
        "",
        *_check_table(model, held_out.rounds[0]),
        "",
        *_billion(model, held_out.rounds[0]),
        "",
        "\n\n".join(fill(paragraph, WIDTH) for paragraph in CONCLUSION),
    ]


def _costs_table(model: CostModel) -> list[str]:
    lines = ["| For every | Everything anew, s | A batch, s | File, MB |", "| --- | ---: | ---: | ---: |"]
    for term in (FIXED, "batch", "orders", "customers", "snapshots"):
        size, label = UNITS[term]
        cells = [
            _cost(model.whole, term, size),
            _cost(model.batch, term, size),
            _cost(model.file, term, size / MEGABYTE),
        ]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return lines


def _cost(model: Model, term: str, size: float) -> str:
    return f"{model.costs[term] * size:,.2f}" if term in model.costs else "-"


def _check_table(model: CostModel, found: Figures) -> list[str]:
    batches = _batches(found)
    checked = [
        ("everything anew, s", model.whole.of(found), found["whole_seconds"]),
        *((f"a batch of {case['batch']:,.0f}, s", model.batch.of(case), seconds) for case, seconds in batches),
        ("file, MB", model.file.of(found) / MEGABYTE, found["file_bytes"] / MEGABYTE),
    ]
    lines = ["|  | Model | Measured | Ratio |", "| --- | ---: | ---: | ---: |"]
    return [*lines, *(f"| {name} | {said:,.1f} | {was:,.1f} | {said / was:.2f} |" for name, said, was in checked)]


def _billion(model: CostModel, like: Figures) -> list[str]:
    """A billion orders in a history of the same kind, and what of it costs most."""
    times = 1e9 / like["orders"]
    case = {term: like[term] * times for term in ("orders", "customers", "snapshots")} | {"batch": 10_000.0}
    lines = [
        f"**A billion orders** of {case['customers']:,.0f} customers, {case['snapshots']:,.0f} snapshots:",
        "",
        "|  | In all | Orders | Customers | Snapshots |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, of, unit, decimals in (
        ("everything anew, minutes", model.whole, 60.0, 0),
        ("a batch of 10,000, s", model.batch, 1.0, 0),
        ("file, GB", model.file, 1024.0 * MEGABYTE, 0),
    ):
        parts = of.parts(case)
        shown = [sum(parts.values()), *(parts[term] for term in ("orders", "customers", "snapshots"))]
        lines.append(f"| {name} | {' | '.join(f'{part / unit:,.{decimals}f}' for part in shown)} |")
    return lines
