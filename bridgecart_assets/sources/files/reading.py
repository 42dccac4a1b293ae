"""Reading: the rows of one batch of a file, streamed in chunks of bounded memory, as records of a topic are."""

import sys
from collections.abc import Generator, Iterator
from contextlib import closing

import numpy as np
import pyarrow as pa

from bridgecart_assets.sources.files.history_file import HistoryFile
from bridgecart_assets.sources.kafka.continuity import LastRecord
from bridgecart_assets.sources.kafka.offsets import BatchPlan
from bridgecart_assets.sources.kafka.records import RECORD_SCHEMA

PARTITION = 0
_CHUNK_ROWS = 50_000
_CHUNK_BYTES = 64 * 1024 * 1024
_CHUNKS_IN_LIMIT = 4


def read_rows(file: HistoryFile, plan: BatchPlan, *, max_bytes: int | None = None) -> "RowsOfBatch":
    """The rows of `plan` as `RECORD_SCHEMA`: offsets are rows, and there is no time, no key and no header.

    The plan may end after the last row. With `max_bytes` reading ends before the chunk that would exceed it, the
    first one excepted.
    """
    return RowsOfBatch(file, plan, max_bytes or sys.maxsize)


class RowsOfBatch:
    """The chunks of one plan, to be iterated once; at the end `covered` is the plan as far as it was read."""

    def __init__(self, file: HistoryFile, plan: BatchPlan, max_bytes: int) -> None:
        self.covered = plan.cut({})
        self.last_records: dict[int, LastRecord] = {}
        self._file = file
        self._plan = plan
        self._max_bytes = max_bytes

    def ahead(self) -> Generator[pa.RecordBatch, None, None]:
        """The chunks, as many as the limit of bytes allows. Raises FileChanged at the end."""
        span = self._plan.ranges[PARTITION]
        offset, size = span.start, 0
        with closing(self._chunks(span.start, span.end)) as chunks:
            for payloads in chunks:
                if size and size + payloads.nbytes > self._max_bytes:
                    break
                yield _records(payloads, offset)
                offset, size = offset + len(payloads), size + payloads.nbytes
                self.covered = self._plan.cut({PARTITION: offset})
        self._file.require_unchanged()

    def _chunks(self, start: int, end: int) -> Generator[pa.Array, None, None]:
        most_bytes = min(_CHUNK_BYTES, self._max_bytes // _CHUNKS_IN_LIMIT)
        pieces: list[pa.Array] = []
        rows = size = 0
        for piece in _within(self._file.rows.pieces(start), end - start):
            if pieces and (rows + len(piece) > _CHUNK_ROWS or size + piece.nbytes > most_bytes):
                yield pa.concat_arrays(pieces)
                pieces, rows, size = [], 0, 0
            pieces.append(piece)
            rows, size = rows + len(piece), size + piece.nbytes
        if pieces:
            yield pa.concat_arrays(pieces)


def _within(pieces: Iterator[pa.Array], rows: int) -> Iterator[pa.Array]:
    """The pieces up to so many rows."""
    for piece in pieces:
        yield piece.slice(0, rows)
        rows -= len(piece)
        if rows <= 0:
            return


def _records(payloads: pa.Array, first: int) -> pa.RecordBatch:
    known = {
        "partition": pa.array(np.full(len(payloads), PARTITION, np.int32)),
        "offset": pa.array(np.arange(first, first + len(payloads), dtype=np.int64)),
        "payload": payloads,
    }
    columns = [known.get(field.name, pa.nulls(len(payloads), field.type)) for field in RECORD_SCHEMA]
    return pa.RecordBatch.from_arrays(columns, schema=RECORD_SCHEMA)
