"""Lines of silver's SQL for each field of the event: reading it, the rules that it must keep, where it ends.

The fields and their limits are those of `contracts/event.py`, the macros those of `silver`'s files. A file has one line
for all fields, with the names below in braces; `read_sql` puts in a line a field.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from bridgecart_assets.base.quoting import sql_text
from bridgecart_assets.contracts.event import (
    EVENT,
    TELLING_FIELDS,
    EventField,
    Flag,
    Home,
    Instant,
    Money,
    Text,
    Whole,
)

Line = Mapping[str, str]

# What the macros of `tmp_plain_macros` take for plain is within these limits.
_PLAIN_AMOUNT = 10**9
_MOST_DIGITS = 9


def _schema(fields: Sequence[EventField]) -> str:
    return "{" + ", ".join(f'"{one.name}": "JSON"' for one in fields) + "}"


def _mask() -> str:
    """A merge patch that takes all fields of the contract out of an event."""
    return "{" + ", ".join(f'"{one.name}": null' for one in EVENT) + "}"


def _or_default(one: EventField, value: str) -> str:
    return value if one.default is None else f"coalesce({value}, {one.default})"


def _within(value: str, one: Money | Whole, lowest: int, highest: int) -> Iterator[str]:
    """Tests that are left for a number that is known to be between `lowest` and `highest`."""
    if one.lowest > lowest:
        yield f"{value} >= {one.lowest}"
    if one.highest < highest:
        yield f"{value} <= {one.highest}"


def _unpacked(one: EventField) -> str:
    """The value of a plain field, straight from its text."""
    match one.type:
        case Text():
            return f"event.{one.name}"
        case Instant():
            return f"try_cast(event.{one.name} as timestamptz)"
        case Flag():
            return f"flag_of(event.{one.name})"
        case _:
            return f"try_cast(event.{one.name} as {one.type.sql_type.lower()})"


def _plain_tests(one: EventField) -> Iterator[str]:
    """Tests on the text of a field which no rule would refuse or change."""
    text, kind, is_read = f"event.{one.name}", one.type, one.home is Home.ORDERS
    value = one.name if is_read else _unpacked(one)
    match kind:
        case Text():
            yield f"{'is_plain_text' if is_read else 'is_telling_text'}({text})"
            yield f"strlen({text}) <= {kind.longest}"
        case Instant():
            yield f"is_plain_time({text})"
            yield f"{value} >= timestamptz '{kind.earliest} 00:00:00+00'"
            yield f"{value} < timestamptz '{kind.before} 00:00:00+00'"
        case Money():
            yield f"{'is_plain_amount' if kind.lowest < 0 else 'is_plain_unsigned'}({text})"
            yield from _within(value, kind, -_PLAIN_AMOUNT if kind.lowest < 0 else 0, _PLAIN_AMOUNT)
        case Whole():
            digits = min(_MOST_DIGITS, len(str(max(kind.highest, 0) + 1)) - 1)
            yield f"regexp_full_match({text}, '[0-9]{{1,{max(digits, 1)}}}')"
            yield from _within(value, kind, 0, 10**digits - 1)
        case Flag():
            yield f"{value} is not null"


def _plain(one: EventField) -> str:
    tests = " and ".join(_plain_tests(one))
    tests = tests if one.required else f"(event.{one.name} is null or {tests})"
    return tests if one.plain_if is None else f"{tests} and {one.plain_if}"


def _value(one: EventField, text: str) -> str:
    """The value of a text by the rules; NULL where it has none."""
    match one.type:
        case Text():
            return text
        case Instant():
            return f"instant_of({text})"
        case Money():
            return f"money_of({text})"
        case Whole():
            return f"number_of({text})"
        case Flag():
            return f"flag_of({text})"


def _typed(one: EventField) -> str:
    given = f"given_{one.name}"
    value = _value(one, given)
    return value if one.default is None else f"case when {given} is null then {one.default} else {value} end"


def _stored(one: EventField, value: str) -> str:
    match one.type:
        case Instant():
            return f"utc_of({value})"
        case Whole():
            return f"{value}::integer"
        case _:
            return value


def _no_value(one: EventField) -> str:
    """The condition under which the text of a field has no value of its type."""
    match one.type:
        case Text():
            return f"not is_text(event.{one.name}, given_{one.name})"
        case Instant():
            return f"{one.name} is null or not isfinite({one.name})"
        case Money() | Whole():
            return f"not is_number(given_{one.name})"
        case Flag():
            return f"{one.name} is null"


def _no_mapped_value(one: EventField) -> str:
    """The condition under which the expression of a field failed, or gave what no event can have."""
    failed = f"list_contains(bad_fields, '{one.name}')"
    return f"{failed} or not isfinite({one.name})" if isinstance(one.type, Instant) else failed


def _refusals(one: EventField, text: str) -> Iterator[tuple[str, str]]:
    """Condition and reason code of each way in which the value of a field can be wrong, in their order."""
    name, out_of_range = one.name, f"out_of_range_{one.name}"
    early = [(refusal.when, refusal.code) for refusal in one.early_refusals]
    match one.type:
        case Text(longest):
            yield from early
            yield f"length({text}) > {longest}", out_of_range
        case Instant(earliest, before):
            yield f"{name} < timestamptz '{earliest} 00:00:00+00'", out_of_range
            yield from early
            yield f"{name} >= timestamptz '{before} 00:00:00+00'", out_of_range
        case Money(lowest, highest) | Whole(lowest, highest):
            yield from early
            yield f"{name} is null or {name} < {lowest} or {name} > {highest}", out_of_range
        case Flag():
            yield from early
    if isinstance(one.type, Whole):
        yield f"{name} <> floor({name})", f"bad_{name}"
    yield from ((refusal.when, refusal.code) for refusal in one.refusals)


def _reason(cases: Iterable[tuple[str, str]]) -> str:
    """The first reason code whose condition holds, or NULL."""
    return "case " + " ".join(f"when {when} then {code}" for when, code in cases) + " end"


def _reason_of_text(one: EventField) -> str:
    """The reason code of a field of BridgeCart's own event; NULL where it is right."""
    text = f"given_{one.name}"
    refusals = [(_no_value(one), f"bad_{one.name}"), *_refusals(one, text)]
    return _reason([(f"{text} is null", _if_missing(one)), *((when, sql_text(code)) for when, code in refusals)])


def _reason_of_mapped(one: EventField) -> str:
    """The reason code of a field that a mapping gives, typed already; NULL where it is right."""
    failed = (_no_mapped_value(one), sql_text(f"bad_{one.name}"))
    refusals = [(when, sql_text(code)) for when, code in _refusals(one, one.name)]
    return _reason([failed, (f"{one.name} is null", _if_missing(one)), *refusals])


def _if_missing(one: EventField) -> str:
    return f"'missing_{one.name}'" if one.required else "null"


def _field(position: int, one: EventField) -> Line:
    return {
        "field": one.name,
        "position": str(position),
        "plain": _plain(one),
        "typed": _typed(one),
        "reason": _reason_of_text(one),
    }


def _mapped_field(one: EventField) -> Line:
    return {
        "mapped_field": one.name,
        "mapped_reason": _reason_of_mapped(one),
        "mapped_value": _or_default(one, f"case when reason_{one.name} is null then {one.name} end"),
    }


def _optional_field(one: EventField) -> Line:
    return {"optional_field": one.name, "if_missing": one.default or "null"}


def _order_field(one: EventField) -> Line:
    return {
        "unpacked": _or_default(one, _unpacked(one)),
        "order_field": one.name,
        "order_value": _stored(one, one.name),
        "order_column": one.stored.name if one.stored else one.name,
    }


def _attribute(one: EventField) -> Line:
    value = _stored(one, one.name)
    value = f"coalesce({one.name}_spelling.canonical, {value})" if one.spellings else value
    column = one.stored.name if one.stored else one.name
    is_stated = f"place = place_of_{one.name} and {_reason_of_text(one)} is null"
    return {
        "attribute_field": one.name,
        "attribute_typed": _typed(one),
        "attribute": column,
        "attribute_stated": f"case when {is_stated} then {value} end",
        "attribute_value": _or_default(one, f"any_value({column})"),
    }


def _refund_out_of_range() -> str:
    """The condition under which no order can have a refund like this: its instant and amount are those of orders."""
    tests: list[str] = []
    for one in EVENT:
        match one.name, one.type:
            case "purchase_date", Instant(earliest, before):
                tests += [
                    f"refund.\"at\" {sign} timestamptz '{day} 00:00:00+00'"
                    for sign, day in (("<", earliest), (">=", before))
                ]
            case "purchase_amount", Money(highest=highest):
                tests += ["refund.amount < 0", f"refund.amount > {highest}"]
    return " or ".join(tests)


def _told() -> Iterator[str]:
    """The columns in which two events of an order that say the same agree, but time and amount, which SQL compares."""
    for one in EVENT:
        if one.home is Home.ORDERS and one.stored is not None and one.name != "purchase_date":
            yield one.stored.name


_ORDER = [one for one in EVENT if one.home is Home.ORDERS]
_CUSTOMER = [one for one in EVENT if one.home is Home.CUSTOMERS]

EVENT_LINES: Mapping[tuple[str, ...], Sequence[Line]] = {
    ("event_schema",): [{"event_schema": _schema(EVENT)}],
    ("event_mask",): [{"event_mask": _mask()}],
    ("field", "position", "plain", "typed", "reason"): [_field(position, one) for position, one in enumerate(EVENT, 1)],
    ("mapped_field", "mapped_reason", "mapped_value"): [_mapped_field(one) for one in EVENT],
    ("rejected_if", "rejection"): [
        {"rejected_if": rejection.when, "rejection": sql_text(rejection.code)}
        for one in EVENT
        for rejection in one.rejections
    ],
    ("refund_out_of_range",): [{"refund_out_of_range": _refund_out_of_range()}],
    ("unstored_field",): [{"unstored_field": one.name} for one in EVENT if not one.is_stored],
    ("telling_fields",): [{"telling_fields": "|".join(TELLING_FIELDS)}],
    ("required_field",): [{"required_field": one.name} for one in EVENT if one.required],
    ("optional_field", "if_missing"): [_optional_field(one) for one in EVENT if not one.required],
    ("order_field", "unpacked", "order_value", "order_column"): [_order_field(one) for one in _ORDER],
    ("spelled_field", "spelled_column"): [
        {"spelled_field": one.name, "spelled_column": one.stored.name} for one in _ORDER if one.spellings and one.stored
    ],
    ("attribute_schema",): [{"attribute_schema": _schema(_CUSTOMER)}],
    ("attribute_field", "attribute_typed", "attribute", "attribute_stated", "attribute_value"): [
        _attribute(one) for one in _CUSTOMER
    ],
    ("told_column",): [{"told_column": column} for column in _told()],
    ("spelled_attribute",): [{"spelled_attribute": one.name} for one in _CUSTOMER if one.spellings],
    ("spelling_of", "lookup_key", "canonical"): [
        {"spelling_of": sql_text(one.name), "lookup_key": sql_text(key), "canonical": sql_text(canonical)}
        for one in EVENT
        for key, canonical in one.spellings.items()
    ],
}
"""The names that a line can have in braces together, and what stands for them in each of its lines."""
