"""The programs of the real Apache Kafka: jars from Maven, once per machine and version."""

import functools
from pathlib import Path

from bridgecart_assets_tests.support.maven import LIBS, fetched

KAFKA_VERSION = "4.1.0"

_POM = Path(__file__).with_name("apache_kafka.pom.xml")


@functools.cache
def class_path() -> str:
    """Kafka's jars, fetched on first use; where that is not possible the test is skipped or fails."""
    return str(fetched(f"kafka-{KAFKA_VERSION}", _POM, {"kafka.version": KAFKA_VERSION}) / LIBS / "*")
