"""How to reach Kafka: the settings of a connection, and client configurations made from them.

Values of client properties may be secrets: they appear in no repr, log line or message.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_PUBLIC_PROPERTIES = frozenset({"security.protocol", "sasl.mechanism", "sasl.mechanisms", "client.id"})


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
    quiet = {"log_level": 0, "client.id": "bridgecart"}
    return {
        **quiet,
        **defaults,
        **connection.properties,
        **required,
        "bootstrap.servers": connection.bootstrap_servers,
    }


def redact(connection: KafkaConnection, text: str) -> str:
    """`text` on one line, with the values of client properties replaced by `***`."""
    hidden = [value for name, value in connection.properties.items() if name not in _PUBLIC_PROPERTIES]
    for value in sorted((value for value in hidden if len(value) > 2), key=len, reverse=True):
        text = text.replace(value, "***")
    return " ".join(text.split())
