"""The document's tables are what the stored figures give, and nothing else."""

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks import costs, report
from benchmarks.benchmark import Benchmark, Side, Sizes, Target
from benchmarks.results import Result, origin


@contextmanager
def no_sides(_sizes: Sizes, _folder: Path) -> Iterator[Sequence[Side]]:
    yield []


RACE = Benchmark(
    name="race",
    sides=no_sides,
    figures={"orders_per_second": "Orders/s", "peak_megabytes": "Peak memory, MB"},
    quick={"orders": 1_000, "repeats": 2},
    full={"orders": 1_000_000, "repeats": 2},
    targets=(
        Target("ten times", "hare", "orders_per_second", at_least=10, relative_to="tortoise"),
        Target("at most 100 MB", "hare", "peak_megabytes", at_most=100),
        Target("a million", "hare", "orders_per_second", at_least=1_000_000, only_full=True),
        Target("what nobody ran", "snail", "orders_per_second", at_least=1),
    ),
)
ORIGIN = {"measured_on": "2026-11-28", "commit": "abc", "machine": "2 cores"}
DOCUMENT = "<!-- figures: targets -->\n| old |\nBy hand.\n<!-- figures: race -->\n"


def raced(**changed: Any) -> Result:
    rounds = [
        {"side": "hare", "orders_per_second": 3_000.0, "peak_megabytes": 120.0},
        {"side": "tortoise", "orders_per_second": 250.0},
        {"side": "hare", "orders_per_second": 1_000.0},
        {"side": "tortoise", "orders_per_second": 100.0},
    ]
    found: dict[str, Any] = {"sizes": RACE.quick, "rounds": rounds, "failures": {"snail": "it sleeps"}}
    return Result(**{"benchmark": "race", "scale": "quick", **found, **ORIGIN, **changed})


def test_a_row_has_medians_and_a_side_that_failed_says_why():
    assert report.table(RACE, raced()) == [
        ("", "Orders/s", "Peak memory, MB"),
        ("hare", "2,000", "120"),
        ("tortoise", "175", "-"),
        ("snail: it sleeps", "-", "-"),
    ]


def test_a_benchmark_of_which_every_side_failed_says_why():
    failed = raced(rounds=[])
    assert report.table(RACE, failed)[1:] == [("snail: it sleeps", "-", "-")]
    assert report.verdicts(RACE, [failed]) == []


def test_a_median_is_over_the_rounds_that_have_the_figure():
    seconds = [3.0, 1.0, None, 2.0]
    rounds = [{"side": "hare", **({"seconds": value} if value else {"bytes": 9.0})} for value in seconds]
    assert raced(rounds=rounds).reached("hare", "seconds") == 2.0
    assert math.isnan(raced(rounds=rounds).reached("hare", "orders"))


def test_a_ratio_compares_the_sides_of_one_round_before_the_median_is_taken():
    # The machine was ten times slower in the second round: the ratio of the medians would be 11 / 5.
    pairs = [(2.0, 1.0), (20.0, 10.0), (11.0, 5.0)]
    rounds = [{"side": side, "seconds": v} for pair in pairs for side, v in zip(("ours", "theirs"), pair, strict=True)]
    assert raced(rounds=rounds).reached("ours", "seconds", "theirs") == 2.0


def test_a_round_whose_other_side_is_missing_has_no_ratio():
    rounds = [{"side": side, "seconds": value} for side, value in (("ours", 2.0), ("theirs", 1.0), ("ours", 9.0))]
    assert raced(rounds=rounds).reached("ours", "seconds", "theirs") == 2.0
    assert math.isnan(raced(rounds=rounds).reached("ours", "seconds", "nobody"))


def test_a_target_says_what_was_reached_and_how_and_one_that_these_sizes_do_not_tell_says_nothing():
    where = ("`--quick race`", "2026-11-28")
    assert report.verdicts(RACE, [raced()]) == [
        ("ten times", "11.0", "met", *where),
        ("at most 100 MB", "120", "**missed**", *where),
    ]


def test_a_target_is_told_by_the_full_sizes_where_they_were_measured():
    full, quick = raced(scale="full"), raced()
    assert {row[3] for row in report.verdicts(RACE, [full, quick])} == {"`--full race`"}
    only_memory = raced(scale="full", rounds=[{"side": "hare", "peak_megabytes": 90.0}])
    assert [row[1:4] for row in report.verdicts(RACE, [only_memory, quick])] == [
        ("11.0", "met", "`--quick race`"),
        ("90.0", "met", "`--full race`"),
    ]


def test_tables_go_under_their_marks_and_what_is_written_by_hand_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(report, "BENCHMARKS", [RACE])
    raced().write(tmp_path)
    rendered = report.render(DOCUMENT, tmp_path)
    lines = rendered.splitlines()
    assert "| old |" not in lines
    assert lines.index("| ten times | 11.0 | met | `--quick race` | 2026-11-28 |") < lines.index("By hand.")
    assert lines.index("By hand.") < lines.index("| hare | 2,000 | 120 |")
    assert report.render(rendered, tmp_path) == rendered


def test_a_benchmark_without_figures_has_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(report, "BENCHMARKS", [RACE])
    assert "hare" not in report.render(DOCUMENT, tmp_path)


def test_figures_come_back_from_their_file_as_they_were(tmp_path: Path):
    result = raced()
    file = result.write(tmp_path)
    assert Result.read("race", "quick", tmp_path) == result
    assert Result.read("race", "full", tmp_path) is None
    written = file.read_bytes()
    result.write(tmp_path)
    assert file.read_bytes() == written


def test_the_document_is_what_the_committed_figures_give():
    document = report.DOCUMENT.read_text(encoding="utf-8")
    assert document == report.render(document), "run: python -m benchmarks.report"


def test_the_document_begins_with_the_targets_and_reads_in_five_minutes():
    document = report.DOCUMENT.read_text(encoding="utf-8")
    assert document.index("<!-- figures: targets -->") == document.index("<!-- figures: ")
    words = [word for word in document.split() if word.strip("|-:")]
    assert len(words) <= 1_300


def test_costs_are_a_line_through_the_histories_that_were_measured_and_say_how_far_it_is_off():
    seconds = {"1,000,000 orders, same day": [4.0, 4.2, 9.0], "10,000,000 orders, same day": [6.0]}
    # A new day was measured on one history only, which is no line.
    seconds |= {"1,000,000 orders, new day": [8.0]}
    rounds = [{"side": side, "seconds": value} for side, values in seconds.items() for value in values]
    result = raced(benchmark="growing_history", sizes={"history": [10**6, 10**7]}, rounds=rounds)
    anew = [{"side": f"{n:,} orders, Spark", "seconds": s} for n, s in ((10**6, 30.0), (10**7, 120.0))]
    engines = raced(benchmark="engines", sizes={"history": [10**6, 10**7]}, rounds=anew)
    assert costs.rows_of([result, engines])[1:] == [
        ("a batch of 10,000, same day", "4.00", "0.20", "204.00", "0.00"),
        ("everybody anew, Spark", "20.00", "10.00", "10,020.00", "0.00"),
    ]
    fixed, each, off = costs.fit([10**6, 10**7, 10**8], [1.1, 2.0, 9.9])
    # A tenth off of the shortest history and of the longest: none counts for nothing.
    assert 0.9 < fixed < 1.2
    assert 0.08 < each * 10**6 < 0.1
    assert 0 < off < 0.1


def test_what_is_measured_now_says_on_which_machine_and_of_which_commit():
    now = origin()
    assert "cores" in now["machine"]
    assert "duckdb" in now["machine"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", now["measured_on"])


@pytest.mark.parametrize("benchmark", report.BENCHMARKS, ids=lambda benchmark: benchmark.name)
def test_a_stored_result_has_a_machine_a_commit_and_figures_of_sides_that_are_shown(benchmark: Benchmark):
    for scale in report.SCALES:
        result = Result.read(benchmark.name, scale)
        if result is not None:
            assert (result.benchmark, result.scale) == (benchmark.name, scale)
            assert "cores" in result.machine
            assert "duckdb" in result.machine
            assert result.commit
            assert set(benchmark.figures) <= {name for found in result.rounds for name in found}


@pytest.mark.parametrize("benchmark", report.BENCHMARKS, ids=lambda benchmark: benchmark.name)
def test_every_target_has_been_measured(benchmark: Benchmark):
    results = [result for scale in report.SCALES if (result := Result.read(benchmark.name, scale))]
    assert [row[0] for row in report.verdicts(benchmark, results)] == [target.says for target in benchmark.targets]
