"""Protobuf: records of one message, whose descriptors stand beside the mapping, as a column."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from bridgecart_assets.sources.mapping.decoding.arrow_types import (
    INSTANT,
    FieldType,
    list_of,
    map_of,
    same,
    struct_of,
)
from bridgecart_assets.sources.mapping.decoding.framing import message_of
from bridgecart_assets.sources.mapping.decoding.schemas import SchemaUnusable, UnreadableRecord
from bridgecart_assets.sources.mapping.decoding.shapes import WHOLE, Shape, absent, nothing_of

Get = Callable[[Any], Any]
"""A function of a value of Protobuf's that gives one for Arrow."""

_Field = tuple[Get, FieldType]

_TIMESTAMP = "google.protobuf.Timestamp"
_WELL_KNOWN = "google/protobuf/"
_WRAPPER = frozenset(
    f"google.protobuf.{kind}Value"
    for kind in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)
_MOST_DEPTH = 32
_SCALARS = {
    FieldDescriptor.CPPTYPE_INT32: pa.int32(),
    FieldDescriptor.CPPTYPE_INT64: pa.int64(),
    FieldDescriptor.CPPTYPE_UINT32: pa.int64(),
    FieldDescriptor.CPPTYPE_UINT64: pa.uint64(),
    FieldDescriptor.CPPTYPE_DOUBLE: pa.float64(),
    FieldDescriptor.CPPTYPE_FLOAT: pa.float32(),
    FieldDescriptor.CPPTYPE_BOOL: pa.bool_(),
    FieldDescriptor.CPPTYPE_ENUM: pa.string(),
}


def protobuf_reader(descriptors: bytes, message: str, shape: Shape) -> tuple[Callable[[bytes], Any], FieldType]:
    """A function that reads a record, and the type of its mapped fields. Raises SchemaUnusable.

    The function raises UnreadableRecord for bytes that are no message, or another one of its schema.
    """
    descriptor = message_descriptor(descriptors, message)
    parse: Callable[[bytes], Message] = GetMessageClass(descriptor).FromString
    path = _path_of(descriptor)
    get, field_type = _message(descriptor, shape, 0)

    def read(body: bytes) -> Any:
        try:
            said, begin = message_of(body)
            if said != path:
                raise UnreadableRecord
            return get(parse(body[begin:]))
        except (DecodeError, ValueError) as error:
            raise UnreadableRecord from error

    return read, field_type


def message_descriptor(descriptors: bytes, message: str) -> Descriptor:
    """The message of a descriptor set, by its full name. Raises SchemaUnusable, which says what is wrong with it."""
    try:
        files = FileDescriptorSet.FromString(descriptors).file
    except DecodeError as error:
        raise SchemaUnusable("it is no descriptor set: write it with protoc --descriptor_set_out") from error
    pool = DescriptorPool()
    held = {file.name: file for file in files}
    try:
        for name in held:
            _add(pool, name, held)
        return pool.FindMessageTypeByName(message)
    except RecursionError as error:
        raise SchemaUnusable("its files import each other") from error
    except KeyError as error:
        raise SchemaUnusable(f"it has no message {message}") from error


def _add(pool: DescriptorPool, name: str, held: Mapping[str, FileDescriptorProto]) -> None:
    """Add a file to the pool, those that it imports first."""
    file = held.get(name) or _well_known(name)
    if _is_in(pool, name):
        return
    for imported in file.dependency:
        _add(pool, imported, held)
    try:
        pool.Add(file)
        pool.FindFileByName(name)
    except (TypeError, KeyError, ValueError) as error:
        raise SchemaUnusable(f"its file {name} is broken") from error


def _is_in(pool: DescriptorPool, name: str) -> bool:
    try:
        pool.FindFileByName(name)
    except KeyError:
        return False
    return True


def _well_known(name: str) -> FileDescriptorProto:
    """A file that comes with Protobuf itself."""
    module = name.removeprefix(_WELL_KNOWN).removesuffix(".proto")
    if not name.startswith(_WELL_KNOWN) or not module.isidentifier():
        raise SchemaUnusable(f"it lacks {name}: write it with protoc --include_imports")
    try:
        found = importlib.import_module(f"google.protobuf.{module}_pb2")
    except ImportError as error:
        raise SchemaUnusable(f"it lacks {name}: write it with protoc --include_imports") from error
    return FileDescriptorProto.FromString(found.DESCRIPTOR.serialized_pb)


def _path_of(descriptor: Descriptor) -> tuple[int, ...]:
    """The indexes by which a record names its message: which one of its file, then which one within that."""
    outer = descriptor.containing_type
    if outer is None:
        return (list(descriptor.file.message_types_by_name).index(descriptor.name),)
    return (*_path_of(outer), [nested.name for nested in outer.nested_types].index(descriptor.name))


def _message(descriptor: Descriptor, shape: Shape, depth: int) -> _Field:
    """A message, of which the shape's fields are read, or all."""
    if descriptor.full_name == _TIMESTAMP:
        return _micros, same(INSTANT)
    if descriptor.full_name in _WRAPPER:
        return _value, same(_scalar_type(descriptor.fields_by_name["value"]))
    if isinstance(shape, list) or depth > _MOST_DEPTH:
        return _nothing, nothing_of(shape)
    known = descriptor.fields_by_name
    wanted = shape if isinstance(shape, Mapping) else dict.fromkeys(known, WHOLE)
    fields = {name: _field(known[name], part, depth + 1) for name, part in wanted.items() if name in known}
    getters = [(name, get) for name, (get, _) in fields.items()]

    def get(message: Message) -> dict[str, Any]:
        return {name: get_field(message) for name, get_field in getters}

    types = {name: fields[name][1] if name in fields else absent(part) for name, part in wanted.items()}
    return get, struct_of(types)


def _field(field: FieldDescriptor, shape: Shape, depth: int) -> _Field:
    """A field of a message: one value, several, or a map."""
    name = field.name
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return _map(field, depth)
    if field.is_repeated and isinstance(shape, Mapping):
        return _nothing, nothing_of(shape)
    if field.is_repeated:
        get_item, item = _single(field, shape[0] if isinstance(shape, list) else WHOLE, depth)
        return (lambda message: [get_item(value) for value in getattr(message, name)]), list_of(item)
    get_value, kind = _single(field, shape, depth)
    if field.has_presence:
        return (lambda message: get_value(getattr(message, name)) if message.HasField(name) else None), kind
    return (lambda message: get_value(getattr(message, name))), kind


def _map(field: FieldDescriptor, depth: int) -> _Field:
    name = field.name
    get_value, kind = _single(field.message_type.fields_by_name["value"], WHOLE, depth)

    def get(message: Message) -> dict[str, Any]:
        return {str(key): get_value(value) for key, value in sorted(getattr(message, name).items())}

    return get, map_of(kind)


def _single(field: FieldDescriptor, shape: Shape, depth: int) -> _Field:
    if field.message_type is not None:
        return _message(field.message_type, shape, depth)
    if not isinstance(shape, str):
        return _nothing, nothing_of(shape)
    if field.enum_type is not None:
        return _enum(field.enum_type), same(pa.string())
    return _itself, same(_scalar_type(field))


def _scalar_type(field: FieldDescriptor) -> pa.DataType:
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return pa.binary() if field.type == FieldDescriptor.TYPE_BYTES else pa.string()
    return _SCALARS[field.cpp_type]


def _enum(kind: EnumDescriptor) -> Get:
    names = {number: value.name for number, value in kind.values_by_number.items()}
    # A number that a later version of the schema names.
    return lambda number: names.get(number, str(number))


def _micros(timestamp: Any) -> int:
    return int(timestamp.seconds) * 1_000_000 + int(timestamp.nanos) // 1_000


def _value(wrapper: Any) -> Any:
    return wrapper.value


def _itself(value: Any) -> Any:
    return value


def _nothing(_: Any) -> None:
    return None
