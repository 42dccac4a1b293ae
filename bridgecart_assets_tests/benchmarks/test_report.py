"""The document is what the stored figures give, and nothing else."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import report, results
from benchmarks.benchmark import FIRST, Benchmark, Figure, Side, Sizes, Target
from benchmarks.catalog import BENCHMARKS
from benchmarks.measuring import Rounds
from benchmarks.results import Result


@contextmanager
def no_sides(_sizes: Sizes, _folder: Path) -> Iterator[Sequence[Side]]:
    yield []


RACE = Benchmark(
    name="race",
    title="A race",
    shows="Who is faster.",
    sides=no_sides,
    figures=(Figure("orders_per_second", "Orders/s", 0), Figure("peak_megabytes", "Peak memory, MB", 0)),
    ratio_to="tortoise",
    quick={"orders": 1_000, "repeats": 2},
    full={"orders": 1_000_000, "repeats": 2},
    targets=(
        Target("ten times", side="hare", figure="orders_per_second", relative_to="tortoise", at_least=10),
        Target("at most 100 MB", side="hare", figure="peak_megabytes", at_most=100),
        Target("a million", side="hare", figure="orders_per_second", at_least=1_000_000, only_full=True),
        Target("what nobody ran", side="snail", figure="orders_per_second", at_least=1),
    ),
)


def raced() -> Result:
    hare = [{"orders_per_second": 3_000.0, "peak_megabytes": 120.0}, {"orders_per_second": 1_000.0}]
    tortoise = [{"orders_per_second": 250.0}, {"orders_per_second": 100.0}]
    sides = [Rounds("hare", hare), Rounds("tortoise", tortoise), Rounds("snail", [], "it sleeps")]
    return Result.of(RACE, "quick", RACE.full, sides)


def test_a_row_has_medians_and_the_ratio_and_a_side_that_was_not_run_says_why():
    assert report.table(RACE, raced()) == [
        "|  | Orders/s | Ratio | Peak memory, MB |",
        "| --- | ---: | ---: | ---: |",
        "| hare | 2,000 | 11.00 | 120 |",
        "| tortoise | 175 | 1.00 | - |",
        "| snail | - | - | - |",
        "",
        "snail: not run: it sleeps",
    ]


def test_ratios_may_be_to_whichever_side_comes_first():
    by_first = Benchmark(**{**vars(RACE), "ratio_to": FIRST})
    assert [line.split(" | ")[2] for line in report.table(by_first, raced())[2:4]] == ["1.00", "0.09"]


def test_a_target_says_what_was_reached_and_one_that_these_sizes_do_not_tell_says_nothing():
    assert report.verdicts(RACE, [raced()]) == [
        "",
        "- Target: ten times. quick: 11.00, met.",
        "- Target: at most 100 MB. quick: 120, **missed**.",
    ]


def test_what_limits_a_benchmark_stands_under_its_targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    limited = replace(RACE, limits="Legs are short.")
    monkeypatch.setattr(report, "BENCHMARKS", [limited])
    results.write(raced(), tmp_path)
    lines = report.render(tmp_path).splitlines()
    assert lines[lines.index("Legs are short.") - 2].startswith("- Target: ")


def test_figures_come_back_from_their_file_as_they_were(tmp_path: Path):
    result = raced()
    file = results.write(result, tmp_path)
    assert results.read("race", "quick", tmp_path) == result
    assert results.read("race", "full", tmp_path) is None
    written = file.read_bytes()
    results.write(result, tmp_path)
    assert file.read_bytes() == written


def test_the_document_is_what_the_committed_figures_give():
    assert report.DOCUMENT.read_text(encoding="utf-8") == report.render(), "run: python -m benchmarks.report"


def test_a_benchmark_without_figures_is_not_in_the_document(tmp_path: Path):
    assert report.render(tmp_path) == f"{report.HEAD}\n"


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda benchmark: benchmark.name)
def test_a_stored_result_names_its_command_its_machine_and_no_place_of_it(benchmark: Benchmark):
    for scale in report.SCALES:
        result = results.read(benchmark.name, scale)
        if result is not None:
            assert result.command == f"python -m benchmarks --{scale} {benchmark.name}"
            assert {"cores", "memory_megabytes", "versions"} <= result.machine.keys()
            assert not [found for side in result.sides for found in side.rounds if not found]
