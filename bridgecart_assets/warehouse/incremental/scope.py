"""Scope of a refresh: the rows of all customers, of a part of them, or of those that changed.

The SQL of a table of customers reads its inputs as `scoped_<table>`, so what it makes are the rows of those customers.
What belongs elsewhere: which customers changed (`rebuild.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import duckdb

from bridgecart_assets.contracts import SILVER_ORDERS, Contract
from bridgecart_assets.warehouse.storage.outputs import Incremental, Parameter
from bridgecart_assets.warehouse.storage.tables import run_steps

# What a part needs to be made stays in the default memory limit, beside what those before it have left: of temporary
# tables that are gone DuckDB keeps a share in memory until the commit.
_ORDERS_IN_PART = 5_000_000
_SMALL_IN_LARGE = 8
HASHES = 2**63


def scoped(table: Contract) -> str:
    """The relation through which a table of customers is read."""
    return f"scoped_{table.name}"


@dataclass(frozen=True)
class FullScope:
    """All customers, or those whose hash lies in a range."""

    hashes: range | None = None

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """Parameters of the SQL files: they follow no changes."""
        return {}

    def condition(self, _table: Contract) -> str:
        """Condition of a WHERE clause: the rows of the table that are theirs."""
        if self.hashes is None:
            return "true"
        return f"customer_hash >= {self.hashes.start} and customer_hash < {self.hashes.stop}"

    def parts(self, connection: duckdb.DuckDBPyConnection, *, large: bool = False) -> "list[FullScope]":
        """All customers in parts: so many that the memory for one does not grow with the number of customers.

        All orders are read for each part. Those may be `large` of which little is kept of each order.
        """
        ((orders,),) = connection.execute(f"select count(*) from {SILVER_ORDERS.full_name}").fetchall()
        number = -(-int(orders) // (_ORDERS_IN_PART * (_SMALL_IN_LARGE if large else 1)))
        if number <= 1:
            return [self]
        bounds = [HASHES * place // number for place in range(number + 1)]
        return [FullScope(range(first, last)) for first, last in pairwise(bounds)]

    def relate(self, connection: duckdb.DuckDBPyConnection, incremental: Incremental) -> None:
        """Make the relations through which the query reads its tables of customers."""
        for table in incremental.scoped:
            relate_rows(connection, self, table)


@dataclass(frozen=True)
class ChangedScope:
    """The customers in a temporary table: those that changed since a table was written.

    Attributes:
        after: up to which revision the table knew the changes.
        revision: up to which it follows them.
        known_as_of: the as-of date that its rows had; None where they have none.
        since: of rows that are of a date (`as_of`) only those of this date and later may be others; None is all.
        people: the temporary table with the hashes of the customers.

    """

    after: int
    revision: int
    known_as_of: date | None
    since: date | None
    people: str = "touched"

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """Parameters of the SQL files: the changes that they follow."""
        return {
            "after": self.after,
            "revision": self.revision,
            "known_as_of": self.known_as_of.isoformat() if self.known_as_of else None,
        }

    def condition(self, table: Contract) -> str:
        """Condition of a WHERE clause: the rows of the table that may have changed."""
        is_theirs = f"customer_hash in (select customer_hash from {self.people})"
        if "as_of" in table.key and self.since:
            return f"as_of >= date '{self.since.isoformat()}' and {is_theirs}"
        return is_theirs

    def relate(self, connection: duckdb.DuckDBPyConnection, incremental: Incremental) -> None:
        """Make the relations through which the query reads its tables of customers."""
        if incremental.narrowed:
            run_steps(connection, (incremental.narrowed,), self.parameters)
            for table in incremental.scoped:
                connection.execute(f"create or replace temp view {scoped(table)} as from narrowed_{table.name}")
            return
        for table in incremental.scoped:
            # Orders are looked for among everybody's, which takes longer than whatever is made of them.
            relate_rows(connection, self, table, materialized=table == SILVER_ORDERS)


Scope = FullScope | ChangedScope


def relate_rows(
    connection: duckdb.DuckDBPyConnection, scope: Scope, table: Contract, *, materialized: bool = False
) -> None:
    """Make `scoped_<table>`: the rows of the scope, looked for whenever they are read, or once where `materialized`."""
    kind = "table" if materialized else "view"
    rows = f"from {table.full_name} where {scope.condition(table)}"
    connection.execute(f"create or replace temp {kind} {scoped(table)} as {rows}")
