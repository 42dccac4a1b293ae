from datetime import UTC, datetime, timedelta, timezone

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.orchestration.partitions import BATCHES, expired_keys, newest_keys, next_batch_key

NOW = datetime(2026, 1, 31, 7, 5, 10, 999_999, tzinfo=UTC)
CLOCK = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def test_a_key_is_the_utc_instant_of_the_tick_to_the_second() -> None:
    assert next_batch_key(NOW, []) == "20260131T070510Z"
    assert next_batch_key(NOW.astimezone(timezone(timedelta(hours=5, minutes=30))), []) == "20260131T070510Z"


def test_several_batches_within_a_second_push_the_key_on() -> None:
    keys: list[str] = []
    for _ in range(3):
        keys.append(next_batch_key(NOW, keys))
    assert keys == ["20260131T070510Z", "20260131T070511Z", "20260131T070512Z"]


def test_a_clock_that_was_set_back_does_not_set_the_keys_back() -> None:
    assert next_batch_key(NOW - timedelta(days=400), ["20260131T070510Z"]) == "20260131T070511Z"


@pytest.mark.parametrize(
    "foreign",
    [
        "",
        "test",
        "20260131",
        "20260131T070510",
        "2026131T7510Z",
        "20261331T070510Z",
        "99991231T235959Z",
        "\u0000",
        "日",
    ],
)
def test_a_key_that_a_person_made_up_changes_nothing(foreign: str) -> None:
    assert next_batch_key(NOW, [foreign]) == "20260131T070510Z"
    assert next_batch_key(NOW, ["20260131T070510Z", foreign]) == "20260131T070511Z"


@given(st.lists(CLOCK, min_size=1, max_size=30))
def test_whatever_the_clock_does_keys_are_unique_and_ascend(clock: list[datetime]) -> None:
    keys: list[str] = []
    for now in clock:
        keys.append(next_batch_key(now, keys[-1:]))
    assert keys == sorted(set(keys))


@given(CLOCK, st.lists(CLOCK | st.text(max_size=20), max_size=10))
def test_a_new_key_is_later_than_all_that_exist(now: datetime, existing: list[datetime | str]) -> None:
    keys = [key if isinstance(key, str) else next_batch_key(key, []) for key in existing]
    new = next_batch_key(now, keys)
    assert new not in keys
    assert all(new > next_batch_key(instant, []) for instant in existing if isinstance(instant, datetime))


def test_the_newest_keys_are_those_registered_last() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert newest_keys(instance, limit=2) == []
        for key in ("20260101T000000Z", "test", "20250101T000000Z"):
            instance.add_dynamic_partitions(str(BATCHES.name), [key])
        assert newest_keys(instance, limit=2) == ["20250101T000000Z", "test"]


def test_the_oldest_keys_beyond_the_limit_have_expired_and_the_newest_never() -> None:
    keys = [f"2026010{day}T000000Z" for day in range(1, 6)]
    with dg.DagsterInstance.ephemeral() as instance:
        assert expired_keys(instance, 1) == []
        instance.add_dynamic_partitions(str(BATCHES.name), keys)
        assert expired_keys(instance, 5) == []
        assert expired_keys(instance, 3) == keys[:2]
        assert expired_keys(instance, 0) == keys[:4]
