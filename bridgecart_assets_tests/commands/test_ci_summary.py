"""Summaries for a pull request and for a CI's test report."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.ci_summary import SummaryNotWritten, junit, markdown, summarised
from bridgecart_assets.commands.run_pipeline import CheckResult, RunFailed, Summary

PASSED = CheckResult("raw/orders", "raw_lost_nothing", "ERROR", "", passed=True)
WARNED = CheckResult("silver/orders", "silver_reject_share_is_low", "WARN", "2 row(s) break the rule.", passed=False)
FAILED = CheckResult("kpi/churn_rate", "churn_is_consistent", "ERROR", "1 row | <b>breaks</b>\nthe rule.", passed=False)
KPI = {
    "segment_key": "S01",
    "segment": "rare, <script>",
    "period": "2025-12-01",
    "is_complete": True,
    "model_changed": False,
    "customers": 1_731,
    "clv_growth": 0.075,
    "churn_rate": None,
    "average_order_value": 22_005.67,
    "refund_share": 0.25,
    "average_order_value_after_refunds": 16_504.25,
    "sales_contribution": 0.317,
    "closing_sales_contribution": 0.317,
    "largest_customer_at_most": 0.03,
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


def summary(*results: CheckResult) -> Summary:
    return Summary(batches=["b"], records=1_700, orders=1_600, duplicates=90, rejected=10, results=list(results))


@pytest.mark.parametrize(
    ("results", "verdict"),
    [((PASSED,), "all good"), ((PASSED, WARNED), "good, with warnings"), ((PASSED, WARNED, FAILED), "failed")],
)
def test_markdown_begins_with_the_verdict_and_counts_records_and_checks(results: tuple[CheckResult, ...], verdict: str):
    title, _, counts, *_ = markdown(summary(*results), []).splitlines()
    assert title == f"## BridgeCart: {verdict}"
    assert counts == (
        f"1,700 records in 1 batch(es): 1,600 orders, 90 duplicates, 10 rejected. 1 of {len(results)} checks passed."
    )


def test_events_beside_the_orders_are_counted_where_there_are_any():
    taken_in = Summary(records=10, orders=1, lines=4, conflicting=3, superseded=2)
    ends = ["1 orders", "4 lines of orders", "0 duplicates", "3 conflicting", "2 superseded", "0 rejected"]
    assert taken_in.ends() == ends


def test_markdown_names_what_failed_with_its_remedy_and_nothing_in_it_is_markup():
    lines = markdown(summary(PASSED, FAILED), [KPI], "the <topic> is *gone*").splitlines()
    assert r"**the \<topic\> is \*gone\***" in lines
    assert r"| ERROR | kpi/churn\_rate | churn\_is\_consistent | 1 row \| \<b\>breaks\</b\> the rule. |" in lines
    assert r"| S01 rare, \<script\> | 1,731 | 7.5% | - | 22,005.67 | 31.7% |" in lines


def test_the_head_of_the_amounts_says_the_currency_of_the_shop():
    (head,) = [line for line in markdown(summary(PASSED), [KPI], currency="INR").splitlines() if "| Segment" in line]
    assert "| Average order, INR |" in head


def test_the_kpis_are_those_of_the_latest_complete_period_with_the_latest_churn_rates_that_there_are():
    rows = [
        {**KPI, "period": "2025-10-01", "churn_rate": 0.387},
        {**KPI, "period": "2025-11-01", "customers": 1_700},
        KPI,
        {**KPI, "period": "2026-01-01", "is_complete": False, "customers": 1_800},
    ]
    lines = markdown(summary(PASSED), rows).splitlines()
    assert (
        "KPIs of the period from 2025-12-01; churn rates, of those active when it opened, of that from 2025-10-01, "
        "the latest whose window is over:" in lines
    )
    assert [line for line in lines if line.startswith("| S01")] == [
        r"| S01 rare, \<script\> | 1,731 | 7.5% | 38.7% | 22,005.67 | 31.7% |"
    ]
    assert "KPIs of the period from 2025-12-01; no churn window is over yet:" in markdown(summary(PASSED), [KPI])


def test_what_would_mislead_alone_stands_below_the_kpis():
    new = {**KPI, "segment_key": "new", "segment": "new", "refund_share": 0.256, "largest_customer_at_most": 0.97}
    rows = [KPI, {**new, "model_changed": True}]
    assert [line for line in markdown(summary(PASSED), rows).splitlines() if line.startswith("- ")] == [
        "- new: Refunds take 25.6% of these sales.",
        "- new: As much as 97.0% of these sales may be one customer's.",
        "- The segment model changed in this period: who moved may have been relabelled.",
    ]
    assert [line for line in markdown(summary(PASSED), [KPI]).splitlines() if line.startswith("- ")] == []


def test_junit_has_a_case_for_every_check_and_one_for_the_run():
    root = ElementTree.fromstring(junit(summary(PASSED, WARNED, FAILED), "no \x00 answer"))
    (suite,) = root
    assert {name: suite.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "4",
        "failures": "2",
        "errors": "1",
    }
    found = [(case.get("classname"), case.get("name"), [part.tag for part in case]) for case in suite]
    assert found == [
        ("bridgecart", "run", ["error"]),
        ("bridgecart.raw.orders", "raw_lost_nothing", []),
        ("bridgecart.silver.orders", "silver_reject_share_is_low", ["failure"]),
        ("bridgecart.kpi.churn_rate", "churn_is_consistent", ["failure"]),
    ]
    assert [(f.get("type"), f.get("message")) for f in suite.iter("failure")] == [
        ("WARN", WARNED.says),
        ("ERROR", FAILED.says),
    ]
    assert [error.get("message") for error in suite.iter("error")] == ["no  answer"]


def test_summaries_are_written_also_of_a_run_that_fails_and_markdown_is_added_to_what_is_there(
    tmp_path: Path, settings: Settings
):
    text, xml = tmp_path / "summary.md", tmp_path / "checks.xml"
    text.write_text("another step\n")

    def run() -> None:
        with summarised([text, xml], settings) as filled:
            filled.results.append(PASSED)
            raise RunFailed("the broker is gone")

    with pytest.raises(RunFailed):
        run()
    assert text.read_text().startswith("another step\n## BridgeCart: failed\n")
    assert "**the broker is gone**" in text.read_text()
    assert ElementTree.parse(xml).getroot()[0].get("errors") == "1"


def test_a_run_that_was_interrupted_is_not_all_good(tmp_path: Path, settings: Settings):
    text = tmp_path / "summary.md"
    with pytest.raises(KeyboardInterrupt), summarised([text], settings):
        raise KeyboardInterrupt
    assert text.read_text().startswith("## BridgeCart: failed\n")


def test_a_summary_that_cannot_be_written_is_an_error_in_one_line(tmp_path: Path, settings: Settings):
    file = tmp_path / "missing" / "summary.md"
    says = r"^Cannot write the summary .*: name another file\.$"
    with pytest.raises(SummaryNotWritten, match=says), summarised([file], settings):
        pass
