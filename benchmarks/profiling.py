"""Where the time of a side goes: its statements on DuckDB, by what they make."""

import re
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

from duckdb import DuckDBPyConnection

from benchmarks.benchmark import OUTSIDE, Figures, Side
from benchmarks.measuring import run_child

KEPT = 14
_LENGTH = 60
_NAMED = re.compile(r"(?:create.*? (?:table|view)(?: if not exists)?|insert into|delete from) \S+")


def profile(side: Side, data_dir: Path) -> Sequence[str]:
    """Lines that say what a run of the side took, and its longest kinds of statements. Raises ChildFailed."""
    called = {"module": side.function.__module__, "name": side.function.__qualname__, "arguments": dict(side.arguments)}
    found = run_child(replace(side, function=run, arguments=called, data_dir=side.data_dir or data_dir))
    longest = sorted((seconds, kind) for kind, seconds in found.items() if kind not in OUTSIDE)[-KEPT:]
    return [f"{seconds:9.2f} s  {kind}" for seconds, kind in reversed(longest)]


def run(module: str, name: str, arguments: Mapping[str, Any]) -> Figures:
    """Call a side here; its seconds, those of all its statements, and those of every kind of them."""
    with recorded() as statements:
        figures = getattr(import_module(module), name)(**arguments)
    times, seconds = (sum(map(of, statements.values())) for of in (len, sum))
    by_kind = {f"{len(took):,} x {kind}": sum(took) for kind, took in statements.items()}
    return {"in all": figures["seconds"], f"{times:,} statements": seconds, **by_kind}


@contextmanager
def recorded() -> Iterator[Mapping[str, Sequence[float]]]:
    """Seconds of every statement of this process while the block lasts, by kind; fetching its rows apart."""
    statements: defaultdict[str, list[float]] = defaultdict(list)
    execute = DuckDBPyConnection.execute

    def timed(connection: DuckDBPyConnection, query: Any, *parameters: object) -> DuckDBPyConnection:
        started = time.perf_counter()
        result = execute(connection, query, *parameters)
        statements[kind_of(query if isinstance(query, str) else query.query)].append(time.perf_counter() - started)
        return result

    with patch.object(DuckDBPyConnection, "execute", timed):
        yield statements


def kind_of(sql: str) -> str:
    """What a statement makes, or how it begins."""
    words = " ".join(" ".join(line for line in sql.splitlines() if not line.lstrip().startswith("--")).split())
    named = _NAMED.match(words)
    return named[0] if named else words[:_LENGTH]
