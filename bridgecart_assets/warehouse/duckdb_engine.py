"""DuckDB as the engine: rows are made and kept in the one file of the warehouse."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import duckdb
import pandas as pd

from bridgecart_assets.contracts import Contract
from bridgecart_assets.warehouse.lake.heads import in_file, require_in_file
from bridgecart_assets.warehouse.slices import write_file_slice, write_kafka_slice
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.storage.outputs import FileSlice, KafkaSlice, Query
from bridgecart_assets.warehouse.writing import write_frame, write_query


@dataclass(frozen=True)
class DuckDBEngine:
    """An engine whose every write is one transaction of the file."""

    warehouse: Warehouse

    @property
    def facts(self) -> Mapping[str, str]:
        """Nothing: it is the engine that everybody has."""
        return {}

    def write(
        self, contract: Contract, rows: Query | pd.DataFrame, batch_key: str | None, *, only_changes: bool = False
    ) -> None:
        """Write the table in one transaction."""
        with self._writing() as connection:
            if isinstance(rows, Query):
                write_query(connection, contract, rows, batch_key, only_changes=only_changes)
            else:
                write_frame(connection, contract, rows, batch_key)

    def write_slice(self, planned: KafkaSlice | FileSlice) -> None:
        """Stream the records into the file, they and their ledger row in one transaction."""
        with self._writing() as connection:
            if isinstance(planned, FileSlice):
                write_file_slice(connection, planned)
            else:
                write_kafka_slice(connection, planned)

    def changing(
        self, connection: duckdb.DuckDBPyConnection, records: str, customers: str
    ) -> AbstractContextManager[None]:
        """Any rows can be changed where they stand. Raises InLake."""
        return in_file(connection, records, customers)

    def drop(self, connection: duckdb.DuckDBPyConnection, tables: Iterable[Contract]) -> None:
        """Drop the tables. Raises InLake."""
        require_in_file(connection)
        for table in tables:
            connection.execute(f"drop {table.kind} if exists {table.full_name}")

    def rewrite(self) -> None:
        """Put a new file with the same rows in the place of the old one."""
        self.warehouse.rewrite()

    @contextmanager
    def replaced(self) -> Iterator["DuckDBEngine"]:
        """An engine on a copy of the file."""
        with self.warehouse.replaced() as copy:
            yield DuckDBEngine(copy)

    @contextmanager
    def _writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A transaction of the file. Raises InLake where it is not for this engine to write."""
        with self.warehouse.transaction() as connection:
            require_in_file(connection)
            yield connection
