"""The mapping file: how records in a shape of the company's own are read as events, one expression a field.

Its fields are those of `contracts/event.py`. What is wrong in it is said in one line with its place. How records are
read by it: `reading.py`.
"""

import hashlib
import re
import tomllib
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Collection
from collections.abc import Mapping as Entries
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bridgecart_assets.contracts.event import MAPPED_TYPES
from bridgecart_assets.sources.mapping.compiling import Compiled, compiled
from bridgecart_assets.sources.mapping.currencies import minor_digits_of
from bridgecart_assets.sources.mapping.errors import MappingError
from bridgecart_assets.sources.mapping.query import Form, Query, check_types
from bridgecart_assets.sources.mapping.sandbox import kept_sandbox

_FORMAT = 1
_LARGEST = 1_000_000  # bytes
_LARGEST_DESCRIPTORS = 4_000_000  # bytes

DECODINGS = ("json", "json-registry", "avro-registry", "protobuf-registry")
TOMBSTONES = ("reject", "skip", "delete")
PRESETS = ("debezium", "segment-order-completed", "shopify-order")

NEEDS: Entries[str, Collection[str]] = MappingProxyType(
    {
        "version": ("order_id",),
        "is_void": ("version",),
        "refunds": ("order_id",),
        "refunded_amount": ("order_id", "refunded_date"),
        "refunded_date": ("refunded_amount", "order_id"),
    }
)
"""Fields without which another says nothing."""

_DESCRIPTORS = "descriptors"
_PRESETS = "presets"
_TABLES: Entries[str, Collection[str]] = MappingProxyType(
    {
        "decode": ("value", "key", _DESCRIPTORS, "message"),
        "records": ("where", "tombstones"),
        "order": MAPPED_TYPES,
        "money": ("currency", "minor_units"),
        # What the file of `[decode] descriptors` holds: put there when the mapping is loaded.
        _DESCRIPTORS: ("base64",),
        # What its preset said when it was loaded: a later version of BridgeCart may say something else.
        _PRESETS: PRESETS,
    }
)
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True)
class Decode:
    """Ways in which the bytes of values and of keys are read; the types are Protobuf's."""

    value: str = "json"
    key: str = "json"
    descriptors: bytes = b""
    message: str = ""

    @property
    def is_json(self) -> bool:
        """True if the types of what expressions read are known without any record."""
        return {self.value, self.key} <= {"json", "json-registry"}


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """A mapping that was vetted. Its text alone makes it again: a descriptor set and a preset's text are in it.

    `order` has the expression of each field and `where` that of the records that count, as they are written; what a
    preset says is in them.
    """

    name: str
    text: str
    decode: Decode
    where: str | None
    tombstones: str
    order: Entries[str, str]
    currency: str | None
    minor_units: bool
    compiled: Compiled

    @property
    def sha256(self) -> str:
        """The hash of its text, by which it is known."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def has_states(self) -> bool:
        """True if records are states of orders, of which the highest version holds."""
        return "version" in self.order

    @property
    def minor_digits(self) -> int | None:
        """Digits of the minor unit that amounts are in; None where they are in units."""
        return minor_digits_of(self.currency) if self.minor_units and self.currency else None

    def query(self, value: Form = Form.JSON, key: Form = Form.JSON) -> Query:
        """Its query for records whose values and keys come in one form each."""
        return Query(self.compiled, self.tombstones, self.minor_digits, value, key)


def load_mapping(path: Path) -> Mapping:
    """The mapping of a file. Raises MappingError."""
    name = path.name
    try:
        text = _read(path, name, _LARGEST).decode("utf-8")
    except UnicodeDecodeError:
        raise MappingError(f"{name}: it is no UTF-8; save it as UTF-8") from None
    file = _File(name, _parsed(text, name))
    preset = file.text("", "preset")
    if preset in PRESETS:
        text = f"{text.rstrip()}\n\n[{_PRESETS}]\n{preset} = '''\n{text_of_preset(preset)}'''\n"
    descriptors = file.text("decode", _DESCRIPTORS)
    if descriptors is not None:
        described = b64encode(_read(path.parent / descriptors, f"{name} [decode] descriptors", _LARGEST_DESCRIPTORS))
        text = f'{text.rstrip()}\n\n[{_DESCRIPTORS}]\nbase64 = "{described.decode()}"\n'
    return parse_mapping(text, name)


# A run reads many batches by one mapping, and vetting it takes longer than reading a small one.
@lru_cache(maxsize=16)
def parse_mapping(text: str, name: str) -> Mapping:
    """The mapping of a text, which errors call by its name. Raises MappingError."""
    file = _File(name, _with_preset(_parsed(text, name), name))
    file.check_names()
    decode = _decode(file)
    order = file.texts("order")
    where = file.text("records", "where")
    currency, minor_units = _money(file)
    tombstones = file.choice("records", "tombstones", TOMBSTONES)
    connection = kept_sandbox("UTC")
    mapping = Mapping(
        name=name,
        text=text,
        decode=decode,
        where=where,
        tombstones=tombstones,
        order=MappingProxyType(order),
        currency=currency,
        minor_units=minor_units,
        compiled=compiled(connection, name, order, where),
    )
    _check_fields(mapping)
    if decode.is_json:
        check_types(connection, mapping.query())
    return mapping


def _read(path: Path, place: str, largest: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except OSError as error:
        raise MappingError(f"{place}: the file cannot be read ({error.strerror}); name one that there is") from None
    if len(content) > largest:
        raise MappingError(f"{place}: the file is larger than {largest:,} bytes, which no mapping needs")
    return content


def _parsed(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MappingError(f"{name}: it is no TOML ({str(error).splitlines()[0]}); mend it there") from None
    except RecursionError:
        raise MappingError(f"{name}: its values are nested too deeply; write texts only") from None


def _with_preset(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The document with what its preset says of what it does not."""
    preset = _File(name, document).text("", "preset")
    if preset is None:
        return document
    if preset not in PRESETS:
        raise MappingError(f"{name} preset: {preset} is none{_instead(preset, PRESETS)}")
    text = _File(name, document).text(_PRESETS, preset) or text_of_preset(preset)
    filled = _parsed(text, f"{name} [{_PRESETS}] {preset}")
    for key, value in document.items():
        both_tables = isinstance(value, dict) and isinstance(filled.get(key), dict)
        filled[key] = filled[key] | value if both_tables else value
    return filled


def text_of_preset(preset: str) -> str:
    """The text of a preset of this version."""
    return files(__package__).joinpath("presets", f"{preset}.toml").read_text(encoding="utf-8")


@dataclass(frozen=True)
class _File:
    """A parsed file, of which each value is asked for by its place."""

    name: str
    document: Entries[str, Any]

    def check_names(self) -> None:
        """Raise MappingError for a name that a mapping does not have."""
        if self.document.get("format") != _FORMAT:
            raise MappingError(f"{self.name} format: it is not {_FORMAT}; write format = {_FORMAT} above all tables")
        self._check(self.name, self.document, ("format", "preset", *_TABLES))
        for table, names in _TABLES.items():
            self._check(f"{self.name} [{table}]", self.table(table), names)

    def _check(self, place: str, given: Collection[str], names: Collection[str]) -> None:
        for one in given:
            if one not in names:
                raise MappingError(f"{place} {one}: there is no such name{_instead(one, names)}")

    def table(self, name: str) -> Entries[str, Any]:
        """One of its tables; an empty one where it has none."""
        table = self.document.get(name, {})
        if not isinstance(table, dict):
            raise MappingError(f"{self.name} {name}: it is no table; write [{name}]")
        return table

    def text(self, table: str, name: str) -> str | None:
        """A text; None where there is none."""
        value = (self.table(table) if table else self.document).get(name)
        if value is not None and not isinstance(value, str):
            raise MappingError(f"{self.place(table, name)}: it is no text; write it in quotes")
        return value

    def texts(self, table: str) -> dict[str, str]:
        """The texts of a table, by name."""
        found = {name: self.text(table, name) for name in self.table(table)}
        return {name: text for name, text in found.items() if text is not None}

    def choice(self, table: str, name: str, choices: tuple[str, ...]) -> str:
        """One of several texts; the first where there is none."""
        value = self.text(table, name)
        if value is not None and value not in choices:
            raise MappingError(f"{self.place(table, name)}: {value} is none{_instead(value, choices)}")
        return value or choices[0]

    def place(self, table: str, name: str) -> str:
        """The place of a value, for an error."""
        return f"{self.name} [{table}] {name}" if table else f"{self.name} {name}"


def _instead(name: str, names: Collection[str]) -> str:
    near = get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(names)}"


def _decode(file: _File) -> Decode:
    value, key = file.choice("decode", "value", DECODINGS), file.choice("decode", "key", DECODINGS)
    message = file.text("decode", "message")
    try:
        descriptors = b64decode(file.text(_DESCRIPTORS, "base64") or "", validate=True)
    except BadBase64:
        raise MappingError(f"{file.place(_DESCRIPTORS, 'base64')}: it is no base64; load the file again") from None
    if "protobuf-registry" in (value, key) and not (descriptors and message):
        raise MappingError(
            f"{file.name} [decode]: Protobuf needs descriptors, a descriptor set (protoc --descriptor_set_out), and "
            "message, the name of the value's type in it"
        )
    return Decode(value, key, descriptors, message or "")


def _money(file: _File) -> tuple[str | None, bool]:
    currency = file.text("money", "currency")
    minor_units = file.table("money").get("minor_units", False)
    if currency is not None and not _CURRENCY.fullmatch(currency):
        raise MappingError(f"{file.place('money', 'currency')}: it is no code of ISO 4217, for example EUR")
    if not isinstance(minor_units, bool):
        raise MappingError(f"{file.place('money', 'minor_units')}: write true or false")
    if minor_units and currency is None:
        raise MappingError(f"{file.place('money', 'minor_units')}: set currency too, which says what a unit is of them")
    return currency, minor_units


def _check_fields(mapping: Mapping) -> None:
    """Raise MappingError where a field lacks another without which it says nothing."""
    order, place = mapping.order, f"{mapping.name} [order]"
    for field in ("customer_id", "purchase_date", "purchase_amount"):
        if field not in order:
            raise MappingError(f"{place}: {field} is missing; without it no record is an order")
    for field, others in NEEDS.items():
        for other in others:
            if field in order and other not in order:
                raise MappingError(f"{place} {field}: it needs {other} too")
    if "refunds" in order and "refunded_amount" in order:
        raise MappingError(f"{place} refunds: refunded_amount says the same; keep one of them")
    if mapping.tombstones == "delete" and not mapping.has_states:
        raise MappingError(f"{mapping.name} [records] tombstones: delete needs [order] version")
    if mapping.tombstones == "delete" and "key" not in mapping.compiled.fields["order_id"].roots:
        raise MappingError(f"{mapping.name} [records] tombstones: delete needs an order_id that is read from key")
