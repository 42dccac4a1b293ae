"""Records to look at: the newest of the topic, or the first of a file.

The topic stays as it is: nothing is committed, no group is joined.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict

import pyarrow as pa

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.sources.files.history_file import open_history
from bridgecart_assets.sources.files.reading import PARTITION, read_rows
from bridgecart_assets.sources.kafka.from_settings import kafka_connection
from bridgecart_assets.sources.kafka.offsets import BatchPlan, OffsetRange, plan_newest
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.sources.kafka.reading import read_slice
from bridgecart_assets.warehouse.storage.outputs import FileSlice, KafkaSlice, RecordStream

# No instant of planning: how late an order may be dated, its record alone says.
BATCH_KEY = "inspected"


# Python's objects of a document take several times the bytes that it has in JSON.
_MOST_BYTES = 64 * 1024 * 1024

Slice = KafkaSlice | FileSlice


class Header(TypedDict):
    """A header of a record."""

    name: str
    value: bytes | None


class NothingToLookAt(BridgeCartError):
    """The topic has no record."""


@dataclass(frozen=True)
class Records:
    """Some records, and in words whence they come: values, keys and headers as they arrived, one each a record."""

    source: str
    values: Sequence[bytes | None]
    keys: Sequence[bytes | None]
    headers: Sequence[Sequence[Header] | None]


def newest_of_topic(settings: Settings, records: int) -> KafkaSlice:
    """The newest records of the topic. Raises NothingToLookAt, or `KafkaFailure`."""
    connection = kafka_connection(settings)
    state = topic_state(connection)
    plan = plan_newest(batch_key=BATCH_KEY, state=state, max_records=records)
    if not plan.records:
        raise NothingToLookAt(f"Topic {plan.topic!r} has no records yet: send some, or look at a file (--from FILE).")
    return KafkaSlice(
        connection=connection,
        plan=plan,
        cluster_id=state.cluster_id,
        stall_seconds=settings.kafka_stall_seconds,
        max_bytes=settings.max_batch_bytes,
    )


def first_of_file(path: Path, settings: Settings, records: int, mapping: str | None = None) -> FileSlice:
    """The first rows of a file, to be read by a mapping. Raises FileRefused."""
    file = open_history(path)
    rows = OffsetRange(0, min(records, file.rows.count))
    plan = BatchPlan(BATCH_KEY, file.name, file.topic_id, {PARTITION: rows})
    return FileSlice(file, plan, mapping, settings.max_batch_bytes)


def source_of(asked: Slice) -> str:
    """Words for the place that the records come from."""
    if isinstance(asked, FileSlice):
        return f"{asked.file.name}, the first of {asked.file.rows.count:,}"
    partitions = len(asked.plan.ranges)
    return f"topic {asked.plan.topic!r}, {partitions:,} partition{'s' * (partitions != 1)}, the newest"


def read_records(asked: Slice) -> Records:
    """The records, in memory no more than 64 MB. Raises NothingToLookAt, or what reading raises."""
    with closing(_reading(replace(asked, max_bytes=_MOST_BYTES)).ahead()) as ahead:
        chunks = list(ahead)
    if not sum(chunk.num_rows for chunk in chunks):
        raise NothingToLookAt(
            f"The newest {asked.plan.records:,} offsets of topic {asked.plan.topic!r} hold no records: "
            "give more --records."
        )
    # A broker sends partitions in any order: what is said of the same records has to be the same.
    table = pa.Table.from_batches(chunks).sort_by([("partition", "ascending"), ("offset", "ascending")])
    values, keys, headers = (table.column(name).to_pylist() for name in ("payload", "key", "headers"))
    return Records(source_of(asked), values, keys, headers)


def _reading(asked: Slice) -> RecordStream:
    if isinstance(asked, FileSlice):
        return read_rows(asked.file, asked.plan, max_bytes=asked.max_bytes)
    return read_slice(asked.connection, asked.plan, stall_seconds=asked.stall_seconds, max_bytes=asked.max_bytes)
