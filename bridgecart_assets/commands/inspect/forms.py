"""The forms of records, told from their bytes, and the documents in them."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import NoReturn

from bridgecart_assets.commands.inspect.paths import DEEPEST, IN_TEXT
from bridgecart_assets.sources.mapping.decoding.framing import body_of, schema_id_of

JSON = "JSON"
JSON_WITH_ID = "JSON with schema id"
AVRO = "Avro"
NOT_AVRO = "bytes that are not of their Avro schema"
PROTOBUF = "Protobuf"
WITH_ID = "bytes with schema id"
NO_VALUE = "nothing"
TOO_LONG = "longer than BRIDGECART_MAX_PAYLOAD_BYTES"
TOO_DEEP = "JSON nested too deeply to look at"
NOT_OBJECT = "JSON that is no object"
TEXT = "text that is no JSON"
BYTES = "bytes of no known form"

# Python refuses to read longer whole numbers.
_MOST_DIGITS = 4_000


@dataclass(frozen=True)
class Form:
    """The form of some bytes, the id of their schema, and the document where it can be read."""

    name: str
    schema_id: int | None = None
    document: Mapping[str, object] | None = None


@dataclass(frozen=True)
class Forms:
    """The forms of all values, or of all keys."""

    forms: Sequence[Form]

    @classmethod
    def of(cls, contents: Sequence[bytes | None], max_bytes: int) -> "Forms":
        """The forms of these bytes, of which longer ones are not looked into."""
        return cls([form_of(content, max_bytes) for content in contents])

    @cached_property
    def counts(self) -> Counter[str]:
        """The number of each form, by its name."""
        return Counter(form.name for form in self.forms)

    @property
    def schema_ids(self) -> list[int]:
        """The ids of schemas that the bytes begin with."""
        return sorted({form.schema_id for form in self.forms if form.schema_id is not None})

    @property
    def text(self) -> str:
        """The counts in words, the most common form first."""
        said = [f"{count:,} {name}" for name, count in self.counts.most_common()]
        ids = f" (schema ids {', '.join(map(str, self.schema_ids))})" if self.schema_ids else ""
        return ", ".join(said) + ids


def form_of(content: bytes | None, max_bytes: int) -> Form:
    """The form of a value or a key."""
    if content is None:
        return Form(NO_VALUE)
    if len(content) > max_bytes:
        return Form(TOO_LONG)
    schema_id, body = schema_id_of(content), body_of(content)
    if schema_id is not None and body:
        return _framed(schema_id, body)
    return _plain(content)


def _framed(schema_id: int, content: bytes) -> Form:
    document = _plain(content).document
    return Form(WITH_ID if document is None else JSON_WITH_ID, schema_id, document)


def _plain(content: bytes) -> Form:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return Form(BYTES)
    try:
        document = _json(text)
    except ValueError:
        return Form(TEXT if "".join(text.split()).isprintable() else BYTES)
    except RecursionError:
        return Form(TOO_DEEP)
    return Form(JSON, None, document) if isinstance(document, dict) else Form(NOT_OBJECT)


def with_texts_read(value: object, depth: int = DEEPEST) -> object:
    """The value of a document with the objects that stand in its texts as JSON, each by a step of its own.

    So outboxes and MongoDB's connectors write an order: as a text within the document that says what became of it.
    """
    if depth == 0:
        return value
    match value:
        case dict():
            return {name: with_texts_read(inner, depth - 1) for name, inner in value.items()}
        case list():
            return [with_texts_read(item, depth - 1) for item in value]
        case str() if value.lstrip().startswith("{"):
            with suppress(ValueError, RecursionError):
                return {IN_TEXT: with_texts_read(_json(value), depth - 1)}
    return value


def _json(text: str) -> object:
    return json.loads(text, parse_float=Decimal, parse_int=_whole, parse_constant=_no_constant)


def _whole(digits: str) -> int | Decimal:
    return int(digits) if len(digits) < _MOST_DIGITS else Decimal(digits)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
