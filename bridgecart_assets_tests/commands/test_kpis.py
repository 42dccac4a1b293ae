"""`bridgecart kpis`: its table, its JSON, and what it says where there is nothing to show."""

import json
from io import StringIO

import duckdb
import pytest
from rich.console import Console

from bridgecart_assets import contracts
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.kpis import print_kpis
from bridgecart_assets.contracts import SEGMENT_MODEL
from bridgecart_assets.warehouse.publishing import published_path
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.support.command_line import Bridgecart, assert_one_line

KPIS = {"clv_growth", "churn_rate", "average_order_value", "sales_contribution"}
KPI_FIELDS = {"segment_key", "segment", "period", "customers", *KPIS}


@pytest.mark.parametrize("arguments", [["kpis"], ["kpis", "--json"], ["kpis", "--period", "2025-01-01"]])
def test_kpis_before_the_first_run_say_what_to_do(bridgecart: Bridgecart, arguments: list[str]) -> None:
    assert_one_line(bridgecart(*arguments), "bridgecart run", "bridgecart demo")


def test_kpis_are_a_table_of_the_latest_complete_period(bridgecart: Bridgecart, filled: Warehouse) -> None:
    done = bridgecart("kpis")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("KPIs by segment, period from 2025-02-01\n")
    assert all(heading in done.out for heading in ("Segment", "Customers", "CLV growth", "Churn", "Share of sales"))
    assert bridgecart("kpis", "--period", "2025-03-01").out.startswith("KPIs by segment, period from 2025-03-01, still")


def test_a_column_of_dashes_has_its_reason_below_the_table(bridgecart: Bridgecart, filled: Warehouse) -> None:
    reason = "  No CLV growth: the first period: there is nothing to compare with.\n"
    assert reason in bridgecart("kpis", "--period", "2025-01-01").out
    assert "No CLV growth" not in bridgecart("kpis").out


def test_kpis_say_what_would_mislead_alone(capsys: pytest.CaptureFixture[str]) -> None:
    row = {
        **dict.fromkeys(kpi.column for kpi in contracts.KPIS),
        **dict.fromkeys(one.column for kpi in contracts.KPIS for one in kpi.beside),
        **{kpi.reason: next(iter(kpi.reasons)) for kpi in contracts.KPIS},
        "segment_key": "S01",
        "segment": "rare",
        "period": "2025-02-01",
        "is_complete": True,
        "customers": 9,
    }
    rows = [{**row, "refund_share": 0.8, "model_changed": True}]
    print_kpis(Console(file=StringIO()), rows, Settings(), period=None)
    told = capsys.readouterr().out
    assert "! S01 rare: Refunds take 80.0% of these sales.\n" in told
    assert "! The segment model changed in this period: who moved may have been relabelled.\n" in told
    print_kpis(
        Console(file=StringIO()), [{**row, "refund_share": 0.25, "model_changed": False}], Settings(), period=None
    )
    assert "!" not in capsys.readouterr().out


def test_the_table_says_whose_calendar_its_periods_are_of(
    bridgecart: Bridgecart, filled: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_CALENDAR_TIMEZONE", "Asia/Kolkata")
    assert bridgecart("kpis").out.splitlines().count("  Periods and days: in the shop's calendar (Asia/Kolkata).") == 1


def test_the_head_of_the_amounts_says_the_currency_of_the_shop(
    bridgecart: Bridgecart, filled: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bridgecart("kpis").out
    monkeypatch.setenv("BRIDGECART_CURRENCY", "EUR")
    assert (before.count("EUR"), bridgecart("kpis").out.count("Avg order, EUR ")) == (0, 1)


def test_a_period_that_is_not_there_is_wrong_usage_that_names_those_there_are(
    bridgecart: Bridgecart, filled: Warehouse
) -> None:
    assert_one_line(bridgecart("kpis", "--period", "2031-01-01"), "2025-01-01 to 2025-03-01", code=2)


def test_kpis_as_json_are_objects_with_the_fields_others_rely_on(bridgecart: Bridgecart, filled: Warehouse) -> None:
    done = bridgecart("kpis", "--json")
    listed = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert all(set(row) >= KPI_FIELDS for row in listed)
    assert {row["period"] for row in listed} == {"2025-01-01", "2025-02-01", "2025-03-01"}
    for row in listed:
        assert isinstance(row["customers"], int)
        assert isinstance(row["segment"], str)
        assert all(row[kpi] is None or isinstance(row[kpi], float) for kpi in KPIS)
    one = json.loads(bridgecart("kpis", "--json", "--period", "2025-02-01").out)
    assert one == [row for row in listed if row["period"] == "2025-02-01"]


def test_kpis_say_why_segments_are_fewer_than_asked_for(
    bridgecart: Bridgecart, filled: Warehouse, settings: Settings
) -> None:
    assert "asked for" not in bridgecart("kpis").out
    file = published_path(settings.published_dir, SEGMENT_MODEL)
    versions = (
        "values (1, 'active', 'As before.'), (2, 'active', '2 segments where 4 were asked for.'), (3, 'proposed', '')"
    )
    with duckdb.connect() as connection:
        connection.sql(f"select * from ({versions}) _(version, status, remarks)").write_parquet(str(file))
    assert bridgecart("kpis").out.endswith("2 segments where 4 were asked for.\n")
