"""Rows of a table of customers that have to be rebuilt, in the caller's transaction.

Silver notes which orders each of its transactions brought and took away (`silver.order_changes`, by revision). A table
of customers notes up to which revision it has followed, and what else its rows depend on (`gold.refreshes`). While that
is the same, only the rows of customers that changed since are rebuilt. What belongs elsewhere: how rows are written
(`refresh.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import date
from hashlib import sha256

import duckdb

from bridgecart_assets.contracts import (
    BEHIND_VIEWS,
    BOOKKEEPING,
    CUSTOMER_HASH,
    ORDER_CHANGES,
    REFRESHES,
    SEGMENT_INTERVALS,
    SILVER_ORDERS,
    TABLES,
    Contract,
)
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.incremental.scope import ChangedScope, FullScope, Scope, relate_rows, scoped
from bridgecart_assets.warehouse.storage.database import table_exists
from bridgecart_assets.warehouse.storage.outputs import Incremental, Parameter
from bridgecart_assets.warehouse.storage.tables import run_steps, used_parameters

# Beyond this share of a table's rows it is faster to make all of them.
_LARGE_SHARE = 0.2


@dataclass(frozen=True)
class RefreshState:
    """A row of `gold.refreshes`."""

    revision: int
    checked: int | None
    full_rebuilds: int
    state: str | None
    as_of: date | None


@dataclass(frozen=True)
class Decision:
    """The part of a table whose rows are made, and what is noted of the table once they are."""

    scope: Scope
    state: RefreshState


def decide(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    stored: Contract,
    incremental: Incremental,
    made_by: Sequence[str],
    parameters: Mapping[str, Parameter],
    *,
    only_changes: bool,
) -> Decision:
    """The part of the table that has to be made. Nothing stored is written; who changed is put into `touched`.

    The rows stand in the table `stored`. `made_by` are the SQL files that make them: another version of BridgeCart
    makes other rows.
    """
    before, inputs, revision = _stand(connection, contract, incremental)
    as_of = _as_of(connection, parameters) if incremental.is_dated else None
    dates = [None if incremental.carried else as_of, *((i.full_rebuilds, i.as_of) for i in inputs)]
    state = _state(connection, incremental, made_by, parameters, dates)
    scope: Scope = FullScope()
    if only_changes and before is not None and before.state == state and goes_on(before.as_of, as_of):
        if as_of != before.as_of:
            # What a later date lets in is a change too, and has a number although nothing came.
            revision = max(revision, before.revision + 1)
        changes = _changes(connection, before, revision)
        scope = FullScope() if _is_large(connection, stored) else changes
    is_whole = isinstance(scope, FullScope)
    times = before.full_rebuilds if before is not None else 0
    checked = before.checked if before is not None and not is_whole else None
    return Decision(scope, RefreshState(revision, checked, times + is_whole, state, as_of))


def goes_on(known: date | None, as_of: date | None) -> bool:
    """True unless the clock went back, or began."""
    return known == as_of or (known is not None and as_of is not None and known < as_of)


def refreshes_now(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    incremental: Incremental,
    made_by: Sequence[str],
    parameters: Mapping[str, Parameter],
) -> tuple[RefreshState | None, RefreshState]:
    """The state of what is carried on as it stands, None where it has not been made, and as it can be now."""
    before, inputs, revision = _stand(connection, contract, incremental)
    as_of = _as_of(connection, parameters) if incremental.is_dated else None
    # Neither date nor orders of the inputs: these are followed.
    state = _state(connection, incremental, made_by, parameters, [i.full_rebuilds for i in inputs])
    times = before.full_rebuilds if before is not None else 0
    return before, RefreshState(revision, None, times, state, as_of)


def _stand(
    connection: duckdb.DuckDBPyConnection, contract: Contract, incremental: Incremental
) -> tuple[RefreshState | None, Sequence[RefreshState], int]:
    """The refresh of the table before this one, those of its inputs, and the revision that it can follow to."""
    refreshes = _refreshes(connection)
    # An input that follows the orders itself may be behind them.
    inputs = [refreshes[t.full_name] for t in incremental.scoped if t != contract and t.full_name in refreshes]
    revision = min([_head(connection), *(refresh.revision for refresh in inputs)])
    return refreshes.get(contract.full_name), inputs, revision


def _changes(connection: duckdb.DuckDBPyConnection, known: RefreshState, revision: int) -> ChangedScope:
    """Put the customers that changed since what the table knows into `touched`."""
    run_steps(connection, ("internal/touched",), {"after": known.revision, "revision": revision})
    ((since,),) = connection.execute("select min(since) from touched").fetchall()
    return ChangedScope(known.revision, revision, known.as_of, since)


def note_refresh(connection: duckdb.DuckDBPyConnection, contract: Contract, refresh: RefreshState) -> None:
    """Note how far the table has followed."""
    connection.execute("delete from gold.refreshes where table_name = ?", [contract.full_name])
    connection.execute("insert into gold.refreshes values (?, ?, ?, ?, ?, ?)", [contract.full_name, *astuple(refresh)])


def forget_followed(connection: duckdb.DuckDBPyConnection, replaced: Contract) -> None:
    """Delete the replaced rows that no table needs any more, because all have followed and were checked."""
    known = "select min(coalesce(checked, revision)) from gold.refreshes"
    connection.execute(f"delete from {replaced.full_name} where revision <= ({known})")


def scope_unchecked(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    *,
    read_by: str,
    only_changes: bool,
) -> int | None:
    """Make the `scoped_` relations of standing tables that some SQL reads: all rows, or what checks have not seen yet.

    With `only_changes` that is what was made in this table since its checks passed. Returns the revision to note with
    `note_checked` when they pass, None where there is nothing to note.
    """
    follows = CUSTOMER_HASH.name in contract.column_names and table_exists(connection, REFRESHES)
    refresh = _refreshes(connection).get(contract.full_name) if follows else None
    scope: Scope = FullScope()
    if only_changes and refresh is not None and refresh.checked is not None:
        scope = _changes(connection, replace(refresh, revision=refresh.checked), refresh.revision)
    for table in (*TABLES.values(), *BEHIND_VIEWS):
        if scoped(table) in read_by and CUSTOMER_HASH.name in table.column_names and table_exists(connection, table):
            # What the tables have, not what was gathered to make them.
            if table == SILVER_ORDERS and isinstance(scope, ChangedScope):
                run_steps(connection, ("internal/unchecked_orders",), scope.parameters)
                connection.execute(f"create or replace temp view {scoped(table)} as from unchecked_orders")
            else:
                # All checks of the membership read these.
                once = table == SEGMENT_INTERVALS and isinstance(scope, ChangedScope)
                relate_rows(connection, scope, table, materialized=once)
    return None if refresh is None or refresh.checked == refresh.revision else refresh.revision


def note_checked(connection: duckdb.DuckDBPyConnection, contract: Contract, revision: int) -> None:
    """Note that the table's checks have passed for all changes up to this revision."""
    connection.execute("update gold.refreshes set checked = ? where table_name = ?", [revision, contract.full_name])


def forget_refreshes(connection: duckdb.DuckDBPyConnection) -> None:
    """Let every table be rebuilt as a whole the next time. Until then its rows are as of the date that they are."""
    for contract in BOOKKEEPING:
        if contract != REFRESHES:
            connection.execute(f"delete from {contract.full_name}")
    connection.execute("update gold.refreshes set state = null, checked = null")


def _refreshes(connection: duckdb.DuckDBPyConnection) -> dict[str, RefreshState]:
    rows = connection.execute(
        "select table_name, revision, checked, full_rebuilds, state, as_of from gold.refreshes"
    ).fetchall()
    return {str(name): RefreshState(*refresh) for name, *refresh in rows}


def _head(connection: duckdb.DuckDBPyConnection) -> int:
    ((head,),) = connection.execute(
        f"select greatest((select coalesce(max(revision), 0) from {ORDER_CHANGES.full_name}), "
        f"(select coalesce(max(revision), 0) from {REFRESHES.full_name}))"
    ).fetchall()
    return int(head)


def _state(
    connection: duckdb.DuckDBPyConnection,
    incremental: Incremental,
    made_by: Sequence[str],
    parameters: Mapping[str, Parameter],
    said_besides: Sequence[object],
) -> str:
    """A hash of what all rows depend on: settings, SQL, what the state's files say, and what is said besides."""
    said: list[object] = [sorted(parameters.items()), said_besides, *map(read_sql, made_by)]
    for file in incremental.state:
        sql = read_sql(file)
        said.append(connection.execute(sql, used_parameters(sql, parameters)).fetchall())
    return sha256(repr(said).encode()).hexdigest()


def _as_of(connection: duckdb.DuckDBPyConnection, parameters: Mapping[str, Parameter]) -> date | None:
    """The date of the clock; None where there is no order."""
    ((as_of,),) = connection.execute(read_sql("internal/state_clock"), {"as_of": parameters["as_of"]}).fetchall()
    return as_of if isinstance(as_of, date) else None


def _is_large(connection: duckdb.DuckDBPyConnection, contract: Contract) -> bool:
    ((touched, rows),) = connection.execute(
        f"select (select count(*) from touched), (select count(*) from {contract.full_name})"
    ).fetchall()
    return is_large_share(touched, rows)


def is_large_share(customers: int, everybody: int) -> bool:
    """True if it is faster to make the rows of everybody than those of so many customers."""
    return customers > _LARGE_SHARE * everybody
