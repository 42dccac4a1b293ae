"""Consumer groups: offsets for the monitoring tools people already have. Never the truth, which is in the ledger."""

from collections.abc import Mapping

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition

from bridgecart_assets.sources.kafka.clients import answer, failure, open_admin, open_consumer, patiently
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.positions import describe


def committed_offsets(connection: KafkaConnection, group: str) -> dict[int, int] | None:
    """The group's next offset per partition of the topic; None if it never committed. Raises `KafkaFailure`."""
    with open_admin(connection) as admin:
        partitions = describe(admin).partitions
    found = patiently(connection, lambda: _committed(connection, group, partitions))
    return {entry.partition: entry.offset for entry in found if entry.offset >= 0} or None


def commit_offsets(connection: KafkaConnection, group: str, ends: Mapping[int, int]) -> None:
    """Set the group's offsets to `ends`, the next offsets to read. Raises `KafkaFailure`, of which to warn."""
    patiently(connection, lambda: _commit(connection, group, ends))


def _committed(connection: KafkaConnection, group: str, partitions: list[int]) -> list[TopicPartition]:
    asked = [TopicPartition(connection.topic, partition) for partition in partitions]
    # Asked by a consumer: an admin client takes the process down when the group's coordinator is just being elected
    # (librdkafka issue 5040).
    with open_consumer(connection, group) as (consumer, reports):
        try:
            return consumer.committed(asked, timeout=connection.timeout_seconds)
        except KafkaException as error:
            # That the group is denied comes as an event only; the request itself runs into its time-out.
            event = consumer.poll(0)
            raise failure(reports, (event and event.error()) or error.args[0]) from None


def _commit(connection: KafkaConnection, group: str, ends: Mapping[int, int]) -> None:
    positions = [TopicPartition(connection.topic, partition, offset) for partition, offset in sorted(ends.items())]
    asked = [ConsumerGroupTopicPartitions(group, positions)]
    with open_admin(connection) as admin:
        request = admin.client.alter_consumer_group_offsets(asked, request_timeout=connection.timeout_seconds)
        for entry in answer(admin, request[group]).topic_partitions:
            if entry.error is not None:
                raise failure(admin.reports, entry.error)
