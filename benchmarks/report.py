"""The tables of `docs/performance.md` from the stored figures; `python -m benchmarks.report` writes them.

A table stands under `<!-- figures: NAME -->`; everything else is written by hand.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks import costs, end_to_end, engines, growing_history, importing, ingest, large_batches, mapping, model, up
from benchmarks.benchmark import Benchmark, Scale
from benchmarks.measuring import ROOT
from benchmarks.results import RESULTS, Result

DOCUMENT = ROOT / "docs" / "performance.md"
# In the order of the document.
BENCHMARKS = (
    ingest.INGEST,
    mapping.MAPPING,
    importing.IMPORT,
    end_to_end.END_TO_END,
    growing_history.GROWING_HISTORY,
    engines.ENGINES,
    large_batches.LARGE_BATCHES,
    up.FRESHNESS,
    up.OVERHEADS,
    model.MODEL,
    growing_history.PAGE,
    ingest.DISK,
    ingest.GENERATOR,
)
SCALES: tuple[Scale, ...] = ("full", "quick")
Row = Sequence[str]
_BLOCK = re.compile(r"(<!-- figures: (\w+) -->\n)(?:\|.*\n)*")


def write() -> None:
    """Put the figures into the document."""
    DOCUMENT.write_text(render(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")


def render(document: str, folder: Path = RESULTS) -> str:
    """The document with the figures of the folder: the same ones give the same bytes."""
    blocks: dict[str, Sequence[Row]] = {}
    targets: list[Row] = [("Target", "Measured", "", "`python -m benchmarks ...`", "On")]
    for benchmark in BENCHMARKS:
        results = [result for scale in SCALES if (result := Result.read(benchmark.name, scale, folder))]
        blocks[benchmark.name] = table(benchmark, results[0]) if results else ()
        targets += verdicts(benchmark, results)
    blocks["targets"] = targets
    grown = (growing_history.GROWING_HISTORY, engines.ENGINES)
    blocks["costs"] = costs.rows_of([r for one in grown if (r := Result.read(one.name, "full", folder))])
    return _BLOCK.sub(lambda found: found[1] + _lines(blocks[found[2]]), document)


def verdicts(benchmark: Benchmark, results: Sequence[Result]) -> list[Row]:
    """A row per target: what the first of the results reached that tells, and how to measure it again."""
    rows: list[Row] = []
    for target in benchmark.targets:
        telling = [result for result in results if result.scale == "full" or not target.only_full]
        reached = [(result, result.reached(target.side, target.figure, target.relative_to)) for result in telling]
        for result, value in [(result, value) for result, value in reached if not math.isnan(value)][:1]:
            verdict = "met" if target.is_met_by(value) else "**missed**"
            rows.append(
                (target.says, number(value), verdict, f"`--{result.scale} {benchmark.name}`", result.measured_on)
            )
    return rows


def table(benchmark: Benchmark, result: Result) -> list[Row]:
    """A row of medians per side; a side that failed says why."""
    medians = result.medians(benchmark.figures).itertuples()
    rows = [(str(side), *map(number, values)) for side, *values in medians]
    failures = [(f"{side}: {failure}", *("-" for _ in benchmark.figures)) for side, failure in result.failures.items()]
    return [("", *benchmark.figures.values()), *rows, *failures]


def number(value: float) -> str:
    """Three figures at least, no more decimals than they take."""
    if math.isnan(value):
        return "-"
    return f"{value:,.{2 if abs(value) < 10 else 1 if abs(value) < 100 else 0}f}"


def _lines(rows: Sequence[Row]) -> str:
    head, *body = [f"| {' | '.join(cells)} |\n" for cells in rows] or [""]
    rule = f"|---|{'---:|' * (len(rows[0]) - 1)}\n" if rows else ""
    return "".join([head, rule, *body])


if __name__ == "__main__":
    write()
