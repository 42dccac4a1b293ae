"""The broker and topics of these tests."""

from bridgecart_assets_tests.kafka.fixtures import broker, topic

__all__ = ["broker", "topic"]
