"""Positions: what a topic holds at this moment, from the earliest offset retained to the end that can be read.

The end is taken from fetching, not from ListOffsets: the embedded broker lists the first offset of the last producer
batch plus one, but serves the whole batch. On Apache Kafka the second look is merely redundant.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from bridgecart_assets.kafka.clients import (
    NO_ANSWER,
    TOLERATED_WHEN_READING,
    Admin,
    Reports,
    answer,
    failure,
    open_admin,
    open_consumer,
    patiently,
    place,
)
from bridgecart_assets.kafka.connection import KafkaConnection
from bridgecart_assets.kafka.errors import TopicNotFound, TopicWithoutId
from bridgecart_assets.kafka.offsets import OffsetRange, TopicState

_TOPICS_NAMED = 5
_POLL_SECONDS = 0.05
_UNKNOWN = 2**63
_NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"


@dataclass(frozen=True)
class TopicIdentity:
    """What makes a topic this topic: the id it got when it was created, and its partitions."""

    topic_id: str
    partitions: list[int]


def topic_state(connection: KafkaConnection) -> TopicState:
    """Identity, earliest offsets and readable ends of the topic.

    Raises `BrokerUnreachable`, `BrokerRefused`, `TopicNotFound`, `TopicWithoutId`: a failed read is never an empty
    topic.
    """
    return patiently(connection, lambda: _topic_state(connection))


def topic_id(connection: KafkaConnection) -> str:
    """The id the cluster gave the topic when it was created. Raises like `topic_state`."""
    with open_admin(connection) as admin:
        return _identify(admin).topic_id


def cluster_id(connection: KafkaConnection) -> str | None:
    """The id of the cluster; the cheapest sign of life. Raises `BrokerUnreachable`, `BrokerRefused`."""
    with open_admin(connection) as admin:
        return _cluster_id(admin)


def readable_ends(connection: KafkaConnection, listed: Mapping[int, int]) -> dict[int, int]:
    """The ends that can be read, for the ends the broker lists: per partition at least `listed`.

    Every partition has to answer within the connection's time-out, else `BrokerUnreachable`.
    """
    with open_consumer(connection) as (consumer, reports):
        consumer.assign([TopicPartition(connection.topic, partition, offset) for partition, offset in listed.items()])
        return _follow(consumer, reports, listed)


def describe(admin: Admin) -> TopicIdentity:
    """The topic's identity; unlike a metadata request this never creates it. Raises `TopicNotFound`."""
    connection = admin.reports.connection
    topics = TopicCollection([connection.topic])
    request = admin.client.describe_topics(topics, request_timeout=connection.timeout_seconds)
    try:
        found = answer(admin, request[connection.topic])
    except TopicNotFound as error:
        raise TopicNotFound(f"{error} ({_existing_topics(admin)})") from error
    return TopicIdentity(str(found.topic_id), sorted(partition.id for partition in found.partitions))


def _identify(admin: Admin) -> TopicIdentity:
    """The topic's identity, which is never assumed: raises `TopicWithoutId` where the broker has none to give."""
    identity = describe(admin)
    if identity.topic_id == _NO_ID:
        connection = admin.reports.connection
        raise TopicWithoutId(
            f"Kafka at {connection.bootstrap_servers} gives topic {connection.topic!r} no id, so a topic that was "
            "created again would be taken for this one and its records passed over; upgrade the broker, and its "
            "inter.broker.protocol.version (Apache Kafka gives ids from 2.8 on, Redpanda since 2025), or have it "
            "mirrored to one that gives ids"
        )
    return identity


def _topic_state(connection: KafkaConnection) -> TopicState:
    with open_admin(connection) as admin:
        identity = _identify(admin)
        # Asked in this order: what retention removes in between moves the start of a range, never past its end.
        earliest = _listed(admin, identity.partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        latest = _listed(admin, identity.partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        cluster = _cluster_id(admin)
    ends = readable_ends(connection, latest)
    ranges = {partition: OffsetRange(earliest[partition], ends[partition]) for partition in identity.partitions}
    return TopicState(connection.topic, identity.topic_id, cluster, ranges)


def _existing_topics(admin: Admin) -> str:
    try:
        found = admin.client.list_topics(timeout=admin.reports.connection.timeout_seconds).topics
    except KafkaException as error:
        raise failure(admin.reports, error.args[0]) from None
    names = sorted(name for name in found if not name.startswith("__"))
    more = f" and {len(names) - _TOPICS_NAMED} more" if len(names) > _TOPICS_NAMED else ""
    return f"it has {', '.join(names[:_TOPICS_NAMED])}{more}" if names else "it has no topics"


def _cluster_id(admin: Admin) -> str | None:
    request = admin.client.describe_cluster(request_timeout=admin.reports.connection.timeout_seconds)
    found: str | None = answer(admin, request).cluster_id
    return found


def _listed(admin: Admin, partitions: list[int], which: OffsetSpec) -> dict[int, int]:
    connection = admin.reports.connection
    asked = {TopicPartition(connection.topic, partition): which for partition in partitions}
    requests = admin.client.list_offsets(
        asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=connection.timeout_seconds
    )
    return {asked.partition: answer(admin, request).offset for asked, request in requests.items()}


def _follow(consumer: Consumer, reports: Reports, listed: Mapping[int, int]) -> dict[int, int]:
    ends = dict(listed)
    goals: dict[int, int] = {}
    deadline = time.monotonic() + reports.connection.timeout_seconds
    while open_partitions := [partition for partition in ends if ends[partition] < goals.get(partition, _UNKNOWN)]:
        # One event per partition is all an idle topic sends: asking for more would wait for it in vain.
        for message in consumer.consume(len(open_partitions), timeout=_POLL_SECONDS):
            _note(consumer, reports, message, ends, goals)
        reports.raise_refusal()
        if time.monotonic() > deadline:
            raise failure(reports, NO_ANSWER)
    return ends


def _note(consumer: Consumer, reports: Reports, message: Message, ends: dict[int, int], goals: dict[int, int]) -> None:
    error, (partition, offset) = message.error(), place(message)
    if error is None:
        ends[partition] = offset + 1
        if partition not in goals:
            # The end as this fetch saw it: a fixed goal, so that producers who keep writing cannot keep us here.
            _, high = consumer.get_watermark_offsets(TopicPartition(reports.connection.topic, partition), cached=True)
            goals[partition] = high if high >= 0 else _UNKNOWN
    elif error.code() == KafkaError._PARTITION_EOF:
        ends[partition] = goals[partition] = max(ends[partition], offset)
    elif error.code() not in TOLERATED_WHEN_READING:
        raise failure(reports, error)
