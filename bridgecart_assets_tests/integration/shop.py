"""A shop: a world's events, sent to a topic in portions."""

import functools
from collections.abc import Sequence

from bridgecart_assets.sources.kafka.clients import answer, open_admin
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets.synthetic import Event, WorldConfig, simulate


@functools.cache
def history(orders: int) -> Sequence[Event]:
    """All events of a world with this many purchases: orders, refunds, duplicates, malformed records."""
    return tuple(event for batch in simulate(WorldConfig(orders=orders)).history() for event in batch)


class Shop:
    """Sends the history of one world, as much of it as a test asks for at a time."""

    def __init__(self, connection: KafkaConnection, orders: int = 2_000) -> None:
        self.connection = connection
        self.events = history(orders)
        self.sent = 0

    def sell(self, events: int) -> None:
        """Send the next events of the history."""
        portion = self.events[self.sent : self.sent + events]
        assert len(portion) == events
        self.sent += produce(self.connection, portion)

    def sell_the_rest(self) -> None:
        """Send all that is left of the history."""
        self.sell(len(self.events) - self.sent)

    def close(self) -> None:
        """Delete the topic."""
        with open_admin(self.connection) as admin:
            topics = [self.connection.topic]
            answer(admin, admin.client.delete_topics(topics, request_timeout=5)[self.connection.topic])

    def reopen(self) -> None:
        """Delete the topic and create it again: another incarnation, empty."""
        self.close()
        assert create_topic(self.connection, 3)
