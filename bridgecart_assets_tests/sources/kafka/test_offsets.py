from collections.abc import Callable, Mapping
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.sources.kafka.errors import DataLoss, OffsetsWentBackwards
from bridgecart_assets.sources.kafka.offsets import BatchPlan, OffsetRange, TopicState, lag, plan_batch, plan_newest

ranges = st.tuples(st.integers(0, 10**12), st.integers(0, 10**6)).map(
    lambda pair: OffsetRange(pair[0], pair[0] + pair[1])
)
topics = st.dictionaries(st.integers(0, 200), ranges, min_size=1, max_size=12)
caps = st.integers(1, 10**6)

Ask = Callable[[Mapping[int, int], TopicState], object]


def state_of(partitions: Mapping[int, OffsetRange]) -> TopicState:
    return TopicState("orders", "id-1", "cluster", partitions)


def plan(committed: Mapping[int, int], state: TopicState, max_records: int = 10**9) -> BatchPlan:
    return plan_batch(batch_key="20260131T070510Z", committed=committed, state=state, max_records=max_records)


@given(topics, caps)
def test_a_plan_starts_at_the_ledger_and_never_passes_the_cap_or_the_end(
    partitions: dict[int, OffsetRange], cap: int
) -> None:
    planned = plan({}, state_of(partitions), cap)
    assert planned.ranges.keys() == partitions.keys()
    assert all(span.start == partitions[p].start for p, span in planned.ranges.items())
    assert all(span.end <= partitions[p].end for p, span in planned.ranges.items())
    assert planned.records == min(cap, sum(span.count for span in partitions.values()))


@given(topics, caps)
def test_the_newest_records_end_where_the_topic_ends_and_are_no_more_than_asked_for(
    partitions: dict[int, OffsetRange], cap: int
) -> None:
    planned = plan_newest(batch_key="b", state=state_of(partitions), max_records=cap)
    assert planned.ends == {p: partitions[p].end for p in sorted(partitions)}
    assert all(span.start >= partitions[p].start for p, span in planned.ranges.items())
    assert planned.records == min(cap, sum(span.count for span in partitions.values()))


@given(topics, st.integers(10**4, 10**6), st.randoms(use_true_random=False))
def test_chained_plans_cover_everything_once_and_end(
    partitions: dict[int, OffsetRange], cap: int, random: Random
) -> None:
    seen = {p: OffsetRange(span.start, random.randint(span.start, span.end)) for p, span in partitions.items()}
    committed: dict[int, int] = {}
    needed = sum(span.count for span in partitions.values()) // cap + 1
    for _ in range(needed + 2):
        planned = plan(committed, state_of(seen), cap)
        assert all(span.start == committed.get(p, partitions[p].start) for p, span in planned.ranges.items())
        committed = planned.ends
        seen = dict(partitions)
    assert committed == {p: span.end for p, span in partitions.items()}
    assert plan(committed, state_of(partitions), cap).records == 0


@given(topics, caps)
def test_planning_twice_gives_the_same_plan_whatever_the_order_of_partitions(
    partitions: dict[int, OffsetRange], cap: int
) -> None:
    backwards = dict(reversed(list(partitions.items())))
    first, second = plan({}, state_of(partitions), cap), plan({}, state_of(backwards), cap)
    assert first == second
    assert list(first.ranges) == list(second.ranges) == sorted(partitions)


@given(topics, caps)
def test_a_cap_is_shared_in_proportion_to_the_lag(partitions: dict[int, OffsetRange], cap: int) -> None:
    total = sum(span.count for span in partitions.values())
    share = min(1.0, cap / total) if total else 0
    planned = plan({}, state_of(partitions), cap)
    assert all(abs(span.count - partitions[p].count * share) <= 1 for p, span in planned.ranges.items())


def test_a_topic_never_read_starts_at_its_earliest_offsets_and_nothing_of_it_is_lost() -> None:
    planned = plan({}, state_of({0: OffsetRange(5, 9), 1: OffsetRange(4, 6)}))
    assert planned.ranges == {0: OffsetRange(5, 9), 1: OffsetRange(4, 6)}
    assert planned.lost == {}


def test_a_partition_added_since_the_last_batch_starts_at_its_first_offset() -> None:
    planned = plan({0: 7}, state_of({0: OffsetRange(0, 9), 1: OffsetRange(0, 6)}))
    assert planned.ranges == {0: OffsetRange(7, 9), 1: OffsetRange(0, 6)}


def test_lag_counts_unread_offsets_per_partition() -> None:
    assert lag({0: 7, 1: 4}, state_of({0: OffsetRange(0, 9), 1: OffsetRange(4, 6)})) == {0: 2, 1: 2}


@pytest.mark.parametrize("ask", [plan, lag])
def test_an_end_before_the_ledger_is_not_taken_for_no_lag(ask: Ask) -> None:
    with pytest.raises(
        OffsetsWentBackwards, match=r"offsets went backwards: partition 1 .* ends at 5, the ledger at 6"
    ):
        ask({1: 6}, state_of({1: OffsetRange(0, 5)}))


@pytest.mark.parametrize("ask", [plan, lag])
def test_a_vanished_partition_is_not_taken_for_no_lag(ask: Ask) -> None:
    with pytest.raises(OffsetsWentBackwards, match="no longer has partition 1"):
        ask({0: 0, 1: 6}, state_of({0: OffsetRange(0, 5)}))


@pytest.mark.parametrize("ask", [plan, lag])
def test_records_that_retention_removed_unread_are_counted_and_named(ask: Ask) -> None:
    state = state_of({0: OffsetRange(5, 9), 1: OffsetRange(2, 9), 2: OffsetRange(0, 3)})
    with pytest.raises(
        DataLoss, match=r"removed 5 records .* no batch had read: partition 0 \[2, 5\), partition 1 \[0, 2\); raise"
    ):
        ask({0: 2, 2: 0}, state)


def test_a_loss_in_many_partitions_is_one_line() -> None:
    state = state_of(dict.fromkeys(range(9), OffsetRange(1, 2)))
    with pytest.raises(DataLoss, match=r"partition 4 \[0, 1\) and 4 more partitions; raise"):
        lag({0: 0}, state)


def test_where_losses_are_allowed_the_plan_names_the_holes_and_goes_on_behind_them() -> None:
    state = state_of({0: OffsetRange(5, 9), 1: OffsetRange(0, 9)})
    planned = plan_batch(batch_key="b", committed={0: 2, 1: 4}, state=state, max_records=4, fail_on_data_loss=False)
    assert planned.ranges == {0: OffsetRange(5, 7), 1: OffsetRange(4, 6)}
    assert planned.lost == {0: OffsetRange(2, 5)}
    assert planned.continues_at == {0: 2, 1: 4}
    assert lag({0: 2, 1: 4}, state, fail_on_data_loss=False) == {0: 3 + 4, 1: 5}


def test_a_cut_plan_ends_where_reading_ended_and_leaves_the_rest_to_the_next() -> None:
    state = state_of({0: OffsetRange(0, 9), 1: OffsetRange(0, 9), 2: OffsetRange(3, 3)})
    cut = plan({}, state).cut({1: 4})
    assert cut.ranges == {0: OffsetRange(0, 0), 1: OffsetRange(0, 4), 2: OffsetRange(3, 3)}
    assert plan(cut.ends, state).ranges == {0: OffsetRange(0, 9), 1: OffsetRange(4, 9), 2: OffsetRange(3, 3)}


@pytest.mark.parametrize(("start", "end"), [(-1, 0), (3, 2)])
def test_an_impossible_range_is_rejected(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="0 <= start <= end"):
        OffsetRange(start, end)


def test_a_cap_below_one_is_rejected() -> None:
    with pytest.raises(ValueError, match="max_records"):
        plan({}, state_of({0: OffsetRange(0, 5)}), 0)
