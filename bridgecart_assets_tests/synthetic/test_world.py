"""The whole world: sameness, exact size, phases, arrival order."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.synthetic import Event, World, WorldConfig, drain, simulate
from bridgecart_assets.synthetic.personas import PERSONAS
from bridgecart_assets_tests.support.examples import examples
from bridgecart_assets_tests.synthetic.conftest import flatten
from bridgecart_assets_tests.synthetic.strict import Record, read_strictly


def fingerprint(events: list[Event]) -> str:
    digest = sha256()
    for event in events:
        digest.update(repr(event).encode())
    return digest.hexdigest()


def accepted(events: list[Event]) -> list[Record]:
    return [record for record in map(read_strictly, events) if isinstance(record, Record)]


def test_the_same_config_gives_the_same_bytes(
    small: World, small_history: list[Event], small_live: list[Event]
) -> None:
    again = simulate(small.config)
    assert fingerprint(flatten(again.history())) == fingerprint(small_history)
    assert fingerprint(flatten(again.live(small.config.start))) == fingerprint(small_live)


def test_another_seed_gives_other_bytes() -> None:
    one, other = (flatten(simulate(WorldConfig(seed=seed, orders=100)).history()) for seed in (1, 2))
    assert not {event.value for event in one} & {event.value for event in other}


def test_batches_have_the_asked_size_and_do_not_change_the_events(small: World, small_history: list[Event]) -> None:
    batches = list(small.history(batch_size=1_000))
    assert {len(batch) for batch in batches[:-1]} == {1_000}
    assert flatten(batches) == small_history


@pytest.mark.parametrize("orders", [0, 1, 2, 10, 4_999])
def test_history_holds_exactly_the_orders_asked_for(orders: int) -> None:
    world = simulate(WorldConfig(orders=orders))
    records = accepted(flatten(world.history()))
    assert len({record.order_id for record in records if not record.is_refund}) == orders
    assert world.manifest().purchases == orders


def test_an_empty_world_is_empty_throughout() -> None:
    world = simulate(WorldConfig(orders=0))
    assert flatten(world.history()) == flatten(world.live(world.config.start)) == []
    assert world.manifest().events == world.manifest().customers == 0
    assert world.manifest().repeat_share == 0.0


@pytest.mark.parametrize("horizon_days", [0, 1])
def test_a_short_history_and_horizon_still_work(horizon_days: int) -> None:
    start = datetime(2025, 3, 1, tzinfo=UTC)
    config = WorldConfig(orders=50, start=start, end=start + timedelta(days=1), horizon_days=horizon_days)
    world = simulate(config)
    assert world.manifest().purchases == 50
    assert bool(flatten(world.live(start))) == bool(horizon_days)


def test_default_history_has_thousands_of_customers_and_most_come_back(
    default_records: list[Record],
) -> None:
    purchases = {record.order_id: record for record in default_records if not record.is_refund}
    per_customer = Counter(record.document["customer_id"] for record in purchases.values())
    repeating = sum(count > 1 for count in per_customer.values())
    assert len(purchases) == 100_000
    assert 5_000 <= len(per_customer) <= 10_000
    assert repeating / len(per_customer) > 0.6


def test_all_five_personas_are_present(default_world: World) -> None:
    assert len(PERSONAS) == 5
    shares = np.bincount(default_world.customers.persona, minlength=5) / len(default_world.customers)
    assert shares == pytest.approx([persona.share for persona in PERSONAS], abs=0.02)


def test_a_larger_world_begins_with_the_customers_of_a_smaller_one() -> None:
    small, large = (simulate(WorldConfig(orders=orders)).customers for orders in (500, 1_000))
    settled = len(small) - 1
    assert np.array_equal(small.mobile[:settled], large.mobile[:settled])
    assert np.array_equal(small.died_ms[:settled], large.died_ms[:settled])


def test_history_dates_lie_between_start_and_end(small: World, small_history: list[Event]) -> None:
    config = small.config
    assert all(config.start_ms <= record.purchased_ms < config.end_ms for record in accepted(small_history))


def test_live_dates_lie_between_end_and_horizon(small: World, small_live: list[Event]) -> None:
    config = small.config
    records = accepted(small_live)
    assert records
    assert all(config.end_ms <= record.purchased_ms < config.horizon_ms for record in records)


def test_live_repeats_no_order_of_history(small_history: list[Event], small_live: list[Event]) -> None:
    history, live = ({record.order_id for record in accepted(part)} for part in (small_history, small_live))
    assert history
    assert live
    assert not history & live


def test_live_continues_with_old_customers_and_brings_new_ones(
    small_history: list[Event], small_live: list[Event]
) -> None:
    history, live = ({event.key for event in part} for part in (small_history, small_live))
    assert history & live
    assert live - history


def test_events_arrive_in_the_order_of_their_timestamps(small_history: list[Event], small_live: list[Event]) -> None:
    for events in (small_history, small_live):
        timestamps = [event.timestamp_ms for event in events]
        assert timestamps == sorted(timestamps)


def test_history_may_arrive_after_its_end(small: World, small_history: list[Event]) -> None:
    assert small_history[-1].timestamp_ms > small.config.end_ms


def test_live_resumes_strictly_after_an_instant(small: World, small_live: list[Event]) -> None:
    middle = small_live[len(small_live) // 2].timestamp_ms
    after = datetime.fromtimestamp(middle // 1_000, UTC) + timedelta(milliseconds=middle % 1_000)
    rest = flatten(small.live(after))
    assert rest == [event for event in small_live if event.timestamp_ms > middle]
    assert flatten(small.live(after - timedelta(microseconds=1)))[0].timestamp_ms == middle


def test_live_is_over_after_the_horizon(small: World) -> None:
    assert flatten(small.live(small.config.end + timedelta(days=1_000))) == []


def test_live_refuses_an_instant_without_time_zone(small: World) -> None:
    with pytest.raises(ValueError, match="after must be a datetime with a time zone"):
        small.live(datetime(2026, 1, 1))  # noqa: DTZ001


def test_drain_counts_the_events_and_bytes_of_history(small: World, small_history: list[Event]) -> None:
    assert drain(small.config) == (
        len(small_history),
        sum(len(event.value or b"") for event in small_history),
    )


@examples(25)
@given(
    seed=st.integers(0, 2**63 - 1),
    orders=st.integers(0, 300),
    days=st.integers(1, 900),
    horizon_days=st.integers(0, 400),
    shares=st.tuples(*[st.floats(0, 0.99)] * 4),
)
def test_any_config_gives_exact_counts_in_arrival_order(
    seed: int, orders: int, days: int, horizon_days: int, shares: tuple[float, float, float, float]
) -> None:
    redelivered, late, refunded, malformed = shares
    start = datetime(2025, 2, 27, 3, 4, 5, tzinfo=UTC)
    world = simulate(
        WorldConfig(
            seed=seed,
            orders=orders,
            start=start,
            end=start + timedelta(days=days),
            horizon_days=horizon_days,
            share_redelivered=redelivered,
            share_late=late,
            share_refunded=refunded,
            share_malformed=malformed,
        )
    )
    events = flatten(world.history())
    records = accepted(events)
    manifest = world.manifest()
    assert manifest.purchases == len({record.order_id for record in records if not record.is_refund}) == orders
    assert manifest.refunds == len({record.order_id for record in records if record.is_refund})
    assert manifest.malformed == len(events) - len(records) == round(orders * malformed)
    assert manifest.events == orders + manifest.refunds + manifest.redelivered + manifest.malformed
    assert events == sorted(events, key=lambda event: event.timestamp_ms)
