"""Refreshing a table of customers: all of its rows, or those of customers that changed, in the caller's transaction.

What belongs elsewhere: which customers changed (`rebuild.py`), and tables of anything else (`warehouse/writing.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb

from bridgecart_assets.contracts import BOOKKEEPING, SILVER_ORDERS, Contract
from bridgecart_assets.sql import file_of, read_sql
from bridgecart_assets.sql.chain import chain, files_before
from bridgecart_assets.warehouse.incremental.from_raw import read_of_everybody, show_part
from bridgecart_assets.warehouse.incremental.rebuild import decide, forget_followed, note_refresh
from bridgecart_assets.warehouse.incremental.scope import ChangedScope, FullScope, Scope, scoped
from bridgecart_assets.warehouse.storage.outputs import Computed, Incremental, Parameter, Query, Read
from bridgecart_assets.warehouse.storage.tables import (
    check_key,
    check_people,
    checked_parameters,
    delete_slice,
    explaining,
    files_of,
    insert_rows,
    make_view,
    prepare,
    run_steps,
    steps_of,
)


def refresh_customers(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    query: Query,
    incremental: Incremental,
    *,
    only_changes: bool,
) -> None:
    """Bring the table of an asset up to date; with `only_changes` unchanged customers keep their rows.

    Where the asset is a view, its rows are those of the table in which they are stored.
    """
    stored = query.stored_in or contract
    for table in (stored, *BOOKKEEPING):
        prepare(connection, table)
    files = made_by(stored, query, incremental)
    decision = decide(connection, contract, stored, incremental, files, query.parameters, only_changes=only_changes)
    make_rows(connection, stored, query, incremental, decision.scope)
    note_refresh(connection, contract, decision.state)
    if incremental.replaced is not None:
        forget_followed(connection, incremental.replaced)
    if contract.is_view:
        make_view(connection, contract, query.parameters)


def made_by(stored: Contract, query: Query, incremental: Incremental) -> Sequence[str]:
    """The SQL files that make the rows of a table of customers."""
    return chain(*files_of(stored, query), *filter(None, (incremental.carried, incremental.narrowed)))


def make_rows(
    connection: duckdb.DuckDBPyConnection,
    stored: Contract,
    query: Query,
    incremental: Incremental,
    scope: Scope,
) -> None:
    """Make the rows of the scope in the table that stores them."""
    refresh = _Refresh(connection, stored, query, incremental, {**query.parameters, **scope.parameters})
    if isinstance(scope, FullScope):
        refresh.rebuild(scope)
    else:
        refresh.update(scope)


@dataclass(frozen=True)
class _Refresh:
    """A table of customers on its way to the rows of its query."""

    connection: duckdb.DuckDBPyConnection
    table: Contract
    query: Query
    incremental: Incremental
    parameters: Mapping[str, Parameter]

    @property
    def _select(self) -> str:
        return read_sql(file_of(self.table.full_name))

    def rebuild(self, whole: FullScope) -> None:
        """Replace all rows, one part of the customers after the other."""
        replaced = [self.incremental.replaced] if self.incremental.replaced else []
        for target in (self.table, *replaced):
            delete_slice(self.connection, target, None)
        said = self._read_raw(whole) if self.incremental.sought else None
        # What is computed from one row a customer streams, and takes no more memory for more of them.
        parts = whole.parts(self.connection) if SILVER_ORDERS in self.incremental.scoped else [whole]
        for part in parts:
            if said is None:
                self._make_inputs(part)
            else:
                show_part(self.connection, said, part)
            used = checked_parameters(self.connection, self.table, self._select, self.parameters)
            with explaining(self.table):
                insert_rows(self.connection, self.table, self._select, used)
            self._check(f"(from {self.table.full_name} where {part.condition(self.table)})")

    def _read_raw(self, whole: FullScope) -> str:
        steps = steps_of(self.table, self.query)
        return read_of_everybody(self.connection, whole, self.incremental, steps, self.parameters)

    def update(self, changes: ChangedScope) -> None:
        """Replace the rows that may have changed."""
        carried = self.incremental.carried
        first = files_before(carried) if carried else ()
        self._run_steps(first)
        ((touched,),) = self.connection.execute("select count(*) from touched").fetchall()
        if not touched:
            return
        late = replace(changes, people="late") if carried else changes
        self._make_inputs(late, without=first)
        used = checked_parameters(self.connection, self.table, self._select, self.parameters)
        self.connection.execute(f"create temp table fresh as from {self.table.full_name} limit 0")
        self.connection.execute(f"insert into fresh by name {self._select}", used)
        if carried:
            self.connection.execute(f"insert into fresh by name {read_sql(carried)}")
        check_key(self.connection, self.table, "fresh")
        self._keep_replaced(changes.revision)
        self.connection.execute(f"delete from {self.table.full_name} where {changes.condition(self.table)}")
        with explaining(self.table):
            insert_rows(self.connection, self.table, "select * from fresh", {})

    def _check(self, made: str) -> None:
        """Raise ContractBroken unless each customer is there once."""
        people = self.incremental.scoped[0]
        if people.key == self.table.key:
            check_people(self.connection, self.table, made, scoped(people))
        else:
            check_key(self.connection, self.table, made)

    def _make_inputs(self, scope: Scope, *, without: Sequence[str] = ()) -> None:
        """Make what the rows of the scope are selected from."""
        scope.relate(self.connection, self.incremental)
        self._run_steps([step for step in steps_of(self.table, self.query) if step not in without])

    def _run_steps(self, steps: Sequence[str | Computed | Read]) -> None:
        run_steps(self.connection, steps, self.parameters)

    def _keep_replaced(self, revision: int) -> None:
        """Keep the rows that are about to go, until every table has followed."""
        replaced = self.incremental.replaced
        if replaced is not None:
            insert_rows(self.connection, replaced, read_sql(file_of(replaced.full_name)), {"revision": revision})
