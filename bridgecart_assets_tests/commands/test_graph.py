"""`bridgecart graph`: a reader follows a table from its file to the records that were read."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from bridgecart_assets.cli import cli
from bridgecart_assets.commands.graph import table_graph
from bridgecart_assets.contracts import BEHIND_VIEWS, TABLES
from bridgecart_assets.sql.headers import headers


def graphs(*arguments: str) -> list[dict[str, Any]]:
    """What the command says as JSON."""
    result = CliRunner().invoke(cli, ["graph", "--json", *arguments])
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.output)
    return found


def test_a_tables_steps_come_in_order_with_what_each_needs_and_gives():
    (graph,) = graphs("gold.customer_scores")
    assert [step["file"] for step in graph["steps"]] == [
        "sql/gold/tmp_current_customers.sql",
        "sql/gold/tmp_trait_macros.sql",
        "sql/gold/tmp_traits.sql",
        "sql/gold/tmp_season.sql",
        "sql/gold/tmp_levels.sql",
        "sql/gold/tmp_purchase_forecasts.sql",
        "sql/gold/tmp_scored.sql",
        "sql/gold/customer_scores.sql",
    ]
    assert graph["steps"][0]["tables"] == ["gold.customer_features"]
    last = graph["steps"][-1]
    assert last["steps"] == ["versions_in_force", "scored"]
    assert (last["tables"], last["parameters"]) == (["gold.purchase_model"], ["churn_window_days"])
    assert last["gives"] == ["gold.customer_scores"]


def test_the_tables_behind_reach_back_to_the_records_each_after_its_own():
    behind = list(table_graph("kpi.clv_growth").behind)
    order = ["raw.orders", "silver.orders", "gold.customer_features", "gold.purchase_model", "gold.segment_model"]
    assert [table for table in behind if table in order] == order
    assert "gold.segment_flows" in behind
    assert "kpi.clv_growth" not in behind


def test_without_a_name_every_table_is_shown():
    assert [graph["table"] for graph in graphs()] == [*TABLES, *(table.full_name for table in BEHIND_VIEWS)]


def test_only_what_is_read_from_kafka_has_no_sql():
    assert {graph["table"] for graph in graphs() if not graph["steps"]} == {"raw.orders", "raw.batches"}


@pytest.mark.parametrize("table", ["gold.customer_scores", "gold/customer_scores"])
def test_a_person_reads_the_files_with_their_meaning(table: str):
    result = CliRunner().invoke(cli, ["graph", table])
    assert result.exit_code == 0
    assert f"8 sql/gold/customer_scores.sql: {headers()['gold/customer_scores'].meaning}" in result.output
    assert "parameters: $churn_window_days" in result.output
    assert result.output.rstrip().splitlines()[-1].startswith("  behind it: ")


@pytest.mark.parametrize(
    ("given", "near"),
    [("gold.customer_segment", "gold.customer_segments"), ("churn", "kpi.churn_rate"), ("orders", "silver.orders")],
)
def test_a_table_that_is_not_there_is_answered_with_the_nearest_name(given: str, near: str):
    result = CliRunner().invoke(cli, ["graph", given])
    assert result.exit_code == 2
    assert f"there is no table {given}; the nearest name is {near}" in result.output
