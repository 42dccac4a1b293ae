"""A broker behind a proxy: its line can be cut, and it can be killed and come back, always at the same address."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.embedded import EmbeddedBroker
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.sources.kafka.apache import ApacheKafka
from bridgecart_assets_tests.sources.kafka.proxy import Proxy

ORDERS = 1_500
# What a client gets while it looks at a topic is less, all records of the topic are more.
MID_READ_BYTES = 200_000
_PORTION = 100


@dataclass(frozen=True)
class Line:
    """A broker and the proxy in front of it."""

    proxy: Proxy
    broker: EmbeddedBroker | ApacheKafka

    @property
    def keeps_records(self) -> bool:
        """Whether the broker has its records again after a kill."""
        return isinstance(self.broker, ApacheKafka)

    def kill(self) -> None:
        """`kill -9` the broker."""
        if isinstance(self.broker, ApacheKafka):
            self.broker.kill_node(1)
        else:
            self.broker.stop()
        self.proxy.reset()

    def come_back(self) -> None:
        """Start the broker again, with its records if it keeps them."""
        if isinstance(self.broker, ApacheKafka):
            self.broker.start_node(1)
        else:
            self.broker.start()

    def open_shop(self, topic: str | None = None) -> Shop:
        """A new topic with a whole history in it."""
        shop = self.open_empty_shop(topic)
        self.sell_out(shop)
        return shop

    def open_empty_shop(self, topic: str | None = None) -> Shop:
        """A new topic, whose records will not be compressed."""
        plain = {"compression.type": "none"}
        connection = KafkaConnection(self.proxy.address, topic or f"orders-{uuid.uuid4().hex[:12]}", plain)
        create_topic(connection, 3)
        return Shop(connection, ORDERS)

    def sell_out(self, shop: Shop) -> None:
        """Send the whole history, in small portions: no look at the topic is large."""
        while shop.sent < len(shop.events):
            shop.sell(min(_PORTION, len(shop.events) - shop.sent))


@contextmanager
def line_to(kind: str, folder: Path) -> Iterator[Line]:
    """A new broker of this kind behind a proxy, both gone at the end."""
    with Proxy() as proxy:
        broker: EmbeddedBroker | ApacheKafka = (
            ApacheKafka(folder, properties={"advertised.listeners": f"PLAINTEXT://{proxy.address}"})
            if kind == "apache"
            else EmbeddedBroker(advertised=proxy.address)
        )
        proxy.forward_to(lambda: broker.bootstrap_servers)
        with broker:
            yield Line(proxy, broker)
