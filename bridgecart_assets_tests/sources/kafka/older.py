"""A broker as it was before topics had ids: a proxy in front of a newer one that offers only older requests.

What a broker offers is what it answers to ApiVersions; clients then ask nothing newer.
"""

import socket
import struct
from collections.abc import Iterator, Mapping

from bridgecart_assets_tests.sources.kafka.proxy import Proxy

METADATA, FETCH, API_VERSIONS = 3, 1, 18
WITHOUT_TOPIC_IDS = {METADATA: 9, FETCH: 12}
"""The newest versions of these requests that know no topic ids."""


class OlderBroker(Proxy):
    """Passes everything; `newest` are the requests of which it offers no version above this one, none at first."""

    def __init__(self) -> None:
        super().__init__()
        self.newest: Mapping[int, int] = {}
        # Questions about versions that were not answered yet, by client and number: the version of each.
        self._asked: dict[tuple[socket.socket, int], int] = {}

    def _forward(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        for frame in _frames(source):
            if not is_answer:
                self._note_request(source, frame)
            sink.sendall(self._older(sink, frame) if is_answer else frame)

    def _note_request(self, client: socket.socket, request: bytes) -> None:
        api, version, number = struct.unpack_from(">hhi", request, 4)
        if api == API_VERSIONS:
            self._asked[client, number] = version

    def _older(self, client: socket.socket, answer: bytes) -> bytes:
        (number,) = struct.unpack_from(">i", answer, 4)
        version = self._asked.pop((client, number), None)
        if version is None:
            return answer
        patched = bytearray(answer)
        for at in _offers(answer, version):
            api, _, newest = struct.unpack_from(">hhh", patched, at)
            struct.pack_into(">h", patched, at + 4, min(newest, self.newest.get(api, newest)))
        return bytes(patched)


def _frames(source: socket.socket) -> Iterator[bytes]:
    """Requests or answers one by one, each with its length in front."""
    stream = source.makefile("rb")
    while len(length := stream.read(4)) == 4:
        yield length + stream.read(struct.unpack(">i", length)[0])


def _offers(answer: bytes, version: int) -> Iterator[int]:
    """Where in an answer about versions the offers begin: request, oldest and newest version, 16 bits each."""
    begin = 10
    if version < 3:
        (count,) = struct.unpack_from(">i", answer, begin)
        yield from range(begin + 4, begin + 4 + 6 * count, 6)
        return
    # Compact: the number of offers and one, in groups of seven bits; an empty field of tags behind each.
    count = shift = 0
    while True:
        byte = answer[begin]
        begin += 1
        count |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    yield from range(begin, begin + 7 * (count - 1), 7)
