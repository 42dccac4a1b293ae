"""Seeking the path that is a field, by names alike and values that fit."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bridgecart_assets.commands.inspect.paths import IN_TEXT, ITEM, Path, Steps
from bridgecart_assets.commands.inspect.readings import Read, Reading
from bridgecart_assets.contracts.event import EVENT

REQUIRED = ("order_id", *(one.name for one in EVENT if one.required))
"""Fields without which a mapping is of no use."""

_MOST_OTHERS = 3
# A required field that fewer orders say is hardly the one.
MOSTLY = 0.9
_MINOR = ("cents", "cent", "minor", "pence")
# Words at the end of a name that tell how its value is written, not what it is.
_WRITTEN = (*_MINOR, "gmt", "utc", "timestamp", "iso")
# Names that say nothing without the one before them, as in `total_price.amount`.
_IDS = frozenset({"id", "number", "reference"})
_EMPTY = frozenset({"amount", "centamount", "value", "type", "technicalname"})
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SHORT = {
    "cust": "customer",
    "ord": "order",
    "amt": "amount",
    "dt": "date",
    "ts": "timestamp",
    "upd": "updated",
    "qty": "quantity",
    "num": "number",
    "nbr": "number",
    "curr": "currency",
    "pmt": "payment",
}


@dataclass(frozen=True)
class Guess:
    """The expression that is probably a field; `doubt` says why it may not be, empty where it hardly can."""

    field: str
    expression: str
    doubt: str = ""
    path: Path | None = None

    def doubted(self, said: str) -> "Guess":
        """The guess with one more doubt."""
        return replace(self, doubt="; ".join(filter(None, (self.doubt, said))))


@dataclass(frozen=True)
class Sought:
    """A field of the event: names that are clearly its own, names that may be, and what reads its values.

    Names are letters and digits in lower case, with spaces between them; the likeliest come first. An id
    within an object of a name in `not_within` is that of something else.
    """

    field: str
    clear: str
    vague: str
    reading: Read
    not_within: str = ""

    @property
    def is_required(self) -> bool:
        """True for a field that every order has."""
        return self.field in REQUIRED

    def rank(self, path: Path) -> int | None:
        """The place of the path's name among the names; None where it is none of them."""
        if _plain(path.steps[-1]) in _IDS and {*map(_plain, path.steps)} & set(self.not_within.split()):
            return None
        names = _names(path.steps)
        ranks = [rank for rank, name in enumerate(f"{self.clear} {self.vague}".split()) if name in names]
        return min(ranks, default=None)


def guess(sought: Sought, paths: Sequence[Path], orders: int, near: Steps = ()) -> Guess | None:
    """The best path for a field, of `orders` documents that are orders; None where nothing fits.

    Of paths of the same name the one is taken that is nearest to `near`.
    """

    def fitness(candidate: tuple[int, Path, Reading]) -> tuple[int, int, bool, int]:
        rank, path, (_, remark) = candidate
        return rank, -len(common(path.steps, near)), bool(remark), len(path.steps)

    found = sorted(_candidates(sought, paths), key=fitness)
    if not found:
        return None
    rank, path, (sql, remark) = found[0]
    doubts = [remark] if remark else []
    if rank >= len(sought.clear.split()):
        doubts.append("by its name it may be something else")
    if sought.is_required and path.filled < MOSTLY * orders:
        doubts.append(f"{path.filled:,} of {orders:,} orders say it")
    others = [other.name for _, other, _ in found[1:] if other.filled >= path.filled / 2]
    if others and doubts:
        doubts.append(f"or {', '.join(others[:_MOST_OTHERS])}?")
    return Guess(sought.field, sql, "; ".join(doubts), path)


def is_minor(path: Path | None) -> bool:
    """True where the name says that the amount is in cents."""
    name = path.steps[-1].lower() if path is not None else ""
    return name.endswith(_MINOR) or name.startswith(("cent_", "centamount"))


def common(some: Steps, others: Steps) -> Steps:
    """The steps with which both begin."""
    same = 0
    while same < min(len(some), len(others)) and some[same] == others[same]:
        same += 1
    return some[:same]


def _candidates(sought: Sought, paths: Sequence[Path]) -> Iterator[tuple[int, Path, Reading]]:
    for path in paths:
        rank = sought.rank(path)
        if rank is not None and path.values and (reading := sought.reading(path)) is not None:
            yield rank, path, reading


def _names(steps: Steps) -> set[str]:
    """The last step as letters and digits alone, also with the one before it; without how its value is written.

    `$date` and its like are how MongoDB writes a value.
    """
    said = [step for step in steps if step not in (ITEM, IN_TEXT) and not step.startswith("$")]
    return _named([_plain(step) for step in said]) | _named([_in_full(step) for step in said])


def _named(plain: Sequence[str]) -> set[str]:
    last, before = plain[-1], plain[-2] if len(plain) > 2 else ""
    names = {last, before.removesuffix("s") + last}
    if last in _EMPTY:
        names.add(before)
    return names | {name.removesuffix(word) for name in names for word in _WRITTEN if name != word}


def _plain(step: str) -> str:
    return re.sub(r"[\W_]", "", _without_accents(step)).lower()


def _in_full(step: str) -> str:
    """The same with each word in full that databases shorten, as in `CUST_ID`."""
    words = [word.lower() for word in _WORD.findall(_without_accents(step))]
    return "".join(_SHORT.get(word, word) for word in words)


def _without_accents(text: str) -> str:
    return "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
