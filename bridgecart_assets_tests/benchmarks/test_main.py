"""The command line of the benchmarks."""

import signal
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.__main__ import main
from benchmarks.benchmark import Benchmark, Side, Sizes
from benchmarks.measuring import ChildFailed
from benchmarks.report import BENCHMARKS


def test_an_unknown_name_is_wrong_usage_and_the_known_ones_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "ingets"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "ingets" in said
    assert [benchmark.name for benchmark in BENCHMARKS if benchmark.name not in said] == []


def test_a_benchmark_that_cannot_be_prepared_leaves_the_others_and_fails_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def unprepared(_sizes: Sizes, _folder: Path) -> AbstractContextManager[Sequence[Side]]:
        raise ChildFailed("no room")

    made = [Benchmark(name=name, sides=unprepared, figures={}, full={}, quick={}) for name in ("one", "other")]
    monkeypatch.setattr(report, "BENCHMARKS", made)
    monkeypatch.setattr(sys, "argv", ["benchmarks"])
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with pytest.raises(SystemExit) as ended:
        main()
    for number, handler in handlers.items():
        signal.signal(number, handler)
    assert ended.value.code == 1
    assert capsys.readouterr().err.splitlines() == ["one: no room", "other: no room"]


def test_names_are_unique_and_every_target_is_of_a_figure_that_somebody_measures():
    assert len({benchmark.name for benchmark in BENCHMARKS}) == len(BENCHMARKS)
    for benchmark in BENCHMARKS:
        assert {target.figure for target in benchmark.targets} <= set(benchmark.figures)
