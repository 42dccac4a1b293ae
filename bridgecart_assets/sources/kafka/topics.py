"""Topics: creating the one a connection names."""

import time
from collections.abc import Mapping

from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

from bridgecart_assets.sources.kafka.clients import Admin, answer, open_admin
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.errors import BrokerRefused, TopicAlreadyExists, TopicNotFound
from bridgecart_assets.sources.kafka.positions import describe

_POLL_SECONDS = 0.05


def create_topic(connection: KafkaConnection, partitions: int, configs: Mapping[str, str] | None = None) -> bool:
    """Create the topic with the broker's default replication; wait until it can be seen.

    Returns whether it was created: an existing topic is left as it is. Raises `BrokerUnreachable`, `BrokerRefused`.
    """
    topic = NewTopic(connection.topic, num_partitions=partitions, config=dict(configs or {}))
    with open_admin(connection) as admin:
        request = admin.client.create_topics([topic], request_timeout=connection.timeout_seconds)
        try:
            answer(admin, request[connection.topic])
        except TopicAlreadyExists:
            return False
        except BrokerRefused:
            # Who may use a topic that is there need not be allowed to create it.
            if _is_there(admin):
                return False
            raise
        _wait_until_visible(admin)
    return True


def _is_there(admin: Admin) -> bool:
    try:
        describe(admin)
    except (BrokerRefused, TopicNotFound):
        return False
    return True


def _wait_until_visible(admin: Admin) -> None:
    deadline = time.monotonic() + admin.reports.connection.timeout_seconds
    while True:
        try:
            describe(admin)
            return
        except TopicNotFound:
            # A cluster of several brokers acknowledges a new topic before all of them know it.
            if time.monotonic() > deadline:
                raise
        time.sleep(_POLL_SECONDS)
