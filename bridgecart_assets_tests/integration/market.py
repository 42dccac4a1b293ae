"""A market: a topic with a whole history in it, and the tables that one undisturbed run makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.positions import topic_id
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.faults import Faults, warehouse_in
from bridgecart_assets_tests.integration.killable import Killer
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.support.state import digests, rows


@dataclass(frozen=True)
class Market:
    """A sold-out shop, the undisturbed tables, and how many moments the undisturbed run has."""

    shop: Shop
    topic_id: str
    tables: Mapping[str, str]
    moments: int

    @property
    def settings(self) -> dict[str, str]:
        """The settings that name the topic."""
        return settings_for(self.shop.connection)

    def configure(self, patch: pytest.MonkeyPatch) -> None:
        """The settings of this test name the topic."""
        for name, value in self.settings.items():
            patch.setenv(name, value)

    def settle(self, faults: Faults, fault: str, injected: int, warehouse: Warehouse) -> None:
        """All is as if the faults had not been. Raises AssertionError."""
        faults.settle(
            fault,
            injected,
            warehouse=warehouse,
            topic_id=self.topic_id,
            produced=self.shop.sent,
            tables=self.tables,
        )


def settings_for(connection: KafkaConnection) -> dict[str, str]:
    """The settings that name a topic."""
    return {
        "BRIDGECART_KAFKA_BOOTSTRAP_SERVERS": connection.bootstrap_servers,
        "BRIDGECART_KAFKA_TOPIC": connection.topic,
        "BRIDGECART_KAFKA_TIMEOUT_SECONDS": "5",
    }


def open_market(shop: Shop, killer: Killer, elsewhere: Path, **settings: str) -> Market:
    """Sell the whole history, and let `bridgecart run` work undisturbed in a data directory of its own."""
    shop.sell_the_rest()
    named = {**settings_for(shop.connection), **settings}
    done = killer.run("run", BRIDGECART_DATA_DIR=str(elsewhere), **named)
    assert done.returncode == 0, done.stderr
    assert rows(warehouse_in(elsewhere), "select count(*) from raw.orders") == [(shop.sent,)]
    return Market(shop, topic_id(shop.connection), digests(warehouse_in(elsewhere)), done.moments)
