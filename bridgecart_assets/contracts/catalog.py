"""The catalog: every table of an asset, by name, in layer order."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from bridgecart_assets.contracts.contract import Contract
from bridgecart_assets.contracts.gold import (
    AUDIENCES,
    CUSTOMER_FEATURES,
    CUSTOMER_SEGMENTS,
    CUSTOMER_SNAPSHOTS,
    PURCHASE_MODEL,
    SEGMENT_DRIFT,
    SEGMENT_FLOWS,
    SEGMENT_MEMBERSHIP,
    SEGMENT_MODEL,
)
from bridgecart_assets.contracts.kpi import (
    KPI_TABLES,
    SEGMENT_METRICS_HISTORY,
)
from bridgecart_assets.contracts.raw import RAW_BATCHES, RAW_ORDERS
from bridgecart_assets.contracts.silver import (
    SILVER_CUSTOMERS,
    SILVER_ORDERS,
    WRITTEN_WITH_ORDERS,
)

TABLES: Mapping[str, Contract] = MappingProxyType(
    {
        contract.full_name: contract
        for contract in (
            RAW_ORDERS,
            RAW_BATCHES,
            SILVER_ORDERS,
            *WRITTEN_WITH_ORDERS,
            SILVER_CUSTOMERS,
            CUSTOMER_FEATURES,
            PURCHASE_MODEL,
            SEGMENT_MODEL,
            CUSTOMER_SEGMENTS,
            AUDIENCES,
            SEGMENT_DRIFT,
            CUSTOMER_SNAPSHOTS,
            SEGMENT_FLOWS,
            SEGMENT_MEMBERSHIP,
            *KPI_TABLES,
            SEGMENT_METRICS_HISTORY,
        )
    }
)


def schemas() -> Iterator[str]:
    """The schemas of the warehouse, in layer order."""
    yield from dict.fromkeys(contract.schema for contract in TABLES.values())
