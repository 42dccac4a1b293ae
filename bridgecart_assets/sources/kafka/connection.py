"""The connection to Kafka: its settings, and client configurations made from them.

Values of client properties may be secrets: they appear in no repr, log line or message.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bridgecart_assets.sources.kafka.redaction import without_secrets


@dataclass(frozen=True)
class KafkaConnection:
    """One topic of one cluster, and the client properties (SASL, TLS, ...) that are passed through.

    `timeout_seconds` bounds every request.
    """

    bootstrap_servers: str
    topic: str
    properties: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    timeout_seconds: float = 10.0


def client_config(
    connection: KafkaConnection, *, defaults: Mapping[str, Any], required: Mapping[str, Any]
) -> dict[str, Any]:
    """A librdkafka configuration: the caller's properties win over `defaults`, `required` wins over both."""
    # librdkafka logs to stderr by itself; what it has to say arrives through error_cb as well.
    quiet: dict[str, Any] = {"log_level": 0, "client.id": "bridgecart"}
    # An address where nobody answers is reported before the request's own time is over.
    quiet["socket.connection.setup.timeout.ms"] = max(1_000, int(connection.timeout_seconds * 500))
    return {
        **quiet,
        **defaults,
        **connection.properties,
        **required,
        "bootstrap.servers": connection.bootstrap_servers,
    }


def redact(connection: KafkaConnection, text: str) -> str:
    """`text` on one line, with the values of the connection's properties replaced by `***`."""
    return without_secrets(connection.properties, text)
