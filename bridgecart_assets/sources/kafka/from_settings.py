"""The connection that the settings ask for."""

from bridgecart_assets.base.settings import Settings, SettingsError
from bridgecart_assets.sources.kafka.address import announced_broker
from bridgecart_assets.sources.kafka.connection import KafkaConnection


class NoBroker(SettingsError):
    """No broker is configured, and no `bridgecart up` runs one."""


def kafka_connection(settings: Settings) -> KafkaConnection:
    """The broker that is configured, or the embedded one that a `bridgecart up` on this data directory runs.

    Raises NoBroker when there is neither.
    """
    servers = settings.kafka_bootstrap_servers or announced_broker(settings.data_dir)
    if servers is None:
        raise NoBroker(
            "No broker: set BRIDGECART_KAFKA_BOOTSTRAP_SERVERS, or start `bridgecart up`, which brings its own."
        )
    return KafkaConnection(
        bootstrap_servers=servers,
        topic=settings.kafka_topic,
        properties={name: value.get_secret_value() for name, value in settings.kafka_properties.items()},
        timeout_seconds=settings.kafka_timeout_seconds,
    )
