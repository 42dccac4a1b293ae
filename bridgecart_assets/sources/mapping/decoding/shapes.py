"""Shapes: which paths of a record a mapping reads, and what they are where a schema lacks them."""

from collections.abc import Iterator, Mapping

import pyarrow as pa

from bridgecart_assets.sources.mapping.decoding.arrow_types import FieldType, list_of, same, struct_of

Shape = str | dict[str, "Shape"] | list["Shape"]
"""Where text is read, by path: `{"order": {"id": "VARCHAR", "lines": [{"sku": "VARCHAR"}]}}`."""

WHOLE = "VARCHAR"
"""The shape of a value that is read as a whole."""


def names_in(shape: Shape) -> Iterator[str]:
    """The names of all parts in a shape."""
    if isinstance(shape, Mapping):
        yield from shape
        for part in shape.values():
            yield from names_in(part)
    elif isinstance(shape, list):
        yield from names_in(shape[0])


def absent(shape: Shape) -> FieldType:
    """A field that a schema lacks: NULL, in the form that expressions read."""
    if isinstance(shape, Mapping):
        return struct_of({name: absent(part) for name, part in shape.items()})
    return list_of(absent(shape[0])) if isinstance(shape, list) else same(pa.null())


def nothing_of(shape: Shape) -> FieldType:
    """A field that has another form than expressions read: NULL, whatever its value."""
    field = absent(shape)
    return FieldType(field.wire, field.seen, _nothing)


def _nothing(_: object) -> None:
    return None
