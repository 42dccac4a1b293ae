"""Fields that no single path says: sums over lines, refunds in a list, names in two parts."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from bridgecart_assets.commands.inspect.fields import (
    BIRTH_YEAR,
    CATEGORY,
    COUPONS,
    EMAIL,
    FIELDS,
    FIRST_NAME,
    LAST_NAME,
    LINE_AMOUNT,
    NANOS,
    PRICE,
    QUANTITY,
    REFUND_AMOUNT,
    REFUND_TIME,
    REFUNDS,
    TIME_OF_DAY,
    UNITS,
)
from bridgecart_assets.commands.inspect.paths import IN_TEXT, ITEM, Path, Steps, expression
from bridgecart_assets.commands.inspect.readings import NAIVE, as_time, texts_of
from bridgecart_assets.commands.inspect.seeking import Guess, guess

# The id of nobody, in shop systems that keep guests among the customers.
_NOBODY = re.compile(r"0|-1")


def compound(field: str, paths: Sequence[Path]) -> Guess | None:
    """A guess for a field from several paths, or from a list."""
    single = [path for path in paths if not path.is_in_list]
    match field:
        case "purchase_amount":
            return _of_lines(field, paths) or _of_a_line(single) or _in_billionths(single)
        case "purchase_date":
            return _of_parts(paths)
        case "product_category":
            return _of_lines(field, paths)
        case "refunded_amount":
            return _refunded(paths)
        case "coupon_used":
            return next((Guess(field, f"len({path.name}) > 0") for path in _lists_named(COUPONS, paths)), None)
        case "name":
            parts = [found.expression for one in (FIRST_NAME, LAST_NAME) if (found := guess(one, single, 0))]
            return Guess(field, f"concat_ws(' ', {', '.join(parts)})") if len(parts) > 1 else None
        case "age":
            born = guess(BIRTH_YEAR, single, 0)
            return Guess(field, f"year(timestamp) - {born.expression}::int") if born else None
        case _:
            return None


def refunds_of(paths: Sequence[Path]) -> Guess | None:
    """The refunds inside an order, where each says when it was and how much."""
    for refunds in _lists_named(REFUNDS, paths):
        items = items_of(paths, refunds.steps)
        time, amount = guess(REFUND_TIME, items, 0), guess(REFUND_AMOUNT, items, 0)
        if time and amount and amount.path:
            said = f"{{'at': {time.expression}, 'amount': abs({amount.expression}::{_kind(amount.path)})}}"
            return Guess("refunds", f"[{said} for r in {refunds.name}]")
    return None


def of_a_line(amount: Guess, single: Sequence[Path]) -> Guess | None:
    """Price by quantity, where the amount that was found is the price of one."""
    price = guess(PRICE, single, 0)
    if price is None or price.path is None or price.path != amount.path:
        return None
    return _of_a_line(single) if "price" in price.path.steps[-1].lower() else None


def with_guests(customer: Guess, single: Sequence[Path], orders: int) -> Guess:
    """The customer, and where an order names none, or a number for nobody, the email of the guest."""
    email = guess(EMAIL, single, 0)
    path = customer.path
    if email is None or path is None or path == email.path:
        return customer
    nobody = sorted({text for text in texts_of(path) if _NOBODY.fullmatch(text)})
    if not nobody and path.filled == orders:
        return customer
    known = f"nullif({path.name}::varchar, '{nobody[0]}')" if nobody else f"{path.name}::varchar"
    said = "orders without a customer are those of guests, told apart by their email"
    guests = f"coalesce({known}, 'guest:' || sha256(lower({email.expression})))"
    return replace(customer, expression=guests).doubted(said)


def with_time_of_day(date: Guess, single: Sequence[Path]) -> Guess:
    """The date, and the time of day that stands beside it."""
    time = guess(TIME_OF_DAY, single, 0)
    if time is None or time.path is None or date.path is None or time.path.steps[:-1] != date.path.steps[:-1]:
        return date
    days, times = texts_of(date.path), texts_of(time.path)
    if len(days) != len(times) or any(":" in day for day in days):
        return date
    read = as_time(replace(date.path, values=[" ".join(one) for one in zip(days, times, strict=True)]))
    if read is None:
        return date
    both = f"({date.path.name} || ' ' || {time.path.name})"
    return replace(date, expression=read[0].replace(date.path.name, both))


def _of_parts(paths: Sequence[Path]) -> Guess | None:
    """A date as a list of numbers, year first, as Java's libraries write one: what is zero at its end is left out."""
    (sought,) = (one for one in FIELDS if one.field == "purchase_date")
    items = {path.steps[:-1]: texts_of(path) for path in paths if path.steps[-1] == ITEM}
    for path in _lists(paths):
        numbers = items.get(path.steps, [])
        if sought.rank(path) is None or not numbers or not all(map(str.isdecimal, numbers)):
            continue
        if 1990 <= int(numbers[0]) < 2100:
            day = ", ".join(f"{path.name}[{place}]::bigint" for place in (1, 2, 3))
            time = ", ".join(f"coalesce({path.name}[{place}]::bigint, 0)" for place in (4, 5, 6))
            return Guess("purchase_date", f"make_timestamp({day}, {time})", NAIVE)
    return None


def _refunded(paths: Sequence[Path]) -> Guess | None:
    for refunds in _lists_named(REFUNDS, paths):
        amount = guess(REFUND_AMOUNT, items_of(paths, refunds.steps), 0)
        if amount and amount.path:
            amounts = f"[abs({amount.expression}::{_kind(amount.path)}) for r in {refunds.name}]"
            return Guess("refunded_amount", f"total_of({amounts})", "refunds without a time of their own")
    return None


def _of_lines(field: str, paths: Sequence[Path]) -> Guess | None:
    """The sum over the lines of an order, or the category of the largest of them."""
    lines = [
        path for path in paths if path.steps.count(ITEM) == 1 and path.steps[-1] != ITEM and IN_TEXT not in path.steps
    ]
    price, quantity = guess(PRICE, lines, 0), guess(QUANTITY, lines, 0)
    if not (price and quantity and price.path and quantity.path) or _list(price.path) != _list(quantity.path):
        return None
    kind = _kind(price.path)
    amounts = (
        f"[{_of_line(price.path)}::{kind} * {_of_line(quantity.path)}::bigint for l in {expression(_list(price.path))}]"
    )
    if field == "purchase_amount":
        return Guess(
            field, f"total_of({amounts})", "the sum of the lines; does it have shipping and taxes?", price.path
        )
    category = guess(CATEGORY, [path for path in lines if _list(path) == _list(price.path)], 0)
    if category is None or category.path is None:
        return None
    names = f"[{_of_line(category.path)} for l in {expression(_list(price.path))}]"
    return Guess(field, f"largest_of({names}, {amounts})", path=category.path)


def _of_a_line(single: Sequence[Path]) -> Guess | None:
    """The amount of a line, or price by quantity, where a record is a line of an order."""
    said = "the amount of a line: with several records an order, set BRIDGECART_ORDER_EVENTS=lines"
    if (amount := guess(LINE_AMOUNT, single, 0)) is not None:
        return replace(amount, field="purchase_amount").doubted(said)
    price, quantity = guess(PRICE, single, 0), guess(QUANTITY, single, 0)
    if not (price and quantity and price.path):
        return None
    amount_of_line = f"{price.expression}::{_kind(price.path)} * {quantity.expression}::bigint"
    return Guess("purchase_amount", amount_of_line, said, price.path)


def _in_billionths(single: Sequence[Path]) -> Guess | None:
    """An amount in two parts, as Google's APIs have it: whole units, and billionths, left out where they are none."""
    units, nanos = guess(UNITS, single, 0), guess(NANOS, single, 0)
    if not (units and nanos and units.path and nanos.path) or units.path.steps[:-1] != nanos.path.steps[:-1]:
        return None
    parts = f"coalesce({nanos.expression}::bigint, 0) * 0.000000001"
    return Guess("purchase_amount", f"{units.expression}::decimal(18, 2) + {parts}")


def _kind(path: Path) -> str:
    """Whole cents are multiplied and summed as they are."""
    return "decimal(18, 2)" if any("." in text for text in texts_of(path)) else "bigint"


def _lists(paths: Sequence[Path]) -> Iterator[Path]:
    """Lists that some document has filled, and that an expression can go through."""
    return (path for path in paths if path.types["list"] and not path.is_in_list and IN_TEXT not in path.steps)


def _lists_named(names: Collection[str], paths: Sequence[Path]) -> Iterator[Path]:
    """Those of them that have one of these names."""
    return (path for path in _lists(paths) if re.sub(r"[\W_]", "", path.steps[-1]).lower() in names)


def items_of(paths: Sequence[Path], steps: Steps) -> list[Path]:
    """Paths within an item of the list, from `r` on."""
    begins = (*steps, ITEM)
    return [
        replace(path, steps=("r", *path.steps[len(begins) :]))
        for path in paths
        if path.steps[: len(begins)] == begins and ITEM not in path.steps[len(begins) :] and path.steps != begins
    ]


def _list(path: Path) -> Steps:
    return path.steps[: path.steps.index(ITEM)]


def _of_line(path: Path) -> str:
    return expression(("l", *path.steps[path.steps.index(ITEM) + 1 :]))
