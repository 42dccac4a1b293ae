"""The paths of documents: the types of what stands there, the share of documents that say it, values to learn from.

A name within a document may itself be content, as the customers of `{"ada@example.com": {...}}`: such names are `*`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import takewhile

from bridgecart_assets.base.quoting import sql_name, sql_text
from bridgecart_assets.commands.inspect.masking import masked

Steps = tuple[str, ...]
Document = Mapping[str, object]

ITEM = "[]"
IN_TEXT = "{}"
"""The step into JSON that stands in a text."""
ANY_NAME = "*"
MOST_PATHS = 500
DEEPEST = 20
_MOST_ITEMS = 50
_MOST_NAMES = 200
_KEPT_VALUES = 500
_NAME = re.compile(r"(?!.*\d{5})\$?[^\W\d][\w .:#/()°%&$€£-]{0,63}")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# In fewer objects nobody can tell a name of the source from one of a customer by how often it comes.
_FEW_OBJECTS = 20
_NOT_KNOWN = "__debezium_unavailable_value"
_RARE = 100

# Addresses of machines and versions have more points than a number.
_NUMBER = re.compile(r"[+-]?(\d+|\d{1,3}([.,]\d{3})+)([.,]\d*)?(e[+-]?\d+)?", re.IGNORECASE)
_TIME = re.compile(r"\d{4}[-/]\d{2}[-/]\d{2}([T ]\d{2}:\d{2}.*)?")


@dataclass
class Path:
    """One path and the first values there. `filled` counts the documents in which it says something."""

    steps: Steps
    types: Counter[str] = field(default_factory=Counter)
    masks: Counter[str] = field(default_factory=Counter)
    values: list[object] = field(default_factory=list)
    filled: int = 0
    last_document: int = -1

    @property
    def name(self) -> str:
        """The path as an expression of a mapping names it; `[]` is each item of a list."""
        return expression(self.steps)

    @property
    def type(self) -> str:
        """Its types, the most common first."""
        return " or ".join(name for name, _ in self.types.most_common(3))

    @property
    def example(self) -> str:
        """The most common shape of its first values."""
        return self.masks.most_common(1)[0][0] if self.masks else ""

    @property
    def is_in_list(self) -> bool:
        """True where a document may say it several times."""
        return ITEM in self.steps

    def note(self, value: object, document: int) -> None:
        """Take a value into account."""
        if not says_something(value):
            return
        if document != self.last_document:
            self.filled, self.last_document = self.filled + 1, document
        if self.types.total() < _KEPT_VALUES:
            self.types[type_of(value)] += 1
            if not isinstance(value, list):
                self.masks[masked(value)] += 1
                self.values.append(value)


def expression(steps: Sequence[str]) -> str:
    """Steps from a root as SQL: `value.order."Order No"`."""
    if IN_TEXT in steps:
        return _in_text(steps)
    root, *names = steps
    if root == "headers" and names:
        return f"headers[{sql_text(names[0])}]"
    return root + "".join(name if name == ITEM else f".{_quoted(name)}" for name in names)


def _in_text(steps: Sequence[str]) -> str:
    place = len(steps) - 1 - steps[::-1].index(IN_TEXT)
    names = "".join("[*]" if name == ITEM else f".{_quoted(name)}" for name in steps[place + 1 :])
    return f"json_extract_string({expression(steps[:place])}, {sql_text(f'${names}')})"


def is_named(path: str, sql: str) -> bool:
    """True if the SQL names the path, which it may go on from no further."""
    return re.search(rf"{re.escape(path)}(?![\w.])", sql) is not None


def says_something(value: object) -> bool:
    """False for null, a blank text, an empty list, and what Debezium writes where it does not know."""
    if isinstance(value, str):
        return bool(value.strip()) and value != _NOT_KNOWN
    return value is not None and value != []


def type_of(value: object) -> str:
    """The type of a value in a word or two; of a text also what it looks like."""
    match value:
        case bool():
            return "true or false"
        case int():
            return "whole number"
        case float() | Decimal():
            return "number"
        case datetime() | date():
            return "time"
        case list():
            return "list"
        case bytes():
            return "bytes"
        case str() if _TIME.fullmatch(value.strip()):
            return "text: time"
        case str() if _NUMBER.fullmatch(value.strip()):
            return "text: number"
        case _:
            return "text"


def paths_of(documents: Sequence[Document]) -> list[Path]:
    """All paths of the documents, at most `MOST_PATHS`, in the order in which they first come.

    An object that is null in some documents is no path of its own.
    """
    names = _Names.of(documents)
    found: dict[Steps, Path] = {}
    for number, document in enumerate(documents):
        for steps, value in _leaves(document, (), (), names):
            if steps not in found and len(found) < MOST_PATHS:
                found[steps] = Path(steps)
            if steps in found:
                found[steps].note(value, number)
    objects = {steps[:length] for steps in found for length in range(1, len(steps))}
    return [path for path in found.values() if path.filled or path.steps not in objects]


def read_in_one_way(paths: Sequence[Path]) -> list[Path]:
    """The paths of which no expression would read another's value as an object: of such the more common ones."""
    values: Counter[Steps] = Counter()
    objects: Counter[Steps] = Counter()
    for path in paths:
        read = _read_as_value(path.steps)
        values[read] = max(values[read], path.filled)
        for length in range(1, len(read)):
            objects[read[:length]] = max(objects[read[:length]], path.filled)
    rarer = {place for place in values.keys() & objects.keys() if values[place] < objects[place]}
    no_objects = (values.keys() & objects.keys()) - rarer
    return [
        path
        for path in paths
        if (read := _read_as_value(path.steps)) not in rarer
        and no_objects.isdisjoint(read[:length] for length in range(1, len(read)))
    ]


def _read_as_value(steps: Steps) -> Steps:
    """The steps to what an expression reads as a value: a list or a text is one, whatever is in it."""
    return tuple(takewhile(lambda step: step not in (ITEM, IN_TEXT), steps))


@dataclass(frozen=True)
class _Names:
    """Counts: of the objects at each place, of each name in them, and of different names there."""

    objects: Counter[Steps]
    names: Counter[Steps]
    distinct: Counter[Steps]
    known: dict[tuple[Steps, str], str] = field(default_factory=dict)

    @classmethod
    def of(cls, documents: Iterable[Document]) -> "_Names":
        objects: Counter[Steps] = Counter()
        names: Counter[Steps] = Counter()
        for document in documents:
            for place, name in _named(document, ()):
                objects[place] += name is None
                if name is not None:
                    names[*place, name] += 1
        return cls(objects, names, Counter(steps[:-1] for steps in names))

    def shown(self, place: Steps, name: str) -> str:
        """The name as it may be shown."""
        if (place, name) not in self.known:
            self.known[place, name] = self._shown(place, name)
        return self.known[place, name]

    def _shown(self, place: Steps, name: str) -> str:
        if name == IN_TEXT:
            return name
        if not _NAME.fullmatch(name):
            return ANY_NAME
        # Of a document itself the names are the source's.
        return ANY_NAME if len(place) > 1 and self._are_content(place, name) else name

    def _are_content(self, place: Steps, name: str) -> bool:
        objects = self.objects[place]
        is_rare = objects >= _FEW_OBJECTS and self.names[*place, name] < max(2, objects // _RARE)
        return is_rare or self.distinct[place] > _MOST_NAMES


def _named(value: object, place: Steps) -> Iterator[tuple[Steps, str | None]]:
    """Each object by its place, then its names with it."""
    if len(place) > DEEPEST:
        return
    if isinstance(value, dict):
        yield place, None
        for name, inner in value.items():
            yield place, name
            yield from _named(inner, (*place, name))
    elif isinstance(value, list):
        for item in value[:_MOST_ITEMS]:
            yield from _named(item, (*place, ITEM))


def _leaves(value: object, place: Steps, shown: Steps, names: _Names) -> Iterator[tuple[Steps, object]]:
    """Each scalar and each list with the steps that lead to it."""
    if len(place) > DEEPEST:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            step = names.shown(place, name) if place else name
            yield from _leaves(inner, (*place, name), (*shown, step), names)
        return
    yield shown, value
    if isinstance(value, list):
        for item in value[:_MOST_ITEMS]:
            if isinstance(item, dict | list):
                yield from _leaves(item, (*place, ITEM), (*shown, ITEM), names)
            else:
                yield (*shown, ITEM), item


def _quoted(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) or name == ANY_NAME else sql_name(name)
