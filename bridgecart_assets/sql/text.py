"""The text of the SQL files.

A line with a name in braces stands for a line a record: `{field}` for each field of the event (`event_lines.py`),
`{trait}` for each trait and `{kpi}` for each KPI (`metric_lines.py`). No other SQL is made from anything.
"""

import re
from functools import cache
from importlib.resources import files

from bridgecart_assets.sql.event_lines import EVENT_LINES, Line
from bridgecart_assets.sql.metric_lines import METRIC_LINES

_NAME = re.compile(r"\{([a-z_]+)\}")

LINES = {**EVENT_LINES, **METRIC_LINES}
"""The names that a line can have together, and their values in each record."""


@cache
def read_sql(name: str) -> str:
    """The text of `sql/<name>.sql`, with all lines of the records that a line of it stands for."""
    text = files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
    return "".join(map(_per_record, text.splitlines(keepends=True)))


def _per_record(line: str) -> str:
    named = set(_NAME.findall(line))
    for names, records in LINES.items():
        if named and named <= set(names):
            return "".join(_filled(line, record) for record in records)
    return line


def _filled(line: str, record: Line) -> str:
    return _NAME.sub(lambda found: record[found[1]], line)


def file_of(table: str) -> str:
    """The name of the file whose rows a table of the warehouse has."""
    return table.replace(".", "/")
