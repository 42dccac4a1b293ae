"""The frame that serializers put around a record: a zero byte, the schema's id, and for Protobuf the message."""

from struct import Struct

_HEADER = Struct(">BI")
HEADER_BYTES = _HEADER.size
_MAGIC = 0
_LONGEST_INDEX = 5


def schema_id_of(record: bytes) -> int | None:
    """The id in a record's frame; None where it has no frame."""
    if len(record) < HEADER_BYTES:
        return None
    magic, schema_id = _HEADER.unpack_from(record)
    return int(schema_id) if magic == _MAGIC else None


def body_of(record: bytes) -> bytes:
    """A framed record without its frame."""
    return record[HEADER_BYTES:]


def message_of(body: bytes) -> tuple[tuple[int, ...], int]:
    """The message of its schema that a Protobuf body is: the path of indexes to it, and where it begins.

    Raises ValueError when the indexes are none.
    """
    count, place = _zigzag(body, 0)
    if count == 0:
        # The first message is by far the most frequent: one byte says so.
        return (0,), place
    if not 0 < count <= len(body):
        raise ValueError("more message indexes than bytes")
    path = []
    for _ in range(count):
        index, place = _zigzag(body, place)
        path.append(index)
    return tuple(path), place


def _zigzag(body: bytes, place: int) -> tuple[int, int]:
    number = 0
    for digit, byte in enumerate(body[place : place + _LONGEST_INDEX]):
        number |= (byte & 0x7F) << 7 * digit
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), place + digit + 1
    raise ValueError("a message index without end")
