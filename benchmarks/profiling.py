"""Where the time of a side goes: DuckDB's own measurements of every statement (EXPLAIN ANALYZE), and py-spy's samples.

What belongs elsewhere: measuring sides against each other (`measuring.py`), without any of this.
"""

import json
import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import duckdb

from benchmarks.benchmark import Side
from benchmarks.child import function_of
from benchmarks.measuring import CHILD_SECONDS, ROOT, ChildFailed, child_command, environment, function_name
from bridgecart_assets.warehouse.storage.duckdb_instance import Attached, Options

_NAMED = re.compile(
    r"(?:create(?: or replace)?(?: temp)? (?:table|view)(?: if not exists)?|insert into|delete from) \S+"
)
_LENGTH = 60
KEPT_STATEMENTS, KEPT_OPERATORS = 8, 3
OTHERS = "all others"
# As py-spy names a frame: `function (file:line)`.
_OURS = re.compile(r"/(?P<module>bridgecart_assets/.+?)\.py[:)]")
_PACKAGE = re.compile(r"site-packages/(?P<name>\w+)")
_MAIN_THREAD = "_run_module_as_main"
RATE = 100
"""Samples a second."""


@dataclass
class Work:
    """All executions of one kind of statement.

    Attributes:
        seconds: from the call of DuckDB until it returned, without fetching rows.
        engine_seconds: what the operators took, of all threads together.
        operators: the same by operator, with its table where it has one; the longest.

    """

    statement: str
    times: int = 0
    seconds: float = 0.0
    engine_seconds: float = 0.0
    operators: dict[str, float] = field(default_factory=dict)

    def add(self, seconds: float, plan: Mapping[str, Any]) -> None:
        """Take one more execution in."""
        self.times += 1
        self.seconds += seconds
        for operator, took in _operators(plan):
            self.engine_seconds += took
            self.operators[operator] = self.operators.get(operator, 0.0) + took


@dataclass(frozen=True)
class Profile:
    """Two runs of a side.

    Attributes:
        seconds: wall time of the first, in which every statement was measured.
        openings: how often it opened a warehouse.
        work: the statements that took longest, and all others as one.
        samples: of the second, by what the main thread was at, the most first; its start and its imports included.

    """

    seconds: float
    openings: int
    work: list[Work]
    samples: dict[str, float]

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """The same from JSON."""
        work = [Work(**measured) for measured in found["work"]]
        return cls(found["seconds"], found["openings"], work, found["samples"])


def profiled(side: Side) -> Side:
    """The side, as one that is run with all its statements measured; its figures are those of a Profile."""
    return replace(side, function=run, arguments={"function": function_name(side), "arguments": dict(side.arguments)})


def run(function: str, arguments: Mapping[str, Any]) -> Any:
    """Call a side's function in this process and say where its time went, as JSON."""
    called: Any = function_of(function)
    with recorded() as record:
        figures = called(**arguments)
    return {"seconds": figures["seconds"], "openings": record.openings, "work": [vars(w) for w in _longest(record)]}


@dataclass
class Record:
    """What was executed so far."""

    work: dict[str, Work] = field(default_factory=dict)
    openings: int = 0


def _longest(record: Record) -> list[Work]:
    """The statements that took longest, each with its longest operators, and all others as one."""
    in_order = sorted(record.work.values(), key=lambda work: -work.seconds)
    others = Work(OTHERS)
    for work in in_order[KEPT_STATEMENTS:]:
        others.times += work.times
        others.seconds += work.seconds
        others.engine_seconds += work.engine_seconds
    kept = in_order[:KEPT_STATEMENTS]
    for work in kept:
        longest = sorted(work.operators.items(), key=lambda found: (-found[1], found[0]))
        work.operators = dict(longest[:KEPT_OPERATORS])
    return [*kept, others]


@contextmanager
def recorded() -> Iterator[Record]:
    """Every statement on a warehouse that is opened in this process while the block lasts."""
    record, attach = Record(), Attached.to

    def to(path: Any, *, read_only: bool, options: Options) -> Attached:
        attached = attach(path, read_only=read_only, options=options)
        attached.connection.execute("pragma enable_profiling = 'no_output'")
        record.openings += 1
        measured: Any = _Measured(attached.connection, record)
        return replace(attached, connection=measured)

    # A class method of a frozen class: replaced on the class, for everybody who opens a warehouse.
    Attached.to = to  # type: ignore[method-assign]
    try:
        yield record
    finally:
        Attached.to = attach  # type: ignore[method-assign]


class _Measured:
    """A connection that notes what it executes."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, record: Record) -> None:
        self._connection = connection
        self._record = record

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, query: str | duckdb.Statement, *parameters: object) -> duckdb.DuckDBPyConnection:
        started = time.perf_counter()
        result = self._connection.execute(query, *parameters)
        seconds = time.perf_counter() - started
        kind = kind_of(query if isinstance(query, str) else query.query)
        work = self._record.work.setdefault(kind, Work(kind))
        work.add(seconds, json.loads(self._connection.get_profiling_information("json")))
        return result


def sampled(side: Side, data_dir: Path) -> dict[str, float]:
    """Seconds of the side's main thread by what it was at. Raises ChildFailed where py-spy cannot look into it."""
    stacks = data_dir / "stacks.txt"
    # Beside the interpreter, because an environment need not be on the PATH.
    spy = [
        str(Path(side.python).with_name("py-spy")),
        "record",
        "--idle",
        "--full-filenames",
        "--format",
        "raw",
        "--rate",
        str(RATE),
    ]
    command = [*spy, "--output", str(stacks), "--", *child_command(side)]
    try:
        ran = subprocess.run(
            command,
            cwd=ROOT,
            env=environment(data_dir),
            capture_output=True,
            text=True,
            timeout=CHILD_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise ChildFailed(f"{command[0]} is missing: make bench installs it") from None
    # Its own code says nothing about that of the child, whose figures stand in a line of their own.
    if ran.returncode != 0 or not any(line.startswith("{") for line in ran.stdout.splitlines()):
        raise ChildFailed(f"under py-spy: {(ran.stderr.strip().splitlines() or ['no reason given'])[-1]}")
    found: dict[str, float] = {}
    for line in stacks.read_text(encoding="utf-8").splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        if frames[0].startswith(_MAIN_THREAD):
            doing = activity(frames)
            found[doing] = found.get(doing, 0.0) + int(count) / RATE
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def activity(frames: Sequence[str]) -> str:
    """What the innermost of these frames that tells belongs to: a module of ours, a package, or imports."""
    if any("<frozen importlib" in frame for frame in frames):
        return "imports"
    for frame in reversed(frames):
        ours, package = _OURS.search(frame), _PACKAGE.search(frame)
        if package:
            return package["name"]
        if ours:
            return ours["module"]
    return "Python"


def kind_of(sql: str) -> str:
    """What a statement makes, or how it begins."""
    words = " ".join(line for line in sql.splitlines() if not line.lstrip().startswith("--"))
    words = " ".join(words.split())
    named = _NAMED.match(words)
    return named[0] if named else words[:_LENGTH]


def _operators(plan: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for operator in plan.get("operator") or plan.get("children") or ():
        table = operator.get("extra_info", {}).get("Table", "")
        # Without the database, whose name is new for every opening.
        name = " ".join(filter(None, (operator["type"], table.partition(".")[2])))
        yield name, operator["timing"]
        yield from _operators(operator)
