"""What a topic holds: read as the pipeline reads it, or removed as retention does."""

from collections.abc import Mapping

from confluent_kafka import TopicPartition

from bridgecart_assets.sources.kafka.clients import answer, open_admin
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.offsets import plan_batch
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.sources.kafka.reading import read_slice


def records_of(connection: KafkaConnection) -> list[dict[str, object]]:
    """All records that the topic serves now."""
    plan = plan_batch(batch_key="b", committed={}, state=topic_state(connection), max_records=10**9)
    return [row for chunk in read_slice(connection, plan) for row in chunk.to_pylist()]


def delete_records(connection: KafkaConnection, *, before: Mapping[int, int]) -> None:
    """Have the topic begin at these offsets, per partition. The embedded broker cannot do it."""
    places = [TopicPartition(connection.topic, partition, offset) for partition, offset in before.items()]
    with open_admin(connection) as admin:
        for request in admin.client.delete_records(places).values():
            answer(admin, request)
