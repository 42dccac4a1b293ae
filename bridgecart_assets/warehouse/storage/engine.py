"""The engine: it makes the rows of tables and keeps them.

Assets and commands hand over what a table shall hold, and read it from the warehouse; where rows are made and stored
in between is the engine's own. What belongs elsewhere: tables that are small whatever the shop, as bookkeeping, lists
and models; these are written in a transaction of the warehouse itself.
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, Self

import duckdb

from bridgecart_assets.contracts import Contract
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.storage.outputs import FileSlice, KafkaSlice, Query

if TYPE_CHECKING:
    import pandas as pd


class Engine(Protocol):
    """Each method writes all or nothing; what it has written, every reader of the warehouse sees from then on."""

    @property
    def warehouse(self) -> Warehouse:
        """The warehouse, in which all tables are read, whoever keeps their rows."""

    @property
    def facts(self) -> Mapping[str, str]:
        """Facts about the engine that are told beside the tables it writes, by name."""

    def write(
        self, contract: Contract, rows: "Query | pd.DataFrame", batch_key: str | None, *, only_changes: bool = False
    ) -> None:
        """Write the table of the contract, and those that a query writes with it.

        With `only_changes` a table of customers keeps the rows of those that did not change since it was written.
        Raises WarehouseMissing when an input table is missing, ContractBroken when rows break a contract.
        """

    def write_slice(self, planned: KafkaSlice | FileSlice) -> None:
        """Write the records of a plan into `raw.orders`, with their row of the ledger.

        Raises LedgerConflict when the plan does not continue the ledger; then, and where reading fails, nothing was
        written.
        """

    def changing(
        self, connection: duckdb.DuckDBPyConnection, records: str, customers: str
    ) -> AbstractContextManager[None]:
        """Meanwhile rows can be changed where they stand: of these records and their orders, and of these customers.

        `records` is a relation with the coordinates of records, `customers` one with ids, both in a transaction of the
        warehouse. Raises InLake where this engine cannot change them.
        """

    def drop(self, connection: duckdb.DuckDBPyConnection, tables: Iterable[Contract]) -> None:
        """Drop the tables, or let them have no rows, in a transaction of the warehouse."""

    def rewrite(self) -> None:
        """Leave nothing in any file of what was deleted."""

    def replaced(self) -> AbstractContextManager[Self]:
        """Another warehouse with the same rows to work on, which takes the place of this one unless the work raises."""
