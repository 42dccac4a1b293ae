"""The command line of the benchmarks."""

import sys

import pytest

from benchmarks.__main__ import main
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


def test_names_are_unique_and_every_target_is_of_a_figure_that_somebody_measures():
    assert len({benchmark.name for benchmark in BENCHMARKS}) == len(BENCHMARKS)
    for benchmark in BENCHMARKS:
        assert {target.figure for target in benchmark.targets} <= set(benchmark.figures)
