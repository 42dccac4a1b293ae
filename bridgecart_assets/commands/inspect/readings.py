"""Readings: how the values of a path are read as a type, and what is to be said of it."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from itertools import product

from bridgecart_assets.commands.inspect.paths import Path

Reading = tuple[str, str]
"""SQL that reads a path as a type, and what is to be said of it; empty where nothing is."""

Read = Callable[[Path], Reading | None]

NAIVE = "it has no time zone: BRIDGECART_NAIVE_TIMEZONE counts"

_FITTING = 0.9
_FIRST = 5
# Of orders that never came about, and of those that may still be paid.
_VOID_WORDS = re.compile(
    r"cancell?ed|cancellation|void(ed)?|deleted|annulled"
    r"|storniert|annulliert|annul[ée]e?|cancelad[ao]|annullat[ao]|geannuleerd|anulowane?"
    r"|(payment[ _-]?)?(failed|declined|rejected|refused)|abandoned|expired|(checkout-|auto-)?draft|trash",
    re.IGNORECASE,
)
_UNPAID_WORDS = re.compile(
    r"pending([ _-]?payment)?|payment[ _-]?pending|unpaid|on[ _-]?hold|awaiting[ _-]?payment"
    r"|offen|unbezahlt|en attente|pendiente|pendente|in attesa|openstaand",
    re.IGNORECASE,
)
_DECIMAL_POINT = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?", re.IGNORECASE)
_BOOLEAN = re.compile(r"true|false", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?\d{1,3}(\.?\d{3})*(,\d+)?")
_THOUSANDS_COMMA = re.compile(r"[+-]?\d{1,3}(,\d{3})*(\.\d+)?")
# A currency beside an amount, spaces or apostrophes within it.
_CURRENCY = r"(?:[A-Z]{3}|[$€£¥₹₩₺₽₪₫₴฿]|kr|zł|Kč|Ft|lei)"
_WRITTEN_AMOUNT = re.compile(rf"{_CURRENCY}?\s?[+-]?\s?{_CURRENCY}?\s?\d[\d.,\s'\u2019]*?\s?{_CURRENCY}?")
_NOT_OF_NUMBERS = "[^0-9.,+-]"
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?")
_ZONE = re.compile(r"(Z|UTC|[+-]\d{2}(:?\d{2})?)$", re.IGNORECASE)
_BLANK_BEFORE_ZONE = re.compile(r" ([+-]\d|Z$)")
_SAYS_UTC = re.compile(r"(gmt|utc)\W*$", re.IGNORECASE)
_DIGITS = re.compile(r"\d{9,19}")
# From 2001 to 2096.
_SECONDS = re.compile(r"[1-3]\d{9}\.\d+|[1-3]\.\d+E\+?9", re.IGNORECASE)
_TIME_OF_DAY = re.compile(r"\d{1,2}:\d{2}(:\d{2})?( [AP]M)?", re.IGNORECASE)
_MAIL_DATE = re.compile(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} [+-]\d{4}")
# Of two forms that fit alike the first is taken.
_WRITTEN_DAYS = (
    *(
        day.format(mark, year)
        for mark, year, day in product(
            "./-", ("%Y", "%y"), ("%d{0}%m{0}{1}", "%m{0}%d{0}{1}", "%b{0}%d{0}{1}", "%d{0}%b{0}{1}")
        )
    ),
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y%m%d",
    *("%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y"),
)
_WRITTEN_TIMES = (
    "",
    *(mark + time for mark, time in product((" ", ", "), ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p"))),
    "%H%M%S",
    " %H%M%S",
)
# Instants as numbers: how many are a second, and SQL of a whole number of them.
_EPOCHS = (
    (1, "to_timestamp({})"),
    (1_000, "make_timestamptz({} * 1000)"),
    (1_000_000, "make_timestamptz({})"),
    (1_000_000_000, "make_timestamptz({} // 1000)"),
)
_EARLIEST, _LATEST = 631_152_000, 4_102_444_800  # 1990 and 2100, seconds since 1970


def texts_of(path: Path) -> list[str]:
    """The values of a path as texts."""
    return [str(value).strip() for value in path.values]


def as_text(path: Path) -> Reading | None:
    """Any value."""
    return path.name, ""


def as_number(path: Path) -> Reading | None:
    """A number with a decimal point or none."""
    return (path.name, "") if _fits(texts_of(path), _DECIMAL_POINT) else None


def as_money(path: Path) -> Reading | None:
    """An amount, as computers and people write it, or as Kafka Connect writes one into JSON."""
    texts = texts_of(path)
    sql = _as_amount(path.name, texts)
    if sql is None and _fits(texts, _WRITTEN_AMOUNT):
        numbers = [re.sub(_NOT_OF_NUMBERS, "", text) for text in texts]
        sql = _as_amount(f"regexp_replace({path.name}, '{_NOT_OF_NUMBERS}', '', 'g')", numbers)
    if sql is not None:
        return sql, ""
    if _fits(texts, _BASE64):
        return f"connect_decimal({path.name}, 2)", "its table says how many decimal places it has: here 2"
    return None


def _as_amount(value: str, texts: Sequence[str]) -> str | None:
    """SQL of an amount with either mark before its decimals."""
    if _fits(texts, _DECIMAL_POINT):
        return value
    if _fits(texts, _DECIMAL_COMMA):
        return f"replace(replace({value}, '.', ''), ',', '.')"
    return f"replace({value}, ',', '')" if _fits(texts, _THOUSANDS_COMMA) else None


def as_discount(path: Path) -> Reading | None:
    """An amount that some write as what is taken off, below zero; a share of the price is none."""
    read = as_money(path)
    if _is_share(texts_of(path)):
        return None
    signs = {text[:1] == "-" for text in texts_of(path) if text.strip("+-0.,")}
    if read is None or signs != {True}:
        return read
    sql, remark = read
    return f"abs({sql}::decimal(18, 2))", remark


def as_time(path: Path) -> Reading | None:
    """An instant: a number of seconds or of parts of one, ISO 8601, or a date as people write it."""
    texts = texts_of(path)
    if all(isinstance(value, datetime) for value in path.values):
        return path.name, ""
    if _fits(texts, _DIGITS) and (read := _as_epoch(path.name, [int(text) for text in texts if text.isdecimal()])):
        return read
    if _fits(texts, _SECONDS):
        return f"to_timestamp({path.name}::double)", ""
    if _fits(texts, _ISO):
        return _as_iso(path, texts)
    if _fits(texts, _MAIL_DATE):
        return f"strptime({path.name}, '%a, %d %b %Y %H:%M:%S %z')", ""
    return _as_written_date(path, texts)


def as_time_of_day(path: Path) -> Reading | None:
    """Hours and minutes."""
    return (path.name, "") if _fits(texts_of(path), _TIME_OF_DAY) else None


def as_version(path: Path) -> Reading | None:
    """A number that rises with each state of an order, or the time of its last change."""
    if _fits(texts_of(path), re.compile(r"\d{1,38}")):
        return path.name, ""
    read = as_time(path)
    return None if read is None else (f"epoch_us({read[0]})", read[1])


def as_void(path: Path) -> Reading | None:
    """True where an order was cancelled or never came about: a flag, a time that is there, or a word."""
    name = path.name
    if _fits(texts_of(path), _BOOLEAN):
        return f"{name}::boolean", ""
    if as_time(path) is not None:
        return f"{name} is not null", ""
    words = {text for text in texts_of(path) if _VOID_WORDS.fullmatch(text)}
    unpaid = sorted({text for text in texts_of(path) if _UNPAID_WORDS.fullmatch(text)})
    remark = f"{', '.join(unpaid)} count as orders: list them too if nobody pays these later" if unpaid else ""
    return (one_of(name, words), remark) if words else None


def as_coupon(path: Path) -> Reading | None:
    """True where a coupon was used: a flag, or a code that is there."""
    if _fits(texts_of(path), _BOOLEAN):
        return path.name, ""
    return f"{path.name} is not null", ""


def one_of(value: str, words: Collection[str]) -> str:
    """SQL that is true where the value is one of the words."""
    listed = ", ".join(f"'{word}'" for word in sorted(words))
    return f"{value} = {listed}" if len(words) == 1 else f"{value} in ({listed})"


def _fits(texts: Sequence[str], pattern: re.Pattern[str]) -> bool:
    return sum(pattern.fullmatch(text) is not None for text in texts) >= _FITTING * len(texts)


def _is_share(texts: Sequence[str]) -> bool:
    """True where all are 0 to 1, and some between."""
    numbers = [float(text) for text in texts if _DECIMAL_POINT.fullmatch(text)]
    return len(numbers) == len(texts) and max(numbers) <= 1 and any(0 < number < 1 for number in numbers)


def _as_epoch(name: str, numbers: Sequence[int]) -> Reading | None:
    for parts, sql in _EPOCHS:
        if all(_EARLIEST <= number // parts < _LATEST for number in numbers):
            return sql.format(f"{name}::bigint"), ""
    return None


def _as_iso(path: Path, texts: Sequence[str]) -> Reading:
    if any(_BLANK_BEFORE_ZONE.search(text) for text in texts):
        # DuckDB takes what comes after a blank for the name of a time zone.
        return f"regexp_replace({path.name}, ' ([+-]|Z$)', '\\1')::timestamptz", ""
    if all(_ZONE.search(text[10:]) for text in texts):
        return f"{path.name}::timestamptz", ""
    if _SAYS_UTC.search(path.steps[-1]):
        return f"({path.name} || 'Z')::timestamptz", ""
    return f"{path.name}::timestamptz", NAIVE


def _as_written_date(path: Path, texts: Sequence[str]) -> Reading | None:
    counts = {form: sum(_is_written(text, form) for text in texts) for form in _forms(texts)}
    if not counts or max(counts.values()) < _FITTING * len(texts):
        return None
    form, *others = sorted(counts, key=counts.__getitem__, reverse=True)
    is_certain = not others or counts[others[0]] < counts[form] or form.startswith("%d.")
    sql, remark = f"strptime({path.name}, '{form}')", "" if is_certain else "day or month first?"
    if _SAYS_UTC.search(path.steps[-1]):
        return f"timezone('UTC', {sql})", remark
    return sql, " ".join(filter(None, (remark, NAIVE)))


def _forms(texts: Sequence[str]) -> Iterator[str]:
    """The forms that one of the first texts is written in."""
    for day, time in product(_WRITTEN_DAYS, _WRITTEN_TIMES):
        if any(_is_written(text, day + time) for text in texts[:_FIRST]):
            yield day + time


def _is_written(text: str, form: str) -> bool:
    try:
        return _EARLIEST <= datetime.strptime(text, form).replace(tzinfo=UTC).timestamp() < _LATEST
    except ValueError:
        return False
