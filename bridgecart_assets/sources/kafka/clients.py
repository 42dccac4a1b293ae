"""Kafka clients: opening them, waiting for their answers, and putting their errors into one line.

Every wait has a deadline. What librdkafka reports in the background is logged at DEBUG and printed nowhere.
"""

import concurrent.futures
import json
import logging
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, ThrottleEvent
from confluent_kafka.admin import AdminClient

from bridgecart_assets.sources.kafka.connection import KafkaConnection, client_config, redact
from bridgecart_assets.sources.kafka.error_hints import is_refusal, not_a_text, remedy, silence_remedy, unusable
from bridgecart_assets.sources.kafka.errors import (
    BrokerRefused,
    BrokerUnreachable,
    ClusterUnsettled,
    InvalidClientProperty,
    KafkaFailure,
    TopicAlreadyExists,
    TopicNotFound,
)

logger = logging.getLogger(__name__)

T = TypeVar("T")

INTERRUPTIONS = frozenset(
    {
        KafkaError._TRANSPORT,
        KafkaError._TIMED_OUT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._RESOLVE,
    }
)
# Said for a moment while a topic is new, or a node came or went.
ELECTIONS = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.KAFKA_STORAGE_ERROR,
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    }
)
# A reader joins no group: being denied one stops nothing. Interruptions heal, or the reader's deadline ends them.
TOLERATED_WHEN_READING = INTERRUPTIONS | {KafkaError.GROUP_AUTHORIZATION_FAILED}
NO_ANSWER = KafkaError(KafkaError._TIMED_OUT, "no response")
_POLL_SECONDS = 0.1
_NODES_SECONDS = 3.0
_READING_ON = {"fetch.message.max.bytes": 2 * 1024 * 1024, "queued.max.messages.kbytes": 32 * 1024}
# Without it a look at one record of a full topic fetches, and unpacks, megabytes of those behind it.
_LOOKING = {"fetch.message.max.bytes": 256 * 1024, "queued.max.messages.kbytes": 256, "queued.min.messages": 1}


@dataclass
class Reports:
    """Reports of a client's background threads: the last interruption, any refusal, the longest throttling."""

    connection: KafkaConnection
    refusal: KafkaError | None = None
    last: KafkaError | None = None
    throttled_seconds: float = 0.0

    def __call__(self, error: KafkaError) -> None:
        """Note and log one report."""
        logger.debug("%s", redact(self.connection, error.str()))
        if is_refusal(error) and error.code() != KafkaError.GROUP_AUTHORIZATION_FAILED:
            self.refusal = error
        elif error.code() != KafkaError._ALL_BROKERS_DOWN:
            # "1/1 brokers are down" only follows the report that says why.
            self.last = error

    @property
    def callbacks(self) -> dict[str, Any]:
        """The part of a client's configuration that has it report here."""
        return {"error_cb": self, "throttle_cb": self.note_throttling}

    def note_throttling(self, event: ThrottleEvent) -> None:
        """Note for how long a broker holds its answers back."""
        self.throttled_seconds = max(self.throttled_seconds, event.throttle_time)

    def raise_refusal(self) -> None:
        """Raise `BrokerRefused` if a broker refused this client: waiting longer does not help then."""
        if self.refusal is not None:
            raise failure(self, self.refusal)


@dataclass(frozen=True)
class Admin:
    """An admin client and what its background threads reported."""

    client: AdminClient
    reports: Reports = field(repr=False)


@contextmanager
def open_admin(connection: KafkaConnection) -> Iterator[Admin]:
    """A client that asks about topics and groups; it connects on first use. Raises `InvalidClientProperty`."""
    reports = Reports(connection)
    # A request waits for the node that was the controller when the client started. Killed, it is replaced within
    # seconds; by default the client would learn of it after minutes.
    defaults = {"topic.metadata.refresh.interval.ms": 2_000}
    config = client_config(connection, defaults=defaults, required=reports.callbacks)
    # Destroyed here and in this thread. Left to the garbage collector, a client whose request failed late can be
    # collected in its own callback thread, and librdkafka aborts the process for that.
    with _construct(AdminClient, connection, config) as client:
        yield Admin(client, reports)


@contextmanager
def open_consumer(
    connection: KafkaConnection,
    group: str | None = None,
    *,
    isolation: str = "read_committed",
    reads_on: bool = True,
) -> Iterator[tuple[Consumer, Reports]]:
    """A consumer for `assign()`: it joins no group, commits nothing and never jumps to another offset.

    `group` is the one whose offsets it may ask for, `isolation` whether it is served what is not committed; unless it
    `reads_on`, little is fetched ahead.
    """
    reports = Reports(connection)
    defaults = {
        # By default a fast reader idles up to a second each time it had filled the prefetch queue.
        "fetch.queue.backoff.ms": 2,
        "fetch.wait.max.ms": 10,
        **(_READING_ON if reads_on else _LOOKING),
    }
    required = {
        **reports.callbacks,
        "group.id": group or f"bridgecart-read-{uuid.uuid4().hex}",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
        "isolation.level": isolation,
        "check.crcs": True,
    }
    config = client_config(connection, defaults=defaults, required=required)
    consumer: Consumer = _construct(Consumer, connection, config)
    try:
        yield consumer, reports
    finally:
        consumer.close()


def open_producer(
    connection: KafkaConnection, *, defaults: Mapping[str, Any], required: Mapping[str, Any]
) -> tuple[Producer, Reports]:
    """A producer; `client_config` says which settings win. Raises `InvalidClientProperty`."""
    reports = Reports(connection)
    config = client_config(connection, defaults=defaults, required={**required, **reports.callbacks})
    return _construct(Producer, connection, config), reports


def answer(admin: Admin, future: "concurrent.futures.Future[T]") -> T:
    """The result of an admin request, within the connection's time-out; its error as a `KafkaFailure`."""
    deadline = time.monotonic() + admin.reports.connection.timeout_seconds
    while not concurrent.futures.wait([future], timeout=_POLL_SECONDS).done:
        admin.client.poll(0)
        admin.reports.raise_refusal()
        if time.monotonic() > deadline:
            raise failure(admin.reports, NO_ANSWER, _silent_node(admin, NO_ANSWER))
    try:
        return future.result()
    except KafkaException as error:
        admin.client.poll(0)
        # Without the cause, here and elsewhere: librdkafka's own text may quote secrets.
        raise failure(admin.reports, error.args[0], _silent_node(admin, error.args[0])) from None


def _silent_node(admin: Admin, error: KafkaError) -> str | None:
    """A node that is named by the cluster and not by the settings, if the cluster answers but no reason was reported.

    A connection that is accepted and never answered is not reported. Written as librdkafka writes it.
    """
    connection, reports = admin.reports.connection, admin.reports
    is_explained = reports.last is not None or reports.refusal is not None or reports.throttled_seconds > 0
    if error.code() not in INTERRUPTIONS or is_explained:
        return None
    given = connection.bootstrap_servers.split(",")
    named = _named_nodes(connection)
    return next((f"{named[node]}/{node}: no connection" for node in sorted(named) if named[node] not in given), None)


def _named_nodes(connection: KafkaConnection) -> dict[int, str]:
    """The addresses of the nodes, by their numbers, that the cluster names to a client that has just been started.

    Taken from the client's statistics. To ask for them is a race: once a client knows the nodes, it gives up the
    addresses of the settings, and its next question goes to a node that may not answer.
    """
    found: dict[int, str] = {}

    def note(statistics: str) -> None:
        brokers = json.loads(statistics)["brokers"].values()
        found.update({broker["nodeid"]: broker["nodename"] for broker in brokers if broker["source"] == "learned"})

    config = client_config(connection, defaults={}, required={"statistics.interval.ms": 100, "stats_cb": note})
    deadline = time.monotonic() + min(_NODES_SECONDS, connection.timeout_seconds)
    with _construct(AdminClient, connection, config) as client:
        while not found and time.monotonic() < deadline:
            client.poll(_POLL_SECONDS)
    return found


def patiently(connection: KafkaConnection, ask: Callable[[], T]) -> T:
    """The answer of `ask`, repeated while the cluster elects leaders, as long as the connection's time-out."""
    deadline = time.monotonic() + connection.timeout_seconds
    while True:
        try:
            return ask()
        except ClusterUnsettled:
            if time.monotonic() > deadline:
                raise
        time.sleep(_POLL_SECONDS)


def failure(reports: Reports, error: KafkaError, silence: str | None = None) -> KafkaFailure:
    """The exception to raise for an error of a client: its class says the remedy's kind, its text the remedy.

    `silence` says why nobody answers, where the client itself did not report it.
    """
    connection = reports.connection
    where = f"Kafka at {connection.bootstrap_servers}"
    error = reports.refusal or error
    if is_refusal(error):
        reason = redact(connection, error.str())
        return BrokerRefused(f"{where} refused this client ({reason}); {remedy(error, connection.topic)}")
    if error.code() in INTERRUPTIONS:
        reason = redact(connection, silence or (reports.last or error).str().partition(" (after ")[0])
        cure = silence_remedy(connection.bootstrap_servers, reason, reports.throttled_seconds)
        return BrokerUnreachable(f"no answer from {where} within {connection.timeout_seconds:g} s ({reason}); {cure}")
    if error.code() in ELECTIONS:
        return ClusterUnsettled(f"{where} is electing a leader ({error.name()}); try again in a moment")
    if error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC):
        return TopicNotFound(f"{where} has no topic {connection.topic!r}; create it or correct the topic's name")
    if error.code() == KafkaError.TOPIC_ALREADY_EXISTS:
        return TopicAlreadyExists(f"{where} already has a topic {connection.topic!r}")
    return KafkaFailure(f"{where} answered {error.name()}: {redact(connection, error.str())}")


def position(message: Message) -> tuple[int, int]:
    """Partition and offset of a message that came from a broker (the type allows for those that did not)."""
    return cast(tuple[int, int], (message.partition(), message.offset()))


def _construct(client: Callable[[dict[str, Any]], T], connection: KafkaConnection, config: dict[str, Any]) -> T:
    text = not_a_text(connection.properties)
    try:
        if text is None:
            return client(config)
    except KafkaException as error:
        text = error.args[0].str()
    except (TypeError, ValueError) as error:
        # So it says that a property should be a callback.
        text = str(error)
    # Raised outside of the handlers: what is chained to an exception is shown, and librdkafka quotes values.
    raise InvalidClientProperty(unusable(connection.properties, text))
