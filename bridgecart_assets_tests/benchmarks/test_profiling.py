"""Where the time of a side goes: statements by what they make."""

from pathlib import Path

import duckdb
import pytest

from benchmarks.benchmark import Side
from benchmarks.profiling import KEPT, kind_of, profile, recorded
from bridgecart_assets_tests.benchmarks import filling

FILLING = Side("filling", filling.fill_a_warehouse, {"rows": 2_000_000})


def test_the_statements_of_a_side_are_shown_by_kind_the_longest_first(tmp_path: Path):
    lines = [line.split(" s  ") for line in profile(FILLING, tmp_path)]
    seconds, kinds = [float(line[0]) for line in lines], [line[1] for line in lines]
    assert kinds[0] == "in all"
    assert kinds[1].endswith(" statements")
    assert seconds == sorted(seconds, reverse=True)
    assert "1 x create table main.numbers" in kinds
    assert "2 x select digit, count(*) from main.numbers group by digit" in kinds
    assert len(lines) == KEPT


def test_nothing_is_measured_after_the_block():
    execute = duckdb.DuckDBPyConnection.execute
    with duckdb.connect() as connection:
        with recorded() as statements:
            connection.execute("select 1")
        with pytest.raises(KeyError), recorded():
            raise KeyError
        connection.execute("select 2")
    assert duckdb.DuckDBPyConnection.execute == execute
    assert list(statements) == ["select 1"]


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
