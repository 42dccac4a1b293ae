"""The header of every SQL file: what it is, what it needs and what it gives.

    -- Customers with their attributes.
    -- needs: scoped_orders, raw.orders, spellings, lookup_key_of(), text_of()
    -- gives: silver.customers

`needs` names tables, macros and, with a `$`, parameters. `gives` names what stands afterwards: temporary tables, views
and macros, or the table of the warehouse whose rows the file selects; `rows` where they go to a person, `rows for X`
where Python computes X from them. `changes` names tables of the warehouse in which the file inserts, updates or
deletes. `through` names files that run for a table although its needs do not find them. A list goes on in the next
line after a comma; a line for each KPI may leave one at its end, or name one twice. What belongs elsewhere: in which
order files run (`chain.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable

from bridgecart_assets.sql.text import read_sql

FIELDS = ("needs", "gives", "changes", "through")
NOTHING = "nothing"
ROWS = "rows"
_ROWS_FOR = "rows for "
# They run once, in the order of their numbers.
_WITHOUT_HEADER = ("migrations",)


class HeaderError(ValueError):
    """A SQL file does not say what it needs or gives in the way that is agreed."""


@dataclass(frozen=True)
class Header:
    """The header of `sql/<file>.sql`; the meaning is its first sentence."""

    file: str
    meaning: str
    needs: tuple[str, ...]
    gives: tuple[str, ...]
    changes: tuple[str, ...] = ()
    through: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """The folder of the file."""
        return self.file.rpartition("/")[0]

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters that are bound."""
        return tuple(name.removeprefix("$") for name in self.needs if name.startswith("$"))

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables of the warehouse that are read."""
        return tuple(name for name in self.needs if "." in name)

    @property
    def relations(self) -> tuple[str, ...]:
        """The temporary tables, views and macros that must stand before."""
        return tuple(name for name in self.needs if "." not in name and not name.startswith("$"))

    @cached_property
    def made(self) -> tuple[str, ...]:
        """Names that others can need: given by the file, or computed by Python from its rows."""
        return tuple(name.removeprefix(_ROWS_FOR) for name in self.gives if name != ROWS)

    @property
    def is_computed(self) -> bool:
        """True if Python computes the rest from the rows of the file."""
        return any(name.startswith(_ROWS_FOR) for name in self.gives)


def parse_header(file: str, text: str) -> Header:
    """The header of a file. Raises HeaderError when a line of it is missing."""
    meaning: list[str] = []
    listed: dict[str, str] = {}
    field = ""
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        words = line.removeprefix("--").strip()
        name, colon, rest = words.partition(": ")
        if colon and name in FIELDS:
            field, listed[name] = name, rest
        elif field and listed[field].endswith(","):
            listed[field] += f" {words}"
        elif field:
            raise HeaderError(f"sql/{file}.sql: `{words}` is not of the header, which ends before it.")
        else:
            meaning.append(words)
    if not meaning or not {"needs", "gives"} <= listed.keys():
        raise HeaderError(f"sql/{file}.sql has to begin with what it is, `-- needs: ...` and `-- gives: ...`.")
    lists = {name: _split(listed.get(name, NOTHING)) for name in FIELDS}
    return Header(file, _first_sentence(" ".join(meaning)), **lists)


@cache
def headers() -> Mapping[str, Header]:
    """The headers of all SQL files but the migrations, by file, in the order of their names."""
    return {file: parse_header(file, read_sql(file)) for file in sorted(_files(files(__package__), ""))}


def _files(folder: Traversable, prefix: str) -> list[str]:
    found: list[str] = []
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name not in _WITHOUT_HEADER:
            found += _files(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".sql"):
            found.append(prefix + entry.name.removesuffix(".sql"))
    return found


def _split(listed: str) -> tuple[str, ...]:
    return () if listed == NOTHING else tuple(dict.fromkeys(listed.removesuffix(",").split(", ")))


def _first_sentence(text: str) -> str:
    sentence, stop, _ = text.partition(". ")
    return f"{sentence}." if stop else text
