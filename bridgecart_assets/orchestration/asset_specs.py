"""Properties that every table asset takes from its contract: key, group, description, column schema, owners."""

from collections.abc import Callable, Mapping
from datetime import timedelta

import dagster as dg

from bridgecart_assets.contracts import AUDIENCES, SEGMENT_DRIFT, SEGMENT_MEMBERSHIP, SILVER_CUSTOMERS, Contract
from bridgecart_assets.orchestration.failures import cause_first
from bridgecart_assets.orchestration.partitions import BATCHES

OWNERS = ["team:bridgecart"]
POOL = "duckdb"
# Nothing that a KPI needs waits for these: their steps come when no other is ready.
_NOT_FOR_KPIS = (SILVER_CUSTOMERS, SEGMENT_MEMBERSHIP, SEGMENT_DRIFT, AUDIENCES)
# Where orders are sold every day: none for a day deserves a look, none for two is a fault of somebody's.
KPI_FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=2), warn_window=timedelta(days=1))
KAFKA_ORDERS = dg.AssetKey(["kafka", "orders"])
REPORT = dg.AssetKey(["report", "segments"])
SEGMENT_CHANGES_TOPIC = dg.AssetKey(["announced", "segment_changes"])


def asset_key(contract: Contract) -> dg.AssetKey:
    """The asset of a table: key prefix = schema = layer."""
    return dg.AssetKey([contract.schema, contract.name])


def step_tags(contract: Contract) -> Mapping[str, str]:
    """Tags of the steps that write or check a table: the sooner the KPIs stand, the fresher they are."""
    return {"dagster/priority": "-1"} if contract in _NOT_FOR_KPIS else {}


def table_asset(
    contract: Contract, *, kinds: set[str], ins: Mapping[str, dg.AssetIn]
) -> Callable[[Callable[..., object]], dg.AssetsDefinition]:
    """The decorator of an asset that writes one table as a whole."""
    spec = _table_spec(contract, kinds=kinds)
    of_function = dg.asset(
        key=spec.key,
        description=spec.description,
        group_name=spec.group_name,
        kinds=spec.kinds,
        owners=spec.owners,
        metadata=spec.metadata,
        freshness_policy=spec.freshness_policy,
        ins=ins,
        op_tags=step_tags(contract),
        pool=POOL,
    )
    return lambda function: of_function(cause_first()(function))


def table_out(contract: Contract, *, kinds: set[str]) -> dg.AssetOut:
    """One table among the outputs of an asset that writes several tables together."""
    return dg.AssetOut.from_spec(_table_spec(contract, kinds=kinds))


def batch_table(contract: Contract, *, kinds: set[str]) -> dg.AssetOut:
    """As `table_out`, of a batch."""
    return dg.AssetOut.from_spec(_table_spec(contract, kinds=kinds).replace_attributes(partitions_def=BATCHES))


def read_from(contract: Contract, *, columns: list[str] | None = None) -> dg.AssetIn:
    """The table of a contract as an input; `columns` matters where it is loaded as a DataFrame."""
    return dg.AssetIn(key=asset_key(contract), metadata={"columns": columns} if columns else {})


def _table_spec(contract: Contract, *, kinds: set[str]) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=asset_key(contract),
        description=contract.meaning,
        group_name=contract.schema,
        kinds=kinds | {"duckdb"},
        owners=OWNERS,
        metadata={"dagster/column_schema": column_schema(contract), "dagster/table_name": contract.full_name},
        freshness_policy=KPI_FRESHNESS if contract.schema == "kpi" else None,
    )


def column_schema(contract: Contract) -> dg.TableSchema:
    """The columns as Dagster's UI shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                column.type,
                description=column.meaning,
                constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=contract.key == (column.name,)),
            )
            for column in contract.columns
        ]
    )
