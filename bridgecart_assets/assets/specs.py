"""What every table asset shares: key, group, description, column schema and owners, from its contract."""

from typing import Any

import dagster as dg

from bridgecart_assets.contracts import Contract
from bridgecart_assets.partitions import BATCHES

OWNERS = ["team:bridgecart"]
POOL = "duckdb"
KAFKA_ORDERS = dg.AssetKey(["kafka", "orders"])


def asset_key(contract: Contract) -> dg.AssetKey:
    """The asset of a table: key prefix = schema = layer."""
    return dg.AssetKey([contract.schema, contract.name])


def table_options(contract: Contract, *, kinds: set[str]) -> dict[str, Any]:
    """Options of `dg.asset` that follow from the contract."""
    return {
        "key": asset_key(contract),
        "description": contract.meaning,
        "group_name": contract.schema,
        "kinds": kinds | {"duckdb"},
        "owners": OWNERS,
        "metadata": {"dagster/column_schema": column_schema(contract), "dagster/table_name": contract.full_name},
        "pool": POOL,
    }


def batch_table(contract: Contract, *, kinds: set[str]) -> dg.AssetOut:
    """One table among the outputs of an asset that writes several tables of a batch together."""
    options = table_options(contract, kinds=kinds)
    options.pop("pool")
    return dg.AssetOut.from_spec(dg.AssetSpec(**options, partitions_def=BATCHES))


def column_schema(contract: Contract) -> dg.TableSchema:
    """The columns as Dagster's UI shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                column.type,
                description=column.meaning,
                constraints=dg.TableColumnConstraints(
                    nullable=column.nullable, unique=contract.key == (column.name,)
                ),
            )
            for column in contract.columns
        ]
    )
