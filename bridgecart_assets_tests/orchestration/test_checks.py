"""The asset checks: each passes on good data and fails when exactly its rule is broken, saying what to do.

A stored table is broken by SQL after everything was computed, so nothing but the check can notice.
"""

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from bridgecart_assets import contracts
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.run_pipeline import failure_of
from bridgecart_assets.contracts import TABLES, Contract
from bridgecart_assets.definitions import build_defs
from bridgecart_assets.models.due import RefitMode
from bridgecart_assets.orchestration import check_rules, checks
from bridgecart_assets.orchestration.asset_specs import asset_key
from bridgecart_assets.orchestration.check_rules import CONTRACT_CHECK, RULES, Rule, rules_of
from bridgecart_assets.orchestration.checks import build_checks, evaluate
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse import queries
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.incremental.scope import scoped
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.storage.tables import prepare
from bridgecart_assets.warehouse.writing import write_query
from bridgecart_assets_tests.support.pipeline import grow_up, run_silver, run_whole_tables
from bridgecart_assets_tests.support.records import Record, event, store_batch
from bridgecart_assets_tests.support.state import store_views

FIRST, SECOND = "20250401T000000Z", "20250402T000000Z"
NAME, MOBILE = "Zenobia Quartermain", "+91 55512 34567"
CUSTOMERS = 48
WARNINGS = {
    "raw_has_no_gaps",
    "raw_lost_nothing",
    "silver_duplicates_are_copies",
    "silver_order_ids_are_unmistakable",
    "order_ids_are_unmistakable",
    "silver_spellings_are_known",
    "silver_optional_fields_are_good",
    "silver_meaning_is_known",
    "mapping_is_one",
    "versions_do_not_go_back",
    "silver_reject_share_is_low",
    "no_date_is_lonely",
    "amounts_keep_their_unit",
    "customer_ids_are_unmistakable",
    "no_customer_stands_for_many",
    "no_amount_is_lonely",
    "segments_have_not_drifted",
    "predictions_came_true",
}
NOT_BLOCKING = {
    *WARNINGS,
    "batches_are_read_alike",
    "model_is_settled",
    "silver_orders_do_not_conflict",
    "silver_reject_share_is_bearable",
}


@dataclass(frozen=True)
class Break:
    """A way to break one rule: statements on the stored tables, or a setting; `also` cannot but break with it."""

    rule: str
    statements: tuple[str, ...] = ()
    setting: tuple[str, str] | None = None
    also: tuple[str, ...] = ()


def by_sql(rule: str, *statements: str) -> Break:
    """A break by statements on the stored tables."""
    return Break(rule, statements)


def by_metrics(rule: str, *statements: str) -> Break:
    """A break of headline metrics on one side only: in the KPI tables or in their history."""
    return Break(rule, statements, also=("metrics_agree_with_kpis",))


def by_counting(*statements: str) -> Break:
    """A break of the sums of a batch, which those of every batch are among."""
    return Break("silver_sums_tie_to_orders", statements, also=("sums_tie_to_orders",))


RECOUNTED = tuple(map(read_sql, queries.COUNT_EVERY_BATCH))
ONE_ORDER = f"(select min(order_key) from silver.orders where batch_key = '{SECOND}' and order_kind = 'purchase')"
LAST_OF_FIRST = f"select max(order_id) from silver.orders where batch_key = '{FIRST}'"
ONE_CUSTOMER = "(select min(customer_id) from gold.customer_features)"
IN_SMALL_LETTERS = (
    "insert into silver.customers select * replace ('c001' as customer_id, md5_number_lower('c001') >> 1 as "
    "customer_hash) from silver.customers where customer_id = 'C001'"
)
ONE_PERIOD = "period = '2025-02-01'"
HISTORY = "kpi.segment_metrics_history"
FIRST_INTERVAL = f"segment_key = 'S01' and valid_from = (select min(valid_from) from {HISTORY})"

BREAKS = (
    by_sql(
        "raw_offsets_are_contiguous",
        "update raw.batches set ranges = list_transform(ranges, lambda r: {'partition': r.\"partition\", "
        f"'start': r.\"start\" - 1, 'end': r.\"end\"}}) where batch_key = '{SECOND}'",
    ),
    by_sql(
        "raw_matches_ledger",
        f"update raw.orders set \"offset\" = \"offset\" + 9000 where batch_key = '{SECOND}' and payload = 'broken'",
    ),
    by_sql(
        "raw_matches_ledger",
        f"update raw.batches set records = records + 1, planned_records = records + 1 where batch_key = '{SECOND}'",
    ),
    by_sql(
        "raw_has_no_gaps",
        f"update raw.batches set planned_records = planned_records + 1 where batch_key = '{SECOND}'",
    ),
    by_sql("silver_reconciles_with_raw", f"delete from silver.rejected_orders where batch_key = '{SECOND}'"),
    by_sql(
        "silver_orders_are_unique",
        "update silver.orders o set order_key = f.order_key, purchased_at = f.purchased_at from "
        f"(select order_key, purchased_at from silver.orders where batch_key = '{FIRST}' limit 1) f "
        f"where o.order_key = {ONE_ORDER}",
    ),
    Break(
        "sums_tie_to_orders",
        (f"update silver.orders set net_amount = net_amount - 0.01 where order_key = {ONE_ORDER}",),
        also=("silver_sums_tie_to_orders",),
    ),
    by_counting(f"update silver.orders set net_amount = net_amount + 0.01 where order_key = {ONE_ORDER}"),
    by_counting(
        "update silver.orders set customer_hash = (select max(customer_hash) from silver.orders) "
        f"where order_key = {ONE_ORDER}"
    ),
    by_counting(f"update silver.orders set purchased_on = purchased_on - 1 where order_key = {ONE_ORDER}"),
    by_counting(
        f"update silver.orders set order_kind = 'zero' where order_key = {ONE_ORDER}",
    ),
    by_counting(
        f"update silver.batch_sums set purchased_on = purchased_on + 1 where batch_key = '{SECOND}' and purchased_on = "
        "(select max(purchased_on) from silver.batch_sums)"
    ),
    by_sql(
        "silver_duplicates_have_a_winner", "update silver.duplicate_orders set winner_offset = winner_offset + 9000"
    ),
    by_sql(
        "silver_duplicates_have_a_winner",
        "insert into silver.superseded_orders by name select * replace (winner_offset + 9000 as winner_offset), "
        "'void' as standing from silver.duplicate_orders",
        "delete from silver.duplicate_orders",
    ),
    by_sql(
        "silver_reconciles_with_raw",
        f"insert into silver.skipped_records values ('{SECOND}', 0, 'where', 1)",
    ),
    by_sql(
        "versions_do_not_go_back",
        "update silver.orders o set version = 2, is_void = false, "
        "kafka_timestamp = d.kafka_timestamp - interval 4 days "
        "from silver.duplicate_orders d where o.order_key = d.order_key",
        "insert into silver.superseded_orders by name select * replace (1 as version, false as is_void), "
        "'superseded' as standing from silver.duplicate_orders",
        "delete from silver.duplicate_orders",
    ),
    by_sql(
        "silver_lines_add_up",
        "insert into silver.order_lines by name select * exclude (lines), topic_id as winner_topic_id, "
        '"partition" as winner_partition, "offset" as winner_offset from silver.orders '
        f"where order_key = {ONE_ORDER}",
        f"update silver.orders set lines = 2 where order_key = {ONE_ORDER}",
    ),
    by_sql(
        "silver_orders_do_not_conflict",
        "insert into silver.conflicting_orders by name from silver.duplicate_orders",
        "delete from silver.duplicate_orders",
    ),
    by_sql(
        "silver_duplicates_are_copies",
        "update silver.duplicate_orders set order_id = null, purchased_at = date_trunc('day', purchased_at)",
    ),
    Break(
        "silver_order_ids_are_unmistakable",
        (f"update silver.orders set order_id = ({LAST_OF_FIRST}) where order_key = {ONE_ORDER}",),
        also=("order_ids_are_unmistakable",),
    ),
    Break(
        "order_ids_are_unmistakable",
        (f"update silver.orders set order_id = ({LAST_OF_FIRST}) where order_key = {ONE_ORDER}",),
        also=("silver_order_ids_are_unmistakable",),
    ),
    by_sql(
        "silver_spellings_are_known",
        f"update silver.orders set payment_method = 'Barter' where order_key = {ONE_ORDER}",
    ),
    by_sql(
        "silver_optional_fields_are_good",
        f"update silver.orders set ignored_fields = ['bad_discount_amount', 'bad_age'] where batch_key = '{SECOND}'",
    ),
    by_sql(
        "silver_meaning_is_known",
        """update raw.orders set payload = encode('{"Status": "cancelled", ' || decode(payload)[2:]) """
        f"where batch_key = '{SECOND}' and payload <> 'broken'",
    ),
    by_sql(
        "raw_lost_nothing",
        f"update raw.batches set lost = [{{'partition': 0, 'start': 0, 'end': 0}}] where batch_key = '{SECOND}'",
    ),
    Break("silver_reject_share_is_low", setting=("BRIDGECART_MAX_REJECT_SHARE", "0.001")),
    Break("silver_reject_share_is_bearable", setting=("BRIDGECART_ERROR_REJECT_SHARE", "0.001")),
    Break("batches_are_read_alike", setting=("BRIDGECART_AMOUNT_IS_NET", "true")),
    by_sql("batches_are_read_alike", f"delete from silver.readings where batch_key = '{FIRST}'"),
    by_sql("batches_are_read_alike", "update silver.readings set rules_version = rules_version - 1"),
    by_sql("mapping_is_one", f"update silver.readings set mapping = 'another' where batch_key = '{FIRST}'"),
    by_sql(
        "no_date_is_lonely",
        f"update silver.orders set purchased_on = purchased_on - interval 10 years where order_key = {ONE_ORDER}",
        *RECOUNTED,
    ),
    by_sql(
        "no_date_is_lonely",
        f"update silver.orders set purchased_on = purchased_on + interval 2 years where order_key = {ONE_ORDER}",
        *RECOUNTED,
    ),
    Break(
        "amounts_keep_their_unit",
        ("update silver.batch_sums set purchase_sales = purchase_sales * 100 where purchased_on >= '2025-02-01'",),
        also=(
            "silver_sums_tie_to_orders",
            "sums_tie_to_orders",
            "features_tie_to_orders",
            "order_values_tie_to_orders",
        ),
    ),
    Break("customer_ids_are_unmistakable", (IN_SMALL_LETTERS,), also=("customers_match_orders",)),
    Break(
        "no_customer_stands_for_many",
        (f"update gold.customer_features set customer_id = 'Guest' where customer_id = {ONE_CUSTOMER}",),
        also=("customers_are_in_one_segment",),
    ),
    by_sql(
        "no_amount_is_lonely",
        f"update gold.customer_features set largest_spend = 150000 where customer_id = {ONE_CUSTOMER}",
    ),
    by_sql("customers_match_orders", f"delete from silver.customers where customer_id = {ONE_CUSTOMER}"),
    by_sql("customers_match_orders", "update silver.customers set customer_id = 'X' where customer_id = 'C001'"),
    by_sql(
        "features_tie_to_orders",
        f"update gold.customer_features set net_sales = net_sales + 0.01 where customer_id = {ONE_CUSTOMER}",
    ),
    by_sql(
        "features_tie_to_orders",
        *(f"delete from gold.{name}" for name in ("customer_features", "customer_segments")),
    ),
    by_sql(
        "features_tie_to_orders",
        *(
            f"update {table} set net_sales = net_sales + case customer_id when 'C001' then 0.01 else -0.01 end "
            "where customer_id in ('C001', 'C002')"
            for table in ("gold.customer_features", "gold.customer_snapshots")
        ),
    ),
    by_sql("model_keys_are_unique", "update gold.segment_model set segment = 'typical'"),
    by_sql("model_keys_are_unique", "update gold.segment_model set segment_customers = segment_customers + 1"),
    by_sql(
        "model_is_settled",
        "insert into gold.segment_model select * "
        "replace (2 as version, 'proposed' as status, null as in_force_from) from gold.segment_model",
    ),
    by_sql(
        "customers_are_in_one_segment",
        f"delete from gold.customer_segments where customer_id = {ONE_CUSTOMER}",
    ),
    by_sql(
        "customers_are_in_one_segment",
        f"update gold.customer_segments set segment_key = 'unassigned' where customer_id = {ONE_CUSTOMER}",
    ),
    by_sql("segments_have_not_drifted", "update gold.segment_drift set alert = true where measure = 'log_spend'"),
    by_sql(
        "flows_tie_to_customers",
        f"update gold.customer_scores set segment_key = 'S09' where customer_id = {ONE_CUSTOMER}",
    ),
    by_sql(
        "flows_tie_to_customers",
        "update gold.customer_openings set net_sales = net_sales + 0.01 where (as_of, customer_id) in "
        "(select max(as_of), min(customer_id) from gold.customer_openings)",
    ),
    by_sql(
        "flows_tie_to_customers",
        "update gold.segment_flows set closing_clv = closing_clv - 0.01 where period = "
        "(select max(period) from gold.segment_flows)",
    ),
    Break(
        "predictions_came_true",
        ("update gold.customer_openings set expected_window_sales = 5000, churn_risk = 0 where as_of = '2025-02-01'",),
        # That of the snapshots.
        ("BRIDGECART_CHURN_WINDOW_DAYS", "30"),
    ),
    by_sql(
        "membership_has_one_current_row",
        "update gold.segment_intervals set valid_to = date '2030-01-01' "
        f"where customer_id = {ONE_CUSTOMER} and valid_to is null",
    ),
    by_sql("membership_has_one_current_row", f"delete from gold.segment_intervals where customer_id = {ONE_CUSTOMER}"),
    by_sql(
        "membership_has_one_current_row",
        "insert into gold.segment_intervals select * replace ('gone' as customer_id) from gold.segment_intervals "
        f"where customer_id = {ONE_CUSTOMER}",
    ),
    by_sql(
        "membership_intervals_are_contiguous",
        "update gold.segment_intervals set valid_to = valid_to - 1 where valid_to is not null",
    ),
    by_sql(
        "membership_intervals_are_contiguous",
        "update gold.segment_intervals set valid_to = valid_to + 1 where valid_to is not null",
    ),
    by_sql(
        "membership_intervals_are_contiguous",
        "update gold.segment_intervals m set segment_key = n.segment_key from gold.segment_intervals n "
        "where n.customer_id = m.customer_id and n.valid_from = m.valid_to",
    ),
    by_sql(
        "membership_intervals_are_closed_open",
        "update gold.segment_intervals set valid_from = valid_to "
        "where valid_to is not null and (customer_id, valid_from) "
        "in (select customer_id, min(valid_from) from gold.segment_intervals group by customer_id)",
    ),
    by_sql(
        "clv_bridge_closes",
        f"update kpi.clv_growth set organic = organic + 0.01 where segment_key = 'S01' and {ONE_PERIOD}",
    ),
    by_sql(
        "clv_closes_into_next_opening",
        "update kpi.clv_growth set opening_clv = opening_clv + 0.01, closing_clv = closing_clv + 0.01 "
        f"where segment_key = 'S01' and {ONE_PERIOD}",
    ),
    by_sql(
        "clv_ties_to_orders",
        "update kpi.clv_growth set organic = organic + 0.01, closing_clv = closing_clv + 0.01 "
        "where segment_key = 'S01' and period = (select max(period) from kpi.clv_growth)",
    ),
    by_metrics("clv_ties_to_orders", "delete from kpi.clv_growth"),
    by_sql(
        "churn_is_consistent",
        f"update kpi.churn_rate set matured = false where churn_rate is not null and {ONE_PERIOD}",
    ),
    by_metrics("churn_is_consistent", "update kpi.churn_rate set churn_rate_reason = null where segment_key = 'S01'"),
    by_sql("churn_is_consistent", "update kpi.churn_rate set active = customers + 1 where segment_key = 'S01'"),
    by_sql("buyers_have_not_churned", "update gold.segment_flows set bought = customers + 1 where opening_key = 'S01'"),
    by_sql(
        "order_values_tie_to_orders",
        f"update kpi.average_order_value set sales = sales + 0.01 where segment_key = 'S01' and {ONE_PERIOD}",
    ),
    by_metrics("order_values_tie_to_orders", "delete from kpi.average_order_value"),
    by_metrics(
        "contributions_sum_to_one",
        "update kpi.sales_contribution set sales_contribution = sales_contribution + 0.000001 "
        f"where segment_key = 'S01' and {ONE_PERIOD}",
    ),
    by_metrics(
        "contributions_sum_to_one", f"update kpi.sales_contribution set sales_contribution = null where {ONE_PERIOD}"
    ),
    by_sql(
        "contributions_sum_to_one",
        "update kpi.sales_contribution set closing_sales_contribution = closing_sales_contribution + 0.000001 "
        f"where segment_key = 'S01' and {ONE_PERIOD}",
    ),
    by_metrics(
        "kpi_sales_tie_to_orders",
        f"update kpi.sales_contribution set total_sales = total_sales + 0.01 where {ONE_PERIOD}",
        "update kpi.sales_contribution set sales = sales + 0.01, closing_sales = closing_sales + 0.01 "
        f"where segment_key = 'S01' and {ONE_PERIOD}",
    ),
    by_metrics(
        "kpi_sales_tie_to_orders",
        "delete from kpi.sales_contribution where period = (select max(period) from kpi.sales_contribution)",
    ),
    by_sql(
        "metrics_have_one_current_row",
        f"update {HISTORY} set valid_to = '2030-01-01', is_current = false where segment_key = 'S01' and is_current",
    ),
    by_metrics("metrics_have_one_current_row", f"delete from {HISTORY} where segment_key = 'S01'"),
    by_sql(
        "metrics_intervals_are_contiguous",
        f"update {HISTORY} set valid_to = valid_to - 1 where segment_key = 'S01' and not is_current",
    ),
    by_metrics(
        "metrics_intervals_are_contiguous",
        f"update {HISTORY} set valid_to = valid_to + 1 where segment_key = 'S01' and not is_current",
    ),
    by_metrics(
        "metrics_intervals_are_contiguous",
        f"insert into {HISTORY} select * replace (valid_from + 9 as valid_from) from {HISTORY} where {FIRST_INTERVAL}",
        f"update {HISTORY} set valid_to = valid_from + 9 where {FIRST_INTERVAL}",
    ),
    by_sql(
        "metrics_intervals_are_closed_open",
        f"update {HISTORY} set valid_to = '2030-01-01' where segment_key = 'S01' and is_current",
    ),
    by_metrics(
        "metrics_intervals_are_closed_open", f"update {HISTORY} set valid_from = valid_to where {FIRST_INTERVAL}"
    ),
    by_sql(
        "metrics_agree_with_kpis",
        f"update {HISTORY} set customers = customers + 1 where segment_key = 'S01' and is_current",
    ),
    by_sql("metrics_agree_with_kpis", f"update {HISTORY} set valid_from = valid_from - 1 where {FIRST_INTERVAL}"),
    by_sql("metrics_agree_with_kpis", f"delete from {HISTORY} where {FIRST_INTERVAL}"),
)


OF_OTHER_SETTINGS = {
    "conflicting_orders": ("insert into silver.conflicting_orders by name from silver.duplicate_orders",),
    "order_lines": ("insert into silver.order_lines by name from silver.duplicate_orders",),
    "skipped_records": (f"insert into silver.skipped_records values ('{SECOND}', 0, 'where', 1)",),
    "superseded_orders": (
        "insert into silver.superseded_orders by name select *, 'superseded' as standing from silver.duplicate_orders",
    ),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse file with two batches: orders, a duplicate, a reject, refunds, zero-value orders, a fitted model."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("built"), as_of=None, kpi_period="month", churn_window_days=30, segments=4
    )
    warehouse = warehouse_from_settings(settings)
    records = _records()
    half = len(records) // 2
    store_batch(warehouse, FIRST, records[:half])
    store_batch(warehouse, SECOND, records[half:], start=half)
    for batch_key in (FIRST, SECOND):
        run_silver(warehouse, settings, batch_key)
    assert run_whole_tables(warehouse, settings).startswith("fitted version 1")
    return settings.warehouse_path


@pytest.fixture
def platform(built: Path, data_dir: Path) -> Platform:
    """The platform on a copy of the built warehouse, to be broken."""
    data_dir.mkdir()
    shutil.copy(built, data_dir / built.name)
    return Platform()


def test_every_check_passes_on_good_data(platform: Platform):
    results = [result for batch_key in (FIRST, SECOND) for result in _evaluate(platform, batch_key=batch_key)]
    assert [_name(result) for result in results if not result.passed] == []
    assert len(results) == 2 * (len(RULES) + len(TABLES))
    assert {result.description for result in results} == {None}
    for result in results:
        looked_at, breaking, share, limit = _numbers(result)
        assert breaking <= limit * looked_at
        assert share == (breaking / looked_at if looked_at else 0)


def test_what_a_passing_check_says_in_numbers_is_what_the_tables_have(platform: Platform):
    numbers = {(result.asset_key, result.check_name): _numbers(result) for result in _evaluate(platform)}

    def of(table: Contract, name: str = CONTRACT_CHECK) -> tuple[float, ...]:
        return numbers[asset_key(table), name]

    for table in TABLES.values():
        where = f"where batch_key = '{SECOND}'" if table.partitioned else ""
        assert of(table) == (_count(platform, f"{table.full_name} {where}"), 0, 0.0, 0.0), table.full_name
    records = _count(platform, f"raw.orders where batch_key = '{SECOND}'")
    settings = platform.settings
    rejected = (records, 1, 1 / records)
    assert of(contracts.SILVER_REJECTS, "silver_reject_share_is_low") == (*rejected, settings.max_reject_share)
    assert of(contracts.SILVER_REJECTS, "silver_reject_share_is_bearable") == (*rejected, settings.error_reject_share)


def test_a_failing_check_counts_the_rows_behind_the_lines_that_it_shows(platform: Platform):
    _execute(platform, "delete from silver.customers where customer_id >= 'C030'")
    (result,) = [result for result in _evaluate(platform) if not result.passed]
    assert _numbers(result) == (30, 18, 18 / 30, 0.0)
    assert len(_shown(result)) == 1
    assert str(result.description).startswith("18 row(s) break the rule.")


def test_a_changed_setting_is_named_with_what_it_was_for_how_many_batches_and_the_remedy(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("BRIDGECART_NAIVE_TIMEZONE", "Asia/Kolkata")
    run_silver(platform.warehouse, platform.settings, SECOND)
    monkeypatch.setenv("BRIDGECART_AMOUNT_IS_NET", "true")
    (result,) = [result for result in _evaluate(platform) if not result.passed]
    assert str(result.description).startswith(
        "2 of 2 batches were read with BRIDGECART_AMOUNT_IS_NET=False, and it is True now. "
        "1 of 2 batches were read with BRIDGECART_NAIVE_TIMEZONE=UTC, and it is Asia/Kolkata now. "
    )
    assert "`bridgecart run --remap`" in str(result.description)
    assert result.severity == dg.AssetCheckSeverity.ERROR


@pytest.mark.parametrize(
    ("moved", "says"),
    [
        ("where order_id = 'A0007'", None),
        (
            "- interval 27 years where order_id = 'A0007'",
            r"1 order\(s\) up to 1998-0\d-\d\d lie 97\d\d days before all ",
        ),
        (
            "+ interval 6 years where order_id = 'A0007'",
            r"1 order\(s\) from 2031-0\d-\d\d on lie 21\d\d days after all ",
        ),
        ("- interval 9 months where order_id = 'A0007'", None),
        ("- interval 2 years where order_id < 'A0003'", r"3 order\(s\) up to 2023-0\d-\d\d lie "),
        ("- interval 2 years where order_id < 'A0004'", None),
        ("- interval 2 years where order_id >= 'A0003'", r"3 order\(s\) from 2025-0\d-\d\d on lie "),
    ],
)
def test_few_orders_years_from_all_others_are_named_on_whichever_side_they_are(
    platform: Platform, moved: str, says: str | None
):
    _execute(platform, f"update silver.orders set purchased_on = purchased_on {moved}", *RECOUNTED)
    (rule,) = [rule for rule in RULES if rule.name == "no_date_is_lonely"]
    (result,) = _evaluate(platform, [rule])
    assert result.passed == (says is None)
    if says is not None:
        assert re.match(says, str(result.description))
        assert "A000" in _shown(result)[0]["order_ids"]


def test_of_customers_that_did_not_change_only_the_totals_are_looked_at(platform: Platform):
    rules = rules_of(contracts.CUSTOMER_FEATURES)
    looked_at = [
        [_numbers(result)[0] for result in evaluate(platform, rules, None, only_changes=True)] for _ in range(2)
    ]
    customers = _count(platform, "gold.customer_features")
    assert looked_at[0] == [customers] * len(rules)
    assert looked_at[1] == [0] * len(rules)


def test_ids_of_a_batch_are_compared_with_those_of_a_month_and_all_ids_by_a_full_run(platform: Platform):
    of_batch, of_all = (
        next(rule for rule in RULES if rule.name == name)
        for name in ("silver_order_ids_are_unmistakable", "order_ids_are_unmistakable")
    )

    def passed(rule: Rule, batch_key: str | None, *, only_changes: bool) -> bool:
        (result,) = evaluate(platform, [rule], batch_key, only_changes=only_changes)
        return result.passed

    _execute(
        platform,
        f"update silver.orders set order_id = ({LAST_OF_FIRST}), "
        f"purchased_on = (select max(purchased_on) from silver.orders) where order_key = {ONE_ORDER}",
        f"update silver.orders set purchased_on = purchased_on - 400 where batch_key = '{FIRST}'",
    )
    assert passed(of_batch, SECOND, only_changes=True)
    assert not passed(of_batch, SECOND, only_changes=False)
    assert passed(of_all, None, only_changes=True)
    assert not passed(of_all, None, only_changes=False)
    _execute(platform, f"update silver.orders set purchased_on = purchased_on + 400 where batch_key = '{FIRST}'")
    _execute(platform, "update silver.orders set purchased_on = (select max(purchased_on) from silver.orders)")
    assert not passed(of_batch, SECOND, only_changes=True)


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.rule)
def test_a_check_fails_when_exactly_its_rule_is_broken_and_says_what_to_do(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, broken: Break
):
    _execute(platform, *broken.statements)
    if broken.setting:
        monkeypatch.setenv(*broken.setting)
    failed = {result.check_name: result for result in _evaluate(platform, RULES) if not result.passed}
    assert set(failed) == {broken.rule, *broken.also}
    (rule,) = [rule for rule in RULES if rule.name == broken.rule]
    _assert_tells(failed[rule.name], rule.remedy)
    assert failed[rule.name].asset_key == asset_key(rule.table)
    assert failed[rule.name].severity == rule.severity


STORED_AS = {
    contracts.CUSTOMER_SNAPSHOTS: contracts.CUSTOMER_OPENINGS,
    contracts.SEGMENT_MEMBERSHIP: contracts.SEGMENT_INTERVALS,
}


@pytest.mark.parametrize("contract", TABLES.values(), ids=lambda contract: contract.full_name)
def test_a_key_that_stands_twice_breaks_the_contract(platform: Platform, contract: Contract):
    where = f"where batch_key = '{SECOND}'" if contract.partitioned else ""
    _execute(platform, *OF_OTHER_SETTINGS.get(contract.name, ()))
    stored = STORED_AS.get(contract, contract).full_name
    _execute(platform, f"insert into {stored} select * from {stored} {where} limit 1")
    result = _contract_result(platform, contract)
    assert not result.passed
    _assert_tells(result, check_rules.REBUILD)
    (shown,) = _shown(result)
    assert set(shown) == {*contract.key, "copies"}


@pytest.mark.parametrize("contract", TABLES.values(), ids=lambda contract: contract.full_name)
def test_a_missing_column_breaks_the_contract_and_is_named(platform: Platform, contract: Contract):
    lost = next(name for name in contract.column_names if name not in contract.key and name != "batch_key")
    _execute(platform, f'alter table {contract.full_name} drop column "{lost}"')
    result = _contract_result(platform, contract)
    assert not result.passed
    _assert_tells(result, check_rules.REBUILD)
    assert {"column": lost, "problem": "missing"} in _shown(result)


def test_an_unknown_column_breaks_the_contract_and_is_named(platform: Platform):
    _execute(platform, "alter table gold.customer_features add column guess integer")
    result = _contract_result(platform, contracts.CUSTOMER_FEATURES)
    assert _shown(result) == [{"column": "guess", "problem": "unknown"}]


def test_no_rule_is_left_without_a_test_that_breaks_it():
    assert {broken.rule for broken in BREAKS} == {rule.name for rule in RULES}


def test_every_rule_is_a_check_of_the_platform_and_has_its_sql_file():
    named = {spec.key for definition in build_checks() for spec in definition.check_specs}
    assert named == {dg.AssetCheckKey(asset_key(rule.table), rule.name) for rule in _all_rules()}
    files = {path.stem for path in Path(checks.__file__).parents[1].joinpath("sql", "checks").glob("*.sql")}
    assert files == {Path(rule.file).name for rule in RULES}


def test_checks_block_where_what_comes_after_would_be_false_and_warn_elsewhere():
    blocking = {spec.name: spec.blocking for definition in build_checks() for spec in definition.check_specs}
    assert {name for name, blocks in blocking.items() if not blocks} == NOT_BLOCKING
    assert {rule.name for rule in RULES if rule.severity == dg.AssetCheckSeverity.WARN} == WARNINGS


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_table_a_check_reads_is_written_before_the_check_runs(rule: Rule):
    graph = build_defs().resolve_asset_graph()
    spec = next(spec for d in build_checks() for spec in d.check_specs if spec.name == rule.name)
    waits_for = {rule.table.full_name}
    together = next(step for step in checks.STEPS if rule.table in step)
    ancestors = {asset_key(table) for table in together} | {dep.asset_key for dep in spec.additional_deps}
    while ancestors:
        key = ancestors.pop()
        waits_for.add(".".join(key.path))
        ancestors |= set(graph.get(key).parent_keys)
    sql = read_sql(rule.file)
    read = set(re.findall(r"\b(?:raw|silver|gold|kpi)\.\w+", sql)) & set(TABLES)
    read |= {table.full_name for table in TABLES.values() if re.search(rf"\b{scoped(table)}\b", sql)} - {"raw.orders"}
    assert read <= waits_for


def test_checks_show_neither_names_nor_mobile_numbers_nor_payloads(platform: Platform):
    _execute(
        platform,
        *(statement for broken in BREAKS for statement in broken.statements if not statement.startswith("delete")),
        *(f"insert into {name} select * from {name} limit 3" for name in TABLES),
        "delete from silver.customers where customer_id > 'C020'",
    )
    results = [result for result in _evaluate(platform) if not result.passed]
    assert len(results) > len(RULES)
    told = json.dumps([[result.description, _shown(result)] for result in results])
    assert "C0" in told, "customers are named by their id"
    for secret in (NAME, NAME.split()[0], MOBILE, MOBILE.replace(" ", ""), "purchase_amount"):
        assert secret not in told


def test_a_failing_check_shows_a_few_rows_and_counts_all(platform: Platform):
    _execute(
        platform, f"update silver.orders set payment_method = 'Barter ' || \"offset\" where batch_key = '{SECOND}'"
    )
    (result,) = [result for result in _evaluate(platform) if not result.passed]
    count = result.metadata["rows_breaking"].value
    assert isinstance(count, int)
    assert count > checks.SHOWN_ROWS
    assert len(_shown(result)) == checks.SHOWN_ROWS
    assert str(result.description).startswith(f"{count} row(s) break the rule.")


FOREIGN: tuple[dict[str, object], ...] = (
    {"purchase_amount": 1000, "currency": "JPY"},
    {"purchase_amount": 10, "currency": "USD"},
    {"status": "cancelled", "note": 'said "status": on the phone'},
    {"TEST": True, "customer": {"name": NAME, "status": "vip"}},
    {"type": {"name": NAME}, "quantity": None, "message": '"status": "lost"'},
)


def _meaning(monkeypatch: pytest.MonkeyPatch, currency: str) -> dg.AssetCheckResult:
    monkeypatch.setenv("BRIDGECART_CURRENCY", currency)
    run_silver(Platform().warehouse, Platform().settings, FIRST)
    (result,) = [r for r in _evaluate(Platform(), batch_key=FIRST) if r.check_name == "silver_meaning_is_known"]
    return result


def test_fields_that_nobody_reads_and_that_look_like_the_meaning_are_named_with_what_they_say(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    records = [
        _order(number, customer_id="C1", purchase_date="2025-03-04T09:55:00Z", **fields)
        for number, fields in enumerate(FOREIGN)
    ]
    store_batch(warehouse, FIRST, [*records, Record(b'{"status":'), Record(b'["status", "status:"]'), Record(None)])
    run_silver(warehouse, settings, FIRST)
    run_whole_tables(warehouse, settings)
    unset = _meaning(monkeypatch, "")
    assert not unset.passed
    assert [(row["field"], row["records"], row["examples"]) for row in _shown(unset)] == [
        ("currency", "2", "['JPY', 'USD']"),
        ("status", "1", "['cancelled']"),
        ("test", "1", "['true']"),
        ("type", "1", "['...']"),
    ]
    assert [row["field"] for row in _shown(_meaning(monkeypatch, "USD"))] == ["status", "test", "type"]
    with warehouse.reading() as connection:
        rejected = connection.sql("select reasons from silver.rejected_orders where reasons[1] like '%currency'")
        assert rejected.fetchall() == [(["other_currency"],)]


def test_a_conflict_of_orders_is_an_error_that_says_its_money_and_the_setting_before_the_remedy(
    settings: Settings, warehouse: Warehouse
):
    lines = [event(product_category=category, purchase_amount=20) for category in ("Books", "Toys", "Home")]
    store_batch(warehouse, FIRST, [Record(payload) for payload in lines])
    run_silver(warehouse, settings, FIRST)
    rules = [rule for rule in RULES if rule.name == "silver_orders_do_not_conflict"]
    (result,) = evaluate(Platform(), rules, FIRST)
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert str(result.description).startswith(
        "2 event(s) of 1 order(s), 40.00 net, are in no sum: lines of their orders, which "
        "BRIDGECART_ORDER_EVENTS=lines counts. The first of each order counts, "
    )


def test_checks_of_one_batch_do_not_look_at_another(platform: Platform):
    _execute(platform, f"delete from silver.rejected_orders where batch_key = '{SECOND}'")
    assert [result.check_name for result in _evaluate(platform, batch_key=FIRST) if not result.passed] == []
    failed = [result.check_name for result in _evaluate(platform, batch_key=SECOND) if not result.passed]
    assert failed == ["silver_reconciles_with_raw"]


def test_every_check_passes_before_the_first_order(settings: Settings, warehouse: Warehouse):
    store_batch(warehouse, FIRST, [])
    run_silver(warehouse, settings, FIRST)
    run_whole_tables(warehouse, settings)
    assert [result.check_name for result in _evaluate(Platform(), batch_key=FIRST) if not result.passed] == []


def test_every_check_passes_when_all_records_were_refused(settings: Settings, warehouse: Warehouse):
    store_batch(warehouse, FIRST, [Record(b"broken")])
    run_silver(warehouse, settings, FIRST)
    run_whole_tables(warehouse, settings)
    failed = [result for result in _evaluate(Platform(), batch_key=FIRST) if not result.passed]
    assert [result.check_name for result in failed] == ["silver_reject_share_is_low", "silver_reject_share_is_bearable"]
    assert str(failed[0].description).startswith("1 record(s) were rejected for not_json. ")


@pytest.mark.parametrize("as_of", ["2025-02-10", "2025-03-01", "2024-01-01", "2025-04-10"])
def test_every_check_passes_as_of_another_date(platform: Platform, monkeypatch: pytest.MonkeyPatch, as_of: str):
    monkeypatch.setenv("BRIDGECART_AS_OF", as_of)
    run_whole_tables(platform.warehouse, platform.settings)
    assert [result.check_name for result in _evaluate(platform) if not result.passed] == []


def test_months_of_silence_are_drift_that_leads_to_one_proposal_and_asks_a_person(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
):
    grow_up(monkeypatch)
    monkeypatch.setenv("BRIDGECART_MODEL_REFIT_DAYS", "3650")
    monkeypatch.setenv("BRIDGECART_AS_OF", "2026-01-01")
    assert run_whole_tables(platform.warehouse, platform.settings).startswith("version 2 is proposed after drift in")
    asked = ["model_is_settled", "segments_have_not_drifted"]
    assert [result.check_name for result in _evaluate(platform) if not result.passed] == asked
    monkeypatch.setenv("BRIDGECART_AS_OF", "2026-01-02")
    assert run_whole_tables(platform.warehouse, platform.settings) == "kept version 2: a refit is not due"
    assert [result.check_name for result in _evaluate(platform) if not result.passed] == asked
    accepted = run_whole_tables(platform.warehouse, platform.settings, refit_mode=RefitMode.ACCEPT)
    assert accepted == "version 2 accepted"
    assert [result.check_name for result in _evaluate(platform) if not result.passed] == []


def test_kpis_computed_on_stale_snapshots_are_noticed(platform: Platform):
    # Orders of a new day arrive and only the KPI is materialized: its closing snapshot does not exist.
    _execute(platform, "update silver.orders set purchased_on = purchased_on + 1 where net_amount = 77")
    with platform.warehouse.transaction() as connection:
        write_query(connection, contracts.CLV_GROWTH, queries.kpi_query(platform.settings), None)
    failed = [result.check_name for result in _evaluate(platform, rules_of(contracts.CLV_GROWTH)) if not result.passed]
    # Nobody has a closing value, so everybody seems to have been removed.
    assert failed == ["clv_closes_into_next_opening", "clv_ties_to_orders"]


def test_a_failed_check_of_a_kpi_stops_the_history_of_the_metrics(platform: Platform):
    # As above; the other three KPI tables are made well, and so is the history of segments.
    with platform.warehouse.transaction() as connection:
        connection.execute("update silver.orders set purchased_on = purchased_on + 1 where net_amount = 77")
    tables = (*contracts.KPI_TABLES, contracts.SEGMENT_MEMBERSHIP, contracts.SEGMENT_METRICS_HISTORY)
    job = build_defs().resolve_job_def("refresh")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance, asset_selection=[asset_key(table) for table in tables], raise_on_error=False
        )
    assert not result.success
    failed = [found.check_name for found in result.get_asset_check_evaluations() if not found.passed]
    assert "clv_ties_to_orders" in failed
    failures = [event.step_failure_data.user_failure_data for event in result.all_events if event.is_step_failure]
    lines = [str(failure.description) for failure in failures if failure is not None]
    assert len(lines) == len(failures)
    assert lines[0] == str(failure_of(result))
    first = "Check clv_closes_into_next_opening of kpi/clv_growth failed and stopped the run: "
    assert [line for line in lines if line.startswith(first)]
    made = {event.asset_key for event in result.get_asset_materialization_events()}
    assert made == {asset_key(table) for table in tables if table != contracts.SEGMENT_METRICS_HISTORY}


def test_a_table_that_was_never_written_breaks_its_contract(settings: Settings, warehouse: Warehouse):
    with warehouse.transaction() as connection:
        prepare(connection, contracts.SILVER_ORDERS)
    result = _contract_result(Platform(), contracts.CUSTOMER_FEATURES)
    assert not result.passed


def _records() -> list[Record]:
    """Three months of orders of four kinds of customers; the last record of each half is malformed."""
    start = datetime(2025, 1, 2, 10, tzinfo=UTC)
    found: list[Record] = []
    for number in range(CUSTOMERS):
        kind = number % 4
        for purchase in range((8, 2, 6, 1)[kind]):
            found.append(
                _order(
                    len(found),
                    customer_id=f"C{number:03d}",
                    purchase_date=(start + timedelta(days=(number + 10 * purchase) % 88)).isoformat(),
                    purchase_amount=round((300, 900, 20, 25)[kind] * (1 + number / 100), 2),
                    coupon_used=kind == 2,
                )
            )
    found.append(_order(len(found), customer_id="C001", purchase_date="2025-02-03T09:00:00Z", purchase_amount=-25))
    found.append(_order(len(found), customer_id="C002", purchase_date="2025-02-04T09:00:00Z", purchase_amount=0))
    found.append(_order(len(found), customer_id="C003", purchase_date="2025-03-30T09:00:00Z", purchase_amount=77))
    half = len(found) // 2
    return [*found[:half], Record(b"broken"), *found[half:], found[0], Record(b"broken")]


def _order(number: int, **fields: object) -> Record:
    return Record(event(order_id=f"A{number:04d}", name=NAME, mobile=MOBILE, **fields), partition=0)


def _all_rules() -> list[Rule]:
    return [rule for contract in TABLES.values() for rule in rules_of(contract)]


def _evaluate(
    platform: Platform, rules: Sequence[Rule] | None = None, *, batch_key: str = SECOND
) -> list[dg.AssetCheckResult]:
    return list(evaluate(platform, _all_rules() if rules is None else rules, batch_key))


def _contract_result(platform: Platform, contract: Contract) -> dg.AssetCheckResult:
    (result,) = _evaluate(platform, [rules_of(contract)[0]])
    assert result.check_name == CONTRACT_CHECK
    return result


def _execute(platform: Platform, *statements: str) -> None:
    with platform.warehouse.transaction() as connection:
        store_views(connection)
        for statement in statements:
            connection.execute(statement)


def _assert_tells(result: dg.AssetCheckResult, remedy: str) -> None:
    assert str(result.description).endswith(remedy)
    assert _shown(result)


def _numbers(result: dg.AssetCheckResult) -> tuple[float, ...]:
    """Rows looked at, rows that break the rule, their share, the share that may."""
    found = tuple(result.metadata[name].value for name in ("rows_looked_at", "rows_breaking", "share", "limit"))
    assert all(isinstance(value, int | float) for value in found)
    return found  # type: ignore[return-value]


def _count(platform: Platform, rows: str) -> int:
    _, ((count,),) = platform.query(f"select count(*) from {rows}", {})
    return int(str(count))


def _shown(result: dg.AssetCheckResult) -> list[dict[str, str]]:
    rows = result.metadata["first_rows"].value
    assert isinstance(rows, list)
    return rows


def _name(result: dg.AssetCheckResult) -> tuple[str | None, str | None]:
    return result.check_name, result.description
