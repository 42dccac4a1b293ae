"""Rounds, ratios and memory: what is made of what the children say."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.benchmark import Side
from benchmarks.measuring import (
    MEGABYTE,
    ChildFailed,
    alternate,
    median,
    median_ratio,
    peak_megabytes,
    run_child,
    sampled_memory,
)
from bridgecart_assets_tests.benchmarks import sides


def test_the_median_is_over_the_rounds_that_have_the_figure():
    rounds = [{"seconds": 3.0}, {"seconds": 1.0}, {"bytes": 9.0}, {"seconds": 2.0}]
    assert median(rounds, "seconds") == 2.0
    assert median(rounds, "orders") is None


def test_a_ratio_compares_the_sides_of_one_round_before_the_median_is_taken():
    # The machine was ten times slower in the second round: the ratio of the medians would be 11 / 5.
    ours = [{"seconds": 2.0}, {"seconds": 20.0}, {"seconds": 11.0}]
    theirs = [{"seconds": 1.0}, {"seconds": 10.0}, {"seconds": 5.0}]
    assert median_ratio(ours, theirs, "seconds") == 2.0


def test_a_round_whose_other_side_is_missing_has_no_ratio():
    assert median_ratio([{"seconds": 2.0}, {"seconds": 9.0}], [{"seconds": 1.0}], "seconds") == 2.0
    assert median_ratio([{"seconds": 2.0}], [], "seconds") is None
    assert median_ratio([{"seconds": 2.0}], [{"seconds": 0.0}], "seconds") is None


def test_sides_take_turns_and_each_round_has_an_empty_data_directory(tmp_path: Path):
    log = tmp_path / "log.txt"
    arguments = {"log": str(log)}
    made = [Side(name, sides.note, {**arguments, "name": name}) for name in ("one", "other")]
    first, second = alternate(made, 2, tmp_path)
    assert log.read_text().split() == ["one", "other", "one", "other"]
    assert [found["files"] for found in (*first.rounds, *second.rounds)] == [0, 0, 0, 0]


def test_a_side_that_cannot_be_run_says_why_and_the_others_go_on(tmp_path: Path):
    made = [
        Side("absent", sides.note, missing="no such program"),
        Side("broken", sides.fail),
        Side("sound", sides.hold, {"megabytes": 1}),
    ]
    absent, broken, sound = alternate(made, 2, tmp_path)
    assert (absent.not_run, absent.rounds) == ("no such program", [])
    assert (broken.not_run, broken.rounds) == ("RuntimeError: it broke", [])
    assert (sound.not_run, len(sound.rounds)) == ("", 2)


def test_peak_memory_is_that_of_the_process_and_its_descendants(tmp_path: Path):
    alone = run_child(Side("alone", sides.hold, {"megabytes": 100}), tmp_path)
    with_child = run_child(Side("with a child", sides.hold_in_a_child, {"megabytes": 100}), tmp_path)
    assert 100 < alone["peak_megabytes"] < 200
    assert with_child["peak_megabytes"] > 200


def test_processor_time_is_that_of_the_child_and_its_children(tmp_path: Path):
    idle = run_child(Side("idle", sides.hold, {"megabytes": 1}), tmp_path)
    busy = run_child(Side("busy", sides.work_in_a_child, {"seconds": 0.5}), tmp_path)
    assert busy["cpu_seconds"] > idle["cpu_seconds"] + 0.4


def test_memory_is_sampled_while_the_block_lasts():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        with sampled_memory(process.pid) as samples:
            time.sleep(0.5)
        taken = len(samples)
        process.communicate(b"\n")
    assert taken == len(samples) > 1
    assert peak_megabytes(samples) > 1
    assert peak_megabytes([3 * MEGABYTE, 5 * MEGABYTE, MEGABYTE]) == 5.0


def test_what_a_child_leaves_behind_ends_with_it(tmp_path: Path):
    marker = tmp_path / "alive.txt"
    with pytest.raises(ChildFailed, match="it broke"):
        run_child(Side("orphans", sides.leave_a_child_behind, {"marker": str(marker)}), tmp_path)
    size = marker.stat().st_size
    time.sleep(0.3)
    assert marker.stat().st_size == size
