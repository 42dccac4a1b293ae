"""Guesses: for each field of the event the path that is probably it, by names alike and values that fit.

A guess is a line of a mapping. Where it is not certain, it says why, and which paths may be meant instead.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from bridgecart_assets.commands.inspect.paths import ITEM, Path, Steps, expression
from bridgecart_assets.contracts.event import EVENT

REQUIRED = ("order_id", *(one.name for one in EVENT if one.required))
"""Fields without which a mapping is of no use."""

_MOST_OTHERS = 3
# A required field that fewer orders say is hardly the one.
_MOSTLY = 0.9
_FITTING = 0.9
_VOID_WORDS = re.compile(
    r"cancell?ed|cancellation|void(ed)?|deleted|annulled|storniert|annul[ée]e?|cancelad[ao]", re.IGNORECASE
)
_DECIMAL_POINT = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?", re.IGNORECASE)
_BOOLEAN = re.compile(r"true|false", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?\d{1,3}(\.?\d{3})*(,\d+)?")
_THOUSANDS_COMMA = re.compile(r"[+-]?\d{1,3}(,\d{3})*(\.\d+)?")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?")
_ZONE = re.compile(r"(Z|UTC|[+-]\d{2}(:?\d{2})?)$", re.IGNORECASE)
_WRITTEN_DATE = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})( \d{1,2}:\d{2}(:\d{2})?)?")
_MINOR = ("cents", "cent", "minor", "pence")
# Instants as numbers: the name of the unit, how many are a second, and SQL of a whole number of them.
_EPOCHS = (
    (1, "to_timestamp({})"),
    (1_000, "make_timestamptz({} * 1000)"),
    (1_000_000, "make_timestamptz({})"),
)
_EARLIEST, _LATEST = 631_152_000, 4_102_444_800  # 1990 and 2100, seconds since 1970

Reading = tuple[str, str]
"""SQL that reads a path as a type, and what is to be said of it; empty where nothing is."""


@dataclass(frozen=True)
class Guess:
    """The expression that is probably a field; `doubt` says why it may not be, empty where it hardly can."""

    field: str
    expression: str
    doubt: str = ""
    path: Path | None = None


@dataclass(frozen=True)
class Sought:
    """A field of the event: names that are clearly its own, names that may be, and what reads its values.

    Names are letters and digits in lower case, with spaces between them.
    """

    field: str
    clear: str
    vague: str
    reading: Callable[[Path], Reading | None]

    @property
    def is_required(self) -> bool:
        """True for a field that every order has."""
        return self.field in REQUIRED

    def rank(self, path: Path) -> int | None:
        """The place of the path's name among the names; None where it is none of them."""
        names = _names(path.steps)
        ranks = [rank for rank, name in enumerate(f"{self.clear} {self.vague}".split()) if name in names]
        return min(ranks, default=None)


def guess(sought: Sought, paths: Sequence[Path], orders: int) -> Guess | None:
    """The best path for a field, of `orders` documents that are orders; None where nothing fits."""
    found = sorted(_candidates(sought, paths), key=lambda one: (one[0], len(one[1].steps)))
    if not found:
        return None
    rank, path, (sql, remark) = found[0]
    doubts = [remark] if remark else []
    if rank >= len(sought.clear.split()):
        doubts.append("by its name it may be something else")
    if sought.is_required and path.filled < _MOSTLY * orders:
        doubts.append(f"{path.filled:,} of {orders:,} orders say it")
    others = [other.name for _, other, _ in found[1:] if other.filled >= path.filled / 2]
    if others and doubts:
        doubts.append(f"or {', '.join(others[:_MOST_OTHERS])}?")
    return Guess(sought.field, sql, "; ".join(doubts), path)


def guesses(paths: Sequence[Path], orders: int) -> Iterator[Guess]:
    """A guess for each field for which there is one, in the order of `FIELDS`."""
    single = [path for path in paths if not path.is_in_list]
    for sought in FIELDS:
        found = guess(sought, single, orders) or _further(sought.field, paths, single)
        if found is not None:
            yield found


def one_of(value: str, words: Collection[str]) -> str:
    """SQL that is true where the value is one of the words."""
    listed = ", ".join(f"'{word}'" for word in sorted(words))
    return f"{value} = {listed}" if len(words) == 1 else f"{value} in ({listed})"


def is_minor(path: Path | None) -> bool:
    """True where the name says that the amount is in cents."""
    return path is not None and any(path.steps[-1].lower().endswith(word) for word in _MINOR)


def _candidates(sought: Sought, paths: Sequence[Path]) -> Iterator[tuple[int, Path, Reading]]:
    for path in paths:
        rank = sought.rank(path)
        if rank is not None and path.values and (reading := sought.reading(path)) is not None:
            yield rank, path, reading


def _names(steps: Steps) -> set[str]:
    """The last step as letters and digits alone, also with the one before it; without a unit at its end."""
    plain = [re.sub(r"[\W_]", "", step).lower() for step in steps if step != ITEM]
    last, before = plain[-1], plain[-2].removesuffix("s") if len(plain) > 2 else ""
    names = {last, before + last}
    return names | {name.removesuffix(word) for name in names for word in _MINOR if name != word}


def _texts(path: Path) -> list[str]:
    return [str(value).strip() for value in path.values]


def _fits(texts: Sequence[str], pattern: re.Pattern[str]) -> bool:
    return sum(pattern.fullmatch(text) is not None for text in texts) >= _FITTING * len(texts)


def _as_text(path: Path) -> Reading | None:
    return path.name, ""


def _as_money(path: Path) -> Reading | None:
    texts = _texts(path)
    if _fits(texts, _DECIMAL_POINT):
        return path.name, ""
    if _fits(texts, _DECIMAL_COMMA):
        return f"replace(replace({path.name}, '.', ''), ',', '.')", ""
    if _fits(texts, _THOUSANDS_COMMA):
        return f"replace({path.name}, ',', '')", ""
    if _fits(texts, _BASE64):
        return f"connect_decimal({path.name}, 2)", "its table says how many decimal places it has: here 2"
    return None


def _as_number(path: Path) -> Reading | None:
    return (path.name, "") if _fits(_texts(path), _DECIMAL_POINT) else None


def _as_time(path: Path) -> Reading | None:
    texts = _texts(path)
    if all(isinstance(value, datetime) for value in path.values):
        return path.name, ""
    if _fits(texts, re.compile(r"\d{9,17}")):
        return _as_epoch(path.name, [int(text) for text in texts if text.isdecimal()])
    if _fits(texts, _ISO):
        has_zone = all(_ZONE.search(text[10:]) for text in texts)
        return f"{path.name}::timestamptz", "" if has_zone else "it has no time zone: BRIDGECART_NAIVE_TIMEZONE counts"
    return _as_written_date(path, texts)


def _as_epoch(name: str, numbers: Sequence[int]) -> Reading | None:
    for parts, sql in _EPOCHS:
        if all(_EARLIEST <= number // parts < _LATEST for number in numbers):
            return sql.format(f"{name}::bigint"), ""
    return None


def _as_written_date(path: Path, texts: Sequence[str]) -> Reading | None:
    matches = [match for text in texts if (match := _WRITTEN_DATE.fullmatch(text))]
    if len(matches) < _FITTING * len(texts):
        return None
    mark, has_time, has_seconds = matches[0][2], matches[0][5], matches[0][6]
    is_month_first = any(int(match[3]) > 12 for match in matches)
    is_certain = is_month_first or mark == "." or any(int(match[1]) > 12 for match in matches)
    day = mark.join(("%m", "%d", "%Y") if is_month_first else ("%d", "%m", "%Y"))
    form = f"{day}{' %H:%M' if has_time else ''}{':%S' if has_seconds else ''}"
    remark = "it has no time zone: BRIDGECART_NAIVE_TIMEZONE counts"
    return f"strptime({path.name}, '{form}')", remark if is_certain else f"day or month first? {remark}"


def _as_version(path: Path) -> Reading | None:
    if all(isinstance(value, datetime) for value in path.values):
        return f"epoch_us({path.name})", ""
    if _fits(_texts(path), re.compile(r"\d{1,38}")):
        return path.name, ""
    return (f"epoch_us({path.name}::timestamptz)", "") if _fits(_texts(path), _ISO) else None


def _as_void(path: Path) -> Reading | None:
    name = path.name
    if _fits(_texts(path), _BOOLEAN):
        return f"{name}::boolean", ""
    if _as_time(path) is not None:
        return f"{name} is not null", ""
    words = {text for text in _texts(path) if _VOID_WORDS.fullmatch(text)}
    if not words:
        return None
    return one_of(name, words), ""


def _as_coupon(path: Path) -> Reading | None:
    if _fits(_texts(path), _BOOLEAN):
        return path.name, ""
    return f"{path.name} is not null", ""


FIELDS = (
    Sought(
        "order_id",
        "orderid orderno ordernumber ordernr orderref orderreference orderuuid ordercode",
        "purchaseid transactionid invoiceno invoiceid invoice number reference id",
        _as_text,
    ),
    Sought(
        "version",
        "version revision orderversion sourcelsn lsn",
        "sequence sourcetsms updatedat updated modifiedat lastmodified lastmodifiedat",
        _as_version,
    ),
    Sought(
        "is_void",
        "cancelled canceled iscancelled iscanceled cancelledat canceledat isvoid voided orderstatus status orderstate "
        "state",
        "deleted isdeleted deletedat",
        _as_void,
    ),
    Sought(
        "customer_id",
        "customerid customerref customerno customernumber customernr customeruuid customer",
        "clientid userid buyerid accountid memberid contactid email customeremail",
        _as_text,
    ),
    Sought(
        "purchase_date",
        "purchasedate purchasedat orderedat orderdate placedat orderplacedat ordercreatedat createdat created "
        "createdon creationdate",
        "completedat processedat transactiondate invoicedate date timestamp occurredat time",
        _as_time,
    ),
    Sought(
        "purchase_amount",
        "purchaseamount ordertotal orderamount totalamount amounttotal grandtotal totalprice ordervalue grossamount "
        "grosstotal total",
        "amount subtotal revenue gross price value sum",
        _as_money,
    ),
    Sought(
        "discount_amount",
        "discountamount totaldiscount totaldiscounts discounttotal discount",
        "discounts discountvalue rebate",
        _as_money,
    ),
    Sought("refunded_amount", "refundedamount amountrefunded totalrefunded refunded", "", _as_money),
    Sought("refunded_date", "refundedat refunddate refundedon", "updatedat", _as_time),
    Sought("currency", "currency currencycode ordercurrency", "", _as_text),
    Sought(
        "coupon_used",
        "couponused couponcode coupon vouchercode voucher promocode promotioncode",
        "discountcode",
        _as_coupon,
    ),
    Sought("payment_method", "paymentmethod paymenttype paymethod", "paymentprovider paymentgateway", _as_text),
    Sought("product_category", "productcategory category", "producttype department", _as_text),
    Sought("name", "customername customerfullname fullname", "username buyername", _as_text),
    Sought("mobile", "mobile mobilenumber customerphone phonenumber phone", "telephone", _as_text),
    Sought("gender", "gender sex", "", _as_text),
    Sought("age", "age customerage", "", _as_number),
    Sought("income", "income annualincome", "", _as_number),
)
"""The fields that are looked for, in the order in which it stands in a mapping."""

_PRICE = Sought("price", "unitprice price unitamount unit", "amount", _as_number)
_QUANTITY = Sought("quantity", "quantity qty units", "count", _as_number)
_CATEGORY = Sought("category", "category productcategory producttype", "department", _as_text)
_FIRST_NAME = Sought("first name", "firstname givenname", "", _as_text)
_LAST_NAME = Sought("last name", "lastname surname familyname", "", _as_text)
_BIRTH_YEAR = Sought("birth year", "birthyear yearofbirth", "", _as_number)


def _further(field: str, paths: Sequence[Path], single: Sequence[Path]) -> Guess | None:
    """A guess for a field that no single path says."""
    match field:
        case "purchase_amount" | "product_category":
            return _of_lines(field, paths)
        case "name":
            parts = [found.expression for one in (_FIRST_NAME, _LAST_NAME) if (found := guess(one, single, 0))]
            return Guess(field, f"concat_ws(' ', {', '.join(parts)})") if len(parts) > 1 else None
        case "age":
            born = guess(_BIRTH_YEAR, single, 0)
            return Guess(field, f"year(timestamp) - {born.expression}::int") if born else None
        case _:
            return None


def _of_lines(field: str, paths: Sequence[Path]) -> Guess | None:
    """The sum over the lines of an order, or the category of the largest of them."""
    lines = [path for path in paths if path.steps.count(ITEM) == 1 and path.steps[-1] != ITEM]
    price, quantity = guess(_PRICE, lines, 0), guess(_QUANTITY, lines, 0)
    if not (price and quantity and price.path and quantity.path) or _list(price.path) != _list(quantity.path):
        return None
    kind = "decimal(18, 2)" if any("." in text for text in _texts(price.path)) else "bigint"
    amounts = (
        f"[{_of_line(price.path)}::{kind} * {_of_line(quantity.path)}::bigint for l in {expression(_list(price.path))}]"
    )
    if field == "purchase_amount":
        return Guess(
            field, f"total_of({amounts})", "the sum of the lines; does it have shipping and taxes?", price.path
        )
    category = guess(_CATEGORY, [path for path in lines if _list(path) == _list(price.path)], 0)
    if category is None or category.path is None:
        return None
    names = f"[{_of_line(category.path)} for l in {expression(_list(price.path))}]"
    return Guess(field, f"largest_of({names}, {amounts})", path=category.path)


def _list(path: Path) -> Steps:
    return path.steps[: path.steps.index(ITEM)]


def _of_line(path: Path) -> str:
    return expression(("l", *path.steps[path.steps.index(ITEM) + 1 :]))
