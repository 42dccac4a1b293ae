"""Made-up orders into a topic: the history of a world, then its live orders."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime

from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets.synthetic import World

PARTITIONS = 3
# Event times lie in the past: a topic that deletes by age would delete them at once.
TOPIC_CONFIG = {"retention.ms": "-1"}
TICK_SECONDS = 0.2

Report = Callable[[int], None]
Record = tuple[bytes | None, bytes | None, int]


def send_history(connection: KafkaConnection, world: World, report: Report) -> int:
    """Create the topic if needed and send all of the world's history; `report` gets the running count."""
    create_topic(connection, PARTITIONS, TOPIC_CONFIG)
    return produce(connection, _counted(world, report))


def send_live(connection: KafkaConnection, world: World, *, after: datetime, per_second: float, report: Report) -> int:
    """Send the world's live orders that arrive later than `after`, at a steady rate, to the world's horizon."""
    create_topic(connection, PARTITIONS, TOPIC_CONFIG)
    sent = 0
    started = time.monotonic()
    waiting: list[Record] = []
    for batch in world.live(after):
        for event in batch:
            waiting.append(event)
            if sent + len(waiting) < per_second * (time.monotonic() - started):
                continue
            sent += produce(connection, waiting)
            waiting = []
            report(sent)
            _sleep_until(started + (sent + per_second * TICK_SECONDS) / per_second)
    return sent + produce(connection, waiting)


def _counted(world: World, report: Report) -> Iterator[Record]:
    sent = 0
    for batch in world.history():
        yield from batch
        sent += len(batch)
        report(sent)


def _sleep_until(instant: float) -> None:
    time.sleep(max(0.0, instant - time.monotonic()))
