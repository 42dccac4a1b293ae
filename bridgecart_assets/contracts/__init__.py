"""The tables: columns, types, units, keys and meaning, declared once; one module a layer."""

from bridgecart_assets.contracts.catalog import (
    TABLES,
    schemas,
)
from bridgecart_assets.contracts.columns import (
    CUSTOMER_HASH,
    ID_COLUMN,
    UNASSIGNED,
)
from bridgecart_assets.contracts.contract import (
    BATCH_COLUMN,
    INSTANT,
    MONEY,
    Column,
    Contract,
)
from bridgecart_assets.contracts.gold import (
    CUSTOMER_FEATURES,
    CUSTOMER_SEGMENTS,
    CUSTOMER_SNAPSHOTS,
    PURCHASE_MODEL,
    SEGMENT_DRIFT,
    SEGMENT_FLOWS,
    SEGMENT_MEMBERSHIP,
    SEGMENT_MODEL,
)
from bridgecart_assets.contracts.internal import (
    ANNOUNCED_SEGMENTS,
    BOOKKEEPING,
    CHANGED_CUSTOMERS,
    ERASED_VALUE,
    ERASURE_TABLES,
    FORGOTTEN_CUSTOMERS,
    OUTBOX_TABLES,
    REFRESHES,
    SEGMENT_CHANGES,
    TOUCHED_ORDERS,
    WITHDRAWN_ORDERS,
)
from bridgecart_assets.contracts.kpi import (
    AVERAGE_ORDER_VALUE,
    CHURN,
    CHURN_RATE,
    CLV_GROWTH,
    KPI_TABLES,
    KPIS,
    SALES_CONTRIBUTION,
    SEGMENT_METRICS_HISTORY,
    Kpi,
)
from bridgecart_assets.contracts.raw import (
    RAW_BATCHES,
    RAW_ORDERS,
)
from bridgecart_assets.contracts.reading import READ_WITH, RULES_VERSION
from bridgecart_assets.contracts.silver import (
    SILVER_CUSTOMERS,
    SILVER_DUPLICATES,
    SILVER_ORDERS,
    SILVER_READINGS,
    SILVER_REJECTS,
)
from bridgecart_assets.contracts.traits import SEGMENTATION_TRAITS, TRAIT_COLUMNS, TRAITS, Trait

__all__ = [
    "ANNOUNCED_SEGMENTS",
    "AVERAGE_ORDER_VALUE",
    "BATCH_COLUMN",
    "BOOKKEEPING",
    "CHANGED_CUSTOMERS",
    "CHURN",
    "CHURN_RATE",
    "CLV_GROWTH",
    "CUSTOMER_FEATURES",
    "CUSTOMER_HASH",
    "CUSTOMER_SEGMENTS",
    "CUSTOMER_SNAPSHOTS",
    "ERASED_VALUE",
    "ERASURE_TABLES",
    "FORGOTTEN_CUSTOMERS",
    "ID_COLUMN",
    "INSTANT",
    "KPIS",
    "KPI_TABLES",
    "MONEY",
    "OUTBOX_TABLES",
    "PURCHASE_MODEL",
    "RAW_BATCHES",
    "RAW_ORDERS",
    "READ_WITH",
    "REFRESHES",
    "RULES_VERSION",
    "SALES_CONTRIBUTION",
    "SEGMENTATION_TRAITS",
    "SEGMENT_CHANGES",
    "SEGMENT_DRIFT",
    "SEGMENT_FLOWS",
    "SEGMENT_MEMBERSHIP",
    "SEGMENT_METRICS_HISTORY",
    "SEGMENT_MODEL",
    "SILVER_CUSTOMERS",
    "SILVER_DUPLICATES",
    "SILVER_ORDERS",
    "SILVER_READINGS",
    "SILVER_REJECTS",
    "TABLES",
    "TOUCHED_ORDERS",
    "TRAITS",
    "TRAIT_COLUMNS",
    "UNASSIGNED",
    "WITHDRAWN_ORDERS",
    "Column",
    "Contract",
    "Kpi",
    "Trait",
    "schemas",
]
