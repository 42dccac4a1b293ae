"""`bridgecart forget` on a real broker: the customer is nowhere any more, and stays nowhere."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from dagster._core.test_utils import create_run_for_test

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.forget_customers import LEFT
from bridgecart_assets.contracts import ERASURE_TABLES, TABLES
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.orchestration.runs import GRPC_INFO_TAG
from bridgecart_assets.processes.run_lock import run_lock
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.ingest.ledger import load_ledger
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.killable import Killer
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.integration.test_exactly_once import materialize_again
from bridgecart_assets_tests.sources.kafka.fixtures import any_broker
from bridgecart_assets_tests.support.records import Record, event, store_batch
from bridgecart_assets_tests.support.state import digests, rows
from bridgecart_assets_tests.support.written import written

# A customer who was there when the current period opened, with a name that nobody else has.
CHOSEN = """
select customer_id, name, mobile
from silver.customers c
join gold.customer_snapshots s using (customer_id)
where s.as_of = (select max(period) from kpi.clv_growth) and s.segment_key <> 'unassigned' and mobile is not null
    and (select count(*) from silver.customers other where other.name = c.name) = 1
order by (select count(*) from silver.duplicate_orders d where d.customer_id = c.customer_id) desc, s.orders desc,
    customer_id
limit 1
"""
NOT_OF_BATCHES = [table.full_name for table in TABLES.values() if not table.partitioned]


@pytest.fixture
def chosen(killer: Killer, shop: Shop, warehouse: Warehouse) -> tuple[str, ...]:
    """Id, name and mobile of a customer of the shop, whose orders came in several batches."""
    shop.sell(1_000)
    done = killer.run("run", BRIDGECART_MAX_BATCH_RECORDS="400")
    assert done.returncode == 0, done.stderr
    ((customer_id, name, mobile),) = rows(warehouse, CHOSEN)
    return str(customer_id), str(name), str(mobile)


@any_broker
@pytest.mark.story
def test_the_customer_is_nowhere_any_more_and_no_batch_brings_them_back(
    killer: Killer, shop: Shop, warehouse: Warehouse, settings: Settings, chosen: tuple[str, ...]
) -> None:
    assert [place for place, found in places(settings, chosen) if found] != []
    ((orders,),) = rows(warehouse, "select count(*) from silver.orders where customer_id = ?", chosen[0])
    ((value,),) = rows(
        warehouse,
        "select net_sales from gold.customer_snapshots "
        "where customer_id = ? and as_of = (select max(period) from kpi.clv_growth)",
        chosen[0],
    )

    done = killer.run("forget", chosen[0], "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["customers"], said["orders"], said["is_good"], said["left"]) == (1, orders, True, LEFT)
    assert said["checks"] > 0
    assert chosen[0] not in done.stdout
    assert [place for place, found in places(settings, chosen) if found] == []
    assert rows(warehouse, "select sum(removed) from kpi.clv_growth") == [(value,)]
    assert rows(warehouse, "select count(*) from raw.orders") == [(shop.sent,)]

    assert [name for name, entry in newest_run(settings).items() if any(word in entry for word in chosen)] == []

    before = digests(warehouse, with_ledger=True)
    keys = list(load_ledger(warehouse).plans)
    assert len(keys) > 2
    for key in keys:
        materialize_again("ingest_batch", key)
        assert digests(warehouse, with_ledger=True) == before

    again = [event for event in shop.events[: shop.sent] if event.key == chosen[0].encode()]
    produce(shop.connection, again)
    assert killer.run("run").returncode == 0
    after = digests(warehouse)
    assert {name: after[name] for name in NOT_OF_BATCHES} == {name: before[name] for name in NOT_OF_BATCHES}
    assert rows(warehouse, "select count(*) from raw.orders") == [(shop.sent + len(again),)]
    assert [place for place, found in places(settings, chosen) if found] == []


@any_broker
def test_a_warehouse_put_back_from_an_older_copy_forgets_them_again(
    killer: Killer, settings: Settings, warehouse: Warehouse, chosen: tuple[str, ...]
) -> None:
    older = warehouse.path.read_bytes()
    assert killer.run("forget", chosen[0]).returncode == 0
    would_be, value = digests(warehouse), rows(warehouse, "from gold.erased_value")

    warehouse.path.write_bytes(older)
    # The first look at it is one of a command that only reads.
    assert killer.run("status").returncode == 0
    assert [place for place, found in places(settings, chosen) if found] == []
    assert killer.run("run").returncode == 0
    assert (digests(warehouse), rows(warehouse, "from gold.erased_value")) == (would_be, value)
    assert [place for place, found in places(settings, chosen) if found] == []


@any_broker
def test_killed_after_the_erasure_it_is_finished_by_running_it_again(
    killer: Killer, settings: Settings, warehouse: Warehouse, chosen: tuple[str, ...]
) -> None:
    assert killer.run_until("after commit", "forget", chosen[0]).was_killed
    assert [place for place, found in places(settings, chosen) if found] != []
    done = killer.run("forget", chosen[0])
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 customer(s) forgotten: 0 records erased")
    assert done.stdout.rstrip().endswith(LEFT)
    assert [place for place, found in places(settings, chosen) if found] == []
    assert rows(warehouse, "select customers from gold.erased_value") == [(1,)]


def test_forget_says_in_one_line_why_it_cannot(killer: Killer, settings: Settings, warehouse: Warehouse) -> None:
    done = killer.run("forget", "Zelda")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"bridgecart: There is no warehouse at {warehouse.path} yet, so nobody to forget.\n"
    with warehouse.transaction():
        pass
    done = killer.run("forget", "Zelda")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("bridgecart: No record of customer 1 of the 1 given")
    assert len(done.stderr.splitlines()) == 1
    assert "Zelda" not in done.stderr
    with run_lock(settings.data_dir):
        done = killer.run("forget", "Zelda")
    assert (done.returncode, done.stderr.startswith("bridgecart: Another bridgecart command works on")) == (1, True)
    assert killer.run("forget").returncode == 2


def test_it_waits_for_a_run_of_up_and_erases_nothing_under_its_feet(
    killer: Killer, settings: Settings, warehouse: Warehouse, tmp_path: Path
) -> None:
    store_batch(warehouse, "20300101T000000Z", [Record(event(customer_id="C1"))])
    with run_in_progress(settings, tmp_path) as run:
        done = killer.run("forget", "C1", BRIDGECART_RUN_WAIT_SECONDS="0.5")
    assert done.returncode == 1
    assert done.stderr.startswith(f"bridgecart: Run {run.run_id} is queued or in progress: `bridgecart up` works")
    assert "has not ended within 0.5 s (BRIDGECART_RUN_WAIT_SECONDS)" in done.stderr
    assert rows(warehouse, "select payload from raw.orders") == [(event(customer_id="C1"),)]


@contextmanager
def run_in_progress(settings: Settings, folder: Path) -> Iterator[dg.DagsterRun]:
    """A run of a code server that answers."""
    with socket.socket(socket.AF_UNIX) as code_server:
        code_server.bind(str(folder / "socket"))
        code_server.listen()
        tags = {GRPC_INFO_TAG: json.dumps({"host": "localhost", "socket": str(folder / "socket")})}
        with dagster_instance(settings) as instance:
            yield create_run_for_test(instance, "orders_batch", status=dg.DagsterRunStatus.STARTED, tags=tags)


def places(settings: Settings, words: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    """Every table and file that there is, and whether one of the words stands in it."""
    with warehouse_from_settings(settings).reading() as connection:
        for table in (*TABLES.values(), *ERASURE_TABLES):
            known = connection.execute(
                "select 1 from duckdb_tables() where schema_name = ? and table_name = ?", [table.schema, table.name]
            ).fetchall()
            yield table.full_name, bool(known) and says(connection, f"from {table.full_name}", words)
    for file in sorted(settings.data_dir.rglob("*")):
        if file.suffix == ".parquet":
            with duckdb.connect() as connection:
                yield str(file), says(connection, f"from '{file}'", words)
        if file.is_file():
            content = written(file)
            yield f"bytes of {file}", any(word in content for word in words)


def says(connection: duckdb.DuckDBPyConnection, sql: str, words: tuple[str, ...]) -> bool:
    lines = "\n".join(str(row) for row in connection.execute(sql).fetchall())
    return any(word in lines for word in words)


@any_broker
def test_a_name_is_gone_from_files_even_when_a_check_stops_the_refresh(
    killer: Killer, settings: Settings, warehouse: Warehouse, chosen: tuple[str, ...]
) -> None:
    with warehouse.transaction() as connection:
        connection.execute("insert into gold.segment_model from gold.segment_model limit 1")
    done = killer.run("forget", chosen[0])
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1
    assert [place for place, found in places(settings, chosen) if found] == []


def newest_run(settings: Settings) -> dict[str, str]:
    """What Dagster keeps of its last run, which is the refresh."""
    with dagster_instance(settings) as instance:
        (newest, *_) = instance.get_runs(limit=1)
        assert (newest.job_name, newest.status) == ("refresh", dg.DagsterRunStatus.SUCCESS)
        logged = "\n".join(str(record) for record in instance.all_logs(newest.run_id))
    return {"config": str(newest.run_config), "tags": str(newest.tags), "events": logged}
