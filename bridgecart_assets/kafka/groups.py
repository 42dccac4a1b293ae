"""Consumer groups: offsets for the monitoring tools people already have. Never the truth, which is in the ledger."""

from collections.abc import Mapping

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

from bridgecart_assets.kafka.clients import answer, failure, open_admin
from bridgecart_assets.kafka.connection import KafkaConnection


def committed_offsets(connection: KafkaConnection, group: str) -> dict[int, int] | None:
    """The group's next offset per partition of the topic; None if it never committed. Raises `KafkaFailure`."""
    asked = [ConsumerGroupTopicPartitions(group)]
    with open_admin(connection) as admin:
        request = admin.client.list_consumer_group_offsets(asked, request_timeout=connection.timeout_seconds)
        found = answer(admin, request[group]).topic_partitions or []
    offsets = {
        entry.partition: entry.offset for entry in found if entry.topic == connection.topic and entry.offset >= 0
    }
    return dict(sorted(offsets.items())) or None


def commit_offsets(connection: KafkaConnection, group: str, ends: Mapping[int, int]) -> None:
    """Set the group's offsets to `ends`, the next offsets to read. Raises `KafkaFailure`, of which to warn."""
    positions = [TopicPartition(connection.topic, partition, offset) for partition, offset in sorted(ends.items())]
    asked = [ConsumerGroupTopicPartitions(group, positions)]
    with open_admin(connection) as admin:
        request = admin.client.alter_consumer_group_offsets(asked, request_timeout=connection.timeout_seconds)
        for entry in answer(admin, request[group]).topic_partitions:
            if entry.error is not None:
                raise failure(admin.reports, entry.error)
