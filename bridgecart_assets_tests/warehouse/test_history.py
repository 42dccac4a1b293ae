"""A history in a file beside the topic that goes on with it: of an order that both have, what the topic says holds."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.sources.files.history_file import open_history
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.ingest.planning import plan_file_slice
from bridgecart_assets.warehouse.slices import write_file_slice
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.sources.mapping.records import SAMPLES, sample_lines
from bridgecart_assets_tests.support.pipeline import run_silver
from bridgecart_assets_tests.support.records import Record, event, store_batch
from bridgecart_assets_tests.support.state import digests, rows

FILE, TOPIC = "20300101T000000Z", "20300102T000000Z"
HISTORY = SAMPLES / "history.csv"
MAPPINGS = SAMPLES / "mappings"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The topic is that of nested orders in cents."""
    return settings.model_copy(update={"mapping": MAPPINGS / "nested-cents.toml"})


def take_in_history(warehouse: Warehouse, settings: Settings) -> None:
    mapping = (MAPPINGS / "history.toml").read_text()
    planned = plan_file_slice(warehouse, open_history(HISTORY), settings, FILE, mapping)
    with warehouse.transaction() as connection:
        write_file_slice(connection, planned)
    run_silver(warehouse, settings, FILE)


def take_in_topic(warehouse: Warehouse, settings: Settings) -> None:
    store_batch(warehouse, TOPIC, [Record(line) for line in sample_lines("nested-cents")])
    run_silver(warehouse, settings, TOPIC)


def test_a_history_alone_has_its_orders_without_those_that_were_cancelled_or_nobody_placed(
    warehouse: Warehouse, settings: Settings
) -> None:
    take_in_history(warehouse, settings.model_copy(update={"naive_timezone": "Europe/Berlin"}))
    assert rows(
        warehouse, "select order_id, net_amount::varchar, purchased_at::varchar from silver.orders order by 1"
    ) == [
        ("10-1", "119.90", "2025-03-01 09:00:00"),
        ("10-2", "45.50", "2025-03-02 10:30:00"),
    ]
    assert rows(warehouse, "select order_id, standing from silver.superseded_orders") == [("10-3", "void")]
    assert rows(warehouse, 'select "offset", reasons from silver.rejected_orders') == [(3, ["missing_customer_id"])]


def test_of_an_order_that_file_and_topic_have_the_topic_s_word_holds_whichever_came_first(settings: Settings) -> None:
    orders: Sequence[Sequence[Callable[[Warehouse, Settings], None]]] = (
        (take_in_history, take_in_topic),
        (take_in_topic, take_in_history),
        (take_in_history, take_in_topic, take_in_history),
    )
    warehouses = []
    for number, steps in enumerate(orders):
        own = settings.model_copy(update={"data_dir": settings.data_dir / str(number)})
        warehouse = warehouse_from_settings(own)
        for step in steps:
            step(warehouse, own)
        warehouses.append(warehouse)
    first, *others = warehouses
    assert rows(first, "select order_id, net_amount::varchar from silver.orders") == [("10-2", "73.21")]
    standing = (
        "select order_id, standing, version::integer from silver.superseded_orders where batch_key = ? order by 1"
    )
    assert rows(first, standing, FILE) == [("10-1", "superseded", 0), ("10-2", "superseded", 0), ("10-3", "void", 0)]
    assert all(digests(other, with_ledger=True) == digests(first, with_ledger=True) for other in others)


def test_without_versions_the_topic_s_event_counts_and_the_file_s_is_beside_it(
    warehouse: Warehouse, settings: Settings, tmp_path: Path
) -> None:
    own = settings.model_copy(update={"mapping": None})
    file = tmp_path / "own.ndjson"
    file.write_bytes(event(order_id="A1") + b"\n" + event(order_id="A2"))
    planned = plan_file_slice(warehouse, open_history(file), own, FILE, None)
    with warehouse.transaction() as connection:
        write_file_slice(connection, planned)
    run_silver(warehouse, own, FILE)
    store_batch(warehouse, TOPIC, [Record(event(order_id="A1"))])
    run_silver(warehouse, own, TOPIC)
    assert rows(warehouse, "select order_id, batch_key from silver.orders order by 1") == [("A1", TOPIC), ("A2", FILE)]
    assert rows(warehouse, "select order_id, batch_key from silver.duplicate_orders") == [("A1", FILE)]
