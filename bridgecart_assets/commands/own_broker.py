"""A broker of our own for a command that nobody configured one for."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridgecart_assets.sources.kafka.embedded import EmbeddedBroker

BOOTSTRAP_VARIABLE = "BRIDGECART_KAFKA_BOOTSTRAP_SERVERS"


@contextmanager
def own_broker(log_file: Path) -> Iterator[EmbeddedBroker]:
    """An embedded broker, which the settings name while the `with` block lasts. Raises EmbeddedBrokerFailed."""
    before = os.environ.get(BOOTSTRAP_VARIABLE)
    with EmbeddedBroker(log_file=log_file) as broker:
        os.environ[BOOTSTRAP_VARIABLE] = broker.bootstrap_servers
        try:
            yield broker
        finally:
            if before is None:
                del os.environ[BOOTSTRAP_VARIABLE]
            else:
                os.environ[BOOTSTRAP_VARIABLE] = before
