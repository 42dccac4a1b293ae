"""Records as a reader hands them over, without a broker."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from bridgecart_assets.sources.kafka.continuity import LastRecord
from bridgecart_assets.sources.kafka.offsets import BatchPlan
from bridgecart_assets.sources.kafka.records import RECORD_SCHEMA

Row = dict[str, Any]


@dataclass
class Handed:
    """A reading of these chunks, which fails after them if it is told to."""

    covered: BatchPlan
    chunks: Sequence[Sequence[Row]]
    failure: BaseException | None = None
    last_records: dict[int, LastRecord] = field(default_factory=dict)

    def ahead(self) -> Generator[pa.RecordBatch, None, None]:
        for chunk in self.chunks:
            yield pa.RecordBatch.from_pylist(list(chunk), RECORD_SCHEMA)
        if self.failure is not None:
            raise self.failure


def a_record(partition: int, offset: int, **said: object) -> Row:
    return {**dict.fromkeys(RECORD_SCHEMA.names), "partition": partition, "offset": offset, **said}
