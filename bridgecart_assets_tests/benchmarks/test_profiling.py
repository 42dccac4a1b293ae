"""Where the time of a side goes: statements as DuckDB measured them, and what py-spy saw."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import report, results
from benchmarks.benchmark import Side
from benchmarks.measuring import ChildFailed, run_child
from benchmarks.profiling import (
    KEPT_STATEMENTS,
    OTHERS,
    Profile,
    Work,
    activity,
    kind_of,
    profiled,
    recorded,
    sampled,
)
from benchmarks.results import ProfileResult
from bridgecart_assets.warehouse.storage.duckdb_instance import Attached
from bridgecart_assets_tests.benchmarks import filling, sides
from bridgecart_assets_tests.benchmarks.test_report import RACE, raced

FILLING = Side("filling", filling.fill_a_warehouse, {"rows": 2_000_000})


def test_every_statement_of_a_side_is_counted_with_the_time_of_its_operators(tmp_path: Path):
    profile = Profile.of({**run_child(profiled(FILLING), tmp_path), "samples": {}})
    by_kind = {work.statement: work for work in profile.work}
    assert profile.openings == 2
    read = by_kind["select digit, count(*) from main.numbers group by digit"]
    made = by_kind["create table main.numbers"]
    assert (read.times, made.times) == (2, 1)
    assert "table_scan main.numbers" in {name.lower() for name in read.operators}
    assert 0 < sum(read.operators.values()) <= 1.001 * read.engine_seconds
    assert 0 < sum(work.seconds for work in profile.work) < profile.seconds
    *longest, others = profile.work
    assert others.statement == OTHERS
    assert [work.seconds for work in longest] == sorted((work.seconds for work in longest), reverse=True)
    assert len(longest) == KEPT_STATEMENTS
    assert others.times > 3


def test_nothing_is_measured_after_the_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BRIDGECART_DATA_DIR", str(tmp_path))
    attach = Attached.to
    with recorded() as record:
        pass
    assert Attached.to == attach
    with pytest.raises(KeyError), recorded():
        raise KeyError
    assert Attached.to == attach
    filling.fill_a_warehouse(10)
    assert record.openings == 0


def test_py_spy_sees_what_the_main_thread_is_at(tmp_path: Path):
    try:
        found = sampled(replace(FILLING, arguments={"rows": 3_000_000}), tmp_path)
    except ChildFailed as failed:
        if "permission" in str(failed).lower():
            pytest.skip("no process may look into another one here, as in some containers")
        raise
    assert "imports" in found
    assert found.keys() & {"bridgecart_assets/warehouse/database", "Python"}
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_a_side_that_cannot_be_sampled_says_why(tmp_path: Path):
    with pytest.raises(ChildFailed, match="py-spy is missing"):
        sampled(Side("elsewhere", sides.fail, python=str(tmp_path / "python")), tmp_path)
    with pytest.raises(ChildFailed, match=r"it broke|[Pp]ermission"):
        sampled(Side("broken", sides.fail), tmp_path)


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("create or replace temp table bounds as select 1", "create or replace temp table bounds"),
        ("-- What it is.\ninsert into silver.orders (a)\nselect 1", "insert into silver.orders"),
        ("delete from raw.orders where batch_key = ?", "delete from raw.orders"),
        ("select 1,\n  2", "select 1, 2"),
    ],
)
def test_a_statement_is_named_by_what_it_makes_or_by_how_it_begins(sql: str, kind: str):
    assert kind_of(sql) == kind


@pytest.mark.parametrize(
    ("frames", "doing"),
    [
        (
            ["main (/w/benchmarks/child.py:3)", "run (/w/bridgecart_assets/sources/kafka/reading.py:9)"],
            "bridgecart_assets/kafka/reading",
        ),
        (
            [
                "run (/w/bridgecart_assets/commands/cli.py:9)",
                "emit (/v/site-packages/dagster/x.py:1)",
                "wait (/p/threading.py:1)",
            ],
            "dagster",
        ),
        (["run (/w/bridgecart_assets/commands/cli.py:9)", "_load (<frozen importlib._bootstrap>:1)"], "imports"),
        (["wait (/p/threading.py:1)"], "Python"),
    ],
)
def test_a_sample_belongs_to_the_innermost_package_or_module_of_ours(frames: list[str], doing: str):
    assert activity(frames) == doing


def test_a_profile_comes_back_from_its_file_and_stands_under_what_limits_the_benchmark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    work = [
        Work("insert into t0", 2, 10.0, 3.0, {"INSERT": 2.0, "PROJECTION": 1.0}),
        Work("select a || b", 1, 2.0, 0.0, {}),
        Work(OTHERS, 4, 3.0, 0.0, {}),
    ]
    stored = [ProfileResult.of(RACE, "hare", Profile(60.0, 7, work, {"dagster": 4.0, "imports": 1.0}))]
    results.write_profiles(RACE, stored, tmp_path)
    assert results.read_profiles(RACE, tmp_path) == stored
    monkeypatch.setattr(report, "BENCHMARKS", [replace(RACE, limits="Legs are short.")])
    results.write(raced(), tmp_path)
    lines = report.render(tmp_path).splitlines()
    below = lines[lines.index("Legs are short.") :]
    assert "| `insert into t0` | 2 | 10.00 | insert 2.00, projection 1.00 |" in below
    assert "| `select a \\|\\| b` | 1 | 2.00 |  |" in below
    assert "| all others | 4 | 3.00 |  |" in below
    assert "of which 15.0 s in 7 statements" in " ".join(below)
    assert any("dagster 4.0 s, imports 1.0 s." in line for line in below)
    assert any("`python -m benchmarks --profile race`" in line for line in below)
