"""Positions: what a topic holds at this moment, from the earliest offset retained to the end that can be read.

The end is taken from fetching, not from ListOffsets: the embedded broker lists the first offset of the last producer
batch plus one, but serves the whole batch. On Apache Kafka the second look is merely redundant.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import ConfigResource, OffsetSpec, ResourceType  # type: ignore[attr-defined]

from bridgecart_assets.sources.kafka.clients import (
    NO_ANSWER,
    TOLERATED_WHEN_READING,
    Admin,
    Reports,
    answer,
    failure,
    open_admin,
    open_consumer,
    patiently,
    position,
)
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.continuity import (
    NOTHING_KNOWN,
    KnownTopic,
    KnownTopics,
    LastRecord,
    last_records,
    retained,
    verify_cluster,
    verify_history,
)
from bridgecart_assets.sources.kafka.errors import BrokerRefused, ClusterUnsettled, TopicNotFound, TopicWithoutId
from bridgecart_assets.sources.kafka.offsets import OffsetRange, TopicState
from bridgecart_assets.sources.kafka.records import record_batch

_TOPICS_NAMED = 5
_POLL_SECONDS = 0.05
_UNKNOWN = 2**63
# A last record so many offsets before the end is read on the way to it.
_NEAR = 1_000
_TRIES = 3
_NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"


@dataclass(frozen=True)
class TopicIdentity:
    """Identity of a topic: the id it got when it was created, and its partitions."""

    topic_id: str
    partitions: list[int]


def topic_state(connection: KafkaConnection, known: KnownTopics = NOTHING_KNOWN) -> TopicState:
    """Identity, earliest offsets and readable ends of the topic, which still has what is `known` of it.

    Raises `BrokerUnreachable`, `BrokerRefused`, `TopicNotFound`, `TopicWithoutId`: a failed read is never an empty
    topic. Raises `HistoryRewritten` or `OtherCluster` when the topic is not the one that is known.
    """
    return patiently(connection, lambda: _topic_state(connection, known))


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
    return _look(connection, listed, {}).ends


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


def _topic_state(connection: KafkaConnection, known: KnownTopics) -> TopicState:
    with open_admin(connection) as admin:
        identity = _identify(admin)
        latest_of = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        # Asked in this order: what retention removes in between moves the start of a range, never past its end; and
        # what was there before, but cannot be read after, waits for a transaction.
        earliest = _listed(admin, identity.partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        highest = _listed(admin, identity.partitions, latest_of, IsolationLevel.READ_UNCOMMITTED)
        latest = _listed(admin, identity.partitions, latest_of)
        cluster = _cluster_id(admin)
    last = known.get(identity.topic_id, KnownTopic()).last_records
    look = _look(connection, latest, {p: r for p, r in last.items() if p in earliest and r.offset >= earliest[p]})
    ranges = {partition: OffsetRange(earliest[partition], look.ends[partition]) for partition in identity.partitions}
    pending = {p: high - look.ends[p] for p, high in highest.items() if high > look.ends[p]}
    state = TopicState(connection.topic, identity.topic_id, cluster, ranges, pending)
    verify_cluster(state, known)
    compare = retained(last, state)
    verify_history(state.topic, compare, look.found, is_compacted=lambda: _is_compacted(connection))
    return state


def _look(connection: KafkaConnection, listed: Mapping[int, int], last: Mapping[int, LastRecord]) -> "_Look":
    with open_consumer(connection, reads_on=False) as (consumer, reports):
        look = _Look(consumer, reports, dict(listed), last)
        look.take()
        return look


def _is_compacted(connection: KafkaConnection) -> bool:
    resource = ConfigResource(ResourceType.TOPIC, connection.topic)
    with open_admin(connection) as admin:
        request = admin.client.describe_configs([resource], request_timeout=connection.timeout_seconds)
        try:
            return "compact" in str(answer(admin, request[resource])["cleanup.policy"].value)
        except BrokerRefused:
            # Who may not ask is told of a rewritten history: that is not to be passed over.
            return False


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


def _listed(
    admin: Admin,
    partitions: list[int],
    which: OffsetSpec,
    isolation: IsolationLevel = IsolationLevel.READ_COMMITTED,
) -> dict[int, int]:
    connection = admin.reports.connection
    asked = {TopicPartition(connection.topic, partition): which for partition in partitions}
    # A part of the time-out: where a leader has just gone its successor is known only to the next who asks.
    seconds = connection.timeout_seconds / _TRIES
    requests = admin.client.list_offsets(asked, isolation_level=isolation, request_timeout=seconds)
    found = {asked.partition: answer(admin, request).offset for asked, request in requests.items()}
    if any(offset < 0 for offset in found.values()):
        # Said without any error of a partition whose leader did not answer in time.
        raise ClusterUnsettled(f"the leader of a partition of topic {connection.topic!r} is silent; try again")
    return found


@dataclass
class _Look:
    """Result of fetching: per partition its end, and what is served from the last record on that was read."""

    consumer: Consumer
    reports: Reports
    ends: dict[int, int]
    last: Mapping[int, LastRecord]
    goals: dict[int, int] = field(default_factory=dict)
    begun: dict[int, int] = field(default_factory=dict)
    reached: dict[int, int] = field(default_factory=dict)
    served: dict[int, Message | None] = field(default_factory=dict)

    @property
    def found(self) -> dict[int, LastRecord | None]:
        """Records to be compared with the last ones that were read."""
        records = last_records(record_batch([message for message in self.served.values() if message is not None]))
        return {partition: records.get(partition) for partition in self.served}

    def take(self) -> None:
        """Look at both, in one go where the last record that was read is near the end."""
        begin = {partition: self._begin(partition) for partition in self.ends}
        self._fetch(begin, lambda partition: self.ends[partition] < self.goals.get(partition, _UNKNOWN))
        far = {p: record.offset for p, record in self.last.items() if begin[p] > record.offset}
        self._fetch(far, lambda partition: partition not in self.served)

    def _begin(self, partition: int) -> int:
        listed = self.ends[partition]
        last = self.last.get(partition)
        return last.offset if last is not None and 0 < listed - last.offset <= _NEAR else listed

    def _fetch(self, offsets: Mapping[int, int], is_open: Callable[[int], bool]) -> None:
        if not offsets:
            return
        self.begun |= offsets
        self.reached |= offsets
        topic = self.reports.connection.topic
        self.consumer.assign([TopicPartition(topic, partition, offset) for partition, offset in offsets.items()])
        deadline = time.monotonic() + self.reports.connection.timeout_seconds
        while unanswered := [partition for partition in offsets if is_open(partition)]:
            for message in self.consumer.consume(sum(map(self._awaited, unanswered)), timeout=_POLL_SECONDS):
                self._note(message)
            self.reports.raise_refusal()
            if time.monotonic() > deadline:
                raise failure(self.reports, NO_ANSWER)

    def _awaited(self, partition: int) -> int:
        """Number of events to ask for, of which none is waited for in vain.

        An idle topic sends one. Of offsets up to the end some are no records.
        """
        ahead = self.goals.get(partition, self.ends[partition]) - self.reached[partition]
        return max(1, min(ahead, _NEAR) // 2)

    def _note(self, message: Message) -> None:
        error, (partition, offset) = message.error(), position(message)
        if error is None:
            self._note_record(message, partition, offset)
        elif error.code() == KafkaError._PARTITION_EOF:
            self.ends[partition] = self.goals[partition] = max(self.ends[partition], offset)
            self._note_served(partition, None)
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            # Retention was faster than this look.
            raise ClusterUnsettled(f"topic {message.topic()!r} was shortened while it was looked at; try again")
        elif error.code() not in TOLERATED_WHEN_READING:
            raise failure(self.reports, error)

    def _note_record(self, message: Message, partition: int, offset: int) -> None:
        self.reached[partition] = offset + 1
        self.ends[partition] = max(self.ends[partition], offset + 1)
        if partition not in self.goals:
            # The end as this fetch saw it: a fixed goal, so that producers who keep writing cannot keep us here.
            place_of = TopicPartition(self.reports.connection.topic, partition)
            _, high = self.consumer.get_watermark_offsets(place_of, cached=True)
            self.goals[partition] = high if high >= 0 else _UNKNOWN
        if partition in self.last and offset >= self.last[partition].offset:
            self._note_served(partition, message)

    def _note_served(self, partition: int, message: Message | None) -> None:
        if partition in self.last and self.begun[partition] <= self.last[partition].offset:
            self.served.setdefault(partition, message)
