"""What a topic holds, read as the pipeline reads it."""

from bridgecart_assets.kafka.connection import KafkaConnection
from bridgecart_assets.kafka.offsets import plan_batch
from bridgecart_assets.kafka.positions import topic_state
from bridgecart_assets.kafka.reading import read_slice


def records_of(connection: KafkaConnection) -> list[dict[str, object]]:
    """All records that the topic serves now."""
    plan = plan_batch(batch_key="b", committed={}, state=topic_state(connection), max_records=10**9)
    return [row for chunk in read_slice(connection, plan) for row in chunk.to_pylist()]
