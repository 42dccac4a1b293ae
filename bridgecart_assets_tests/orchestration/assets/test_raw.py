"""The asset that reads a batch from a topic, under Dagster: what it stores and what it tells."""

from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
import pytest

from bridgecart_assets.contracts import RAW_BATCHES, RAW_ORDERS, Contract
from bridgecart_assets.orchestration.asset_specs import asset_key
from bridgecart_assets.orchestration.assets import raw
from bridgecart_assets.orchestration.assets.raw import kafka_orders, raw_batch
from bridgecart_assets.orchestration.io_manager import WarehouseIOManager
from bridgecart_assets.orchestration.metadata import LEDGER_METADATA
from bridgecart_assets.orchestration.partitions import BATCHES
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.errors import BrokerUnreachable
from bridgecart_assets.sources.kafka.groups import committed_offsets
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.sources.kafka.fixtures import TopicFactory
from bridgecart_assets_tests.support.causes import our_own
from bridgecart_assets_tests.support.state import digests, rows

FIRST, SECOND = "20300101T000000Z", "20300101T000100Z"
Metadata = dict[str, Any]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        ephemeral.add_dynamic_partitions(str(BATCHES.name), [FIRST, SECOND])
        yield ephemeral


@pytest.fixture
def orders(topic: TopicFactory, monkeypatch: pytest.MonkeyPatch) -> KafkaConnection:
    """An empty topic that the settings name."""
    connection = topic(1)
    monkeypatch.setenv("BRIDGECART_KAFKA_BOOTSTRAP_SERVERS", connection.bootstrap_servers)
    monkeypatch.setenv("BRIDGECART_KAFKA_TOPIC", connection.topic)
    return connection


def send(orders: KafkaConnection, *payloads: bytes) -> None:
    produce(orders, [(None, payload, number) for number, payload in enumerate(payloads, start=1)])


def take_in(instance: dg.DagsterInstance, batch_key: str) -> dg.ExecuteInProcessResult:
    platform = Platform()
    with our_own():
        return dg.materialize(
            [raw_batch, kafka_orders],
            instance=instance,
            resources={"platform": platform, "io_manager": WarehouseIOManager(platform=platform)},
            partition_key=batch_key,
            selection=[raw_batch],
        )


def told(result: dg.ExecuteInProcessResult, table: Contract = RAW_ORDERS) -> Metadata:
    key = asset_key(table)
    (found,) = [e.materialization for e in result.get_asset_materialization_events() if e.asset_key == key]
    return {name: entry.value for name, entry in found.metadata.items()}


def test_a_batch_carries_the_ends_of_the_ledger_and_then_commits_them_to_the_group(
    instance: dg.DagsterInstance, orders: KafkaConnection
) -> None:
    send(orders, b"1", b"2")
    take_in(instance, FIRST)
    send(orders, b"3")
    take_in(instance, SECOND)
    # An old batch again: what counts for the next plan is the ledger's end, not this batch's.
    result = take_in(instance, FIRST)
    metadata = told(result)
    assert metadata[LEDGER_METADATA] == {topic_state(orders).topic_id: {"0": 3}}
    assert metadata["offsets"] == {"0": "[0, 2)"}
    assert (metadata["dagster/row_count"], metadata["dagster/partition_row_count"]) == (3, 2)
    assert told(result, RAW_BATCHES)["dagster/partition_row_count"] == 1
    assert committed_offsets(orders, Platform().settings.kafka_group) == {0: 3}


def test_a_batch_tells_how_much_it_left_in_the_topic_and_how_large_the_warehouse_is(
    instance: dg.DagsterInstance, orders: KafkaConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_MAX_BATCH_RECORDS", "2")
    send(orders, b"1", b"2", b"3", b"4", b"5")
    metadata = told(take_in(instance, FIRST))
    assert metadata["lag"] == 3
    assert metadata["warehouse_bytes"] > 0


def test_the_lag_is_that_of_the_plan_and_not_of_what_came_while_the_batch_was_read(
    instance: dg.DagsterInstance, orders: KafkaConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest: Callable[[Platform, str], Any] = Platform.ingest

    def while_more_comes(platform: Platform, batch_key: str) -> Any:
        ingested = ingest(platform, batch_key)
        send(orders, b"4")
        return ingested

    monkeypatch.setattr(Platform, "ingest", while_more_comes)
    send(orders, b"1", b"2", b"3")
    assert told(take_in(instance, FIRST))["lag"] == 0


def test_the_time_of_reading_is_that_of_the_asset_and_the_io_manager_is_handed_a_table_that_stands(
    instance: dg.DagsterInstance, orders: KafkaConnection, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    stood: list[object] = []
    store = WarehouseIOManager.handle_output

    def storing(self: WarehouseIOManager, context: dg.OutputContext, obj: Any) -> None:
        stood.append(rows(warehouse, "select payload from raw.orders"))
        before = digests(warehouse)
        store(self, context, obj)
        assert digests(warehouse) == before

    monkeypatch.setattr(WarehouseIOManager, "handle_output", storing)
    send(orders, b"1")
    assert take_in(instance, FIRST).success
    assert stood == [[(b"1",)], [(b"1",)]]


def test_a_group_that_cannot_be_committed_is_a_warning_not_a_failure(
    instance: dg.DagsterInstance,
    orders: KafkaConnection,
    warehouse: Warehouse,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def unreachable(*_arguments: object) -> None:
        raise BrokerUnreachable("no broker answered")

    monkeypatch.setattr(raw, "commit_offsets", unreachable)
    send(orders, b"1")
    assert take_in(instance, FIRST).success
    assert "were not committed, for monitoring only" in capfd.readouterr().err
    assert rows(warehouse, "select payload from raw.orders") == [(b"1",)]
