"""DuckDB itself: one instance a process, in memory, to which database files are attached while they are used.

To make an instance, with all its functions and types, takes ten times as long as to attach a file to one, and a run
attaches the warehouse some thirty times. What belongs elsewhere: who may attach and when (`database.py`).
"""

import atexit
import itertools
import os
import threading
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import duckdb

from bridgecart_assets.base.quoting import sql_text

Options = dict[str, str | bool | int | float | list[str]]

_numbers = itertools.count(1)
_lock = threading.Lock()
# By process: a forked child must neither use nor end the instance of its parent, whose threads it does not have.
_kept: "dict[int, _Instance]" = {}


@dataclass(frozen=True)
class _Instance:
    """An instance, and what it was made with."""

    options: Options
    connection: duckdb.DuckDBPyConnection


@dataclass(frozen=True)
class Attached:
    """A database file, attached, and a connection of its own whose unqualified names are those of the file."""

    name: str
    connection: duckdb.DuckDBPyConnection
    instance: _Instance

    @classmethod
    def to(cls, path: Path, *, read_only: bool, options: Options) -> Self:
        """Open the file and lock it. Raises what DuckDB raises; then nothing is left open."""
        instance = _instance(options)
        name = f"attached_{next(_numbers)}"
        connection = instance.connection.cursor()
        try:
            # Takes no parameter.
            file = sql_text(str(path))
            connection.execute(f"attach {file} as {name} ({'read_only' if read_only else 'read_write'})")
            connection.execute(f"use {name}")
        except BaseException:
            connection.close()
            raise
        return cls(name, connection, instance)

    def another_connection(self) -> duckdb.DuckDBPyConnection:
        """A connection to the same open file."""
        connection = self.instance.connection.cursor()
        connection.execute(f"use {self.name}")
        return connection

    def close(self) -> None:
        """Close the connection and the file: what its log still holds is in the file then, and the lock is free."""
        self.connection.close()
        try:
            with closing(self.instance.connection.cursor()) as connection:
                connection.execute(f"detach {self.name}")
        except duckdb.Error:
            # After a fatal error an instance does nothing any more but hold its files.
            _end(self.instance)


def _instance(options: Options) -> _Instance:
    with _lock:
        kept = _kept.get(os.getpid())
        if kept is None or kept.options != options:
            # One that is replaced ends by itself, once the last use of it has.
            kept = _kept[os.getpid()] = _Instance(options, duckdb.connect(":memory:", config=options))
        return kept


def _end(instance: _Instance) -> None:
    with _lock:
        if _kept.get(os.getpid()) is instance:
            del _kept[os.getpid()]
        instance.connection.close()


@atexit.register
def _end_own() -> None:
    instance = _kept.get(os.getpid())
    if instance is not None:
        _end(instance)
