"""Carrying tables on by what came and went, or making them as a whole, in the caller's transaction.

What belongs elsewhere: how a table is made and how it follows (`openings.py`).
"""

from dataclasses import replace
from datetime import date

import duckdb

from bridgecart_assets.contracts import BOOKKEEPING, Contract
from bridgecart_assets.sql import file_of
from bridgecart_assets.warehouse.incremental.rebuild import goes_on, note_refresh, refreshes_now
from bridgecart_assets.warehouse.storage.outputs import Carried, Changes, Following, Incremental, Query
from bridgecart_assets.warehouse.storage.tables import make_view, prepare

WRITTEN_BY_OTHERS = Carried(
    (),
    (),
    make=lambda _connection, _query: None,
    can_follow=lambda _connection, _query, changes: Following(changes, date.min, is_same_date=True),
    follow=lambda _connection, _query, _following: None,
)
"""Of a view whose tables other assets write."""


def carry(
    connection: duckdb.DuckDBPyConnection,
    view: Contract,
    query: Query,
    incremental: Incremental,
    carried: Carried,
    *,
    only_changes: bool,
) -> None:
    """Bring the tables behind a view up to date, and make the view; with `only_changes` they follow what changed."""
    for table in (*carried.tables, *BOOKKEEPING):
        prepare(connection, table)
    before, now = refreshes_now(
        connection, view, incremental, (file_of(view.full_name), *carried.files), query.parameters
    )
    following = None
    if only_changes and before is not None and before.state == now.state and goes_on(before.as_of, now.as_of):
        following = carried.can_follow(connection, query, Changes(before.revision, now.revision, before.as_of))
    is_whole = following is None
    if following is None:
        carried.make(connection, query)
    else:
        carried.follow(connection, query, following)
    checked = None if is_whole or before is None else before.checked
    note_refresh(connection, view, replace(now, checked=checked, full_rebuilds=now.full_rebuilds + is_whole))
    make_view(connection, view, query.parameters)
