"""Avro: records of one schema as a column. A record that cannot be read costs no other."""

from collections.abc import Callable
from io import BytesIO
from struct import error as StructError
from typing import Any

from fastavro import parse_schema, schemaless_reader
from fastavro.schema import SchemaParseException, UnknownType

from bridgecart_assets.sources.mapping.decoding.arrow_types import FieldType
from bridgecart_assets.sources.mapping.decoding.avro_schema import AvroSchema
from bridgecart_assets.sources.mapping.decoding.schemas import Schema, SchemaUnusable, UnreadableRecord
from bridgecart_assets.sources.mapping.decoding.shapes import Shape

# What fastavro raises for bytes that are no record of their schema.
_UNREADABLE = (EOFError, IndexError, ValueError, OverflowError, StructError)


def avro_reader(schema: Schema, shape: Shape) -> tuple[Callable[[bytes], Any], FieldType]:
    """A function that reads a record, and the type of its mapped fields. Raises SchemaUnusable.

    The function raises UnreadableRecord for bytes that are no record, or more than one.
    """
    layout, field_type = AvroSchema(schema).mapped(shape)
    try:
        parsed = parse_schema(layout)
    except (SchemaParseException, UnknownType, KeyError, TypeError, ValueError) as error:
        raise SchemaUnusable("the text is no Avro schema") from error

    def read(body: bytes) -> Any:
        stream = BytesIO(body)
        try:
            record = schemaless_reader(stream, parsed, None)
        except _UNREADABLE as error:
            raise UnreadableRecord from error
        if stream.tell() != len(body):
            raise UnreadableRecord
        return record

    return read, field_type
