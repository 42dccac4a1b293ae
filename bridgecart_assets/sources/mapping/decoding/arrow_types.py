"""Arrow types of decoded fields: what Python's values go into at once, and what expressions then see.

Both are types of Arrow; `seen` turns the first into the second, column by column. A value that its type does not have
(a decimal with too many digits, a time of no year) raises ValueError, so that its record can be told.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MOST_DIGITS = 38
"""Digits of DuckDB's longest decimal; one that may have more is seen as text."""

INSTANT = pa.timestamp("us", "UTC")
LOCAL_TIME = pa.timestamp("us")
_DECIMAL_BYTES = 16
# The years 1 to 9999, in microseconds: what every reader of a timestamp can say.
_FIRST_INSTANT, _LAST_INSTANT = -62_135_596_800_000_000, 253_402_300_799_999_999


@dataclass(frozen=True)
class FieldType:
    """The type of a field: `wire` takes the values as they are decoded, `seen` is what expressions read.

    `tidy` makes values fit the wire where the decoder gives several kinds of them.
    """

    wire: pa.DataType
    seen: pa.DataType
    tidy: Callable[[Any], object] | None = None


def same(kind: pa.DataType, tidy: Callable[[Any], object] | None = None) -> FieldType:
    """A field that is seen as it is decoded."""
    return FieldType(kind, kind, tidy)


def struct_of(fields: Mapping[str, FieldType]) -> FieldType:
    """A record of some fields."""
    untidy = {name: field.tidy for name, field in fields.items() if field.tidy is not None}

    def tidied(record: dict[str, Any] | None) -> object:
        if record is None:
            return None
        return record | {name: tidy(record.get(name)) for name, tidy in untidy.items()}

    return FieldType(
        pa.struct([(name, field.wire) for name, field in fields.items()]),
        pa.struct([(name, field.seen) for name, field in fields.items()]),
        tidied if untidy else None,
    )


def list_of(item: FieldType) -> FieldType:
    """A list of items."""
    tidy = item.tidy

    def tidied(items: list[Any] | None) -> object:
        return None if items is None or tidy is None else [tidy(value) for value in items]

    return FieldType(pa.list_(item.wire), pa.list_(item.seen), tidied if tidy else None)


def map_of(value: FieldType) -> FieldType:
    """A map from texts to values."""
    tidy = value.tidy

    def tidied(entries: dict[str, Any] | None) -> object:
        return None if entries is None or tidy is None else {name: tidy(entry) for name, entry in entries.items()}

    return FieldType(pa.map_(pa.string(), value.wire), pa.map_(pa.string(), value.seen), tidied if tidy else None)


def column_of(values: Sequence[object], kind: FieldType) -> pa.Array:
    """Decoded values as a column. Raises ValueError, OverflowError or ArrowException when one does not fit."""
    tidy = kind.tidy
    fitting = values if tidy is None else [tidy(value) for value in values]
    return seen(pa.array(fitting, kind.wire), kind.seen)


def seen(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """A column of decoded values as expressions see it."""
    if pa.types.is_timestamp(kind):
        return _instants(column, kind)
    if column.type == kind and not _holds_instants(kind):
        return column
    if pa.types.is_struct(kind):
        parts = [seen(column.field(index), part.type) for index, part in enumerate(kind)]
        return pa.StructArray.from_arrays(parts, fields=list(kind), mask=column.is_null())
    if pa.types.is_list(kind):
        items = seen(column.values, kind.value_type)
        return pa.ListArray.from_arrays(column.offsets, items, type=kind, mask=column.is_null())
    if pa.types.is_map(kind):
        return _map(column, kind)
    return _decimals(column, kind)


def _holds_instants(kind: pa.DataType) -> bool:
    if pa.types.is_timestamp(kind):
        return True
    return any(_holds_instants(kind.field(index).type) for index in range(kind.num_fields))


def _map(column: pa.Array, kind: pa.MapType) -> pa.Array:
    items = seen(column.items, kind.item_type)
    return pa.MapArray.from_arrays(column.offsets, column.keys, items, mask=column.is_null())


def _instants(column: pa.Array, kind: pa.TimestampType) -> pa.Array:
    instants = column.cast(kind, safe=column.type.unit != "ns")
    extremes = pc.min_max(instants.cast(pa.int64()))
    first, last = extremes["min"].as_py(), extremes["max"].as_py()
    if first is not None and not _FIRST_INSTANT <= first <= last <= _LAST_INSTANT:
        raise ValueError("an instant of no year")
    return instants


def _decimals(column: pa.Array, kind: pa.Decimal128Type) -> pa.Array:
    """Decimals of their unscaled values, big-endian bytes. Raises ValueError when one has more digits than its type."""
    unscaled = _little_endian(column)
    validity = pc.if_else(column.is_valid(), True, None).buffers()[0]
    decimals = pa.Array.from_buffers(kind, len(column), [validity, pa.py_buffer(unscaled.tobytes())])
    decimals.validate(full=True)
    return decimals


def _little_endian(column: pa.Array) -> np.ndarray:
    """Whole numbers as rows of sixteen bytes, the lowest first."""
    ends = np.frombuffer(column.buffers()[1], np.int32)[: len(column) + 1]
    lengths = np.diff(ends)
    if lengths.size and lengths.max() > _DECIMAL_BYTES:
        raise ValueError("a decimal of more digits than can be told apart")
    data = np.frombuffer(column.buffers()[2] or b"", np.uint8)
    numbers = np.zeros((len(column), _DECIMAL_BYTES), np.uint8)
    filled = lengths > 0
    negative = np.zeros(len(column), bool)
    negative[filled] = data[ends[:-1][filled]] >= 0x80
    numbers[negative] = 0xFF
    for digit in range(int(lengths.max(initial=0))):
        has = lengths > digit
        numbers[has, digit] = data[ends[1:][has] - 1 - digit]
    return numbers
