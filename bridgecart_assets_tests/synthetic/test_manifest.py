from collections import Counter
from dataclasses import FrozenInstanceError
from itertools import chain

import pytest

from bridgecart_assets.synthetic import World, WorldConfig
from bridgecart_assets_tests.synthetic.strict import Record

LATE_MS = 86_400_000


def test_the_manifest_says_what_a_strict_reader_counts(default_world: World, default_records: list[Record]) -> None:
    manifest = default_world.manifest()
    orders = {record.order_id: record for record in reversed(default_records)}
    purchases = [record for record in orders.values() if not record.is_refund]
    per_customer = Counter(record.document["customer_id"] for record in purchases)

    assert manifest.events == sum(1 for _ in chain.from_iterable(default_world.history()))
    assert manifest.malformed == manifest.events - len(default_records)
    assert manifest.redelivered == len(default_records) - len(orders)
    assert manifest.purchases == len(purchases)
    assert manifest.refunds == len(orders) - len(purchases)
    assert manifest.late == sum(record.event.timestamp_ms - record.purchased_ms >= LATE_MS for record in purchases)
    assert manifest.customers == len(per_customer)
    assert manifest.repeat_customers == sum(count > 1 for count in per_customer.values())
    assert manifest.net_sales == sum(record.amount - record.discount for record in orders.values())


def test_shares_are_met_exactly(default_world: World) -> None:
    manifest, config = default_world.manifest(), WorldConfig()
    assert manifest.late == config.orders * config.share_late
    assert manifest.malformed == config.orders * config.share_malformed
    assert manifest.redelivered == round((manifest.purchases + manifest.refunds) * config.share_redelivered)
    # The refunds of the last weeks are dated after the end and belong to live.
    assert 0.9 < manifest.refunds / (config.orders * config.share_refunded) <= 1


def test_a_manifest_cannot_be_changed(small: World) -> None:
    with pytest.raises(FrozenInstanceError):
        small.manifest().events = 0  # type: ignore[misc]
