"""A DuckDB of its own in which the expressions of a mapping are read: no files, no network, no settings to change."""

import os
import threading

import duckdb

from bridgecart_assets.sql.chain import chain
from bridgecart_assets.sql.text import read_sql

_MACROS = "mapping/field_macros"
_OPTIONS: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "memory_limit": "512MB",
    # In DuckDB 2.0.0 an error escapes TRY where two expressions share the part that fails.
    "disabled_optimizers": "common_subexpressions,unused_columns",
    "custom_user_agent": "bridgecart",
}
# By process: a forked child must neither use nor end the instance of its parent, whose threads it does not have.
_kept: dict[tuple[int, int, str], duckdb.DuckDBPyConnection] = {}


def sandbox(timezone: str) -> duckdb.DuckDBPyConnection:
    """A new one, whose times without a zone are of this one."""
    connection = duckdb.connect(":memory:", config=_OPTIONS)
    connection.execute("set TimeZone = ?", [timezone])
    for file in chain(_MACROS):
        connection.execute(read_sql(file))
    connection.execute("set lock_configuration = true")
    return connection


def kept_sandbox(timezone: str) -> duckdb.DuckDBPyConnection:
    """The one of this thread: to make a new one takes as long as to read ten thousand records."""
    of = (os.getpid(), threading.get_ident(), timezone)
    if of not in _kept:
        _close_those_of_ended_threads()
        _kept[of] = sandbox(timezone)
    return _kept[of]


def _close_those_of_ended_threads() -> None:
    running = {thread.ident for thread in threading.enumerate()}
    for of in list(_kept):
        process, thread, _ = of
        ended = _kept.pop(of, None) if process == os.getpid() and thread not in running else None
        if ended is not None:
            ended.close()
