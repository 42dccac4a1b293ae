"""Asset checks: the rules of `check_rules.py`, evaluated on the warehouse. No row that breaks the rule: passed.

Every check says how many rows it looked at and how many of them break the rule, passed or not: Dagster plots it. Each
failing check says which rows and what to do.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import chain, groupby

import dagster as dg
import duckdb

from bridgecart_assets import contracts
from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.quoting import sql_names
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import BATCH_COLUMN, Contract
from bridgecart_assets.orchestration.asset_specs import POOL, asset_key, step_tags
from bridgecart_assets.orchestration.check_rules import CONTRACT_CHECK, WARN, Rule, rules_of
from bridgecart_assets.orchestration.failures import cause_first
from bridgecart_assets.orchestration.partitions import BATCHES
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.sql import read_sql
from bridgecart_assets.sql.chain import files_before
from bridgecart_assets.warehouse.incremental.rebuild import note_checked, scope_unchecked
from bridgecart_assets.warehouse.incremental.scope import scoped
from bridgecart_assets.warehouse.mappings import topic_mapping_sha256
from bridgecart_assets.warehouse.queries import reading_parameters
from bridgecart_assets.warehouse.storage.database import columns_of, rows_of
from bridgecart_assets.warehouse.storage.outputs import Parameter
from bridgecart_assets.warehouse.storage.tables import count_rows, run_steps

SHOWN_ROWS = 5
# As long as most shops take to number orders anew, and to send one again.
COMPARED = timedelta(days=31)
_STORED = {
    contracts.CUSTOMER_SNAPSHOTS: contracts.CUSTOMER_OPENINGS,
    contracts.SEGMENT_MEMBERSHIP: contracts.SEGMENT_INTERVALS,
}


class CheckFailed(BridgeCartError):
    """A blocking check of ERROR severity failed: nothing is made of its table."""


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


# Tables that one asset function writes together are checked together, in one step; so are those that the same wait for.
_TOGETHER: tuple[tuple[Contract, ...], ...] = (
    (contracts.RAW_ORDERS, contracts.RAW_BATCHES),
    (contracts.SILVER_ORDERS, *contracts.WRITTEN_WITH_ORDERS),
    (contracts.CUSTOMER_SNAPSHOTS, contracts.SEGMENT_FLOWS),
    (contracts.SEGMENT_MEMBERSHIP, contracts.SEGMENT_DRIFT, contracts.AUDIENCES),
    contracts.KPI_TABLES,
)
STEPS: tuple[tuple[Contract, ...], ...] = (
    *_TOGETHER,
    *((contract,) for contract in contracts.TABLES.values() if contract not in chain.from_iterable(_TOGETHER)),
)


def build_checks() -> list[dg.AssetChecksDefinition]:
    """All asset checks, by steps."""
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
        "only_changes": only_changes,
        "as_of": settings.as_of.isoformat() if settings.as_of else None,
        **reading_parameters(settings),
        "currency": settings.currency,
        "churn_window_days": settings.churn_window_days,
        "max_prediction_error": settings.max_prediction_error,
    }
    passed: list[tuple[Contract, int]] = []
    with platform.warehouse.reading() as connection:
        for table, of_table in groupby(rules, key=lambda rule: rule.table):
            asked = list(of_table)
            sql = "".join(map(_sql, asked))
            run_steps(connection, files_before(*(rule.file for rule in asked if rule.name != CONTRACT_CHECK)), {})
            revision = scope_unchecked(connection, table, read_by=sql, only_changes=only_changes)
            if "$mapping" in sql:
                parameters["mapping"] = topic_mapping_sha256(settings)
            if "$compared_since" in sql:
                parameters["compared_since"] = _compared_since(connection, only_changes=only_changes)
            look = _Look(connection, settings, parameters, read_by=sql)
            results = [_result(rule, look.at(rule)) for rule in asked]
            failed = [result for result in results if not result.passed and result.severity != WARN]
            if revision is not None and not failed and asked == rules_of(table):
                passed.append((table, revision))
            yield from results
    for table, revision in passed:
        platform.warehouse.soon(partial(note_checked, contract=table, revision=revision))


def _compared_since(connection: duckdb.DuckDBPyConnection, *, only_changes: bool) -> str:
    """Day from which ids of orders are compared: of a batch those of the last weeks, which zone maps tell apart."""
    ((last,),) = connection.execute(f"select max(purchased_on) from {contracts.SILVER_ORDERS.full_name}").fetchall()
    return str(last - COMPARED) if only_changes and last is not None else "-infinity"


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
            # A line without rows, as of a hole without records, is a line; of a comparison it keeps the rule.
            broken=len(rows)
            if stands_for is None
            else sum(max(0 if rule.compares else 1, int(str(row[stands_for]))) for row in rows),
            limit=float(getattr(self._settings, rule.limit)) if rule.limit else 0.0,
            lines=[
                dict(zip(columns, map(str, row), strict=True)) for row in (rows if rule.compares else rows[:SHOWN_ROWS])
            ],
        )

    def _count(self, table: Contract) -> int:
        """Rows of the batch, of the customers that are looked at, or all."""
        name, batch_key = table.full_name, self._parameters[BATCH_COLUMN] if table.partitioned else None
        if name not in self._counted:
            if batch_key is None and scoped(table) in self._read_by:
                ((count,),) = self._connection.execute(f"select count(*) from {scoped(table)}").fetchall()
            else:
                count = count_rows(self._connection, table, None if batch_key is None else str(batch_key))
            self._counted[name] = int(count)
        return self._counted[name]


def _column_violations(
    connection: duckdb.DuckDBPyConnection, table: Contract
) -> tuple[Sequence[str], list[tuple[object, ...]]] | None:
    names = columns_of(connection, table) or ()
    problems: list[tuple[object, ...]] = [(name, "missing") for name in table.column_names if name not in names]
    problems += [(name, "unknown") for name in names if name not in table.column_names]
    return (("column", "problem"), problems) if problems else None


def _result(rule: Rule, found: Finding) -> dg.AssetCheckResult:
    metadata: dict[str, int | float | dg.JsonMetadataValue] = {**found.numbers}
    if found.lines:
        metadata["first_rows"] = dg.MetadataValue.json(found.lines)
    return dg.AssetCheckResult(
        asset_key=asset_key(rule.table),
        check_name=rule.name,
        passed=found.passed,
        severity=rule.severity,
        description=None if found.passed else f"{_in_words(rule, found)} {rule.remedy}",
        metadata=metadata,
    )


def _in_words(rule: Rule, found: Finding) -> str:
    if rule.said_by is None:
        return f"{found.broken} row(s) break the rule."
    return " ".join(filter(None, (line[rule.said_by] for line in found.lines)))


def _spec(rule: Rule, *, partitioned: bool) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        rule.name,
        asset=asset_key(rule.table),
        description=rule.promise,
        additional_deps=[asset_key(table) for table in rule.also_reads],
        blocking=rule.blocking,
        partitions_def=BATCHES if partitioned else None,
    )


def _sql(rule: Rule) -> str:
    """The rows that break the rule."""
    return _key_sql(rule.table) if rule.name == CONTRACT_CHECK else read_sql(rule.file)


def _key_sql(table: Contract) -> str:
    keys = sql_names(table.key)
    where = f"where {BATCH_COLUMN} = $batch_key" if table.partitioned else ""
    # What a view adds to what is stored has other keys: those of now.
    stored = _STORED.get(table, table)
    rows = scoped(stored) if contracts.CUSTOMER_HASH in table.columns and not table.partitioned else table.full_name
    return f"select {keys}, count(*) as copies from {rows} {where} group by {keys} having count(*) > 1 order by {keys}"
