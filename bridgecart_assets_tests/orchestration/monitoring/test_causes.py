"""Whatever begins and ends, it is told once when it begins and once when it is over."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.orchestration.monitoring.causes import (
    LONGEST_PAUSE,
    MOST_WAITING,
    Book,
    Cause,
    batch_causes,
    check_causes,
    daemon_causes,
    data_causes,
    is_due,
    noted,
    refused,
    sensor_causes,
    taken,
)
from bridgecart_assets.orchestration.run_health import DaemonState, SensorState, WaitingBatch

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
WATCHES = ("run", "check", "batch")
KEYS = [f"{watch}/{number}" for watch in WATCHES for number in (1, 2)]
# Per watch which of its causes there are, or None: it cannot look.
LOOKS = st.fixed_dictionaries({watch: st.one_of(st.none(), st.sets(st.sampled_from([1, 2]))) for watch in WATCHES})


def cause(key: str) -> Cause:
    return Cause(key, f"begun {key}", f"ended {key}")


@given(st.lists(LOOKS, max_size=30), st.lists(st.booleans(), max_size=30))
def test_every_cause_is_told_once_when_it_begins_and_once_when_it_is_over(
    looks: list[dict[str, set[int] | None]], answers: list[bool]
):
    book, heard = Book(), []
    lasting: set[str] = set()
    expected: list[str] = []
    reachable = iter(answers)
    for minute, look in enumerate(looks):
        now = NOW + timedelta(minutes=20 * minute)
        seen = {w: None if n is None else [cause(f"{w}/{i}") for i in sorted(n)] for w, n in look.items()}
        book = noted(book, seen, now)
        # The oracle knows nothing of books: by watch that could look, what is new and what is gone.
        for watch, numbers in look.items():
            if numbers is not None:
                is_now = {f"{watch}/{number}" for number in numbers}
                was = {key for key in lasting if key.startswith(f"{watch}/")}
                expected += [f"begun {key}" for key in is_now - was] + [f"Over: ended {key}" for key in was - is_now]
                lasting = (lasting - was) | is_now
        while is_due(book, now):
            if not next(reachable, True):
                book = refused(book, now)
                break
            heard.append(book.outbox[0])
            book = taken(book)
    said = [message.split(" UTC. ")[1] for message in (*heard, *book.outbox)]
    assert Counter(said) == Counter(expected)
    for key in KEYS:
        of_key = [words.startswith("begun") for words in said if words.endswith(key)]
        # Told in turns: begun, over, begun, ...
        assert of_key == [turn % 2 == 0 for turn in range(len(of_key))]


def test_who_could_not_look_ends_nothing():
    book = noted(Book(), {"batch": [cause("batch/1")], "run": [cause("run/1")]}, NOW)
    assert noted(book, {"batch": None}, NOW).told == book.told
    assert set(noted(book, {"batch": None, "run": []}, NOW).told) == {"batch/1"}


def test_a_webhook_that_does_not_answer_is_tried_again_later_and_later_but_not_too_late():
    book, now, pauses = noted(Book(), {"run": [cause("run/1")]}, NOW), NOW, []
    for _ in range(12):
        assert is_due(book, now)
        book = refused(book, now)
        assert book.retry_at is not None
        pauses.append(book.retry_at - now)
        assert not is_due(book, now + pauses[-1] / 2)
        now += pauses[-1]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (timedelta(seconds=20), LONGEST_PAUSE)
    # A clock that was set back by a year.
    assert is_due(book, now - timedelta(days=365))


def test_what_waits_is_bounded_and_the_newest_stays():
    book = Book()
    for number in range(MOST_WAITING + 5):
        book = noted(book, {"run": [cause(f"run/{number}")]}, NOW)
    assert len(book.outbox) == MOST_WAITING
    assert book.outbox[-1].endswith(f"begun run/{MOST_WAITING + 4}")


STUCK = WaitingBatch("20260301T115600Z", 5, True, NOW, "no answer from Kafka.")
CHECK = {"severity": "ERROR", "asset": "silver/orders", "check": "silver_orders_are_unique", "says": "3 row(s)."}


@pytest.mark.parametrize(
    ("causes", "key", "words"),
    [
        (sensor_causes(SensorState(False, NOW), is_stuck=False), "sensor/off", "off since 2026-03-01 12:00 UTC"),
        (
            sensor_causes(SensorState(failing="Records are gone."), is_stuck=False),
            "sensor/failing",
            "Records are gone.",
        ),
        (daemon_causes(DaemonState(False, NOW)), "daemon/silent", "last heard at 2026-03-01 12:00 UTC"),
        (batch_causes(STUCK), f"batch/{STUCK.key}", "failed 5 times, and nothing after it is read: no answer from"),
        (check_causes([CHECK]), "check/silver/orders/silver_orders_are_unique", "failed: 3 row(s)."),
        (data_causes(NOW - timedelta(hours=25), 24, NOW), "data/none", "more than 24 hours"),
    ],
)
def test_a_cause_says_what_and_since_when_or_what_to_do(causes: list[Cause], key: str, words: str):
    ((cause),) = causes
    assert cause.key == key
    assert words in cause.says
    assert cause.over


@pytest.mark.parametrize(
    "causes",
    [
        sensor_causes(SensorState(), is_stuck=False),
        # A stuck batch fails every tick: it is the cause.
        sensor_causes(SensorState(failing="Batch ... failed 5 times"), is_stuck=True),
        daemon_causes(DaemonState(True, NOW)),
        batch_causes(None),
        batch_causes(WaitingBatch("20260301T115600Z", 2, False, NOW, "no answer")),
        check_causes([{**CHECK, "severity": "WARN"}]),
        data_causes(None, 24, NOW),
        data_causes(NOW - timedelta(hours=24), 24, NOW),
        data_causes(NOW - timedelta(days=9), 0, NOW),
    ],
)
def test_what_is_no_cause_says_nothing(causes: list[Cause]):
    assert causes == []
