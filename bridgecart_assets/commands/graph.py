"""`bridgecart graph`: the SQL files behind a table, in the order in which they run."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches

import click

from bridgecart_assets.contracts import BEHIND_VIEWS, TABLES
from bridgecart_assets.sql import file_of
from bridgecart_assets.sql.chain import FROM_PYTHON, chain
from bridgecart_assets.sql.headers import Header, headers

_TABLES = {**TABLES, **{table.full_name: table for table in BEHIND_VIEWS}}


@dataclass(frozen=True)
class Step:
    """One SQL file: what it is, what it needs from the warehouse, from other steps and from settings, what it gives."""

    file: str
    meaning: str
    tables: Sequence[str]
    steps: Sequence[str]
    parameters: Sequence[str]
    gives: Sequence[str]
    changes: Sequence[str]


@dataclass(frozen=True)
class TableGraph:
    """A table, the steps that make its rows, and all tables of the warehouse behind it."""

    table: str
    meaning: str
    steps: Sequence[Step]
    behind: Sequence[str]


@click.command()
@click.argument("table", required=False, help="Its name with the schema; default: every table.")
@click.option("--json", "as_json", is_flag=True, help="A list of objects, one a table.")
def graph(*, table: str | None, as_json: bool) -> None:
    """The SQL files behind TABLE (such as gold.customer_segments), or behind every table, in order."""
    graphs = [table_graph(name) for name in ([_known(table)] if table else _TABLES)]
    if as_json:
        print(json.dumps([asdict(one) for one in graphs], indent=2))
    else:
        print("\n\n".join("\n".join(_lines(one)) for one in graphs))


def table_graph(table: str) -> TableGraph:
    """The steps of a table, none where Python writes it without SQL, and what is behind it."""
    steps = [_step(headers()[file]) for file in chain(*_files(table))]
    return TableGraph(table, _TABLES[table].meaning, steps, _behind(table))


def _known(table: str) -> str:
    """The full name of a table. Raises UsageError with the nearest name where there is none of this."""
    name = table.replace("/", ".")
    if name in _TABLES:
        return name
    short = {full.partition(".")[2]: full for full in _TABLES}
    near = get_close_matches(name, [*_TABLES, *short], n=1, cutoff=0.0)[0]
    raise click.UsageError(f"there is no table {table}; the nearest name is {short.get(near, near)}.")


def _files(table: str) -> Sequence[str]:
    """The file of the table's rows, or that of the rows from which Python computes them."""
    if file_of(table) in headers():
        return [file_of(table)]
    return [header.file for header in headers().values() if table in header.made]


def _step(header: Header) -> Step:
    return Step(
        file=f"sql/{header.file}.sql",
        meaning=header.meaning,
        tables=_tables(header),
        steps=[name for name in header.relations if name not in FROM_PYTHON],
        parameters=header.parameters,
        gives=header.gives,
        changes=header.changes,
    )


def _tables(header: Header) -> Sequence[str]:
    """The tables of the warehouse that a file reads, also by relations that Python makes of them."""
    of_python = [FROM_PYTHON[name] for name in header.relations if FROM_PYTHON.get(name)]
    return list(dict.fromkeys([*of_python, *header.tables]))


def _behind(table: str) -> Sequence[str]:
    """All tables from which the rows come, those that come first before the others."""
    found: dict[str, None] = {}
    _follow(table, found, (table,))
    return list(found)


def _follow(table: str, found: dict[str, None], waiting: tuple[str, ...]) -> None:
    for file in chain(*_files(table)):
        for read in _tables(headers()[file]):
            if read not in found and read not in waiting:
                _follow(read, found, (*waiting, read))
                found[read] = None


def _lines(shown: TableGraph) -> Iterator[str]:
    yield f"{shown.table}: {shown.meaning}"
    for number, step in enumerate(shown.steps, start=1):
        yield f"{number:>3} {step.file}: {step.meaning}"
        parts = {
            "tables": step.tables,
            "steps": step.steps,
            "parameters": [f"${name}" for name in step.parameters],
            "gives": step.gives,
            "changes": step.changes,
        }
        for name, listed in parts.items():
            if listed:
                yield f"    {name}: {', '.join(listed)}"
    if not shown.steps:
        yield "    no SQL: Python writes it as the records are read"
    yield f"  behind it: {', '.join(shown.behind) or 'no table'}"
