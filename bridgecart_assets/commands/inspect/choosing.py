"""The records that are orders, told by what they say and by the kind that they call themselves."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bridgecart_assets.commands.inspect.fields import EVENT_TIME
from bridgecart_assets.commands.inspect.guesses import guesses
from bridgecart_assets.commands.inspect.paths import (
    IN_TEXT,
    Document,
    Path,
    Steps,
    expression,
    paths_of,
    read_in_one_way,
    says_something,
)
from bridgecart_assets.commands.inspect.readings import one_of
from bridgecart_assets.commands.inspect.seeking import MOSTLY, Guess, guess

# Documents from which fields are guessed.
ENOUGH = 2_000

_KINDS = (
    *("event", "type", "event_type", "eventType", "event_name", "eventName", "kind", "topic", "action"),
    *("messageType", "message_type", "ce_type"),
)
_KIND = re.compile(r"[^\W\d][\w .:/-]{0,63}")
_MOST_KINDS = 20
# How deep the kind of an event may stand in it: beside its fields, or in an object that is about the event.
_DEEPEST = 3
# What happened to the row of a table: each that is left out is a change that is not seen.
_CHANGES = frozenset({"insert", "update", "upsert", "load"})
_ENDS_AN_ORDER = re.compile(r"cancel|void|delet|annul|storn", re.IGNORECASE)
_PAYS_BACK = re.compile(r"refund|return|chargeback|credit", re.IGNORECASE)
_OF_AN_ORDER = ("order_id", "customer_id", "purchase_amount")


@dataclass(frozen=True)
class Choice:
    """The documents that are orders.

    Attributes:
        orders: the documents.
        where: the condition that chooses them, and others that end one; None where all are.
        question: for a person, where several kinds look alike, and the condition that chooses the most common.
        doubts: of the condition.
        guesses: which kinds end an order, and which record of an order is the latest.

    """

    orders: Sequence[Document]
    where: str | None = None
    question: tuple[str, str] | None = None
    doubts: Sequence[str] = ()
    guesses: Sequence[Guess] = ()


def choose(documents: Sequence[Document], root: Steps, *, is_known: bool) -> Choice:
    """The documents that are orders, whose fields stand in `root`; those of a known shape say which they are."""
    within = [document for document in documents if _at(document, root) is not None]
    some = within[:ENOUGH]
    paths = [path for path in paths_of(some) if path.steps[: len(root)] == root]
    found = {one.field: one.path for one in guesses(paths, len(some)) if one.path is not None}
    if "order_id" not in found:
        return Choice(within)
    named, others = _divided(within, [found["order_id"]])
    if is_known:
        return Choice(named)
    return (
        _of_events(documents, [found[name] for name in _OF_AN_ORDER if name in found], ends="is_void" not in found)
        or _of_one_kind(named, documents)
        or _with_amount(named, others, found)
        or Choice(named, question=_question(named))
    )


def _at(document: Document, steps: Steps) -> object:
    """The value that stands there; None where nothing does."""
    value: object = document
    for step in steps:
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def _of_events(documents: Sequence[Document], required: Sequence[Path], *, ends: bool) -> Choice | None:
    """Those of kinds that say all of an order, where no other document is of these kinds."""
    whole, others = _divided(documents, [path for path in required if not path.is_in_list])
    named, _ = _divided(others, required[:1])
    for steps in _places_of_kinds(documents[:ENOUGH]):
        kinds = _kinds(whole, steps)
        if not kinds or kinds.keys() & _said_there(others, steps).keys():
            continue
        ending = {kind for kind in (*kinds, *_kinds(named, steps)) if _ENDS_AN_ORDER.search(kind)} if ends else set()
        back = Counter({kind: count for kind, count in kinds.items() if _PAYS_BACK.search(kind)})
        kept = Counter({kind: count for kind, count in kinds.items() if kind not in ending | back.keys()})
        orders = [document for document in whole if _at(document, steps) in kept]
        if orders and len(orders) < len(documents):
            doubts = [f"{_said(kept)} say all of an order"] if len(kept) > 1 and not _are_changes(kept) else []
            doubts += [f"{_said(back)} say as much: docs/your-topic.md tells how refunds count"] if back else []
            last = [document for document in documents if _at(document, steps) in ending]
            ends_told = _of_ends(steps, ending, [*orders[:ENOUGH], *last[:ENOUGH]])
            return Choice(orders, one_of(expression(steps), {*kept, *ending}), doubts=doubts, guesses=ends_told)
    return None


def _of_ends(steps: Steps, ending: set[str], documents: Sequence[Document]) -> Sequence[Guess]:
    """The guesses that make an order void, and tell its latest document among these."""
    if not ending:
        return ()
    told = [
        path
        for path in read_in_one_way(paths_of(documents))
        if path.filled >= MOSTLY * len(documents) and not path.is_in_list
    ]
    time = guess(EVENT_TIME, told, 0)
    version = "epoch_us(timestamp)" if time is None else time.expression
    doubt = "by when it was sent, which a file does not say" if time is None else ""
    return (Guess("version", version, doubt), Guess("is_void", one_of(expression(steps), ending)))


def _of_one_kind(orders: Sequence[Document], documents: Sequence[Document]) -> Choice | None:
    """Those that name an order, where others are among the documents and these say of which kinds they are."""
    if len(orders) == len(documents):
        return None
    for name in _KINDS:
        if kinds := _kinds(orders, ("value", name)):
            return Choice(orders, one_of(expression(("value", name)), kinds))
    return None


def _with_amount(orders: Sequence[Document], others: Sequence[Document], found: Mapping[str, Path]) -> Choice | None:
    """Those that name an order, where no other has an amount: in exports, the further lines of one."""
    amount = found.get("purchase_amount")
    if not others or amount is None or any(says_something(_at(document, amount.steps)) for document in others):
        return None
    return Choice(orders, f"nullif({found['order_id'].name}::varchar, '') is not null")


def _question(orders: Sequence[Document]) -> tuple[str, str] | None:
    """A question and one answer, where records say what kind they are and all of them look like orders."""
    for name in _KINDS:
        kinds = _kinds(orders, ("value", name))
        if len(kinds) > 1 and not _are_changes(kinds):
            where = one_of(expression(("value", name)), [kinds.most_common(1)[0][0]])
            return f"The records have several kinds: {_said(kinds)}. Which are orders?", where
    return None


def _said(kinds: Counter[str]) -> str:
    return ", ".join(f"{kind} ({count:,})" for kind, count in kinds.most_common())


def _are_changes(kinds: Collection[str]) -> bool:
    return {kind.lower() for kind in kinds} <= _CHANGES


def _divided(documents: Sequence[Document], paths: Sequence[Path]) -> tuple[Sequence[Document], Sequence[Document]]:
    """The documents that say all of these, and the others."""
    say: tuple[list[Document], list[Document]] = ([], [])
    for document in documents:
        say[not all(says_something(_at(document, path.steps)) for path in paths)].append(document)
    return say


def _places_of_kinds(documents: Sequence[Document]) -> Sequence[Steps]:
    """The places where documents may say of which kind they are, the likeliest first."""
    places = [
        path.steps
        for path in read_in_one_way(paths_of(documents))
        if path.steps[-1] in _KINDS
        and 1 < len(path.steps) <= _DEEPEST
        and path.steps[0] in ("value", "headers")
        and not path.is_in_list
        and IN_TEXT not in path.steps
    ]
    return sorted(places, key=lambda steps: (steps[0] == "headers", len(steps), _KINDS.index(steps[-1])))


def _kinds(documents: Sequence[Document], steps: Steps) -> Counter[str]:
    """The kinds that documents say there; nothing where some say none, or so many that they are no kinds."""
    kinds = _said_there(documents, steps)
    return kinds if len(kinds) <= _MOST_KINDS and all(map(_KIND.fullmatch, kinds)) else Counter()


def _said_there(documents: Sequence[Document], steps: Steps) -> Counter[str]:
    values = [_at(document, steps) for document in documents]
    return Counter(value if isinstance(value, str) else "" for value in values)
