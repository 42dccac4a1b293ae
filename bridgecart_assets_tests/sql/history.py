"""Small histories for the gold and KPI tables: orders put straight into silver, segment models written by hand.

Everything runs in memory, with the same queries on the same writer as in production.
"""

import hashlib
import math
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from bridgecart_assets import contracts
from bridgecart_assets.base.settings import Period, Settings
from bridgecart_assets.contracts import (
    BATCH_SUMS,
    BOOKKEEPING,
    PURCHASE_MODEL,
    SEGMENT_MODEL,
    SILVER_ORDERS,
    TRAITS,
    Contract,
)
from bridgecart_assets.models.frames import typed
from bridgecart_assets.models.purchase import PurchaseModel
from bridgecart_assets.models.spend import SpendModel
from bridgecart_assets.models.spend_choice import Credibility
from bridgecart_assets.orchestration.check_rules import RULES, Rule
from bridgecart_assets.sql import read_sql
from bridgecart_assets.sql.chain import files_before
from bridgecart_assets.warehouse import queries
from bridgecart_assets.warehouse.incremental.rebuild import scope_unchecked
from bridgecart_assets.warehouse.storage.database import Warehouse, rows_of
from bridgecart_assets.warehouse.storage.outputs import Parameter, Query
from bridgecart_assets.warehouse.storage.tables import insert_rows, prepare, run_steps
from bridgecart_assets.warehouse.writing import write_frame, write_query

ALL_CHECKS = "".join(read_sql(rule.file) for rule in RULES)
CHECK_PARAMETERS: Mapping[str, Parameter] = {
    "batch_key": None,
    "only_changes": True,
    "compared_since": None,
    "currency": None,
    "as_of": None,
    "churn_window_days": 30,
    "max_prediction_error": 0.25,
    **queries.reading_parameters(Settings(data_dir=Path("nowhere"))),
    "mapping": None,
}
# Weighs a trait so little that it decides nothing.
IGNORED = 1e9


@dataclass(frozen=True)
class MemoryWarehouse(Warehouse):
    """A warehouse in memory. Each transaction has its own cursor, so temporary tables stay apart."""

    path: Path = Path("memory")
    database: duckdb.DuckDBPyConnection = field(
        default_factory=lambda: duckdb.connect(":memory:", config={"preserve_insertion_order": False, "threads": 1})
    )

    @property
    def exists(self) -> bool:
        """Always: there is no file to look for."""
        return True

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor, closed at the end."""
        cursor = self.database.cursor()
        try:
            yield cursor
        finally:
            cursor.close()

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """One transaction; nothing is committed when the caller raises."""
        with self.reading() as cursor:
            cursor.execute("begin transaction")
            yield cursor
            cursor.execute("commit")


@dataclass(frozen=True)
class Order:
    """One accepted order: who, when (`2025-01-31` or with a time, UTC), net amount; negative is a refund.

    `discount` comes on top of the net amount, so gross = net + discount.
    """

    customer: str
    at: str
    net: Decimal | int | str
    discount: Decimal | int | str = 0
    coupon: bool | None = False
    category: str | None = "Books"

    @cached_property
    def amount(self) -> Decimal:
        """Net amount in currency units."""
        return Decimal(self.net)

    @cached_property
    def instant(self) -> datetime:
        """The purchase instant, naive UTC as it is stored."""
        return datetime.fromisoformat(self.at).replace(tzinfo=None)

    @cached_property
    def day(self) -> date:
        """The UTC day of the purchase."""
        return self.instant.date()

    @cached_property
    def gross(self) -> Decimal:
        """Amount before the discount."""
        return self.amount + Decimal(self.discount)

    @cached_property
    def kind(self) -> str:
        """purchase, zero or refund, as silver decides it."""
        if self.gross < 0:
            return "refund"
        return "purchase" if self.amount > 0 else "zero"


@dataclass(frozen=True)
class Segment:
    """One row of a segment model that looks at spend on a purchase day alone; `spend` is its centroid."""

    key: str
    name: str
    spend: float


LARGE = Segment("S01", "large", 399.123456789)
SMALL = Segment("S02", "small", 25.0)
NOBODY = Segment("S03", "nobody", 1e9)
# A (geometric) mean spend of 100 and above is nearer to LARGE, below to SMALL. The border itself, the root of
# 399.12... * 25, is no mean of amounts in cents, so that no customer stands on it.
BY_SPEND = (LARGE, SMALL, NOBODY)
PURCHASES = PurchaseModel(r=0.6, alpha=6.0, a=0.8, b=2.5)
# Customers differ without bounds, so that nobody is shrunk to anybody: log_spend is the mean of a customer's own days.
SPEND = SpendModel(mean=0.0, within=0.25, between=1e12)
COUPON_SHARE = 0.2
REFUND_SHARE = 0.05


def tiny_settings(
    *, kpi_period: Period = "month", churn_window_days: int = 30, as_of: date | None = None, segments: int = 3
) -> Settings:
    """Settings of a test; nothing is read from or written to their data directory."""
    return Settings(
        data_dir=Path("nowhere"),
        kpi_period=kpi_period,
        churn_window_days=churn_window_days,
        as_of=as_of,
        segments=segments,
    )


def warehouse_with(orders: Iterable[Order], model: pd.DataFrame | None = None) -> MemoryWarehouse:
    """A warehouse whose silver holds the orders, and whose segment model is the given one (default BY_SPEND)."""
    warehouse = MemoryWarehouse()
    store_orders(warehouse, orders)
    store_purchase_model(warehouse)
    store_model(warehouse, spend_model() if model is None else model)
    return warehouse


def store_orders(warehouse: Warehouse, orders: Iterable[Order]) -> None:
    """Add orders to silver."""
    rows = [
        {
            "order_key": str(uuid.uuid4()),
            "customer_id": order.customer,
            "customer_hash": int.from_bytes(hashlib.md5(order.customer.encode()).digest()[8:], "little") >> 1,
            "purchased_at": order.instant,
            "purchased_on": order.day,
            "order_kind": order.kind,
            "gross_amount": order.gross,
            "discount_amount": Decimal(order.discount),
            "net_amount": order.amount,
            "coupon_used": order.coupon,
            "product_category": order.category,
        }
        for order in orders
    ]
    fixed = "'t' as topic_id, 0 as \"partition\", 0 as \"offset\", 'b' as batch_key, 1 as lines, 0 as part"
    with warehouse.transaction() as connection:
        for contract in (SILVER_ORDERS, BATCH_SUMS):
            prepare(connection, contract)
        if rows:
            connection.register("added", pa.Table.from_pylist(rows))
            connection.execute(
                f"create temp table came as select * replace (order_key::uuid as order_key), {fixed} from added"
            )
            connection.execute("insert into silver.orders by name from came")
            run_steps(connection, queries.COUNT_EVERY_BATCH, {})
            # As silver does, so that the tables of customers follow.
            for contract in BOOKKEEPING:
                prepare(connection, contract)
            brought = "from silver.orders where order_key in (select order_key from came)"
            connection.execute(f"create temp table written_orders as {brought}")
            connection.execute("create temp table replaced_orders as from silver.orders limit 0")
            run_steps(connection, ("silver/order_changes",), {})
            connection.unregister("added")


def spend_model(
    segments: tuple[Segment, ...] = BY_SPEND,
    *,
    version: int = 1,
    as_of: date = date(2025, 1, 1),
    status: str = "active",
) -> pd.DataFrame:
    """One version of a model that tells segments apart by spend only."""
    return pd.concat(
        [
            model_row(
                key=segment.key,
                name=segment.name,
                version=version,
                as_of=as_of,
                status=status,
                scale={"log_purchase_rate": IGNORED, "log_spend": 1.0, "coupon_share": IGNORED},
                centroid={"log_purchase_rate": 0.0, "log_spend": math.log(segment.spend), "coupon_share": 0.0},
            )
            for segment in segments
        ],
        ignore_index=True,
    )


def model_row(
    *,
    key: str,
    name: str,
    centroid: Mapping[str, float],
    scale: Mapping[str, float] | None = None,
    mean: Mapping[str, float] | None = None,
    version: int = 1,
    as_of: date = date(2025, 1, 1),
    status: str = "active",
    largest_spend: float = 1e9,
) -> pd.DataFrame:
    """One row of `gold.segment_model`; mean 0 and scale 1 where nothing is said."""
    row: dict[str, Any] = {
        "version": version,
        "segment_key": key,
        "segment": name,
        "status": status,
        "as_of": pd.Timestamp(as_of),
        "in_force_from": pd.Timestamp(as_of) if status == "active" else pd.NaT,
        "purchase_version": 1,
        "seed": 0,
        "traits_hash": f"by hand {version}",
        "fitted_customers": 100,
        "segment_customers": 10,
        "inertia": 0.0,
        "silhouette": 0.0,
        "stability": 1.0,
        "smallest_share": 0.1,
        "matched_from": "",
        "centroid_shift": 0.0,
        "agreement": 1.0,
        "segments_asked": None,
        "fewer_because": None,
        "largest_spend": largest_spend,
        "remarks": None,
    }
    for trait in TRAITS:
        row[f"mean_{trait}"] = (mean or {}).get(trait, 0.0)
        row[f"scale_{trait}"] = (scale or {}).get(trait, 1.0)
        row[f"centroid_{trait}"] = centroid[trait]
        row[f"bounds_{trait}"] = [0.0]
        row[f"bin_customers_{trait}"] = [50, 50]
        row[f"left_out_{trait}"] = None
    return pd.DataFrame([row])[[name for name in SEGMENT_MODEL.column_names if name in row]]


def store_model(warehouse: Warehouse, model: pd.DataFrame) -> None:
    """Replace the stored segment model."""
    with warehouse.transaction() as connection:
        write_frame(connection, SEGMENT_MODEL, model, None)


def store_purchase_model(
    warehouse: Warehouse,
    *,
    as_of: date = date(2020, 1, 1),
    reason: str | None = None,
    model: PurchaseModel = PURCHASES,
    spend: SpendModel = SPEND,
    largest_mean_spend: float = 1e9,
    line: Credibility | None = None,
    repeat_scale: float = 1.0,
    covariates: Mapping[str, object] | None = None,
) -> None:
    """Replace the stored purchase model; with a reason, by one that predicts nothing; with a line, by its spend.

    `covariates` are the columns of the levels and the coefficients.
    """
    row = {
        "version": 1,
        "as_of": as_of,
        "in_force_from": as_of,
        "input_hash": "by hand",
        "fitted_customers": 100,
        "repeat_customers": 50,
        "history_days": 365,
        "r": model.r,
        "alpha": model.alpha,
        "a": None if reason else model.a,
        "b": None if reason else model.b,
        "log_likelihood": None,
        "log_spend_mean": spend.mean,
        "log_spend_variance_within": spend.within,
        "log_spend_variance_between": spend.between,
        "coupon_share_mean": COUPON_SHARE,
        "no_prediction_reason": reason,
        "largest_mean_spend": largest_mean_spend,
        "spend_model": "log-normal" if line is None else "credibility",
        "spend_mean": 0.0 if line is None else line.mean,
        "spend_prior_days": 1.0 if line is None else line.prior_days,
        "log_spend_scale": 1.0,
        "repeat_spend_scale": repeat_scale,
        "refund_share_mean": REFUND_SHARE,
        "spend_backtest": "[]",
    }
    row |= covariates or {}
    row |= {name: None for name in PURCHASE_MODEL.column_names if name not in row}
    with warehouse.transaction() as connection:
        write_frame(connection, PURCHASE_MODEL, typed(pd.DataFrame([row]), PURCHASE_MODEL), None)


def compute(warehouse: Warehouse, settings: Settings) -> None:
    """Features, segments, snapshots, KPIs and the two histories under the model that is stored."""
    compute_features(warehouse, settings)
    compute_membership(warehouse, settings)
    compute_kpis(warehouse, settings)


def compute_features(warehouse: Warehouse, settings: Settings) -> None:
    """Features and current segments."""
    write(warehouse, contracts.CUSTOMER_FEATURES, queries.features_query(settings))
    write(warehouse, contracts.CUSTOMER_SEGMENTS, queries.segments_query(settings))
    write(warehouse, contracts.AUDIENCES, queries.audiences_query())


def compute_snapshots(warehouse: Warehouse, settings: Settings) -> None:
    """Snapshots as of every period opening and as of now, which are those of features and segments."""
    compute_features(warehouse, settings)
    write(warehouse, contracts.CUSTOMER_SNAPSHOTS, queries.snapshots_query(settings))


def compute_flows(warehouse: Warehouse, settings: Settings) -> None:
    """The flows between segments, from snapshots as they stand."""
    query = queries.snapshots_query(settings)
    with warehouse.transaction() as connection:
        run_steps(connection, ("gold/tmp_clock",), query.parameters)
        connection.execute("create temp table summed_periods as from periods")
        connection.execute(
            "create temp view summed_openings as select *, null::date as next_purchased_on from gold.customer_snapshots"
        )
        connection.execute("create temp view summed_closes as from gold.customer_snapshots")
        connection.execute("delete from gold.segment_flows")
        select = read_sql("gold/segment_flows")
        insert_rows(connection, contracts.SEGMENT_FLOWS, select, {"churn_window_days": settings.churn_window_days})


def compute_membership(warehouse: Warehouse, settings: Settings) -> None:
    """Snapshots and the history of segment membership."""
    compute_snapshots(warehouse, settings)
    write(warehouse, contracts.SEGMENT_MEMBERSHIP, queries.membership_query())


def compute_kpi(warehouse: Warehouse, settings: Settings, contract: Contract) -> None:
    """Snapshots and one KPI table."""
    compute_snapshots(warehouse, settings)
    write(warehouse, contract, queries.kpi_query(settings))


def compute_kpis(warehouse: Warehouse, settings: Settings) -> None:
    """The four KPI tables from snapshots as they stand, and the history of their metrics."""
    for contract in contracts.KPI_TABLES:
        write(warehouse, contract, queries.kpi_query(settings))
    write(warehouse, contracts.SEGMENT_METRICS_HISTORY, queries.metrics_history_query())


def write(warehouse: Warehouse, contract: Contract, query: Query) -> None:
    """One table, in one transaction."""
    with warehouse.transaction() as connection:
        write_query(connection, contract, query, None)


def broken_rules(warehouse: Warehouse, contract: Contract, *, only_changes: bool = False) -> list[str]:
    """The checks of a table that find a row."""
    with warehouse.reading() as connection:
        scope_unchecked(connection, contract, read_by=ALL_CHECKS, only_changes=only_changes)
        of_table = [rule for rule in RULES if rule.table == contract]
        run_steps(connection, files_before(*(rule.file for rule in of_table)), {})
        return [rule.name for rule in of_table if any(_breaks(rule, line) for line in _lines(connection, rule))]


def lines_of(warehouse: Warehouse, name: str, **changed: Parameter) -> list[dict[str, Any]]:
    """The lines of the check of this name, of all rows; `changed` are parameters."""
    (rule,) = [rule for rule in RULES if rule.name == name]
    with warehouse.reading() as connection:
        scope_unchecked(connection, rule.table, read_by=ALL_CHECKS, only_changes=False)
        return _lines(connection, rule, **changed)


def _lines(connection: duckdb.DuckDBPyConnection, rule: Rule, **changed: Parameter) -> list[dict[str, Any]]:
    run_steps(connection, files_before(rule.file), {})
    columns, rows = rows_of(connection, read_sql(rule.file), {**CHECK_PARAMETERS, **changed})
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _breaks(rule: Rule, line: Mapping[str, Any]) -> bool:
    return not rule.compares or rule.counted_by is None or bool(line[rule.counted_by])


def records(warehouse: Warehouse, sql: str, *parameters: Any) -> list[dict[str, Any]]:
    """Rows of a query as dictionaries."""
    with warehouse.reading() as connection:
        cursor = connection.execute(sql, list(parameters))
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def kpi_row(warehouse: Warehouse, contract: Contract, period: str, key: str) -> dict[str, Any]:
    """The one row of a KPI table for a period (its opening date) and a segment key."""
    (row,) = records(
        warehouse,
        f"select * from {contract.full_name} where period = ? and segment_key = ?",
        date.fromisoformat(period),
        key,
    )
    return row
