"""A mapping proposed for records: TOML with a line a field, and a remark where a line is not certain."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bridgecart_assets.commands.inspect.choosing import ENOUGH, Choice, choose
from bridgecart_assets.commands.inspect.compounds import items_of
from bridgecart_assets.commands.inspect.guesses import guesses
from bridgecart_assets.commands.inspect.paths import ITEM, Document, Path, expression, is_named, paths_of
from bridgecart_assets.commands.inspect.presets import Shape
from bridgecart_assets.commands.inspect.seeking import REQUIRED, Guess, is_minor
from bridgecart_assets.sources.mapping.mapping_file import NEEDS

_CURRENCY = re.compile(r"[A-Za-z]{3}")
_HEAD = (
    "# Proposed by `bridgecart inspect`. Hold each line against what the source means, then try it:\n"
    "# bridgecart inspect --mapping FILE\n"
)
# Records are sent again now and then: few of them do not make several an order.
_MOSTLY_ONCE = 0.9
_WIDTH = 16


def proposal(documents: Sequence[Document], shape: Shape | None, *, decode: str) -> str:
    """The text of a mapping for values that `decode` reads."""
    root = shape.order if shape else ("value",)
    choice = choose(documents, root, is_known=shape is not None)
    some = choice.orders[:ENOUGH]
    every = paths_of(some)
    paths = [path for path in every if path.steps[: len(root)] == root]
    guessed = {one.field: one for one in (*guesses(paths, len(some)), *choice.guesses)}
    found = _with_doubt_of_repeats(guessed)
    given = _given(shape, every)
    preset = f'preset = "{shape.preset}"\n' if shape is not None and shape.is_preset else ""
    sections = [
        f"{_HEAD}format = 1\n{preset}",
        f'[decode]\nvalue = "{decode}"\n' if decode != "json" else "",
        _records(shape, choice, len(documents)) or _without_void(shape, found),
        "" if "order_id" in {*found, *given} else _lists_of_orders(paths),
        _order(found, given, shape),
        _money(found, _currencies(paths, found.get("currency"))),
    ]
    return "\n".join(filter(None, sections))


def _with_doubt_of_repeats(found: Mapping[str, Guess]) -> Mapping[str, Guess]:
    """The guesses; of an order that several records speak of, and no version tells apart, a person has to say why."""
    order_id = found.get("order_id")
    if order_id is None or order_id.path is None or "version" in found:
        return found
    ids = order_id.path.values
    if len(set(map(str, ids))) > _MOSTLY_ONCE * len(ids):
        return found
    said = "several records an order: BRIDGECART_ORDER_EVENTS says whether they are its lines or its states"
    return {**found, "order_id": order_id.doubted(said)}


def _records(shape: Shape | None, choice: Choice, documents: int) -> str:
    if shape is not None:
        lines = {} if shape.is_preset else shape.said("records")
        said = "".join(f"{name:{_WIDTH}} = {_toml(line)}\n" for name, line in lines.items())
        return f"[records]\n{said}" if said else ""
    if choice.where:
        doubts = "".join(f"# unsure: {doubt}\n" for doubt in choice.doubts)
        some = f"{len(choice.orders):,} of {documents:,} records are orders"
        return f"[records]\n# {some}\n{doubts}where = {_toml(choice.where)}\n"
    if choice.question:
        question, where = choice.question
        return f"[records]\n# {question}\n# where = {_toml(where)}\n"
    return ""


def _without_void(shape: Shape | None, found: Mapping[str, Guess]) -> str:
    """Orders that never came about left out, where no version tells which record of an order is its latest."""
    void = found.get("is_void")
    if shape is not None or void is None or "version" in found:
        return ""
    return (
        "[records]\n# Nothing tells which record of an order is its latest: one that is cancelled later still counts.\n"
        f"{_remark(void)}where = {_toml(f'not coalesce({void.expression}, false)')}\n"
    )


def _given(shape: Shape | None, paths: Sequence[Path]) -> Mapping[str, str]:
    """The lines of the shape that read something of these records: the key of a table may have any name."""
    lines = shape.said("order") if shape is not None else {}
    return {name: line for name, line in lines.items() if any(is_named(path.name, line) for path in paths)}


def _order(found: Mapping[str, Guess], given: Mapping[str, str], shape: Shape | None) -> str:
    fields = {**{name: Guess(name, line) for name, line in given.items()}, **_beside(found, given, shape)}
    filled_in = shape.filled_in if shape is not None else {}
    written = [one for one in _usable(fields).values() if filled_in.get(one.field) != one.expression]
    missing = [
        f'# {name:{_WIDTH}} = "value. ..."   # nothing like it was found; it is required\n'
        for name in REQUIRED
        if name not in fields
    ]
    lines = "".join([*map(_line, written), *missing])
    return f"[order]\n{lines}" if lines else ""


def _lists_of_orders(paths: Sequence[Path]) -> str:
    """A remark where a record has several orders in a list."""
    for steps in dict.fromkeys(path.steps[: path.steps.index(ITEM)] for path in paths if path.is_in_list):
        if {"order_id", "purchase_amount"} <= {one.field for one in guesses(items_of(paths, steps), 0)}:
            said = f"{expression(steps)} lists what looks like orders, and a record has to be one: split them before."
            return f"# {said}\n"
    return ""


def _usable(fields: Mapping[str, Guess]) -> Mapping[str, Guess]:
    """The fields without those that need another which is not there, or is not usable itself."""
    usable = {name: one for name, one in fields.items() if fields.keys() >= set(NEEDS.get(name, ()))}
    return usable if len(usable) == len(fields) else _usable(usable)


def _beside(found: Mapping[str, Guess], given: Mapping[str, str], shape: Shape | None) -> dict[str, Guess]:
    """The guesses for fields that are not given; and what makes an order void besides what is."""
    beside = {name: _or_deleted(one, shape) for name, one in found.items() if name not in given}
    void = found.get("is_void")
    if void is not None and void.path is not None and "is_void" in given and void.path.name not in given["is_void"]:
        beside["is_void"] = replace(void, expression=f"{given['is_void']} or {void.expression}")
    return beside


def _or_deleted(one: Guess, shape: Shape | None) -> Guess:
    """The order's id also where it was deleted."""
    if one.field != "order_id" or shape is None or not shape.deleted:
        return one
    before = one.expression.replace(expression(shape.order), expression(shape.deleted))
    return replace(one, expression=f"coalesce({one.expression}, {before})")


def _line(one: Guess) -> str:
    return f"{_remark(one)}{one.field:{_WIDTH}} = {_toml(one.expression)}\n"


def _remark(one: Guess) -> str:
    return f"# unsure: {one.doubt}\n" if one.doubt else ""


def _money(found: Mapping[str, Guess], currencies: Counter[str]) -> str:
    amount = found.get("purchase_amount")
    lines = []
    if currencies:
        (most, _), *others = currencies.most_common()
        said = f"   # orders in {', '.join(code for code, _ in others)} are rejected" if others else ""
        lines.append(f'currency = "{most}"{said}\n')
    if amount is not None and is_minor(amount.path):
        mark = "" if currencies else '# currency = "..."   # cents need it\n# '
        lines.append(f"{mark}minor_units = true   # amounts are in cents\n")
    elif amount is not None and amount.path is not None and _is_whole(amount.path):
        lines.append("# minor_units = true   # all amounts are whole numbers: are they cents?\n")
    return "[money]\n" + "".join(lines) if lines else ""


def _is_whole(path: Path) -> bool:
    return all(str(value).strip().lstrip("-").isdecimal() for value in path.values)


def _currencies(paths: Sequence[Path], found: Guess | None) -> Counter[str]:
    """Currencies that the records name, by how often."""
    of_orders = found.path if found is not None else None
    return Counter(
        value.upper()
        for path in paths
        if path == of_orders or ("currency" in path.steps[-1].lower() and "presentment" not in path.name)
        for value in path.values
        if isinstance(value, str) and _CURRENCY.fullmatch(value)
    )


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
