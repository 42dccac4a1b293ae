from itertools import pairwise

import pytest
from confluent_kafka import KafkaError, Message
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.sources.kafka.clients import Reports
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.cursor import Cursor
from bridgecart_assets.sources.kafka.errors import BrokerRefused, KafkaFailure, RecordsGone
from bridgecart_assets.sources.kafka.offsets import BatchPlan, OffsetRange
from bridgecart_assets_tests.support.examples import examples

REPORTS = Reports(KafkaConnection("kafka:9092", "orders"))


def a_message(partition: int, offset: int, code: int | None = None) -> Message:
    """What a consumer hands out: a record, or an event when `code` is set."""
    error = None if code is None else KafkaError(code, "reason")
    return Message(topic="orders", partition=partition, offset=offset, error=error)


def cursor(*ranges: tuple[int, int]) -> Cursor:
    return Cursor(BatchPlan("b1", "orders", "id-1", {p: OffsetRange(*span) for p, span in enumerate(ranges)}))


def accepted(of: Cursor, *messages: Message) -> list[tuple[int, int]]:
    return [(row["partition"], row["offset"]) for row in of.accept(messages, REPORTS).to_pylist()]


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


_steps = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), st.none() | st.binary(max_size=3)), max_size=40)


@examples(100)
@given(steps=_steps, cuts=st.lists(st.integers(0, 40), max_size=5))
def test_however_records_are_polled_those_of_the_plan_come_out_as_they_are_in_their_order(
    steps: list[tuple[int, int, bytes | None]], cuts: list[int]
) -> None:
    spans, reached, served = [(0, 12), (0, 0), (0, 30)], [-1, -1, -1], []
    for partition, step, value in steps:
        reached[partition] += step
        served.append((partition, reached[partition], value))
    reading = cursor(*spans)
    found = [
        row
        for start, end in pairwise([0, *sorted(cuts), len(served)])
        for row in reading.accept([Message("orders", p, o, value=value) for p, o, value in served[start:end]], REPORTS)
        .select(["partition", "offset", "payload"])
        .to_pylist()
    ]
    expected = [one for one in served if one[1] < spans[one[0]][1]]
    assert [(row["partition"], row["offset"], row["payload"]) for row in found] == expected
    assert reading.next == {p: max(0, min(reached[p] + 1, end)) for p, (_, end) in enumerate(spans)}
