"""An Avro schema, said plainly: how records lie in bytes, and which types their fields have.

`layout` is the schema without what does not change the bytes: fastavro then makes no Decimal and no datetime, which
Arrow makes a column at a time. Records are read whole: reading with a schema of the mapped fields alone was measured
to be slower (44,000 records a second against 58,000), as fastavro looks every field up again in each record.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa

from bridgecart_assets.sources.mapping.decoding.arrow_types import (
    INSTANT,
    LOCAL_TIME,
    MOST_DIGITS,
    FieldType,
    list_of,
    map_of,
    same,
    struct_of,
)
from bridgecart_assets.sources.mapping.decoding.schemas import Schema, SchemaUnusable
from bridgecart_assets.sources.mapping.decoding.shapes import WHOLE, Shape, absent, names_in, nothing_of

Definition = Any
"""A type in a schema: a name, a list of branches, or an object."""

# fastavro reads records within records on the processor's stack, which a hostile record would exhaust.
_DEEPEST = 32
_MOST_FIELDS = 10_000
_ENDLESS = 2**31 - 1
_SCALARS = {
    "null": pa.null(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "bytes": pa.binary(),
    "string": pa.string(),
}
_TIMES = {
    "date": same(pa.date32()),
    "timestamp-millis": FieldType(pa.timestamp("ms", "UTC"), INSTANT),
    "timestamp-micros": same(INSTANT),
    "timestamp-nanos": FieldType(pa.timestamp("ns", "UTC"), INSTANT),
    "local-timestamp-millis": FieldType(pa.timestamp("ms"), LOCAL_TIME),
    "local-timestamp-micros": same(LOCAL_TIME),
    "local-timestamp-nanos": FieldType(pa.timestamp("ns"), LOCAL_TIME),
}
_NAMED = frozenset({"record", "error", "enum", "fixed"})


class AvroSchema:
    """The types of a schema and of those that it refers to, by their full names. Raises SchemaUnusable."""

    def __init__(self, schema: Schema) -> None:
        self._types: dict[str, dict[str, Definition]] = {}
        self._fields = 0
        self._reads_all = False
        try:
            self._root = self._read(schema)
            self._recursive = self._that_may_recur()
            self._check_items()
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise SchemaUnusable("the text is no Avro schema") from error

    def mapped(self, shape: Shape) -> tuple[Definition, FieldType]:
        """The layout of records in bytes, for fastavro, and the type of their mapped fields. Raises SchemaUnusable.

        A field that the schema lacks is NULL. Texts of fields that no expression reads are not decoded.
        """
        self._fields, self._reads_all = 0, False
        field_type = self._typed(self._root, shape, frozenset())
        read = None if self._reads_all else frozenset(names_in(shape))
        return _Layout(self._types, self._recursive, read).of(self._root), field_type

    def _read(self, schema: Schema) -> Definition:
        for reference in schema.references.values():
            self._read(reference)
        return self._resolved(json.loads(schema.text), "")

    def _resolved(self, definition: Definition, namespace: str) -> Definition:
        """The definition with full names for named types, which are noted."""
        self._count()
        if isinstance(definition, str):
            return definition if definition in _SCALARS else self._known(definition, namespace)
        if isinstance(definition, list):
            return [self._resolved(branch, namespace) for branch in definition]
        kind = definition["type"]
        if kind in _NAMED:
            return self._noted(definition, namespace)
        if kind == "array":
            return {"type": "array", "items": self._resolved(definition["items"], namespace)}
        if kind == "map":
            return {"type": "map", "values": self._resolved(definition["values"], namespace)}
        if isinstance(kind, str) and kind in _SCALARS:
            return definition
        return self._resolved(kind, namespace)

    def _known(self, name: str, namespace: str) -> str:
        full = name if "." in name or not namespace else f"{namespace}.{name}"
        found = full if full in self._types else name
        if found not in self._types:
            raise ValueError(f"no type {name}")
        return found

    def _noted(self, definition: Definition, namespace: str) -> str:
        name: str = definition["name"]
        namespace = name.rpartition(".")[0] or definition.get("namespace", namespace)
        full = f"{namespace}.{name.rpartition('.')[2]}".lstrip(".")
        noted = self._types[full] = {**definition, "name": full}
        if "fields" in definition:
            noted["fields"] = [
                {"name": field["name"], "type": self._resolved(field["type"], namespace)}
                for field in definition["fields"]
            ]
        return full

    def _count(self) -> None:
        self._fields += 1
        if self._fields > _MOST_FIELDS:
            raise SchemaUnusable(f"it has more than {_MOST_FIELDS} fields")

    def _that_may_recur(self) -> frozenset[str]:
        """Types within which a type comes again: those that are left when types without others go, step by step."""
        left = {name: set(_names_in(_parts(definition))) for name, definition in self._types.items()}
        while ended := {name for name, named in left.items() if not named & left.keys()}:
            left = {name: named for name, named in left.items() if name not in ended}
        return frozenset(left)

    def _check_items(self) -> None:
        # Items without a byte could be counted in billions by a record of ten bytes.
        empty: frozenset[str] = frozenset()
        while (more := frozenset(name for name, kind in self._types.items() if _is_empty(kind, empty))) != empty:
            empty = more
        for definition in (self._root, *self._types.values()):
            if any(_is_empty(items, empty) for items in _items_in(_parts(definition))):
                raise SchemaUnusable("it has a list whose items take no byte")

    def _typed(self, definition: Definition, shape: Shape, within: frozenset[str]) -> FieldType:
        self._count()
        if isinstance(definition, list):
            return self._typed_union([branch for branch in definition if not _is_null(branch)], shape, within)
        if isinstance(definition, str) and definition in self._types:
            return self._typed_name(definition, shape, within)
        kind = definition["type"] if isinstance(definition, dict) else definition
        if kind == "array" and not isinstance(shape, Mapping):
            return list_of(self._typed(definition["items"], shape[0] if isinstance(shape, list) else WHOLE, within))
        if kind == "map":
            return self._typed_map(definition["values"], shape, within)
        if not isinstance(shape, str):
            return nothing_of(shape)
        return _typed_scalar(definition)

    def _typed_name(self, name: str, shape: Shape, within: frozenset[str]) -> FieldType:
        definition = self._types[name]
        if "fields" not in definition:
            return _typed_scalar(definition) if isinstance(shape, str) else nothing_of(shape)
        if isinstance(shape, list):
            return nothing_of(shape)
        types = {field["name"]: field["type"] for field in definition["fields"]}
        if isinstance(shape, Mapping):
            return struct_of(
                {
                    part: self._typed(types[part], of_part, within) if part in types else absent(of_part)
                    for part, of_part in shape.items()
                }
            )
        self._reads_all = True
        if name in within:
            return nothing_of(WHOLE)
        return struct_of({part: self._typed(kind, WHOLE, within | {name}) for part, kind in types.items()})

    def _typed_map(self, values: Definition, shape: Shape, within: frozenset[str]) -> FieldType:
        if isinstance(shape, Mapping):
            return struct_of({name: self._typed(values, of_name, within) for name, of_name in shape.items()})
        return map_of(self._typed(values, WHOLE, within))

    def _typed_union(self, branches: list[Definition], shape: Shape, within: frozenset[str]) -> FieldType:
        """One type for all branches: of records all their fields, of numbers the wider one, of others their text."""
        if not branches:
            return nothing_of(shape)
        if len(branches) == 1:
            return self._typed(branches[0], shape, within)
        if isinstance(shape, Mapping):
            parts = {name: self._typed_part(branches, name, of_name, within) for name, of_name in shape.items()}
            return _only(dict, struct_of(parts))
        if isinstance(shape, list):
            lists = [branch for branch in branches if isinstance(branch, dict) and branch["type"] == "array"]
            return _only(list, self._typed(lists[0], shape, within)) if len(lists) == 1 else nothing_of(shape)
        return _widest([self._typed(branch, shape, within) for branch in branches])

    def _typed_part(self, branches: list[Definition], name: str, shape: Shape, within: frozenset[str]) -> FieldType:
        """The type of a field that some of the branches have."""
        found = []
        for branch in branches:
            record = self._types.get(branch, {}) if isinstance(branch, str) else {}
            found += [field["type"] for field in record.get("fields", ()) if field["name"] == name]
        kinds = [self._typed(kind, shape, within) for kind in found]
        if not kinds:
            return absent(shape)
        first, *others = kinds
        if any((other.wire, other.seen) != (first.wire, first.seen) for other in others):
            raise SchemaUnusable(f"its records have fields {name} of several types")
        return first


class _Layout:
    """Types without names of their own and without meaning: a type within itself is another one at each depth."""

    def __init__(self, types: Mapping[str, Definition], recursive: frozenset[str], read: frozenset[str] | None) -> None:
        self._types = types
        self._recursive = recursive
        self._read = read
        self._numbers = {name: number for number, name in enumerate(types)}
        self._defined: set[str] = set()

    def of(self, definition: Definition, depth: int = 0, *, with_meaning: bool = False) -> Definition:
        """The layout of a type; `with_meaning` leaves to fastavro what a value means."""
        if isinstance(definition, list):
            several = sum(not _is_null(branch) for branch in definition) > 1
            return [self.of(branch, depth, with_meaning=several) for branch in definition]
        if isinstance(definition, str):
            return self._named(definition, depth) if definition in self._types else definition
        kind = definition["type"]
        if kind == "array":
            return {"type": "array", "items": self.of(definition["items"], depth)}
        if kind == "map":
            return {"type": "map", "values": self.of(definition["values"], depth)}
        return definition if with_meaning else kind

    def _named(self, name: str, depth: int) -> Definition:
        deeper = depth + 1 if name in self._recursive else depth
        alias = f"t{self._numbers[name]}_{deeper}"
        if alias in self._defined:
            return alias
        self._defined.add(alias)
        if deeper > _DEEPEST:
            # No record is so long: one that goes so deep cannot be read.
            return {"type": "fixed", "name": alias, "size": _ENDLESS}
        definition = self._types[name]
        if "fields" in definition:
            fields = [{"name": f["name"], "type": self._field(f, deeper)} for f in definition["fields"]]
            return {"type": "record", "name": alias, "fields": fields}
        return {part: definition[part] for part in ("type", "size", "symbols") if part in definition} | {"name": alias}

    def _field(self, field: Mapping[str, Definition], depth: int) -> Definition:
        layout = self.of(field["type"], depth)
        if self._read is None or field["name"] in self._read:
            return layout
        if isinstance(layout, list):
            return [_undecoded(branch) for branch in layout] if "bytes" not in layout else layout
        return _undecoded(layout)


def _undecoded(layout: Definition) -> Definition:
    """A text as the bytes that it is."""
    return "bytes" if layout == "string" else layout


def _only(kind: type, field: FieldType) -> FieldType:
    """The field where its value is of this kind, else NULL."""
    tidy = field.tidy

    def tidied(value: object) -> object:
        if not isinstance(value, kind):
            return None
        return value if tidy is None else tidy(value)

    return FieldType(field.wire, field.seen, tidied)


def _widest(kinds: list[FieldType]) -> FieldType:
    found = {kind.seen for kind in kinds}
    if len(found) == 1 and len({kind.wire for kind in kinds}) == 1 and pa.types.is_nested(kinds[0].wire) is False:
        return kinds[0]
    if found <= {pa.int32(), pa.int64()}:
        return same(pa.int64())
    if found <= {pa.float32(), pa.float64()}:
        return same(pa.float64())
    return same(pa.string(), text_of)


def text_of(value: object) -> str | None:
    """A value of a field that has values of several kinds, as text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value, default=text_of, ensure_ascii=False)
    return str(value)


def _typed_scalar(definition: Definition) -> FieldType:
    kind = definition["type"] if isinstance(definition, dict) else definition
    logical = definition.get("logicalType") if isinstance(definition, dict) else None
    if logical == "decimal" and kind in ("bytes", "fixed"):
        return _typed_decimal(definition)
    if kind in ("int", "long") and logical in _TIMES and (kind == "int") == (logical == "date"):
        return _TIMES[logical]
    if kind == "fixed":
        return same(pa.binary())
    return same(pa.string() if kind == "enum" else _SCALARS[kind])


def _typed_decimal(definition: Mapping[str, Any]) -> FieldType:
    # Connect says 64 digits where a database does not say how many.
    digits, scale = min(int(definition["precision"]), MOST_DIGITS), int(definition.get("scale", 0))
    if not 0 <= scale <= digits or digits == 0:
        return same(pa.binary())
    return FieldType(pa.binary(), pa.decimal128(digits, scale))


def _is_empty(definition: Definition, empty: frozenset[str]) -> bool:
    """True if a value of the type takes no byte, where those of the types in `empty` take none."""
    if isinstance(definition, str):
        return definition == "null" or definition in empty
    if isinstance(definition, list) or definition["type"] in ("array", "map", "enum"):
        return False
    if "fields" in definition:
        return all(_is_empty(field["type"], empty) for field in definition["fields"])
    return bool(definition["type"] == "null" or definition.get("size") == 0)


def _is_null(definition: Definition) -> bool:
    return bool(definition == "null" or (isinstance(definition, dict) and definition["type"] == "null"))


def _parts(definition: Definition) -> Definition:
    """The parts of a type, one level down."""
    if isinstance(definition, dict) and "fields" in definition:
        return [field["type"] for field in definition["fields"]]
    return definition


def _names_in(definition: Definition) -> Iterator[str]:
    if isinstance(definition, str):
        yield definition
    elif isinstance(definition, list):
        for branch in definition:
            yield from _names_in(branch)
    elif isinstance(definition, dict):
        yield from _names_in(definition.get("items", definition.get("values")))


def _items_in(definition: Definition) -> Iterator[Definition]:
    """Types of items of the lists in a type."""
    if isinstance(definition, list):
        for branch in definition:
            yield from _items_in(branch)
    elif isinstance(definition, dict) and definition["type"] == "array":
        yield definition["items"]
        yield from _items_in(definition["items"])
    elif isinstance(definition, dict) and definition["type"] == "map":
        yield from _items_in(definition["values"])
