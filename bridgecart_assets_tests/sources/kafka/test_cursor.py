import pytest
from confluent_kafka import KafkaError, Message

from bridgecart_assets.sources.kafka.clients import Reports, position
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.cursor import Cursor
from bridgecart_assets.sources.kafka.errors import BrokerRefused, KafkaFailure, RecordsGone
from bridgecart_assets.sources.kafka.offsets import BatchPlan, OffsetRange

REPORTS = Reports(KafkaConnection("kafka:9092", "orders"))


def a_message(partition: int, offset: int, code: int | None = None) -> Message:
    """What a consumer hands out: a record, or an event when `code` is set."""
    error = None if code is None else KafkaError(code, "reason")
    return Message(topic="orders", partition=partition, offset=offset, error=error)


def cursor(*ranges: tuple[int, int]) -> Cursor:
    return Cursor(BatchPlan("b1", "orders", "id-1", {p: OffsetRange(*span) for p, span in enumerate(ranges)}))


def accepted(of: Cursor, *messages: Message) -> list[tuple[int, int]]:
    return [position(message) for message in of.accept(messages, REPORTS)]


def end_of_partition(offset: int, partition: int = 0) -> Message:
    return a_message(partition, offset, KafkaError._PARTITION_EOF)


def test_a_partition_is_read_when_its_last_offset_was_read() -> None:
    reading = cursor((3, 5))
    assert accepted(reading, a_message(0, 3)) == [(0, 3)]
    assert (reading.take_finished(), reading.remaining) == ([], 1)
    assert accepted(reading, a_message(0, 4)) == [(0, 4)]
    assert (reading.take_finished(), reading.unread) == ([0], set())


def test_a_later_record_ends_a_range_whose_last_offsets_are_gaps_and_is_not_part_of_it() -> None:
    reading = cursor((3, 5))
    assert accepted(reading, a_message(0, 3), a_message(0, 9)) == [(0, 3)]
    assert reading.take_finished() == [0]


@pytest.mark.parametrize(("offset", "finished"), [(4, []), (5, [0]), (9, [0])])
def test_the_end_of_the_partition_ends_a_range_only_behind_it(offset: int, finished: list[int]) -> None:
    reading = cursor((3, 5))
    assert accepted(reading, end_of_partition(offset)) == []
    assert reading.take_finished() == finished


def test_what_arrives_for_a_finished_partition_is_dropped() -> None:
    reading = cursor((0, 1), (0, 2))
    assert accepted(reading, a_message(0, 0), a_message(1, 0)) == [(0, 0), (1, 0)]
    assert reading.take_finished() == [0]
    assert accepted(reading, a_message(0, 1), a_message(1, 1), a_message(1, 2)) == [(1, 1)]
    assert reading.take_finished() == [1]


def test_an_empty_range_needs_no_reading() -> None:
    assert cursor((4, 4)).unread == set()


def test_an_interruption_moves_nothing_and_ends_nothing() -> None:
    reading = cursor((3, 5))
    assert accepted(reading, a_message(0, 0, KafkaError._TRANSPORT), a_message(0, 3)) == [(0, 3)]
    assert reading.next == {0: 4}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (KafkaError._AUTO_OFFSET_RESET, RecordsGone),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, BrokerRefused),
        (KafkaError._BAD_MSG, KafkaFailure),
    ],
)
def test_a_fatal_event_is_raised_as_what_it_is(code: int, kind: type[KafkaFailure]) -> None:
    with pytest.raises(kind):
        accepted(cursor((3, 5)), a_message(0, 3, code))
