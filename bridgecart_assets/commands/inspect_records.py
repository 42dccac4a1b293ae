"""Records to look at: the newest of the topic. Nothing is stored or committed, and no group is joined."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pyarrow as pa

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.sources.kafka.from_settings import kafka_connection
from bridgecart_assets.sources.kafka.offsets import BatchPlan, plan_newest
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.sources.kafka.reading import read_slice

# No instant of planning: how late an order may be dated, only its record says.
NO_INSTANT = "inspected"


class NothingToLookAt(BridgeCartError):
    """The topic or the file has no record."""


@dataclass(frozen=True)
class Records:
    """Some records, and in words whence they come. `value` and `key` are bytes as they arrived, one each a record."""

    source: str
    values: list[bytes | None]
    keys: list[bytes | None]


def newest_plan(settings: Settings, records: int) -> BatchPlan:
    """The newest records of the topic. Raises NothingToLookAt, or `KafkaFailure`."""
    state = topic_state(kafka_connection(settings))
    plan = plan_newest(batch_key=NO_INSTANT, state=state, max_records=records)
    if not plan.records:
        raise NothingToLookAt(
            f"Topic {plan.topic!r} has no records yet: send some, or look at a file with --from FILE."
        )
    return plan


def records_of_topic(settings: Settings, records: int) -> Records:
    """The newest records of the topic, in memory no more than BRIDGECART_MAX_BATCH_BYTES."""
    plan = newest_plan(settings, records)
    chunks = list(_chunks(settings, plan))
    count = sum(chunk.num_rows for chunk in chunks)
    if not count:
        raise NothingToLookAt(
            f"The newest {plan.records:,} offsets of topic {plan.topic!r} hold no records: give more --records."
        )
    partitions = f"{len(plan.ranges):,} partition{'s' * (len(plan.ranges) != 1)}"
    return Records(
        f"topic {plan.topic!r}, {partitions}, the newest", _column(chunks, "payload"), _column(chunks, "key")
    )


def _chunks(settings: Settings, plan: BatchPlan) -> Iterator[pa.RecordBatch]:
    connection = kafka_connection(settings)
    stall, most = settings.kafka_stall_seconds, settings.max_batch_bytes
    with closing(read_slice(connection, plan, stall_seconds=stall, max_bytes=most).ahead()) as chunks:
        yield from chunks


def _column(chunks: list[pa.RecordBatch], name: str) -> list[bytes | None]:
    return [value for chunk in chunks for value in chunk.column(name).to_pylist()]
