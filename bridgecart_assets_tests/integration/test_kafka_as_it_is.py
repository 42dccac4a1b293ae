"""Kafka as it really is, from the sensor's tick to silver: what an Apache Kafka holds besides plain records."""

import os
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)

from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.commands.doctor_findings import examine
from bridgecart_assets.definitions import defs
from bridgecart_assets.orchestration.health import read_health
from bridgecart_assets.sources.kafka.clients import answer, open_admin
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.errors import KafkaFailure, ReadStalled, RecordsGone, TopicNotFound, TopicReplaced
from bridgecart_assets.sources.kafka.offsets import OffsetRange, plan_batch
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.sources.kafka.reading import read_slice
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets.warehouse.ingest.ledger import load_ledger
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.daemon import Daemon, asked_for, said
from bridgecart_assets_tests.integration.processes import ROOT, environment, wait_until
from bridgecart_assets_tests.sources.kafka.contents import delete_records, records_of
from bridgecart_assets_tests.sources.kafka.fixtures import TopicFactory, only_apache
from bridgecart_assets_tests.support.causes import our_own
from bridgecart_assets_tests.support.records import event
from bridgecart_assets_tests.support.state import digests, rows

NOTHING_NEW = "no new records: every record of the topic is in a batch"
NO_GAPS = dg.AssetCheckKey(dg.AssetKey(["raw", "batches"]), "raw_has_no_gaps")
MEBIBYTE = 1024 * 1024
# Takes in everything as the daemon would; prints the process's peak memory in MiB.
CATCH_UP = """
import resource
import dagster as dg
from bridgecart_assets_tests.integration.daemon import Daemon
with dg.DagsterInstance.ephemeral() as instance:
    daemon = Daemon(instance, job="ingest_batch")
    while isinstance(daemon.tick(), dg.SensorResult):
        assert daemon.launched[-1][1], daemon.launched
print("\\n", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
COMPRESSIONS = ("none", "gzip", "snappy", "lz4", "zstd")


def order(name: str) -> bytes:
    return event(order_id=name, customer_id=f"C{name}")


def silver_orders(warehouse: Warehouse) -> list[str]:
    return [name for (name,) in rows(warehouse, "select order_id from silver.orders order by order_id")]


def raw_offsets(warehouse: Warehouse) -> list[int]:
    return [offset for (offset,) in rows(warehouse, 'select "offset" from raw.orders order by "offset"')]


def ranges_of(warehouse: Warehouse, key: str) -> dict[int, OffsetRange]:
    return dict(load_ledger(warehouse).plans[key].ranges)


def gaps(daemon: Daemon) -> tuple[bool, str]:
    """Whether the newest batch has a record for every offset, and how severe it is when not."""
    storage = daemon.instance.event_log_storage
    record = storage.get_latest_asset_check_execution_by_key([NO_GAPS])[NO_GAPS]
    assert record.event is not None
    found = record.event.asset_check_evaluation
    assert found is not None
    return not found.passed, found.severity.value


def transactional(connection: KafkaConnection, name: str) -> Producer:
    config = {"bootstrap.servers": connection.bootstrap_servers, "transactional.id": name, "log_level": 0}
    producer = Producer(config)
    producer.init_transactions(30)
    return producer


@only_apache
def test_aborted_records_never_appear_and_an_open_transaction_is_waited_for(
    daemon: Daemon, configured_topic: TopicFactory, warehouse: Warehouse
) -> None:
    connection = configured_topic(1)
    producer, other = (transactional(connection, f"{connection.topic}-{name}") for name in "ab")

    def send(by: Producer, *names: str) -> None:
        by.begin_transaction()
        for name in names:
            by.produce(connection.topic, order(name), partition=0)
        by.flush(10)

    send(producer, "A1", "A2")
    producer.commit_transaction(10)
    send(producer, "B1", "B2")
    producer.abort_transaction(10)
    send(other, "C1")
    produce(connection, [(None, order("D1"), 0)])
    send(producer, "E1")
    producer.commit_transaction(10)

    asked_for(daemon.tick())
    assert silver_orders(warehouse) == ["A1", "A2"]
    # C1, which is open, with D1, E1 and E1's marker behind it.
    held_back = "4 records wait for an open transaction of a producer, the first of them since 20"
    assert said(daemon.tick()).startswith(f"no new records that can be read; {held_back}")
    health = read_health(load_settings(), daemon.instance)
    assert (health.lag, health.waiting_for_transactions) == (0, 4)
    other.commit_transaction(10)
    asked_for(daemon.tick())
    assert read_health(load_settings(), daemon.instance).waiting_for_transactions == 0
    assert silver_orders(warehouse) == ["A1", "A2", "C1", "D1", "E1"]
    # Offsets 2 and 5 to 6 are markers, 3 to 4 aborted.
    assert raw_offsets(warehouse) == [0, 1, 6, 7, 8]

    send(producer, "F1", "F2")
    producer.abort_transaction(10)
    key = asked_for(daemon.tick())
    assert ranges_of(warehouse, key)[0].count >= 3
    assert said(daemon.tick()) == NOTHING_NEW
    assert silver_orders(warehouse) == ["A1", "A2", "C1", "D1", "E1"]
    assert [success for _, success in daemon.launched] == [True, True, True]
    assert gaps(daemon) == (True, "WARN")


@only_apache
@pytest.mark.parametrize("minutes", [2, 20])
def test_a_transaction_that_stays_open_is_told_from_one_that_hangs(
    daemon: Daemon, configured_topic: TopicFactory, capfd: pytest.CaptureFixture[str], minutes: int
) -> None:
    connection = configured_topic(2)
    produce(connection, [(b"A", order("A"), 0)])
    asked_for(daemon.tick())
    producer = transactional(connection, connection.topic)
    producer.begin_transaction()
    begun = datetime.now(UTC) - timedelta(minutes=minutes)
    (partition,) = {p for p, span in topic_state(connection).partitions.items() if span.count}
    for number in range(3):
        at = int(begun.timestamp() * 1000) + number
        producer.produce(connection.topic, order(f"{number}"), partition=partition, timestamp=at)
    producer.flush(10)
    says = (
        f"3 records wait for an open transaction of a producer, the first of them since {begun:%Y-%m-%d %H:%M:%S} UTC"
    )
    remedy = f"abort --topic {connection.topic} --partition {partition} --start-offset 1"
    is_hanging = minutes > 15
    reason = said(daemon.tick())
    assert reason.startswith(f"no new records that can be read; {says}")
    assert (remedy in reason) is is_hanging
    assert (remedy in capfd.readouterr().err) is is_hanging
    assert [(f.is_note, remedy in f.remedy) for f in examine(load_settings()) if says in f.says] == [
        (not is_hanging, True)
    ]
    # A batch takes in what can be read, and its observation says how much cannot.
    # Keys put some into each partition: without any, all within ten milliseconds go to the same one.
    produce(connection, [(b"%d" % number, order(f"other {number}"), 0) for number in range(20)])
    asked = daemon.tick()
    assert isinstance(asked, dg.SensorResult)
    (observed,) = asked.asset_events
    assert isinstance(observed, dg.AssetObservation)
    waiting = observed.metadata["waiting_for_transactions"].value
    assert isinstance(waiting, int)
    assert waiting > 3
    producer.abort_transaction(10)


def test_nothing_is_said_to_wait_while_producers_go_on_writing(topic: TopicFactory) -> None:
    connection = topic(2)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            produce(connection, [(b"%d" % n, b"order", 0) for n in range(200)])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert [topic_state(connection).pending for _ in range(20)] == [{}] * 20
    finally:
        stop.set()
        writer.join()


@only_apache
def test_batches_cut_within_transactions_add_up(
    daemon: Daemon, configured_topic: TopicFactory, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = configured_topic(1)
    producer = transactional(connection, connection.topic)
    committed = []
    for number in range(12):
        producer.begin_transaction()
        names = [f"{number:02}-{place}" for place in range(3)]
        for name in names:
            producer.produce(connection.topic, order(name), partition=0)
        # Else nothing of an aborted transaction is ever sent.
        producer.flush(10)
        if number % 3:
            producer.abort_transaction(10)
        else:
            producer.commit_transaction(10)
            committed += names
    monkeypatch.setenv("BRIDGECART_MAX_BATCH_RECORDS", "5")
    while isinstance(daemon.tick(), dg.SensorResult):
        assert len(daemon.launched) < 20
    assert silver_orders(warehouse) == committed
    # 48 offsets with the markers, five at a time: cuts in every place of a transaction.
    assert len(daemon.launched) == 10


@only_apache
def test_compaction_leaves_gaps_which_are_a_warning_and_takes_nothing_from_batches_that_were_read(
    daemon: Daemon, configured_topic: TopicFactory, warehouse: Warehouse
) -> None:
    compacted = {"cleanup_policy": "compact", "min_cleanable_dirty_ratio": "0.0", "segment_ms": "1"}
    connection = configured_topic(1, **compacted, min_compaction_lag_ms=str(2**62))

    def send(round_number: int) -> None:
        produce(connection, [(key, order(f"{key.decode()}{round_number}"), 0) for key in (b"A", b"B")])

    for number in range(3):
        send(number)
    key = asked_for(daemon.tick())
    assert silver_orders(warehouse) == ["A0", "A1", "A2", "B0", "B1", "B2"]
    assert gaps(daemon) == (False, "WARN")
    before = digests(warehouse, with_ledger=True)

    set_config(connection, "min.compaction.lag.ms", "0")
    # Only what lies before the newest segment is compacted: one more round begins it.
    send(3)
    send(4)
    wait_until(lambda: len(records_of(connection)) <= 4, 20, "compaction removes records")
    with pytest.raises(RecordsGone, match=rf"batch {key} cannot be read again: .* of its 6 records left"):
        materialize_again(daemon, key)
    assert digests(warehouse, with_ledger=True) == before

    warehouse.path.unlink()
    asked_for(daemon.tick())
    assert {"A4", "B4"} <= set(silver_orders(warehouse)) <= {"A3", "B3", "A4", "B4"}
    assert gaps(daemon) == (True, "WARN")
    assert [success for _, success in daemon.launched] == [True, True]


@only_apache
def test_records_removed_after_they_were_read_stay_in_the_warehouse_and_new_ones_are_read_on(
    daemon: Daemon, configured_topic: TopicFactory, warehouse: Warehouse
) -> None:
    connection = configured_topic(1)
    produce(connection, [(None, order(f"A{number}"), 0) for number in range(10)])
    key = asked_for(daemon.tick())
    before = digests(warehouse, with_ledger=True)
    delete_records(connection, before={0: 4})
    with pytest.raises(RecordsGone, match=rf"batch {key} cannot be read again: retention removed 4 of its records"):
        materialize_again(daemon, key)
    assert digests(warehouse, with_ledger=True) == before
    delete_records(connection, before={0: 10})
    assert said(daemon.tick()) == NOTHING_NEW
    produce(connection, [(None, order("B0"), 0)])
    asked_for(daemon.tick())
    assert raw_offsets(warehouse) == list(range(11))


@only_apache
def test_a_partition_added_while_running_is_read_from_its_first_offset(
    daemon: Daemon, configured_topic: TopicFactory, warehouse: Warehouse
) -> None:
    connection = configured_topic(2)
    produce(connection, [(b"%d" % number, order(f"A{number}"), 0) for number in range(20)])
    asked_for(daemon.tick())
    with open_admin(connection) as admin:
        answer(admin, admin.client.create_partitions([NewPartitions(connection.topic, 4)])[connection.topic])
    wait_until(lambda: len(topic_state(connection).partitions) == 4, 10, "the partitions are there")
    produce(connection, [(b"%d" % number, order(f"B{number}"), 0) for number in range(40)])
    key = asked_for(daemon.tick())
    spans = ranges_of(warehouse, key)
    assert (spans[2].start, spans[3].start) == (0, 0)
    assert spans[2].count > 0 < spans[3].count
    assert len(silver_orders(warehouse)) == 60
    assert said(daemon.tick()) == NOTHING_NEW


def test_compressions_headers_null_keys_and_tombstones_arrive_as_they_are(
    daemon: Daemon, configured_topic: TopicFactory, warehouse: Warehouse
) -> None:
    connection = configured_topic(2)
    for compression in COMPRESSIONS:
        by = replace(connection, properties={"compression.type": compression})
        orders = [(None, order(f"{compression}{number}"), 0) for number in range(50)]
        headers = [("codec", compression.encode()), ("codec", b"\x00\xff")]
        produce(by, [*orders, (compression.encode(), None, 0)], headers=headers)
    asked_for(daemon.tick())
    assert len(silver_orders(warehouse)) == 250
    rejected = "select reasons, count(*), bool_and(payload is null) from silver.rejected_orders group by all"
    assert rows(warehouse, rejected) == [(["tombstone"], 5, True)]
    arrived = "select headers, count(*), count(key), min(key) from raw.orders group by all order by min(key)"
    assert rows(warehouse, arrived) == [
        ([{"name": "codec", "value": codec}, {"name": "codec", "value": b"\x00\xff"}], 51, 1, codec)
        for codec in sorted(compression.encode() for compression in COMPRESSIONS)
    ]


@only_apache
@pytest.mark.parametrize(("kind", "said_by"), [("CreateTime", "create"), ("LogAppendTime", "append")])
def test_timestamps_of_both_kinds_are_kept_with_their_kind(
    daemon: Daemon, configured_topic: TopicFactory, warehouse: Warehouse, kind: str, said_by: str
) -> None:
    connection = configured_topic(1, message_timestamp_type=kind)
    sent_at = datetime.now(UTC) - timedelta(days=1)
    produce(connection, [(None, order("A"), int(sent_at.timestamp() * 1_000))])
    asked_for(daemon.tick())
    ((found, timestamp),) = rows(warehouse, "select timestamp_type, kafka_timestamp from raw.orders")
    age = datetime.now(UTC) - timestamp.replace(tzinfo=UTC)
    assert found == said_by
    assert (age > timedelta(hours=23)) == (kind == "CreateTime")
    assert silver_orders(warehouse) == ["A"]


@only_apache
def test_records_of_10_mb_are_kept_untouched_rejected_as_oversized_and_do_not_fill_the_memory(
    configured_topic: TopicFactory, warehouse: Warehouse
) -> None:
    connection = configured_topic(3, max_message_bytes=str(11 * MEBIBYTE))
    sender = replace(connection, properties={"message.max.bytes": str(12 * MEBIBYTE), "compression.type": "none"})
    large = [os.urandom(10 * MEBIBYTE) for _ in range(4)]
    produce(sender, [(b"%d" % number, large[number % 4], 0) for number in range(24)])
    produce(connection, [(b"%d" % number, order(f"A{number}"), 0) for number in range(300)])
    probe = [sys.executable, "-c", CATCH_UP]
    done = subprocess.run(probe, cwd=ROOT, env=environment({}), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    # 1,900 to 2,400 measured in ten runs, of which DuckDB may use 1.5 GB; a copy more of all records is 240.
    assert int(done.stdout.split()[-1]) < 2_640
    arrived = rows(warehouse, "select payload from raw.orders where octet_length(payload) = ?", 10 * MEBIBYTE)
    assert sorted(payload for (payload,) in arrived) == sorted(large * 6)
    assert rows(warehouse, "select reasons, count(*) from silver.rejected_orders group by all") == [(["oversized"], 24)]
    assert len(silver_orders(warehouse)) == 300


def test_a_topic_of_200_partitions_is_looked_at_in_seconds(
    daemon: Daemon, configured_topic: TopicFactory, warehouse: Warehouse
) -> None:
    connection = configured_topic(200)
    produce(connection, [(b"%d" % number, order(f"A{number}"), 0) for number in range(400)])
    asked_for(daemon.tick())
    assert len(silver_orders(warehouse)) == 400
    started = time.monotonic()
    assert said(daemon.tick()) == NOTHING_NEW
    # 0.1 s measured on either broker; with the run before it, 1.4 s.
    assert time.monotonic() - started < 3


def test_a_topic_that_is_not_there_yet_is_skipped_with_words_and_taken_in_once_it_is(
    daemon: Daemon, broker: str, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = KafkaConnection(broker, f"orders-{uuid.uuid4().hex[:12]}")
    monkeypatch.setenv("BRIDGECART_KAFKA_BOOTSTRAP_SERVERS", broker)
    monkeypatch.setenv("BRIDGECART_KAFKA_TOPIC", connection.topic)
    assert f"has no topic '{connection.topic}'" in said(daemon.tick())
    assert create_topic(connection, 3)
    asked_for(daemon.tick())
    assert said(daemon.tick()) == NOTHING_NEW
    produce(connection, [(None, order("A"), 0)])
    asked_for(daemon.tick())
    assert silver_orders(warehouse) == ["A"]


@only_apache
def test_a_topic_created_again_while_it_is_read_ends_the_read_with_an_error(topic: TopicFactory) -> None:
    connection = topic(1)
    slow = replace(connection, properties={"queued.max.messages.kbytes": "256", "fetch.message.max.bytes": "65536"})
    produce(connection, [(None, os.urandom(10_000), 0) for _ in range(1_000)])
    plan = plan_batch(batch_key="b", committed={}, state=topic_state(connection), max_records=10**9)
    chunks = iter(read_slice(slow, plan, chunk_records=20, stall_seconds=3))
    next(chunks)
    with open_admin(connection) as admin:
        answer(admin, admin.client.delete_topics([connection.topic])[connection.topic])
    wait_until(lambda: create_topic(connection, 1), 10, "the topic is created again")
    produce(connection, [(None, os.urandom(10_000), 0) for _ in range(1_000)])
    with pytest.raises(KafkaFailure) as raised:
        list(chunks)
    assert isinstance(raised.value, TopicReplaced | TopicNotFound | ReadStalled)


def set_config(connection: KafkaConnection, name: str, value: str) -> None:
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, connection.topic, incremental_configs=[entry])
    with open_admin(connection) as admin:
        answer(admin, admin.client.incremental_alter_configs([resource])[resource])


def materialize_again(daemon: Daemon, key: str) -> None:
    with our_own():
        defs.resolve_job_def("ingest_batch").execute_in_process(instance=daemon.instance, partition_key=key)
