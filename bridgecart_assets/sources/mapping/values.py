"""The value of an expression as that of its field, in SQL: by the type of the field and that of the value.

A text is read by the rules of the event's own texts; money is rounded once, from all digits.
"""

from collections.abc import Callable

from bridgecart_assets.contracts.event import Flag, Instant, MappedType, Money, Refunds, Text, Version, Whole
from bridgecart_assets.sources.mapping.errors import Refused

TypeOf = Callable[[str], str]
"""The DuckDB type of a part of an expression's value, by the path that follows it; of all of it where that is empty."""

_SIZES = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_WHOLE = frozenset({*_SIZES, *(f"U{size}" for size in _SIZES)})
_FLOATING = frozenset({"FLOAT", "DOUBLE"})
_TIMES = ("TIMESTAMP", "DATE")
_TEXT = "VARCHAR"

_NOTHING = '"NULL"'
_CENTS = 2


def value_type(kind: MappedType) -> str:
    """The DuckDB type of a field's value: an instant has its zone until it is stored."""
    return "TIMESTAMPTZ" if isinstance(kind, Instant) else kind.sql_type


def field_value(kind: MappedType, expression: str, type_of: TypeOf, minor_digits: int | None) -> str:
    """The SQL of a field's value. Raises Refused where the expression has a type that the field cannot be made of.

    `minor_digits`: amounts are whole minor units, of which so many digits make a unit.
    """
    given = type_of("")
    if given == _NOTHING:
        return f"({expression})::{value_type(kind)}"
    if isinstance(kind, Refunds):
        return _refunds(expression, type_of, minor_digits)
    value = _value(kind, expression, given, minor_digits)
    if value is None:
        raise Refused(f"its value is a {given}, of which no {value_type(kind)} is made")
    return value


def _value(kind: MappedType, expression: str, given: str, minor_digits: int | None) -> str | None:
    is_text = given == _TEXT
    text = expression if is_text else f"({expression})::varchar"
    match kind:
        case Text():
            return f"trimmed({text})" if is_text else text
        case Money() if is_text or _is_number(given):
            return _money(expression, given, text, minor_digits)
        case Instant():
            return _instant(expression, given, text)
        case Flag() if given == "BOOLEAN":
            return expression
        case Flag() if is_text or given in _WHOLE:
            return f"flag_from({text})"
        case Whole() | Version() if given in _WHOLE:
            return f"({expression})::{kind.sql_type}"
        case Whole() | Version() if is_text or _is_number(given):
            return f"whole_from({text})::{kind.sql_type}"
    return None


def _instant(expression: str, given: str, text: str) -> str | None:
    if given.startswith(_TIMES):
        return f"({expression})::timestamptz"
    return f"instant_from(trimmed({text}))" if given == _TEXT else None


def _is_number(given: str) -> bool:
    return given in _WHOLE or given in _FLOATING or given.startswith("DECIMAL")


def _money(expression: str, given: str, text: str, minor_digits: int | None) -> str:
    # A floating point number is what it is written as: 1.005 and not the 1.00499 that it stands for.
    is_text = given == _TEXT or given in _FLOATING
    if minor_digits is None:
        return f"money_from({text})" if is_text else f"({expression})::decimal(18,2)"
    units = f"number_from({text})" if is_text else f"({expression})"
    return _from_minor(units, minor_digits)


def _from_minor(units: str, digits: int) -> str:
    # One digit of a unit is all that cents need below them; where units have more, they are whole.
    kept = max(_CENTS - digits, 0)
    return f"({units}::decimal(36,{kept}) * {10**-digits:.{digits}f}::decimal(5,{digits}))::decimal(18,2)"


def _refunds(expression: str, type_of: TypeOf, minor_digits: int | None) -> str:
    def part(name: str, kind: MappedType) -> str:
        given = type_of(f'[1]."{name}"')
        return field_value(kind, f'refund."{name}"', lambda _: given, minor_digits)

    try:
        refund = f"refund_from({part('at', _AT)}, {part('amount', _AMOUNT)})"
    except Refused as refused:
        raise Refused(f"it is no list of {{'at': ..., 'amount': ...}}: {refused}") from None
    refunds = f"list_transform({expression}, lambda refund: {refund})"
    return f"list_filter({refunds}, lambda refund: refund.amount <> 0)"


_AT = Instant(earliest="", before="")
_AMOUNT = Money(lowest=0, highest=0)
