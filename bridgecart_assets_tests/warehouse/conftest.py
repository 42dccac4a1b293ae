"""A broker for the tests that write what a topic holds."""

from bridgecart_assets_tests.kafka.fixtures import broker, topic

__all__ = ["broker", "topic"]
