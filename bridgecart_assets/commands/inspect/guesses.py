"""Guesses: for each field of the event the expression that is probably it.

A guess is a line of a mapping. Where it is not certain, it says why, and which paths may be meant instead.
"""

import re
from collections.abc import Iterator, Sequence

from bridgecart_assets.commands.inspect.compounds import compound, of_a_line, refunds_of, with_guests, with_time_of_day
from bridgecart_assets.commands.inspect.fields import FIELDS
from bridgecart_assets.commands.inspect.paths import Path, Steps, read_in_one_way
from bridgecart_assets.commands.inspect.seeking import Guess, common, guess

# Where both of these stand, there is the order: in an envelope much else has an id and a time.
_TELLING = tuple(sought for sought in FIELDS if sought.field in ("customer_id", "purchase_amount"))
_REFUNDED = ("refunded_amount", "refunded_date")
# Most shops' totals are what was paid, after the discount.
_WHAT_WAS_PAID = re.compile(r"total|paid", re.IGNORECASE)
_BEFORE_DISCOUNT = re.compile(r"sub|gross|lines?_?items?|before", re.IGNORECASE)


def guesses(paths: Sequence[Path], orders: int) -> Iterator[Guess]:
    """A guess for each field for which there is one, in the order of `FIELDS`, of `orders` documents."""
    paths = read_in_one_way(paths)
    single = [path for path in paths if not path.is_in_list]
    refunds = refunds_of(paths)
    order = _place_of_order(single)
    amount: Path | None = None
    for sought in FIELDS:
        if refunds is not None and sought.field in _REFUNDED:
            if sought.field == _REFUNDED[0]:
                yield refunds
            continue
        near = amount.steps if amount is not None and sought.field == "currency" else order
        found = guess(sought, single, orders, near) or compound(sought.field, paths)
        if found is None:
            continue
        if sought.field == "purchase_amount":
            found = of_a_line(found, single) or found
            amount = found.path
        if sought.field == "purchase_date":
            found = with_time_of_day(found, single)
        if sought.field == "customer_id":
            found = with_guests(found, single, orders)
        if sought.field == "discount_amount" and amount is not None:
            found = _with_doubt_of(amount, found)
        yield found


def _with_doubt_of(amount: Path, discount: Guess) -> Guess:
    """The discount, which may be off the amount already."""
    name = ".".join(amount.steps[-2:])
    if amount.is_in_list or not _WHAT_WAS_PAID.search(name) or _BEFORE_DISCOUNT.search(name):
        return discount
    said = f"if {amount.name} is what was paid, after it, set BRIDGECART_AMOUNT_IS_NET=true"
    return discount.doubted(said)


def _place_of_order(single: Sequence[Path]) -> Steps:
    """The object that has the customer and the amount somewhere in it; nothing where they are not found."""
    found = [one.path.steps[:-1] for sought in _TELLING if (one := guess(sought, single, 0)) and one.path]
    return common(*found) if len(found) == len(_TELLING) else ()
