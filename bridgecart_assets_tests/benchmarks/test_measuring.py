"""Rounds and what children take: what is made of what the children say."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.benchmark import Figures, Side
from benchmarks.measuring import ChildFailed, alternate, run_child
from bridgecart_assets_tests.benchmarks import sides


def measured(function: Callable[..., Figures], folder: Path, **arguments: object) -> Figures:
    return run_child(Side("a side", function, arguments, data_dir=folder))


def test_sides_take_turns_and_each_round_has_an_empty_data_directory(tmp_path: Path):
    log = tmp_path / "log.txt"
    made = [Side(name, sides.note, {"log": str(log), "name": name}) for name in ("one", "other")]
    rounds, failures = alternate(made, 2, tmp_path)
    assert log.read_text().split() == ["one", "other", "one", "other"]
    assert [found["side"] for found in rounds] == ["one", "other", "one", "other"]
    assert [found["files"] for found in rounds] == [0, 0, 0, 0]
    assert failures == {}


def test_rounds_that_share_a_data_directory_find_what_the_one_before_left(tmp_path: Path):
    shared = tmp_path / "shared"
    shared.mkdir()
    side = Side("one", sides.note, {"log": str(tmp_path / "log.txt"), "name": "one"}, data_dir=shared)
    rounds, _ = alternate([side], 2, tmp_path)
    assert [found["files"] for found in rounds] == [0, 1]


def test_a_side_that_fails_says_why_and_the_others_go_on(tmp_path: Path):
    made = [Side("broken", sides.fail), Side("sound", sides.hold, {"megabytes": 1})]
    rounds, failures = alternate(made, 2, tmp_path)
    assert failures == {"broken": "RuntimeError: it broke"}
    assert [found["side"] for found in rounds] == ["sound", "sound"]


def test_a_side_may_have_an_interpreter_and_variables_of_its_own(tmp_path: Path):
    absent = Side("absent", sides.hold, {"megabytes": 1}, python=str(tmp_path / "no-python"))
    _, failures = alternate([absent], 1, tmp_path)
    assert "no-python" in failures["absent"]
    told = run_child(Side("told", sides.variable, {"name": "ASKED"}, data_dir=tmp_path, variables={"ASKED": "7"}))
    assert told["variable"] == 7


def test_a_side_of_another_checkout_runs_the_code_of_that_one(tmp_path: Path):
    other = tmp_path / sides.__name__.replace(".", "/")
    other.parent.mkdir(parents=True)
    other.with_suffix(".py").write_text("def fail():\n    return {'version': 1}\n")
    (rounds, failures) = alternate([Side("before", sides.fail, checkout=tmp_path)], 1, tmp_path)
    assert ([found["version"] for found in rounds], failures) == ([1], {})


def test_peak_memory_is_that_of_the_process_and_its_descendants(tmp_path: Path):
    alone = measured(sides.hold, tmp_path, megabytes=100)
    with_child = measured(sides.hold_in_a_child, tmp_path, megabytes=100)
    assert 100 < alone["peak_megabytes"] < 200
    assert with_child["peak_megabytes"] > 200


def test_processor_time_is_that_of_the_child_and_its_children(tmp_path: Path):
    idle = measured(sides.hold, tmp_path, megabytes=1)
    busy = measured(sides.work_in_a_child, tmp_path, seconds=0.5)
    assert busy["cpu_seconds"] > idle["cpu_seconds"] + 0.4


def test_what_a_child_leaves_behind_ends_with_it(tmp_path: Path):
    marker = tmp_path / "alive.txt"
    with pytest.raises(ChildFailed, match="it broke"):
        measured(sides.leave_a_child_behind, tmp_path, marker=str(marker))
    size = marker.stat().st_size
    time.sleep(0.3)
    assert marker.stat().st_size == size
