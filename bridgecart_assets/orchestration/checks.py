"""Asset checks: one SQL file each, giving the rows that break the rule. No row: passed.

Every check says how many rows it looked at and how many of them break the rule, passed or not: Dagster plots it. A
check blocks where whatever comes after it would tell something false. Each failing check says which rows and what to
do. What must never be stored at all is refused in the write itself (`warehouse/tables.py`).
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import dagster as dg
import duckdb

from bridgecart_assets import contracts
from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import BATCH_COLUMN, Contract
from bridgecart_assets.contracts.event import SPELLED_IN_ORDERS
from bridgecart_assets.orchestration.asset_specs import POOL, asset_key, step_tags
from bridgecart_assets.orchestration.failures import cause_first
from bridgecart_assets.orchestration.partitions import BATCHES
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.sql import read_sql
from bridgecart_assets.sql.chain import files_before
from bridgecart_assets.warehouse.incremental.rebuild import note_checked, scope_unchecked
from bridgecart_assets.warehouse.incremental.scope import scoped
from bridgecart_assets.warehouse.queries import incremental_snapshots
from bridgecart_assets.warehouse.storage.database import rows_of
from bridgecart_assets.warehouse.storage.outputs import Parameter
from bridgecart_assets.warehouse.tables import run_steps

SHOWN_ROWS = 5
CONTRACT_CHECK = "keeps_its_contract"


class CheckFailed(BridgeCartError):
    """A blocking check of ERROR severity failed: nothing is made of its table."""


@dataclass(frozen=True)
class Rule:
    """One check: `sql/checks/<name>.sql` of a table, what it promises, and what to do when it is broken.

    Attributes:
        also_reads: tables that must be written first, although the rule's own table is not made from them.
        counted_by: the column of the SQL that says how many rows a line of it stands for; None is one.
        looks_at: whose rows are looked at, of the batch where the table has batches; None is the rule's own table.
        limit: the setting that says which share of them may break the rule; None is not a single one.

    """

    table: Contract
    name: str
    promise: str
    remedy: str
    blocking: bool = True
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR
    also_reads: tuple[Contract, ...] = ()
    counted_by: str | None = None
    looks_at: Contract | None = None
    limit: str | None = None


@dataclass(frozen=True)
class Finding:
    """Result of a rule.

    Attributes:
        looked_at: rows that were looked at.
        broken: rows that break the rule.
        limit: the share of them that may.
        lines: of the rule's SQL, for people: a few rows, or kinds of rows.

    """

    looked_at: int
    broken: int
    limit: float
    lines: list[dict[str, str]]

    @property
    def passed(self) -> bool:
        """True if no more rows break the rule than may."""
        return self.broken <= self.limit * self.looked_at

    @property
    def numbers(self) -> dict[str, int | float]:
        """Numbers that Dagster plots, also of a check that passed. What is missing counts as looked at."""
        share = self.broken / max(self.looked_at, self.broken, 1)
        return {
            "rows_looked_at": self.looked_at,
            "rows_breaking": self.broken,
            "share": share,
            "limit": self.limit,
        }


WARN = dg.AssetCheckSeverity.WARN
REBUILD = "Materialize this asset again; if the check still fails, please report it with the rows shown."
STALE_SNAPSHOTS = (
    "Materialize customer_snapshots and this asset again, in one run: the snapshots are older than the orders."
)

RULES: tuple[Rule, ...] = (
    Rule(
        contracts.RAW_BATCHES,
        "raw_offsets_are_contiguous",
        "Each batch starts where the one before ended, in every Kafka partition.",
        "Records were skipped or read twice: stop the sensor and look at these batches before going on.",
    ),
    Rule(
        contracts.RAW_ORDERS,
        "raw_matches_ledger",
        "The batch's records lie within its offsets and are as many as the ledger says.",
        "Materialize this batch again: it reads exactly its offsets.",
    ),
    Rule(
        contracts.RAW_BATCHES,
        "raw_has_no_gaps",
        "The batch has a record for every offset.",
        "Normal for topics with transactions or compaction; elsewhere ask who deleted the records.",
        blocking=False,
        severity=WARN,
        counted_by="missing",
        looks_at=contracts.RAW_ORDERS,
    ),
    Rule(
        contracts.RAW_BATCHES,
        "raw_lost_nothing",
        "No record was removed from the topic before a batch had read it.",
        "Ask the source for these orders again, and raise the topic's retention.ms.",
        blocking=False,
        severity=WARN,
        counted_by="records",
        looks_at=contracts.RAW_ORDERS,
    ),
    Rule(
        contracts.SILVER_ORDERS,
        "silver_reconciles_with_raw",
        "Every record of the batch is an order, a duplicate or rejected: raw = orders + duplicates + rejected.",
        "Materialize silver of this batch again.",
        looks_at=contracts.RAW_ORDERS,
    ),
    Rule(
        contracts.SILVER_ORDERS,
        "silver_orders_are_unique",
        "No order stands twice.",
        "Materialize silver of this batch again; the keys shown stand more than once.",
        counted_by="copies",
    ),
    Rule(
        contracts.SILVER_DUPLICATES,
        "silver_duplicates_have_a_winner",
        "For every duplicate the event that won stands in silver.orders.",
        "Materialize silver of this batch again.",
    ),
    Rule(
        contracts.SILVER_ORDERS,
        "silver_order_ids_stand_once",
        "No order id has two purchase times.",
        "Both orders stand. Ask the source which is right; to drop one, it must not be sent under another time.",
        blocking=False,
        severity=WARN,
        counted_by="orders",
    ),
    Rule(
        contracts.SILVER_ORDERS,
        "silver_spellings_are_known",
        f"Values of {' and '.join(SPELLED_IN_ORDERS)} have canonical spellings.",
        "Orders stand with the source's spelling. Add the spelling to contracts/event.py if it is right.",
        blocking=False,
        severity=WARN,
        counted_by="orders",
    ),
    Rule(
        contracts.SILVER_REJECTS,
        "silver_reject_share_is_low",
        "The share of rejected records is below BRIDGECART_MAX_REJECT_SHARE.",
        "Look at the reasons; the payloads stand in silver.rejected_orders. Mend the source or the contract.",
        blocking=False,
        severity=WARN,
        counted_by="rejected",
        looks_at=contracts.RAW_ORDERS,
        limit="max_reject_share",
    ),
    Rule(
        contracts.SILVER_REJECTS,
        "silver_reject_share_is_bearable",
        "The share of rejected records is below BRIDGECART_ERROR_REJECT_SHARE.",
        "Look at the reasons: most of the batch is no order. Mend the source or the contract, then materialize silver "
        "of this batch again.",
        blocking=False,
        counted_by="rejected",
        looks_at=contracts.RAW_ORDERS,
        limit="error_reject_share",
    ),
    Rule(
        contracts.SILVER_CUSTOMERS,
        "customers_match_orders",
        "There is one customer row for every customer with an order.",
        REBUILD,
        counted_by="customers",
    ),
    Rule(
        contracts.CUSTOMER_FEATURES,
        "features_tie_to_orders",
        "Net sales and purchases of all customers are those of the orders, to the cent.",
        REBUILD,
    ),
    Rule(
        contracts.SEGMENT_MODEL,
        "model_keys_are_unique",
        "Within a version every key and name stands once, and segment sizes add up.",
        REBUILD,
    ),
    Rule(
        contracts.SEGMENT_MODEL,
        "model_is_settled",
        "No version waits for a person: segments kept their meaning at the last refit.",
        "Compare old and new segments in the asset's metadata, then run `bridgecart run --accept-model`; "
        "until then the version before stays in force.",
        blocking=False,
    ),
    Rule(
        contracts.CUSTOMER_SEGMENTS,
        "customers_are_in_one_segment",
        "Every customer is in exactly one segment.",
        REBUILD,
        counted_by="customers",
    ),
    Rule(
        contracts.SEGMENT_DRIFT,
        "segments_have_not_drifted",
        "Customers are still like those that the segments in force were fitted to.",
        "A version fitted since then waits for you: compare it with the segments in force in the metadata of "
        "gold/segment_model, then run `bridgecart run --accept-model`; or run `bridgecart run --refit` to fit anew.",
        blocking=False,
        severity=WARN,
    ),
    Rule(
        contracts.CUSTOMER_SNAPSHOTS,
        "snapshots_agree_with_segments",
        "The snapshot as of now says the same as the current features and segments.",
        "Materialize customer_segments and customer_snapshots again, in one run.",
        also_reads=(contracts.CUSTOMER_FEATURES, contracts.CUSTOMER_SEGMENTS),
        counted_by="customers_that_differ",
    ),
    Rule(
        contracts.SEGMENT_MEMBERSHIP,
        "membership_has_one_current_row",
        "Every customer of now has one current row, and nobody else has a history.",
        "Materialize customer_segments, customer_snapshots and this asset again, in one run.",
        also_reads=(contracts.CUSTOMER_SEGMENTS,),
        counted_by="customers",
    ),
    Rule(
        contracts.SEGMENT_MEMBERSHIP,
        "membership_intervals_are_contiguous",
        "A customer's intervals neither overlap nor leave gaps, and two in a row are in two segments.",
        REBUILD,
        counted_by="intervals",
    ),
    Rule(
        contracts.SEGMENT_MEMBERSHIP,
        "membership_intervals_are_closed_open",
        "An interval begins before it ends, and is current exactly while it has no end.",
        REBUILD,
        counted_by="intervals",
    ),
    Rule(
        contracts.SEGMENT_MEMBERSHIP,
        "membership_agrees_with_segments",
        "The current row says the same as the current segments.",
        "Materialize customer_segments, customer_snapshots and this asset again, in one run.",
        also_reads=(contracts.CUSTOMER_SEGMENTS,),
        counted_by="customers_that_differ",
    ),
    Rule(
        contracts.CLV_GROWTH,
        "clv_bridge_closes",
        "opening + organic + migrated in - migrated out + new - removed = closing, to the cent.",
        REBUILD,
    ),
    Rule(
        contracts.CLV_GROWTH,
        "clv_closes_into_next_opening",
        "A segment is worth at a period's opening what it was worth at the close before, and what was erased since.",
        STALE_SNAPSHOTS,
    ),
    Rule(
        contracts.CLV_GROWTH,
        "clv_ties_to_orders",
        "The value of all segments at the last close is the net sales of all orders, to the cent.",
        STALE_SNAPSHOTS,
    ),
    Rule(
        contracts.CHURN_RATE,
        "churn_is_consistent",
        "Churned <= active <= customers, rates within 0 and 1, and every missing rate has its reason.",
        REBUILD,
    ),
    Rule(
        contracts.AVERAGE_ORDER_VALUE,
        "order_values_tie_to_orders",
        "Purchases and their sales over all segments and periods are those of silver.orders, to the cent.",
        REBUILD,
    ),
    Rule(
        contracts.SALES_CONTRIBUTION,
        "contributions_sum_to_one",
        "The contributions of a period sum to exactly 1.",
        REBUILD,
    ),
    Rule(
        contracts.SALES_CONTRIBUTION,
        "kpi_sales_tie_to_orders",
        "Net sales over all segments and periods are those of silver.orders, to the cent.",
        REBUILD,
    ),
    Rule(
        contracts.SEGMENT_METRICS_HISTORY,
        "metrics_have_one_current_row",
        "Every segment has one current row.",
        REBUILD,
    ),
    Rule(
        contracts.SEGMENT_METRICS_HISTORY,
        "metrics_intervals_are_contiguous",
        "A segment's intervals neither overlap nor leave gaps, and two in a row differ.",
        REBUILD,
    ),
    Rule(
        contracts.SEGMENT_METRICS_HISTORY,
        "metrics_intervals_are_closed_open",
        "An interval begins before it ends, and is current exactly while it has no end.",
        REBUILD,
    ),
    Rule(
        contracts.SEGMENT_METRICS_HISTORY,
        "metrics_agree_with_kpis",
        "The figures of every period stand in the interval that holds it, and every interval begins with a period.",
        "Materialize the KPI tables and this asset again, in one run.",
    ),
)

# Tables that one asset function writes together are checked together, in one step.
STEPS: tuple[tuple[Contract, ...], ...] = (
    (contracts.RAW_ORDERS, contracts.RAW_BATCHES),
    (contracts.SILVER_ORDERS, contracts.SILVER_DUPLICATES, contracts.SILVER_REJECTS),
    (contracts.CUSTOMER_SNAPSHOTS, contracts.SEGMENT_FLOWS),
    *(
        (contract,)
        for contract in contracts.TABLES.values()
        if not contract.partitioned and contract not in (contracts.CUSTOMER_SNAPSHOTS, contracts.SEGMENT_FLOWS)
    ),
)


def build_checks() -> list[dg.AssetChecksDefinition]:
    """All asset checks, one step per asset function."""
    with warnings.catch_warnings():
        # Partitioned checks are marked as a preview in Dagster 1.13; without them a check would not know its batch.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [_check_step(tables) for tables in STEPS]


def check_keys() -> list[dg.AssetCheckKey]:
    """The keys of all asset checks."""
    return [_key(rule) for tables in STEPS for table in tables for rule in rules_of(table)]


def _key(rule: Rule) -> dg.AssetCheckKey:
    return dg.AssetCheckKey(asset_key(rule.table), rule.name)


def _check_step(tables: Sequence[Contract]) -> dg.AssetChecksDefinition:
    rules = [rule for table in tables for rule in rules_of(table)]
    by_key = {_key(rule): rule for rule in rules}
    partitioned = tables[0].partitioned

    @dg.multi_asset_check(
        name=f"check_{tables[0].schema}_{tables[0].name}",
        specs=[_spec(rule, partitioned=partitioned) for rule in rules],
        can_subset=True,
        op_tags=step_tags(tables[0]),
        pool=POOL,
    )
    def check_step(context: dg.AssetCheckExecutionContext, platform: Platform) -> Iterator[dg.AssetCheckResult]:
        batch_key = context.partition_key if partitioned else None
        selected = [by_key[key] for key in by_key if key in context.selected_asset_check_keys]
        with cause_first():
            results = evaluate(platform, selected, batch_key, only_changes=platform.only_changes)
            yield from _stopping(results, rules)

    return check_step


def _stopping(results: Iterable[dg.AssetCheckResult], rules: Sequence[Rule]) -> Iterator[dg.AssetCheckResult]:
    """All results; then the first that stops the run is its failure. Dagster's own would not say what to do."""
    blocking = {rule.name for rule in rules if rule.blocking and rule.severity != WARN}
    stopping: list[dg.AssetCheckResult] = []
    for result in results:
        yield result
        stopping += [result] if not result.passed and result.check_name in blocking else []
    for first in stopping[:1]:
        asset = first.asset_key.to_user_string() if first.asset_key else ""
        raise CheckFailed(stopped_by(first.check_name or "", asset, first.description))


def stopped_by(check: str, asset: str, says: str | None) -> str:
    """The line of a run that a check stopped."""
    return f"Check {check} of {asset} failed and stopped the run: {(says or '').strip() or 'it says no more'}"


def evaluate(
    platform: Platform, rules: Iterable[Rule], batch_key: str | None, *, only_changes: bool = False
) -> Iterator[dg.AssetCheckResult]:
    """Evaluate rules on the warehouse as it stands; one result each.

    With `only_changes` rows of customers that have passed their table's checks, and did not change since, are looked
    at by the totals only.
    """
    settings = platform.settings
    parameters: dict[str, Parameter] = {
        BATCH_COLUMN: batch_key,
        "as_of": settings.as_of.isoformat() if settings.as_of else None,
    }
    reach = incremental_snapshots(settings).reach
    passed: list[tuple[Contract, int]] = []
    with platform.warehouse.reading() as connection:
        for table, of_table in groupby(rules, key=lambda rule: rule.table):
            asked = list(of_table)
            sql = "".join(map(_sql, asked))
            run_steps(connection, files_before(*(_file(rule) for rule in asked if rule.name != CONTRACT_CHECK)), {})
            revision = scope_unchecked(connection, table, reach, read_by=sql, only_changes=only_changes)
            look = _Look(connection, settings, parameters, read_by=sql)
            results = [_result(rule, look.at(rule)) for rule in asked]
            failed = [result for result in results if not result.passed and result.severity != WARN]
            if revision is not None and not failed and asked == rules_of(table):
                passed.append((table, revision))
            yield from results
    if passed:
        with platform.warehouse.transaction() as connection:
            for table, revision in passed:
                note_checked(connection, table, revision)


class _Look:
    """Looks at one table for several rules: what they share is counted once."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        settings: Settings,
        parameters: dict[str, Parameter],
        *,
        read_by: str,
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._parameters = parameters
        self._read_by = read_by
        self._counted: dict[str, int] = {}

    def at(self, rule: Rule) -> Finding:
        """Rows that break the rule, and among how many: none where the table has not even its columns."""
        problems = _column_violations(self._connection, rule.table) if rule.name == CONTRACT_CHECK else None
        columns, rows = problems or rows_of(self._connection, _sql(rule), self._parameters)
        stands_for = columns.index(rule.counted_by) if rule.counted_by in columns else None
        return Finding(
            looked_at=0 if problems else self._count(rule.looks_at or rule.table),
            # A line without rows, as of a hole without records, is a line.
            broken=len(rows) if stands_for is None else sum(max(1, int(str(row[stands_for]))) for row in rows),
            limit=float(getattr(self._settings, rule.limit)) if rule.limit else 0.0,
            lines=[dict(zip(columns, map(str, row), strict=True)) for row in rows[:SHOWN_ROWS]],
        )

    def _count(self, table: Contract) -> int:
        """Rows of the batch, of the customers that are looked at, or all."""
        rows, where = table.full_name, ""
        if table.partitioned:
            where = f"where {BATCH_COLUMN} = $batch_key"
        elif scoped(table) in self._read_by:
            rows = scoped(table)
        if rows not in self._counted:
            _, ((count,),) = rows_of(self._connection, f"select count(*) from {rows} {where}", self._parameters)
            self._counted[rows] = int(str(count))
        return self._counted[rows]


def _column_violations(
    connection: duckdb.DuckDBPyConnection, table: Contract
) -> tuple[Sequence[str], list[tuple[object, ...]]] | None:
    try:
        names = [str(name) for name, *_ in connection.execute(f"describe {table.full_name}").fetchall()]
    except duckdb.CatalogException:
        names = []
    problems: list[tuple[object, ...]] = [(name, "missing") for name in table.column_names if name not in names]
    problems += [(name, "unknown") for name in names if name not in table.column_names]
    return (("column", "problem"), problems) if problems else None


def _result(rule: Rule, found: Finding) -> dg.AssetCheckResult:
    metadata: dict[str, int | float | dg.JsonMetadataValue] = {**found.numbers}
    if not found.passed:
        metadata["first_rows"] = dg.MetadataValue.json(found.lines)
    return dg.AssetCheckResult(
        asset_key=asset_key(rule.table),
        check_name=rule.name,
        passed=found.passed,
        severity=rule.severity,
        description=None if found.passed else f"{found.broken} row(s) break the rule. {rule.remedy}",
        metadata=metadata,
    )


def _spec(rule: Rule, *, partitioned: bool) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        rule.name,
        asset=asset_key(rule.table),
        description=rule.promise,
        additional_deps=[asset_key(table) for table in rule.also_reads],
        blocking=rule.blocking,
        partitions_def=BATCHES if partitioned else None,
    )


def rules_of(table: Contract) -> list[Rule]:
    """All rules of a table, that of its contract first."""
    return [_contract_rule(table), *(rule for rule in RULES if rule.table == table)]


def _contract_rule(table: Contract) -> Rule:
    return Rule(
        table,
        CONTRACT_CHECK,
        f"The table has the columns of its contract, and ({', '.join(table.key)}) is unique.",
        REBUILD,
        counted_by="copies",
    )


def _sql(rule: Rule) -> str:
    """The rows that break the rule."""
    return _key_sql(rule.table) if rule.name == CONTRACT_CHECK else read_sql(_file(rule))


def _file(rule: Rule) -> str:
    return f"checks/{rule.name}"


def _key_sql(table: Contract) -> str:
    keys = ", ".join(f'"{column}"' for column in table.key)
    where = f"where {BATCH_COLUMN} = $batch_key" if table.partitioned else ""
    rows = scoped(table) if contracts.CUSTOMER_HASH in table.columns and not table.partitioned else table.full_name
    return f"select {keys}, count(*) as copies from {rows} {where} group by {keys} having count(*) > 1 order by {keys}"
