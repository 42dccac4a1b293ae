from collections import Counter

import pytest

from bridgecart_assets.synthetic import Event, World
from bridgecart_assets.synthetic.malformed import KINDS, WITHOUT_KEY
from bridgecart_assets_tests.synthetic.strict import read_strictly

REASONS = {
    "not_utf8": "not_utf8",
    "not_json": "not_json",
    "json_array": "not_object",
    "tombstone": "tombstone",
    "missing_customer_id": "missing_customer_id",
    "missing_purchase_date": "missing_purchase_date",
    "missing_purchase_amount": "missing_purchase_amount",
    "customer_id_is_object": "bad_customer_id",
    "date_is_list": "bad_purchase_date",
    "amount_is_words": "bad_purchase_amount",
    "nan_amount": "not_json",
    "huge_amount": "out_of_range_purchase_amount",
    "future_date": "future_purchase_date",
    "impossible_date": "bad_purchase_date",
    "blank_customer_id": "missing_customer_id",
    "date_in_seconds": "bad_purchase_date",
    "amount_with_currency": "bad_purchase_amount",
}


@pytest.fixture(scope="module")
def rejected(small_history: list[Event]) -> list[tuple[Event, str]]:
    read = [(event, read_strictly(event)) for event in small_history]
    return [(event, result) for event, result in read if isinstance(result, str)]


def test_every_kind_is_rejected_for_the_reason_it_was_made_for(small: World, rejected: list[tuple[Event, str]]) -> None:
    expected: Counter[str] = Counter()
    for kind, count in small.manifest().malformed_by_kind.items():
        expected[REASONS[kind]] += count
    assert Counter(reason for _, reason in rejected) == expected


def test_all_kinds_occur_equally_often(small: World) -> None:
    counts = small.manifest().malformed_by_kind
    assert set(counts) == set(KINDS) == set(REASONS)
    assert max(counts.values()) - min(counts.values()) <= 1
    assert sum(counts.values()) == small.manifest().malformed == 300


def test_malformed_events_never_use_the_id_of_a_real_order(rejected: list[tuple[Event, str]]) -> None:
    with_order_id = [event for event, _ in rejected if b'"order_id"' in (event.value or b"")]
    assert with_order_id
    assert all(b'"order_id":"X' in (event.value or b"") for event in with_order_id)


def test_only_some_malformed_events_have_no_key(small: World, small_history: list[Event]) -> None:
    without = sum(event.key is None for event in small_history)
    assert without == sum(small.manifest().malformed_by_kind[kind] for kind in WITHOUT_KEY) > 0
