"""Batches of imported files in the ledger: which rows each holds, and by which mapping they are read."""

import json
from pathlib import Path

import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import FORGOTTEN_CUSTOMERS, SILVER_READINGS
from bridgecart_assets.sources.files.errors import FileChanged, FileNeeded
from bridgecart_assets.sources.files.history_file import open_history
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.offsets import OffsetRange
from bridgecart_assets.warehouse.ingest.imports import give_mapping, mapping_on_record, other_contents
from bridgecart_assets.warehouse.ingest.ledger import LedgerConflict, load_ledger, load_position
from bridgecart_assets.warehouse.ingest.planning import plan_file_slice, plan_slice
from bridgecart_assets.warehouse.ingest.unfinished import batches_without_silver
from bridgecart_assets.warehouse.slices import write_file_slice
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.storage.tables import prepare
from bridgecart_assets_tests.support.records import Record, event, store_batch
from bridgecart_assets_tests.support.state import digests, rows

FIRST, SECOND, THIRD = "20300101T000000Z", "20300101T000100Z", "20300101T000200Z"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Ten orders."""
    path = tmp_path / "history.ndjson"
    path.write_bytes(b"\n".join(event(order_id=str(n), customer_id=f"C{n}") for n in range(10)))
    return path


@pytest.fixture
def few(settings: Settings) -> Settings:
    """Four rows a batch."""
    return settings.model_copy(update={"max_batch_records": 4})


def _take_in(warehouse: Warehouse, file: Path, settings: Settings, key: str, mapping: str | None = None) -> None:
    planned = plan_file_slice(warehouse, open_history(file), settings, key, mapping)
    with warehouse.transaction() as connection:
        write_file_slice(connection, planned)


def test_batches_follow_each_other_in_the_file_and_the_last_one_ends_with_it(
    warehouse: Warehouse, file: Path, few: Settings
) -> None:
    for key in (FIRST, SECOND, THIRD):
        _take_in(warehouse, file, few, key, mapping="format = 1")
    topic_id = open_history(file).topic_id
    plans = load_ledger(warehouse).plans
    assert [plan.ranges[0] for plan in plans.values()] == [OffsetRange(0, 4), OffsetRange(4, 8), OffsetRange(8, 10)]
    assert {(plan.topic, plan.topic_id) for plan in plans.values()} == {("history.ndjson", topic_id)}
    said = rows(warehouse, 'select "offset", payload, kafka_timestamp, key, headers from raw.orders order by 1')
    assert [(n, json.loads(payload)["order_id"], *nothing) for n, payload, *nothing in said] == [
        (n, str(n), None, None, None) for n in range(10)
    ]
    assert load_position(warehouse).committed(topic_id) == {0: 10}
    assert {mapping_on_record(warehouse, key) for key in plans} == {"format = 1"}


def test_a_batch_ends_before_its_rows_are_more_bytes_than_a_batch_may_have(
    warehouse: Warehouse, file: Path, settings: Settings
) -> None:
    small = settings.model_copy(update={"max_batch_bytes": 1})
    _take_in(warehouse, file, small, FIRST)
    assert load_position(warehouse).committed(open_history(file).topic_id)[0] <= 10
    assert rows(warehouse, "select records = planned_records from raw.batches") == [(True,)]


def test_a_batch_that_is_read_again_has_the_same_rows_and_keeps_its_mapping(
    warehouse: Warehouse, file: Path, few: Settings, settings: Settings
) -> None:
    _take_in(warehouse, file, few, FIRST, mapping="format = 1")
    _take_in(warehouse, file, few, SECOND)
    before = digests(warehouse, with_ledger=True)
    _take_in(warehouse, file, settings, FIRST)
    assert digests(warehouse, with_ledger=True) == before


def test_a_file_that_was_changed_since_is_not_read_into_its_batch(
    warehouse: Warehouse, file: Path, few: Settings
) -> None:
    _take_in(warehouse, file, few, FIRST)
    file.write_bytes(event(order_id="other"))
    with pytest.raises(FileChanged, match=rf"^history\.ndjson was changed since batch {FIRST} was read.*its rows stay"):
        _take_in(warehouse, file, few, FIRST)
    assert other_contents(warehouse, "history.ndjson", open_history(file).topic_id) == 4
    assert other_contents(warehouse, "another.ndjson", open_history(file).topic_id) == 0


def test_a_batch_of_a_file_is_not_read_from_the_topic(warehouse: Warehouse, file: Path, few: Settings) -> None:
    _take_in(warehouse, file, few, FIRST)
    with pytest.raises(FileNeeded, match=rf"^Batch {FIRST} holds rows of history\.ndjson, a file that was imported"):
        plan_slice(warehouse, KafkaConnection("127.0.0.1:1", topic="orders"), few, FIRST)


def test_a_plan_that_another_import_overtook_stores_nothing(warehouse: Warehouse, file: Path, few: Settings) -> None:
    late = plan_file_slice(warehouse, open_history(file), few, SECOND, None)
    _take_in(warehouse, file, few, FIRST)
    with pytest.raises(LedgerConflict), warehouse.transaction() as connection:
        write_file_slice(connection, late)
    assert list(load_ledger(warehouse).plans) == [FIRST]


def test_rows_of_a_customer_who_was_forgotten_do_not_come_back_with_a_file(
    warehouse: Warehouse, file: Path, settings: Settings
) -> None:
    with warehouse.transaction() as connection:
        prepare(connection, FORGOTTEN_CUSTOMERS)
        connection.execute(
            "insert into raw.forgotten_customers values (sha256('saltC3'), 'salt', timestamp '2100-01-01')"
        )
    _take_in(warehouse.__class__(warehouse.path), file, settings, FIRST)
    found = rows(warehouse.__class__(warehouse.path), 'select "offset" from raw.orders where payload = $1', FORGOTTEN)
    assert found == [(3,)]


FORGOTTEN = b'{"forgotten": true}'


def test_another_mapping_goes_on_record_and_says_which_batches_are_read_otherwise_until_they_are_not(
    warehouse: Warehouse, file: Path, few: Settings
) -> None:
    for key in (FIRST, SECOND):
        _take_in(warehouse, file, few, key, mapping="one")
    store_batch(warehouse, THIRD, [Record(event())])
    topic_id = open_history(file).topic_id
    with warehouse.transaction() as connection:
        prepare(connection, SILVER_READINGS)
        for key in (FIRST, SECOND, THIRD):
            connection.execute(
                "insert into silver.readings (batch_key, rules_version, settings) values (?, 1, map())", [key]
            )
        connection.execute("update silver.readings set mapping = sha256('one') where batch_key <> ?", [THIRD])
    assert give_mapping(warehouse, topic_id, "one") == []
    assert give_mapping(warehouse, topic_id, "two") == [FIRST, SECOND]
    assert [mapping_on_record(warehouse, key) for key in (FIRST, SECOND, THIRD)] == ["two", "two", None]
    with warehouse.transaction() as connection:
        connection.execute("update silver.readings set mapping = sha256('two') where batch_key = ?", [FIRST])
    assert give_mapping(warehouse, topic_id, "two") == [SECOND]
    assert give_mapping(warehouse, topic_id, None) == [FIRST, SECOND]


def test_a_batch_of_which_silver_has_no_row_but_that_it_was_read_is_done(
    warehouse: Warehouse, file: Path, few: Settings
) -> None:
    _take_in(warehouse, file, few, FIRST)
    assert batches_without_silver(warehouse) == [FIRST]
    with warehouse.transaction() as connection:
        prepare(connection, SILVER_READINGS)
        connection.execute(
            "insert into silver.readings (batch_key, rules_version, settings) values (?, 1, map())", [FIRST]
        )
    assert batches_without_silver(warehouse) == []
