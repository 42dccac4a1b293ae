"""Refreshing a table of customers: all of its rows, or those of customers that changed, in the caller's transaction.

What belongs elsewhere: which customers changed (`rebuild.py`), and tables of anything else (`warehouse/writing.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb

from bridgecart_assets.contracts import BOOKKEEPING, Contract
from bridgecart_assets.sql import file_of, read_sql
from bridgecart_assets.sql.chain import chain, files_before
from bridgecart_assets.warehouse.incremental.rebuild import begin_refresh
from bridgecart_assets.warehouse.incremental.scope import ChangedScope, FullScope, Scope
from bridgecart_assets.warehouse.storage.outputs import Incremental, Parameter, Query
from bridgecart_assets.warehouse.storage.tables import (
    check_key,
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
    made_by = chain(*files_of(stored, query), *filter(None, (incremental.carried, incremental.narrowed)))
    scope = begin_refresh(
        connection, contract, stored, incremental, made_by, query.parameters, only_changes=only_changes
    )
    refresh = _Refresh(connection, stored, query, incremental, {**query.parameters, **scope.parameters})
    if isinstance(scope, FullScope):
        refresh.rebuild(scope)
    else:
        refresh.update(scope)
    if contract.is_view:
        make_view(connection, contract, query.parameters)


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
        for part in whole.parts(self.connection):
            self._run_steps(part)
            used = checked_parameters(self.connection, self.table, self._select, self.parameters)
            with explaining(self.table):
                insert_rows(self.connection, self.table, self._select, used)
            made = f"(from {self.table.full_name} where {part.condition(self.table)})"
            check_key(self.connection, self.table, made)

    def update(self, changes: ChangedScope) -> None:
        """Replace the rows that may have changed."""
        carried = self.incremental.carried
        done = files_before(carried) if carried else ()
        run_steps(self.connection, done, self.parameters)
        ((touched,),) = self.connection.execute("select count(*) from touched").fetchall()
        if not touched:
            return
        self._run_steps(replace(changes, people="late") if carried else changes, done)
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

    def _run_steps(self, scope: Scope, done: Sequence[str] = ()) -> None:
        scope.relate(self.connection, self.incremental)
        steps = [step for step in steps_of(self.table, self.query) if step not in done]
        run_steps(self.connection, steps, self.parameters)

    def _keep_replaced(self, revision: int) -> None:
        """Keep the rows that are about to go, until every table has followed."""
        replaced = self.incremental.replaced
        if replaced is None:
            return
        insert_rows(self.connection, replaced, read_sql(file_of(replaced.full_name)), {"revision": revision})
        known = "select min(coalesce(checked, revision)) from gold.refreshes"
        self.connection.execute(f"delete from {replaced.full_name} where revision <= ({known})")
