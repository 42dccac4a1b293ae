"""Records of topics with a schema registry: schemas by id, framed as serializers do."""

import base64
import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet
from google.protobuf.timestamp_pb2 import DESCRIPTOR as TIMESTAMP_FILE

from bridgecart_assets.sources.mapping.decoding.schemas import Schema

SAMPLES = Path(__file__).parents[3] / "samples"


class Known:
    """Schemas by id; ids of others are unknown. `asked` are the ids that somebody wanted."""

    def __init__(self, schemas: Mapping[int, Schema]) -> None:
        self._schemas = schemas
        self.asked: list[int] = []

    def schema_of(self, schema_id: int) -> Schema | None:
        self.asked.append(schema_id)
        return self._schemas.get(schema_id)


def avro(definition: Any, **references: Schema) -> Schema:
    return Schema("AVRO", json.dumps(definition), references)


def record(*fields: tuple[str, Any], name: str = "Order", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": n, "type": kind} for n, kind in fields], **more}


def framed(body: bytes, schema_id: int = 1) -> bytes:
    return b"\0" + schema_id.to_bytes(4, "big") + body


def written(definition: Any, value: Any, schema_id: int = 1) -> bytes:
    stream = BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(json.loads(json.dumps(definition))), value)
    return framed(stream.getvalue(), schema_id)


def debezium() -> tuple[Schema, list[bytes | None]]:
    """The sample of an orders table through Debezium: its schema, and its records in order."""
    lines = (SAMPLES / "debezium-avro.b64").read_text().split("\n")[:-1]
    text = (SAMPLES / "debezium-orders.avsc").read_text()
    return Schema("AVRO", text), [base64.b64decode(line) or None for line in lines]


_KINDS = {
    "string": FieldDescriptorProto.TYPE_STRING,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
}


def order_descriptors(*, with_imports: bool = True) -> FileDescriptorSet:
    """What protoc makes of `samples/order.proto`."""
    file = FileDescriptorProto(
        name="order.proto", package="shop.v1", syntax="proto3", dependency=["google/protobuf/timestamp.proto"]
    )
    money = file.message_type.add(name="Money")
    _fields(money, "currency:string units:int64 nanos:int32")
    line = file.message_type.add(name="Line")
    _fields(line, "sku:string category:string unit_cents:int64 qty:int32")
    order = file.message_type.add(name="Order")
    status = order.enum_type.add(name="Status")
    for number, name in enumerate(("STATUS_UNSPECIFIED", "PLACED", "CANCELLED")):
        status.value.add(name=name, number=number)
    _fields(
        order,
        "number:string customer_ref:string placed_at:.google.protobuf.Timestamp revision:int32 "
        "status:.shop.v1.Order.Status currency:string total_cents:int64 discount_cents:int64 voucher:string "
        "payment_method:string lines:.shop.v1.Line",
    )
    order.field[4].type = FieldDescriptorProto.TYPE_ENUM
    order.field[10].label = FieldDescriptorProto.LABEL_REPEATED
    order.oneof_decl.add(name="_voucher")
    order.field[8].proto3_optional = True
    order.field[8].oneof_index = 0
    timestamps = FileDescriptorProto.FromString(TIMESTAMP_FILE.serialized_pb)
    return FileDescriptorSet(file=[file, timestamps] if with_imports else [file])


def _fields(message: Any, text: str) -> None:
    for number, said in enumerate(text.split(), start=1):
        name, kind = said.split(":")
        field = message.field.add(name=name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
        if kind.startswith("."):
            field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, kind
        else:
            field.type = _KINDS[kind]
