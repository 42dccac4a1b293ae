"""Which rows of a table of customers have to be made anew, in the caller's transaction.

Silver notes whose orders each of its transactions changed, and since which day (`silver.changed_customers`, by
revision). A table of customers notes up to which revision it has followed, and what else its rows depend on
(`gold.refreshes`). While that is the same, only the rows of customers that changed since are made anew, from all of
their orders: nothing is added up, so the rows are the same bytes as if all had been made. What belongs elsewhere: how
rows are written (`tables.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import timedelta
from hashlib import sha256

import duckdb

from bridgecart_assets.contracts import (
    BOOKKEEPING,
    CHANGED_CUSTOMERS,
    CUSTOMER_HASH,
    REFRESHES,
    TABLES,
    Contract,
)
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.incremental.scope import Changes, Scope, Whole, relate_rows, scoped
from bridgecart_assets.warehouse.storage.database import standing_tables
from bridgecart_assets.warehouse.storage.outputs import Following, Parameter

# Beyond this share of a table's rows it is faster to make all of them.
_LARGE_SHARE = 0.2
_TOUCHED = """
insert into touched
select customer_hash, min(since)
from silver.changed_customers
where revision > ? and revision <= ?
group by customer_hash
"""


@dataclass(frozen=True)
class _Stand:
    """A row of `gold.refreshes`."""

    revision: int
    checked: int | None
    made_whole: int
    state: str


def begin_refresh(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    following: Following,
    made_by: Sequence[str],
    parameters: Mapping[str, Parameter],
    *,
    only_changes: bool,
) -> Scope:
    """What of the table is made anew; notes it already.

    `made_by` are the SQL files that make the rows: another version of BridgeCart makes other rows.
    """
    stands = _stands(connection)
    before = stands.get(contract.full_name)
    head = _head(connection)
    # An input that follows the orders itself may be behind them.
    inputs = [stands[t.full_name] for t in following.scoped if t != contract and t.full_name in stands]
    revision = min([head, *(stand.revision for stand in inputs)])
    state = _state(connection, following, made_by, parameters, inputs)
    scope: Scope = Whole()
    if only_changes and before is not None and before.state == state:
        changes = _changes(connection, before.revision, revision, following.reach)
        scope = Whole() if _is_large(connection, contract) else changes
    is_whole = isinstance(scope, Whole)
    times = before.made_whole if before is not None else 0
    checked = before.checked if before is not None and not is_whole else None
    _note(connection, contract, _Stand(revision, checked, times + is_whole, state))
    return scope


def _changes(connection: duckdb.DuckDBPyConnection, after: int, revision: int, reach: timedelta) -> Changes:
    """Put the customers that changed into `touched`."""
    connection.execute("create or replace temp table touched (customer_hash bigint, since date)")
    connection.execute(_TOUCHED, [after, revision])
    ((since,),) = connection.execute("select min(since) from touched").fetchall()
    return Changes(after, revision, since - reach if since is not None else None)


def _note(connection: duckdb.DuckDBPyConnection, contract: Contract, stand: _Stand) -> None:
    connection.execute("delete from gold.refreshes where table_name = ?", [contract.full_name])
    connection.execute("insert into gold.refreshes values (?, ?, ?, ?, ?)", [contract.full_name, *astuple(stand)])


def scope_unchecked(
    connection: duckdb.DuckDBPyConnection, contract: Contract, reach: timedelta, *, read_by: str, only_changes: bool
) -> int | None:
    """Make the `scoped_` relations that some SQL reads: everything, or what checks have not seen yet.

    With `only_changes` that is what was made in this table since its checks passed. Returns the revision to note with
    `note_checked` when they pass, None where there is nothing to note.
    """
    standing = standing_tables(connection)
    stand = _stands(connection).get(contract.full_name) if REFRESHES.full_name in standing else None
    scope: Scope = Whole()
    if only_changes and stand is not None and stand.checked is not None:
        scope = _changes(connection, stand.checked, stand.revision, reach)
    for table in TABLES.values():
        if scoped(table) in read_by and CUSTOMER_HASH in table.columns and table.full_name in standing:
            # What the tables have, not what was gathered to make them.
            relate_rows(connection, scope, table)
    return None if stand is None or stand.checked == stand.revision else stand.revision


def note_checked(connection: duckdb.DuckDBPyConnection, contract: Contract, revision: int) -> None:
    """Note that the table's checks have passed for all changes up to this revision."""
    connection.execute("update gold.refreshes set checked = ? where table_name = ?", [revision, contract.full_name])


def forget_refreshes(connection: duckdb.DuckDBPyConnection) -> None:
    """Let every table be made anew as a whole the next time."""
    for contract in BOOKKEEPING:
        connection.execute(f"delete from {contract.full_name}")


def _stands(connection: duckdb.DuckDBPyConnection) -> dict[str, _Stand]:
    rows = connection.execute("select table_name, revision, checked, made_whole, state from gold.refreshes").fetchall()
    return {str(name): _Stand(*stand) for name, *stand in rows}


def _head(connection: duckdb.DuckDBPyConnection) -> int:
    ((head,),) = connection.execute(
        f"select greatest((select coalesce(max(revision), 0) from {CHANGED_CUSTOMERS.full_name}), "
        f"(select coalesce(max(revision), 0) from {REFRESHES.full_name}))"
    ).fetchall()
    return int(head)


def _state(
    connection: duckdb.DuckDBPyConnection,
    following: Following,
    made_by: Sequence[str],
    parameters: Mapping[str, Parameter],
    inputs: list[_Stand],
) -> str:
    """A hash of what all rows depend on: settings, SQL, what the state's files say, how often inputs were made."""
    said: list[object] = [sorted(parameters.items()), [stand.made_whole for stand in inputs], *map(read_sql, made_by)]
    for file in following.state:
        (statement,) = connection.extract_statements(read_sql(file))
        used = {name: parameters[name] for name in sorted(statement.named_parameters)}
        said.append(connection.execute(statement, used).fetchall())
    return sha256(repr(said).encode()).hexdigest()


def _is_large(connection: duckdb.DuckDBPyConnection, contract: Contract) -> bool:
    ((touched, rows),) = connection.execute(
        f"select (select count(*) from touched), (select count(*) from {contract.full_name})"
    ).fetchall()
    return bool(touched > _LARGE_SHARE * rows)
