"""Rows of a file, whatever its format: how many there are, and from any of them on the payloads of their records."""

from collections.abc import Iterable, Iterator
from typing import Protocol

import pyarrow as pa

_PIECE_ROWS = 1_000
_PIECE_BYTES = 4 * 1024 * 1024


class Rows(Protocol):
    """The rows of one file, which was looked at as a whole."""

    @property
    def count(self) -> int:
        """Number of rows."""

    def pieces(self, start: int) -> Iterator[pa.Array]:
        """Payloads from a row on, in the order of the file, a few megabytes at a time."""


def in_pieces(payloads: Iterable[bytes]) -> Iterator[pa.Array]:
    """Payloads as columns of bounded length and size."""
    piece: list[bytes] = []
    size = 0
    for payload in payloads:
        piece.append(payload)
        size += len(payload)
        if len(piece) == _PIECE_ROWS or size >= _PIECE_BYTES:
            yield pa.array(piece, pa.binary())
            piece, size = [], 0
    if piece:
        yield pa.array(piece, pa.binary())
