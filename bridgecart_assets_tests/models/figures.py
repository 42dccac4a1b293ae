"""Every figure of a warehouse that nobody should believe: no number, infinite, or beyond what can be."""

from collections.abc import Iterator
from typing import Any

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import ERASURE_TABLES, OUTBOX_TABLES, TABLES, Column, Contract
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.sql.history import records

# More than any sum of these tests' shops.
MOST = 1e15
SHARES = {
    *("p_alive", "churn_risk", "confidence", "coupon_share", "discount_rate"),
    *("churn_rate", "inactive_share", "estimated_churn_rate", "smallest_share", "coupon_share_mean", "agreement"),
}


def unbelievable(warehouse: Warehouse, settings: Settings) -> list[str]:
    """The columns with such figures, by the contracts of all tables, with the least and the largest of them."""
    found = []
    for contract in (*TABLES.values(), *ERASURE_TABLES, *OUTBOX_TABLES):
        if not records(
            warehouse,
            "select 1 from duckdb_tables() where schema_name = ? and table_name = ?",
            contract.schema,
            contract.name,
        ):
            continue
        for column, figure, rule in _rules(contract, settings):
            (row,) = records(
                warehouse,
                f"select count(*) as rows, min(figure) as least, max(figure) as most "
                f"from (select {figure} as figure from {contract.full_name}) where not ({rule})",
            )
            if row["rows"]:
                found.append(f"{contract.full_name}.{column}: {row}")
    return [*found, *map(str, _without_reason(warehouse)), *map(str, _beyond_all_paid(warehouse))]


def _rules(contract: Contract, settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Column, its figures in SQL, and what holds for each that is not NULL."""
    for column in contract.columns:
        name = f'"{column.name}"'
        if column.type == "DOUBLE[]":
            yield column.name, f"unnest({name})", f"isfinite(figure) and abs(figure) < {MOST}"
        elif column.type == "DOUBLE":
            yield column.name, name, f"isfinite(figure) and {_bound(column, settings)}"
        elif column.type.startswith("DECIMAL"):
            yield column.name, name, f"abs(figure) < {MOST**2 if column.name.endswith('_square') else MOST}"


def _bound(column: Column, settings: Settings) -> str:
    if column.name in SHARES:
        return "figure between 0 and 1"
    if column.name == "expected_purchases":
        return f"figure between 0 and {settings.clv_horizon_days}"
    if column.name == "expected_spend":
        return "figure between 0 and (select max(largest_mean_spend) from gold.purchase_model)"
    return f"abs(figure) < {MOST}"


def _without_reason(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Customers without one of the predictions and without a reason, or with all of them and one."""
    return records(
        warehouse,
        "select customer_id, no_prediction_reason from gold.customer_segments "
        "where (p_alive + churn_risk + expected_spend + expected_purchases + predicted_clv::double is null) "
        "<> (no_prediction_reason is not null) order by customer_id",
    )


def _beyond_all_paid(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Customers expected to spend more on a purchase day than anybody of their segment ever did."""
    return records(
        warehouse,
        "with paid as (select customer_id, segment_key, expected_spend, "
        "max(largest_spend) over (partition by segment_key) as most "
        "from gold.customer_segments join gold.customer_features using (customer_id)) "
        # Decimals as floats.
        "select customer_id, segment_key, expected_spend, most from paid where expected_spend > most * (1 + 1e-9) "
        "order by customer_id",
    )
