"""The Dagster IO manager: takes what an asset hands over and stores it in DuckDB, one transaction an asset.

An asset says what its rows are; how they get there is decided by the engine. Inputs annotated as
`Table` are references; those annotated as `pd.DataFrame` are loaded read-only, with the conventions of
dagster-duckdb-pandas (metadata `columns` selects columns).
"""

import dagster as dg
import pandas as pd
from dagster_duckdb_pandas import DuckDBPandasTypeHandler

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.contracts import BATCH_COLUMN, KPIS, SILVER_ORDERS, SILVER_REJECTS, TABLES, Contract
from bridgecart_assets.orchestration.failures import cause_first
from bridgecart_assets.orchestration.metadata import batch_figures, kpi_figures, report_link, table_metadata
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.orchestration.storage.dagster_internals import TableSlice
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.publishing import is_recent, publish
from bridgecart_assets.warehouse.storage.database import WarehouseMissing, rows_of, table_exists
from bridgecart_assets.warehouse.storage.outputs import CoWritten, Query, Table
from bridgecart_assets.warehouse.storage.tables import count_rows

# Rows that are shown beside a table in the UI: `sql/report/<name>_of_batch.sql`, and what they are called there.
SHOWN = {SILVER_REJECTS: "reject_reasons"}

HandedOver = Query | Table | CoWritten | pd.DataFrame


class WarehouseIOManager(dg.ConfigurableIOManager):
    """Stores `Query` and `pandas.DataFrame` in DuckDB and publishes the gold and KPI tables.

    A reference to a table that the asset has written itself, or together with another one, stores nothing.
    """

    platform: dg.ResourceDependency[Platform]

    @cause_first()
    def handle_output(self, context: dg.OutputContext, obj: HandedOver) -> None:
        """Write the asset's table, add its counts to the materialization, publish it where the contract says so."""
        contract = contract_of(context.asset_key)
        batch_key = context.asset_partition_key if context.has_asset_partitions else None
        only_changes = self.platform.only_changes
        if not stands(contract, obj):
            self._write(contract, obj, batch_key, only_changes=only_changes)
        self._add_counts(context, contract, batch_key)
        settings = self.platform.settings
        if contract.published and not (
            only_changes and is_recent(settings.published_dir, contract, settings.publish_customers_minutes)
        ):
            publish(self.platform.warehouse, contract, settings.published_dir)

    @cause_first()
    def load_input(self, context: dg.InputContext) -> Table | pd.DataFrame:
        """A reference to the stored table, or its rows where the input is annotated as a DataFrame."""
        contract = contract_of(context.asset_key)
        if context.dagster_type.typing_type is pd.DataFrame:
            return self._load_frame(context, contract)
        # A table that is not written in batches reads its inputs whole, never as a list of keys.
        return Table(contract.full_name)

    def _write(self, contract: Contract, obj: HandedOver, batch_key: str | None, *, only_changes: bool) -> None:
        if not isinstance(obj, Query | pd.DataFrame):
            raise BridgeCartError(f"{contract.full_name}: an asset cannot hand over {type(obj).__name__}.")
        self.platform.engine.write(contract, obj, batch_key, only_changes=only_changes)

    def _add_counts(self, context: dg.OutputContext, contract: Contract, batch_key: str | None) -> None:
        """Count of the rows, and for some tables those that people look for; of a KPI each segment's figure."""
        metadata: dict[str, int | float | str | dg.MetadataValue] = dict(self.platform.engine.facts)
        with self.platform.warehouse.reading() as connection:
            metadata["dagster/row_count"] = count_rows(connection, contract)
            if contract.partitioned:
                metadata["dagster/partition_row_count"] = count_rows(connection, contract, batch_key)
            if contract in SHOWN:
                sql = read_sql(f"report/{SHOWN[contract]}_of_batch")
                columns, rows = rows_of(connection, sql, {BATCH_COLUMN: batch_key})
                metadata[SHOWN[contract]] = table_metadata(pd.DataFrame(rows, columns=list(columns)))
            if contract == SILVER_ORDERS:
                metadata |= batch_figures(connection, batch_key)
            for kpi in KPIS:
                if kpi.table == contract:
                    metadata |= {
                        **kpi_figures(connection, kpi, self.platform.settings.currency),
                        **report_link(self.platform.settings),
                    }
        context.add_output_metadata(metadata)

    def _load_frame(self, context: dg.InputContext, contract: Contract) -> pd.DataFrame:
        columns = context.definition_metadata.get("columns") if context.definition_metadata else None
        table = TableSlice(table=contract.name, schema=contract.schema, columns=columns)
        with self.platform.warehouse.reading() as connection:
            if not table_exists(connection, contract):
                key = context.asset_key.to_user_string()
                raise WarehouseMissing(f"Not in the warehouse yet: {contract.full_name}. Materialize {key} first.")
            return DuckDBPandasTypeHandler().load_input(context, table, connection)


def stands(contract: Contract, obj: HandedOver) -> bool:
    """True if the asset's rows are in its table already."""
    return isinstance(obj, CoWritten) or (isinstance(obj, Table) and obj.name == contract.full_name)


def contract_of(key: dg.AssetKey) -> Contract:
    """The contract of an asset: its key is schema and table."""
    return TABLES[".".join(key.path)]
