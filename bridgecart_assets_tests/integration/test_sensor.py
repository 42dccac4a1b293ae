"""The sensor on a real broker, its ticks applied in the daemon's order; runs are real, in this process."""

import json
import socket
import time
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from dagster._core.test_utils import create_run_for_test

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.definitions import defs
from bridgecart_assets.orchestration import sensors
from bridgecart_assets.orchestration.jobs import AFTER_RAW, FOLLOWS_CHANGES, PRINTED, SILVER_BATCH
from bridgecart_assets.orchestration.partitions import BATCHES
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.orchestration.run_limit import MAX_RUNTIME_TAG
from bridgecart_assets.orchestration.runs import GRPC_INFO_TAG
from bridgecart_assets.orchestration.sensors import BatchStuck, orders_sensor
from bridgecart_assets.processes.run_lock import CLI_LAUNCHER, LAUNCHER_TAG, run_lock
from bridgecart_assets.sources.kafka.groups import commit_offsets
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.warehouse.ingest.ledger import load_ledger
from bridgecart_assets.warehouse.storage.database import Warehouse, WarehouseError
from bridgecart_assets_tests.integration.daemon import Daemon, asked_for, said
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.sources.kafka.fixtures import any_broker
from bridgecart_assets_tests.support.state import digests, rows

RAW_BATCH = [dg.AssetKey(["raw", "orders"]), dg.AssetKey(["raw", "batches"])]
NOTHING_NEW = "no new records: every record of the topic is in a batch"


@pytest.fixture
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensors, "FIRST_BACKOFF", timedelta(0))


def raw_records(warehouse: Warehouse) -> int:
    """Records in raw, each at most once."""
    ((records, distinct),) = rows(
        warehouse, 'select count(*), count(distinct (topic_id, "partition", "offset")) from raw.orders'
    )
    assert records == distinct
    return int(records)


def fail_a_batch(daemon: Daemon, warehouse: Warehouse) -> str:
    """A new batch whose run finds the warehouse damaged; its key."""
    answer = daemon.evaluate()
    assert isinstance(answer, dg.SensorResult)
    daemon.register(answer)
    warehouse.path.parent.mkdir(exist_ok=True)
    warehouse.path.write_bytes(b"not a warehouse")
    daemon.launch(answer)
    return asked_for(answer)


@any_broker
def test_a_damaged_warehouse_fails_the_tick_and_asks_for_nothing(
    daemon: Daemon, warehouse: Warehouse, shop: Shop
) -> None:
    warehouse.path.parent.mkdir()
    warehouse.path.write_bytes(b"not a warehouse")
    with pytest.raises(WarehouseError, match="restore it from a backup"):
        daemon.tick()
    assert daemon.keys() == []


@pytest.mark.story
def test_new_records_make_one_batch_and_one_run_then_silence_then_the_next_batch(
    instance: dg.DagsterInstance, shop: Shop, warehouse: Warehouse
) -> None:
    daemon = Daemon(instance)
    shop.sell(600)
    first = asked_for(daemon.tick())
    assert raw_records(warehouse) == 600
    assert said(daemon.tick()) == NOTHING_NEW
    shop.sell(300)
    answer = daemon.tick()
    second = asked_for(answer)
    assert isinstance(answer, dg.SensorResult)
    (request,) = answer.run_requests or []
    assert request.tags["bridgecart/reason"].startswith("300 new records in ")
    assert request.tags[MAX_RUNTIME_TAG] == "14400"
    assert request.run_config == {**PRINTED, **FOLLOWS_CHANGES}
    assert said(daemon.tick()) == NOTHING_NEW
    assert raw_records(warehouse) == 900
    assert daemon.launched == [(first, True), (second, True)]
    assert daemon.keys() == [first, second]
    assert first < second


@any_broker
def test_old_keys_leave_the_registry_at_the_limit_and_their_rows_stay(
    daemon: Daemon, shop: Shop, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_MAX_BATCH_KEYS", "2")
    keys = []
    for _ in range(4):
        shop.sell(50)
        keys.append(asked_for(daemon.tick()))
        assert len(daemon.keys()) <= 3
    assert daemon.keys() == keys[1:]
    assert said(daemon.tick()) == NOTHING_NEW
    assert list(load_ledger(warehouse).plans) == keys
    assert raw_records(warehouse) == 200


@any_broker
def test_a_warehouse_put_back_from_an_older_copy_catches_up_by_itself(
    daemon: Daemon, shop: Shop, warehouse: Warehouse
) -> None:
    shop.sell(100)
    daemon.tick()
    copy = warehouse.path.read_bytes()
    shop.sell(100)
    daemon.tick()
    warehouse.path.write_bytes(copy)
    assert raw_records(warehouse) == 100
    asked_for(daemon.tick())
    assert raw_records(warehouse) == 200
    assert said(daemon.tick()) == NOTHING_NEW


@any_broker
def test_an_emptied_warehouse_is_filled_again_from_the_topic(daemon: Daemon, shop: Shop, warehouse: Warehouse) -> None:
    shop.sell(100)
    daemon.tick()
    warehouse.path.unlink()
    with warehouse.transaction():
        # What a failed write leaves behind: a file without tables.
        pass
    asked_for(daemon.tick())
    assert raw_records(warehouse) == 100


@any_broker
def test_few_records_wait_for_more_but_not_for_ever(
    daemon: Daemon, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_MIN_BATCH_RECORDS", "100")
    monkeypatch.setenv("BRIDGECART_MAX_BATCH_DELAY", "60")
    shop.sell(10)
    asked_for(daemon.tick())
    shop.sell(60)
    assert said(daemon.tick()).startswith("60 new records; a batch starts at 100, or at ")
    monkeypatch.setenv("BRIDGECART_MAX_BATCH_DELAY", "0")
    asked_for(daemon.evaluate())
    monkeypatch.setenv("BRIDGECART_MAX_BATCH_DELAY", "60")
    shop.sell(40)
    asked_for(daemon.tick())
    assert said(daemon.tick()) == NOTHING_NEW


def test_a_backlog_is_taken_in_batches_of_bounded_bytes(
    daemon: Daemon, shop: Shop, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_MAX_BATCH_BYTES", "100000")
    shop.sell(900)
    batches = 0
    while isinstance(daemon.tick(), dg.SensorResult):
        batches += 1
    assert batches > 2
    assert raw_records(warehouse) == 900
    per_batch = "select sum(octet_length(payload)) as bytes from raw.orders group by batch_key"
    ((largest,),) = rows(warehouse, f"select max(bytes) from ({per_batch})")
    assert 20_000 < largest < 100_000


@any_broker
def test_the_lag_is_observed_on_the_topic_asset(daemon: Daemon, shop: Shop) -> None:
    daemon.tick()
    shop.sell(250)
    daemon.tick()
    (record,) = daemon.instance.fetch_observations(dg.AssetKey(["kafka", "orders"]), limit=9).records
    assert record.asset_observation is not None
    assert record.asset_observation.metadata["lag"].value == 250


@any_broker
@pytest.mark.parametrize("status", ["NOT_STARTED", "STARTING", "STARTED", "CANCELING"])
def test_while_a_run_is_queued_or_in_progress_the_sensor_skips_and_names_it(
    daemon: Daemon, shop: Shop, status: str
) -> None:
    shop.sell(10)
    run = create_run_for_test(daemon.instance, job_name="refresh", status=DagsterRunStatus[status])
    assert said(daemon.evaluate()).startswith(f"run {run.run_id} is queued or in progress")
    assert daemon.keys() == []


@any_broker
def test_a_tick_that_meets_a_run_answers_without_waiting_and_the_first_one_after_it_asks_for_the_next_batch(
    daemon: Daemon, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slept(seconds: float) -> None:
        pytest.fail(f"the tick slept for {seconds} s")

    shop.sell(10)
    run = create_run_for_test(daemon.instance, job_name="refresh", status=DagsterRunStatus.STARTED)
    with monkeypatch.context() as patch:
        patch.setattr(time, "sleep", slept)
        assert "in progress" in said(daemon.evaluate())
    daemon.instance.report_run_failed(run)
    asked_for(daemon.evaluate())


@any_broker
def test_while_a_command_is_at_work_the_sensor_skips_and_says_so(daemon: Daemon, shop: Shop, data_dir: Path) -> None:
    shop.sell(10)
    with run_lock(data_dir):
        assert said(daemon.evaluate()).startswith("a bridgecart command is at work on the data directory")
    asked_for(daemon.evaluate())


@any_broker
def test_a_daemon_killed_before_it_registered_the_key_plans_anew(
    daemon: Daemon, shop: Shop, warehouse: Warehouse
) -> None:
    shop.sell(100)
    daemon.evaluate()
    shop.sell(100)
    daemon.tick()
    assert len(daemon.keys()) == 1
    assert raw_records(warehouse) == 200


@any_broker
def test_a_key_registered_without_a_run_is_asked_for_again_and_never_a_second_key(
    daemon: Daemon, shop: Shop, warehouse: Warehouse
) -> None:
    shop.sell(100)
    answer = daemon.evaluate()
    assert isinstance(answer, dg.SensorResult)
    daemon.register(answer)
    for _ in range(2):
        shop.sell(100)
        again = daemon.evaluate()
        assert isinstance(again, dg.SensorResult)
        daemon.register(again)
        assert asked_for(again) == asked_for(answer)
    assert daemon.keys() == [asked_for(answer)]
    daemon.tick()
    assert raw_records(warehouse) == 300
    assert said(daemon.tick()) == NOTHING_NEW


@any_broker
def test_a_failed_run_is_tried_again_under_its_own_key_after_a_while(
    daemon: Daemon, shop: Shop, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.sell(100)
    key = fail_a_batch(daemon, warehouse)
    assert said(daemon.tick()).startswith(f"batch {key} failed 1 times; next attempt after ")
    warehouse.path.unlink()
    monkeypatch.setattr(sensors, "FIRST_BACKOFF", timedelta(0))
    shop.sell(100)
    assert asked_for(daemon.tick()) == key
    assert daemon.launched == [(key, False), (key, True)]
    assert daemon.keys() == [key]
    assert raw_records(warehouse) == 200


@any_broker
@pytest.mark.usefixtures("no_backoff")
def test_a_batch_that_keeps_failing_stops_the_sensor_loudly_until_a_person_materializes_it(
    daemon: Daemon, shop: Shop, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_MAX_BATCH_ATTEMPTS", "2")
    shop.sell(100)
    key = fail_a_batch(daemon, warehouse)
    assert asked_for(daemon.tick()) == key
    for _ in range(2):
        with pytest.raises(BatchStuck, match=f"Batch {key} failed 2 times and nothing after it is read"):
            daemon.tick()
    warehouse.path.unlink()
    # What "Materialize" in the UI launches: a run of no job of ours, with a selection of assets.
    by_hand = defs.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=daemon.instance, partition_key=key, asset_selection=[*RAW_BATCH, *SILVER_BATCH]
    )
    assert by_hand.success
    assert said(daemon.tick()) == NOTHING_NEW
    shop.sell(50)
    assert asked_for(daemon.tick()) > key
    assert raw_records(warehouse) == 150


@any_broker
def test_when_dagster_lost_its_memory_the_warehouse_tells_where_to_go_on(
    daemon: Daemon, shop: Shop, warehouse: Warehouse
) -> None:
    shop.sell(300)
    daemon.tick()
    with dg.DagsterInstance.ephemeral() as fresh:
        amnesiac = Daemon(fresh, job="ingest_batch")
        assert said(amnesiac.tick()) == NOTHING_NEW
        shop.sell(100)
        key = asked_for(amnesiac.tick())
        assert load_ledger(warehouse).plans[key].records == 100
        assert raw_records(warehouse) == 400


@any_broker
def test_a_batch_cut_off_after_raw_is_taken_up_by_a_dagster_that_never_heard_of_it(
    daemon: Daemon, shop: Shop, warehouse: Warehouse
) -> None:
    shop.sell(300)
    answer = daemon.evaluate()
    key = asked_for(answer)
    assert isinstance(answer, dg.SensorResult)
    daemon.register(answer)
    defs.resolve_job_def("ingest_batch").execute_in_process(
        instance=daemon.instance, partition_key=key, asset_selection=RAW_BATCH
    )
    with dg.DagsterInstance.ephemeral() as fresh:
        amnesiac = Daemon(fresh, job="ingest_batch")
        assert asked_for(amnesiac.tick()) == key
        assert said(amnesiac.tick()) == NOTHING_NEW
    assert raw_records(warehouse) == 300
    ((in_silver,),) = rows(
        warehouse,
        "select (select count(*) from silver.orders) + (select count(*) from silver.duplicate_orders) "
        "+ (select count(*) from silver.rejected_orders)",
    )
    assert in_silver == 300


@any_broker
def test_when_the_warehouse_is_gone_everything_is_read_again(daemon: Daemon, shop: Shop, warehouse: Warehouse) -> None:
    shop.sell(300)
    daemon.tick()
    before = digests(warehouse)
    warehouse.path.unlink()
    asked_for(daemon.tick())
    assert digests(warehouse) == before
    assert said(daemon.tick()) == NOTHING_NEW


def test_what_others_committed_for_the_group_hides_no_record(
    daemon: Daemon, shop: Shop, settings: Settings, warehouse: Warehouse
) -> None:
    shop.sell(300)
    ends = {partition: span.end for partition, span in topic_state(shop.connection).partitions.items()}
    commit_offsets(shop.connection, settings.kafka_group, ends)
    asked_for(daemon.tick())
    assert raw_records(warehouse) == 300


def test_a_missing_topic_is_a_skip_that_names_the_topic_and_those_there_are(
    daemon: Daemon, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_KAFKA_TOPIC", "no.such.topic")
    words = said(daemon.evaluate())
    assert "has no topic 'no.such.topic'" in words
    assert "it has " in words


def test_an_unreachable_broker_is_a_skip_that_says_so_and_never_looks_like_an_empty_topic(
    daemon: Daemon, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.sell(10)
    daemon.tick()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("BRIDGECART_KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{nobody.getsockname()[1]}")
        monkeypatch.setenv("BRIDGECART_KAFKA_TIMEOUT_SECONDS", "0.5")
        words = said(daemon.evaluate())
    assert words.startswith("nothing was read: ")
    assert "start the broker or correct BRIDGECART_KAFKA_BOOTSTRAP_SERVERS" in words
    assert len(daemon.keys()) == 1


def test_a_topic_created_again_is_read_from_its_own_start_and_old_rows_stay(
    daemon: Daemon, shop: Shop, warehouse: Warehouse
) -> None:
    shop.sell(400)
    first = asked_for(daemon.tick())
    old = f'from raw.orders where batch_key = \'{first}\' order by topic_id, "partition", "offset"'
    before = rows(warehouse, f"select * {old}")
    shop.reopen()
    assert said(daemon.tick()) == NOTHING_NEW
    shop.sell(100)
    second = asked_for(daemon.tick())
    assert rows(warehouse, f"select * {old}") == before
    plans = load_ledger(warehouse).plans
    assert plans[second].topic_id != plans[first].topic_id
    assert plans[second].records == 100
    assert all(span.start == 0 for span in plans[second].ranges.values())
    assert raw_records(warehouse) == 500


@pytest.mark.usefixtures("no_backoff")
def test_a_batch_cut_off_after_raw_whose_topic_is_gone_goes_on_from_its_raw_rows(
    instance: dg.DagsterInstance, shop: Shop, warehouse: Warehouse
) -> None:
    daemon = Daemon(instance)
    shop.sell(400)
    answer = daemon.evaluate()
    assert isinstance(answer, dg.SensorResult)
    daemon.register(answer)
    key = asked_for(answer)
    defs.resolve_job_def("orders_batch").execute_in_process(
        instance=instance, partition_key=key, asset_selection=RAW_BATCH
    )
    shop.reopen()
    shop.sell(100)
    again = daemon.tick()
    assert asked_for(again) == key
    assert isinstance(again, dg.SensorResult)
    assert again.run_requests is not None
    assert set(again.run_requests[0].asset_selection or []) == set(AFTER_RAW["orders_batch"])
    assert daemon.launched == [(key, True)]
    ((silver,),) = rows(warehouse, "select count(*) from silver.orders where batch_key = ?", key)
    assert silver > 350
    asked_for(daemon.tick())
    assert raw_records(warehouse) == 500


@any_broker
@pytest.mark.parametrize("status", ["STARTING", "STARTED", "CANCELING"])
def test_a_run_whose_code_server_is_gone_is_reported_as_failed_and_does_not_block(
    daemon: Daemon, shop: Shop, tmp_path: Path, status: str
) -> None:
    shop.sell(10)
    gone = json.dumps({"host": "localhost", "socket": str(tmp_path / "gone")})
    run = create_run_for_test(
        daemon.instance, job_name="refresh", status=DagsterRunStatus[status], tags={GRPC_INFO_TAG: gone}
    )
    asked_for(daemon.evaluate())
    found = daemon.instance.get_run_by_id(run.run_id)
    assert found is not None
    assert found.status == DagsterRunStatus.FAILURE


@any_broker
def test_a_run_whose_code_server_answers_is_left_alone(daemon: Daemon, shop: Shop, tmp_path: Path) -> None:
    address = str(tmp_path / "code-server")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        tags = {GRPC_INFO_TAG: json.dumps({"host": "localhost", "socket": address})}
        create_run_for_test(daemon.instance, job_name="refresh", status=DagsterRunStatus.STARTED, tags=tags)
        assert "in progress" in said(daemon.evaluate())


@any_broker
@pytest.mark.parametrize("status", ["NOT_STARTED", "STARTED"])
def test_a_run_of_a_killed_command_is_reported_as_failed_but_not_while_a_command_is_at_work(
    daemon: Daemon, shop: Shop, data_dir: Path, status: str
) -> None:
    shop.sell(10)
    tags = {LAUNCHER_TAG: CLI_LAUNCHER}
    create_run_for_test(daemon.instance, job_name="refresh", status=DagsterRunStatus[status], tags=tags)
    with run_lock(data_dir):
        assert "in progress" in said(daemon.evaluate())
    asked_for(daemon.evaluate())


@any_broker
def test_dagster_itself_accepts_what_the_sensor_answers(shop: Shop) -> None:
    shop.sell(100)
    with dg.instance_for_test() as instance:
        for _ in range(2):
            context = dg.build_sensor_context(
                instance=instance,
                instance_ref=instance.get_ref(),
                definitions=defs,
                resources={"platform": Platform()},
            )
            with context:
                tick = orders_sensor.evaluate_tick(context)
            (request,) = tick.run_requests or []
            assert request.tags["dagster/partition"] == request.partition_key
            assert request.partition_key is not None
            instance.add_dynamic_partitions(str(BATCHES.name), [request.partition_key])
