"""Bulk inserts: how DuckDB writes many rows of a stream for the least processor time and memory."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import duckdb

_SETTINGS = {"threads": 1, "write_buffer_row_group_count": 1}


@contextmanager
def on_one_thread(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Statements of this process run on one thread, and a row group goes to the file as soon as it is full.

    Two threads leave row groups that are not full, and the checkpoint writes those again, alone. Rows stay in the order
    in which they came.
    """
    # By a connection of its own: in a transaction that failed nothing can be set back.
    with closing(connection.cursor()) as settings:
        for name, value in _SETTINGS.items():
            settings.execute(f"set global {name} = {value}")
        try:
            yield
        finally:
            for name in _SETTINGS:
                settings.execute(f"reset global {name}")
