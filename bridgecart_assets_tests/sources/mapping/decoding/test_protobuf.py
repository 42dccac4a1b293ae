"""Protobuf with a schema registry: what expressions see of messages, and what one costs that cannot be read."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from bridgecart_assets.sources.mapping.decoding import Decoded, Decoder
from bridgecart_assets.sources.mapping.decoding.protobuf import message_descriptor
from bridgecart_assets.sources.mapping.decoding.schemas import Schema, SchemaUnusable
from bridgecart_assets.sources.mapping.decoding.shapes import Shape
from bridgecart_assets_tests.sources.mapping.decoding.records import SAMPLES, Known, framed, order_descriptors

ORDER = "shop.v1.Order"
# Order is the third message of its file: one index, which is 2.
INDEX = b"\2\4"
SHAPE: Shape = {
    **dict.fromkeys(["number", "placed_at", "status", "total_cents", "voucher"], "VARCHAR"),
    "lines": [{"unit_cents": "VARCHAR", "qty": "VARCHAR"}],
    "note": "VARCHAR",
}
REGISTERED = Schema("PROTOBUF", (SAMPLES / "order.proto").read_text())


def order(**fields: Any) -> bytes:
    kind = GetMessageClass(message_descriptor(order_descriptors().SerializeToString(), ORDER))
    message = kind(**fields)
    data: bytes = message.SerializeToString()
    return data


def read(*records: bytes, shape: Any = SHAPE, descriptors: FileDescriptorSet | None = None) -> Decoded:
    held = (descriptors or order_descriptors()).SerializeToString()
    decoder = Decoder("protobuf-registry", shape, Known({1: REGISTERED}), descriptors=held, message=ORDER)
    return decoder.decoded(list(records))


def test_a_message_is_seen_with_names_of_enums_instants_and_all_digits():
    body = order(
        number="10-1",
        placed_at=datetime(2026, 1, 2, 3, 4, 5, 678, UTC),
        status=2,
        total_cents=2**63 - 1,
        voucher="",
        lines=[{"unit_cents": 5, "qty": 2}, {}],
    )
    (group,) = read(framed(INDEX + body)).groups
    assert group.column.to_pylist() == [
        {
            "number": "10-1",
            "placed_at": datetime(2026, 1, 2, 3, 4, 5, 678, UTC),
            "status": "CANCELLED",
            "total_cents": 2**63 - 1,
            "voucher": "",
            "note": None,
            "lines": [{"unit_cents": 5, "qty": 2}, {"unit_cents": 0, "qty": 0}],
        }
    ]


def test_fields_with_presence_are_null_where_a_message_does_not_say_them():
    (group,) = read(framed(INDEX + order())).groups
    assert group.column.to_pylist() == [
        {"number": "", "placed_at": None, "status": "STATUS_UNSPECIFIED", "total_cents": 0}
        | {"voucher": None, "lines": [], "note": None}
    ]


def test_a_number_that_an_enum_does_not_name_is_seen_as_number():
    (group,) = read(framed(INDEX + b"\x28\x07")).groups
    assert group.column.to_pylist()[0]["status"] == "7"


def test_a_message_as_a_whole_has_all_its_fields():
    (group,) = read(framed(INDEX + order(number="1")), shape="VARCHAR").groups
    assert group.column.to_pylist()[0]["number"] == "1"
    assert len(group.column.type) == 11


def test_bytes_that_are_no_such_message_cost_their_record_alone():
    good = framed(INDEX + order(number="1"))
    year_40000 = b"\x1a\x07\x08" + b"\x80\xc8\xaf\xa0\xff\x22"
    bad = [
        framed(INDEX + b"\x0a\xff\xff\xff\xff\x0fa"),
        framed(INDEX + b"\x0a\2\xff\xfe"),
        framed(b""),
        framed(b"\xff" * 9),
        framed(b"\xfe\xff\xff\xff\x0f"),
        framed(b"\0" + order(number="of another message")),
        framed(INDEX + year_40000),
    ]
    decoded = read(good, *bad, good, b"x")
    assert decoded.unreadable == {**dict.fromkeys(range(1, 8), "bad_protobuf"), 9: "bad_framing"}
    assert decoded.groups[0].places.to_pylist() == [0, 8]


def test_a_first_message_is_named_by_one_byte():
    held = FileDescriptorSet(file=[FileDescriptorProto(name="a.proto", syntax="proto3")])
    held.file[0].message_type.add(name="A").field.add(name="x", number=1, type=3, label=1)
    decoder = Decoder(
        "protobuf-registry", {"x": "VARCHAR"}, Known({1: REGISTERED}), descriptors=held.SerializeToString(), message="A"
    )
    (group,) = decoder.decoded([framed(b"\0\x08\x05"), framed(b"\2\0\x08\x06")]).groups
    assert group.column.to_pylist() == [{"x": 5}, {"x": 6}]


def test_descriptors_without_what_comes_with_protobuf_are_enough():
    (group,) = read(framed(INDEX + order(number="1")), descriptors=order_descriptors(with_imports=False)).groups
    assert group.column.to_pylist()[0]["number"] == "1"


@pytest.mark.parametrize(
    ("descriptors", "message", "fault"),
    [
        (b"\xff", ORDER, "it is no descriptor set: write it with protoc --descriptor_set_out"),
        (order_descriptors().SerializeToString(), "shop.v1.Ordre", "it has no message shop.v1.Ordre"),
        (
            FileDescriptorSet(file=[FileDescriptorProto(name="a.proto", dependency=["b.proto"])]).SerializeToString(),
            *("A", "it lacks b.proto: write it with protoc --include_imports"),
        ),
        (
            FileDescriptorSet(file=[FileDescriptorProto(name="a.proto", dependency=["a.proto"])]).SerializeToString(),
            *("A", "its files import each other"),
        ),
    ],
)
def test_descriptors_that_cannot_be_used_say_why(descriptors, message, fault):
    with pytest.raises(SchemaUnusable) as raised:
        message_descriptor(descriptors, message)
    assert str(raised.value) == fault


def test_the_descriptors_of_these_tests_are_those_of_the_sample():
    pool = DescriptorPool()
    for file in reversed(order_descriptors().file):
        pool.Add(file)
    said = Path(SAMPLES / "order.proto").read_text()
    for field in pool.FindMessageTypeByName(ORDER).fields:
        assert f" {field.name} = {field.number};" in said
