"""Spark as the engine: tables, checks and page are DuckDB's, after kills, on a cluster, and moved there and back."""

import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Literal

import duckdb
import pytest

from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.contracts import IN_LAKE, SILVER_ORDERS, Contract
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.lake.heads import Head, read_heads
from bridgecart_assets.warehouse.lake.iceberg import Lake
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.killable import Ended, Killer
from bridgecart_assets_tests.integration.shop import Shop, history
from bridgecart_assets_tests.sources.kafka.fixtures import any_broker
from bridgecart_assets_tests.support.command_line import Bridgecart, Done, bridgecart
from bridgecart_assets_tests.support.spark import (
    killed_at_work,
    leaves_sockets,
    spark_in_this_process,
    spark_settings,
    standalone_cluster,
)
from bridgecart_assets_tests.support.state import digests, rows

__all__ = ["bridgecart"]

# Spark starts anew in every command, and a busy machine takes its time.
pytestmark = [leaves_sockets, pytest.mark.timeout(1_200)]

Here = Callable[..., Done]
# Some are small, and some large enough for workers.
IN_BATCHES = {"BRIDGECART_MAX_BATCH_RECORDS": "500", "BRIDGECART_SPARK_BATCH_RECORDS": "300"}
AS_STATES = {**IN_BATCHES, "BRIDGECART_ORDER_EVENTS": "states"}
ORDERS = 900
FORGOTTEN = """
select customer_id from silver.orders
group by all having count(distinct batch_key) > 1 order by count(*) desc, customer_id limit 2
"""
NET = {"BRIDGECART_AMOUNT_IS_NET": "true"}
# Each import goes on where the one before was killed. Before its commit a transaction has written to the lake, but
# nothing names what it wrote.
KILLS: Sequence[int | str] = ("before commit", "after commit", 900)
STRESS, STRESS_SEED = 50, 5


@pytest.fixture
def spark() -> Mapping[str, str]:
    """The settings with which a command uses Spark in its own process."""
    return spark_settings()


@pytest.fixture(scope="module")
def started() -> Iterator[None]:
    """One Spark for the commands of this process."""
    with spark_in_this_process():
        yield


@pytest.fixture
def here(bridgecart: Bridgecart, monkeypatch: pytest.MonkeyPatch, started: None) -> Here:
    """A command in this process, with some settings more."""

    def run(*arguments: str, **settings: str) -> Done:
        with monkeypatch.context() as patch:
            for name, value in settings.items():
                patch.setenv(name, value)
            return bridgecart(*arguments)

    return run


@pytest.fixture
def files(tmp_path: Path) -> Sequence[Path]:
    """The orders of a world in two files: in the second some are late, were sent before, or are another state."""
    lines = [event.value.decode() for event in history(ORDERS) if event.value is not None and _is_json(event.value)]
    late = lines[::40]
    paid = [json.dumps({**json.loads(line), "purchase_amount": 7}) for line in lines[100:110]]
    parts = [[line for line in lines[:600] if line not in late], [*lines[600:], *late, *lines[50:60], *paid]]
    written = []
    for number, part in enumerate(parts):
        file = tmp_path / f"orders-{number}.jsonl"
        file.write_text("\n".join(part) + "\n")
        written.append(file)
    return written


def test_killed_between_lake_and_ledger_and_run_again_tables_checks_and_page_are_those_of_duckdb(
    killer: Killer, files: Sequence[Path], spark: Mapping[str, str], warehouse: Warehouse, tmp_path: Path
) -> None:
    of_duckdb, (by_duckdb,) = _by_duckdb(killer, files[:1], tmp_path, **IN_BATCHES)
    command = ("import", str(files[0]), "--json")
    for moment in KILLS:
        assert killer.run_until(moment, *command, settings={**IN_BATCHES, **spark}).was_killed
    done = killer.run(*command, **IN_BATCHES, **spark)
    assert done.returncode == by_duckdb.returncode == 0, done.stdout + done.stderr
    assert _found_by_checks(done.stdout) == _found_by_checks(by_duckdb.stdout)
    assert digests(warehouse) == digests(of_duckdb)
    assert _page(warehouse) == _page(of_duckdb)
    assert {name for (name,) in rows(warehouse, "select table_name from lake.heads")} == {t.full_name for t in IN_LAKE}
    assert _offsets_by_ledger(warehouse).items() <= _offsets_by_commits(warehouse).items()


@pytest.mark.slow
@pytest.mark.timeout(4 * 3_600)
def test_killed_fifty_times_at_random_nothing_is_lost_or_doubled_and_no_file_stays_that_no_table_needs(
    killer: Killer, files: Sequence[Path], spark: Mapping[str, str], tmp_path: Path
) -> None:
    chance = Random(STRESS_SEED)
    command = ("import", *map(str, files))
    assert killer.run(*command, BRIDGECART_DATA_DIR=str(tmp_path / "duckdb"), **AS_STATES).returncode == 0
    would_be = digests(_warehouse_in(tmp_path / "duckdb"))
    undisturbed = killer.run(*command, BRIDGECART_DATA_DIR=str(tmp_path / "undisturbed"), **AS_STATES, **spark)
    assert undisturbed.returncode == 0, undisturbed.stderr
    kills = lakes = 0
    while kills < STRESS:
        lakes += 1
        settings = {**AS_STATES, **spark, "BRIDGECART_DATA_DIR": str(tmp_path / str(lakes))}
        while (ended := _killed_at_random(killer, chance, undisturbed, command, settings)).was_killed:
            kills += 1
        assert ended.returncode == 0, ended.stdout + ended.stderr
        warehouse = _warehouse_in(tmp_path / str(lakes))
        assert digests(warehouse) == would_be
        lake = tmp_path / str(lakes) / "lake"
        assert killer.run("tidy", "--keep-minutes", "0", **settings).returncode == 0
        assert _files_in(lake) == _files(warehouse)
        assert digests(warehouse) == would_be


def _killed_at_random(
    killer: Killer, chance: Random, undisturbed: Ended, command: Sequence[str], settings: Mapping[str, str]
) -> Ended:
    """The command, killed at a counted moment or after a time if it lives so long; the next one goes on from there."""
    # Once something is done, a run has at least the refresh before it, and that is half of everything.
    share = chance.random() / (2 if Path(settings["BRIDGECART_DATA_DIR"]).exists() else 1)
    if chance.random() < 0.5:
        return killer.run_for(share * undisturbed.seconds, *command, settings=settings)
    return killer.run_until(1 + int(share * undisturbed.moments), *command, settings=settings)


def test_states_of_orders_in_other_batches_are_found_and_a_cluster_makes_the_same_tables_when_parts_of_it_are_killed(
    killer: Killer, files: Sequence[Path], spark: Mapping[str, str], warehouse: Warehouse, tmp_path: Path
) -> None:
    of_duckdb, _ = _by_duckdb(killer, files, tmp_path, **AS_STATES)
    with standalone_cluster(tmp_path) as master:
        parts: Sequence[Literal["executor", "worker"]] = ("executor", "worker")
        for file, part in zip(files, parts, strict=True):
            with killed_at_work(part):
                done = killer.run("import", str(file), **AS_STATES, **{**spark, "BRIDGECART_SPARK_MASTER": master})
            assert done.returncode == 0, done.stdout + done.stderr
    assert rows(warehouse, "select count(*) > 0 from silver.superseded_orders") == [(True,)]
    assert digests(warehouse) == digests(of_duckdb)


@any_broker
def test_workers_of_a_cluster_of_which_one_is_killed_read_a_topic_as_one_machine_does(
    killer: Killer, shop: Shop, spark: Mapping[str, str], warehouse: Warehouse, tmp_path: Path
) -> None:
    shop.sell(600)
    by_duckdb = killer.run("run", BRIDGECART_DATA_DIR=str(tmp_path / "duckdb"), **IN_BATCHES)
    assert by_duckdb.returncode == 0, by_duckdb.stderr
    with standalone_cluster(tmp_path) as master, killed_at_work("executor"):
        done = killer.run("run", **IN_BATCHES, **{**spark, "BRIDGECART_SPARK_MASTER": master})
    assert done.returncode == 0, done.stdout + done.stderr
    assert digests(warehouse) == digests(_warehouse_in(tmp_path / "duckdb"))


def test_moved_into_the_lake_and_back_a_warehouse_says_the_same_and_nothing_is_left_there(
    here: Here, filled: Warehouse, spark: Mapping[str, str]
) -> None:
    before = digests(filled, with_ledger=True)
    in_file = {name: value for name, value in spark.items() if name != "BRIDGECART_ENGINE"}
    assert here("move", "--to", "duckdb").err.endswith("are not in the lake.\n")
    moved = here("move", "--to", "spark", **in_file)
    assert moved.code == 0, moved.err
    assert "silver.orders" in moved.out
    assert moved.out.endswith("Now set BRIDGECART_ENGINE=spark.\n")
    assert digests(filled, with_ledger=True) == before
    refused = here("withdraw", "O1-1", "--reason", "wrong")
    assert refused.code == 1, refused.out
    assert "are in the lake: set BRIDGECART_ENGINE=spark, or run `bridgecart move --to duckdb` first." in refused.err
    withdrawn = here("withdraw", "O1-1", "--reason", "sent by mistake", **spark)
    assert withdrawn.code == 0, withdrawn.err
    assert rows(filled, "select count(*) from silver.orders where order_id = 'O1-1'") == [(0,)]
    assert here("withdraw", "O1-1", "--undo", **spark).code == 0
    left = load_settings().lake_path / "staging" / "of a killed one" / "names.parquet"
    left.parent.mkdir(parents=True)
    left.touch()
    standing = _files(filled)
    assert _files_in(load_settings().lake_path) > standing
    assert here("tidy", "--keep-minutes", "0", **spark).code == 0
    assert _files_in(load_settings().lake_path) == _files(filled)
    assert digests(filled, with_ledger=True) == before
    assert here("move", "--to", "duckdb").code == 0
    assert digests(filled, with_ledger=True) == before
    assert list(load_settings().lake_path.rglob("*.parquet")) == []


@any_broker
def test_customers_are_forgotten_batches_read_again_and_backups_made_in_the_lake_as_in_the_file(
    here: Here, killer: Killer, shop: Shop, spark: Mapping[str, str], warehouse: Warehouse, tmp_path: Path
) -> None:
    shop.sell(600)
    assert here("run", BRIDGECART_MAX_BATCH_RECORDS="250").code == 0
    (first,), (second,) = rows(warehouse, FORGOTTEN)
    # From the first on all hashes are made with the same salt.
    assert here("forget", first).code == 0
    of_duckdb, in_file = _copied(warehouse, tmp_path / "duckdb")
    assert here("move", "--to", "spark", **spark).code == 0
    # The list beside the file is ahead of it then: whoever opens the file erases first.
    assert killer.run_until("before commit", "forget", second, settings=spark).was_killed
    for command in (["forget", second, "--json"], ["run", "--remap", "--json"]):
        by_spark, by_duckdb = here(*command, **NET, **spark), here(*command, **NET, **in_file)
        assert by_spark.code == by_duckdb.code, by_spark.out + by_spark.err
        assert _found_by_checks(by_spark.out) == _found_by_checks(by_duckdb.out)
        assert digests(warehouse, with_ledger=True) == digests(of_duckdb, with_ledger=True)
        assert _page(warehouse) == _page(of_duckdb)
    lake = load_settings().lake_path
    assert _rows_with(second, _files_in(lake)) == 0
    in_lake, saved = digests(warehouse, with_ledger=True), str(tmp_path / "saved")
    assert here("backup", saved, **spark).code == 0
    assert here("restore", saved, "--replace", **spark).code == 0
    assert digests(warehouse, with_ledger=True) == in_lake
    assert _files_in(lake) == set()
    # Elsewhere it is another's.
    assert here("move", "--to", "spark", **spark).code == 0
    other = {"BRIDGECART_DATA_DIR": str(tmp_path / "other"), "BRIDGECART_LAKE_DIR": str(lake), **spark}
    assert here("restore", saved, **other).code == 0
    assert here("move", "--to", "duckdb", **other).err.endswith(f"Delete {lake}, unless another warehouse uses it.\n")
    assert digests(warehouse, with_ledger=True) == in_lake


def test_a_commit_of_a_killed_driver_that_comes_late_is_not_counted(
    here: Here, filled: Warehouse, spark: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert here("move", "--to", "spark", **spark).code == 0
    before = digests(filled, with_ledger=True)
    settle = Lake.settle

    def settle_before_it_comes(lake: Lake, table: Contract, head: Head) -> None:
        settle(lake, table, head)
        lake.rows(table, head).limit(1).writeTo(f"lake.{table.full_name}").append()

    withdraw = ("withdraw", "O1-1", "--reason", "sent by mistake")
    with monkeypatch.context() as patch:
        patch.setattr(Lake, "settle", settle_before_it_comes)
        failed = here(*withdraw, **spark)
    assert failed.code == 1, failed.out
    assert re.fullmatch(
        r"bridgecart: Another process wrote to \w+\.\w+ in the lake meanwhile: nothing was written, run again\.\n",
        failed.err,
    )
    assert digests(filled, with_ledger=True) == before
    assert here(*withdraw, **spark).code == 0
    assert rows(filled, "select count(*) from silver.orders where order_id = 'O1-1'") == [(0,)]
    assert rows(filled, "select count(*) - count(distinct order_key) from silver.orders") == [(0,)]


def test_a_damaged_file_of_the_lake_is_told_in_one_line(
    here: Here, filled: Warehouse, spark: Mapping[str, str]
) -> None:
    assert here("move", "--to", "spark", **spark).code == 0
    with filled.reading() as connection:
        (lost,) = read_heads(connection)[SILVER_ORDERS.full_name].files
    Path(lost).write_text("damaged")
    failed = here("withdraw", "O1-1", "--reason", "wrong", **spark)
    assert failed.code == 1, failed.err
    assert failed.err.startswith("bridgecart: A file of the lake cannot be read (")
    assert failed.err.count("\n") == 1


def _copied(warehouse: Warehouse, folder: Path) -> tuple[Warehouse, Mapping[str, str]]:
    """A copy of the data folder, and the setting that names it."""
    shutil.copytree(warehouse.path.parent, folder)
    return _warehouse_in(folder), {"BRIDGECART_DATA_DIR": str(folder)}


def _warehouse_in(folder: Path) -> Warehouse:
    return warehouse_from_settings(load_settings().model_copy(update={"data_dir": folder}))


def _rows_with(customer_id: str, files: Iterable[str]) -> int:
    """The rows that name a customer anywhere."""
    return sum(
        count
        for file in files
        for (count,) in duckdb.execute(
            f"select count(*) from '{file}' as row where row::varchar like '%' || ? || '%'", [customer_id]
        ).fetchall()
    )


def _by_duckdb(
    killer: Killer, files: Sequence[Path], tmp_path: Path, **settings: str
) -> tuple[Warehouse, Sequence[Ended]]:
    elsewhere = tmp_path / "duckdb"
    ended = [
        killer.run("import", str(file), "--json", BRIDGECART_DATA_DIR=str(elsewhere), **settings) for file in files
    ]
    return _warehouse_in(elsewhere), ended


def _found_by_checks(said: str) -> Any:
    summary = json.loads(said)
    return summary["failed_checks"], summary["is_good"]


def _files(warehouse: Warehouse) -> set[str]:
    return {file for (file,) in rows(warehouse, "select unnest(files) from lake.heads")}


def _files_in(lake: Path) -> set[str]:
    return {str(file) for file in lake.rglob("*.parquet")}


def _offsets_by_ledger(warehouse: Warehouse) -> Mapping[str, Any]:
    found = rows(warehouse, "select batch_key, ranges from raw.batches")
    return {key: {str(r["partition"]): [r["start"], r["end"]] for r in ranges} for key, ranges in found}


def _offsets_by_commits(warehouse: Warehouse) -> Mapping[str, Any]:
    """What the commits of raw say, those too that do not count."""
    versions = (warehouse.path.parent / "lake" / "raw" / "orders" / "metadata").glob("v*.metadata.json")
    newest = max(versions, key=lambda file: int(file.name[1:].partition(".")[0]))
    said = [snapshot["summary"] for snapshot in json.loads(newest.read_text())["snapshots"]]
    return {one["bridgecart.batch"]: json.loads(one["bridgecart.offsets"]) for one in said if "bridgecart.batch" in one}


def _page(warehouse: Warehouse) -> str:
    """The report without the keys of batches, which say when they were planned."""
    return re.sub(r"\d{8}T\d{6}Z", "", (warehouse.path.parent / "reports" / "segments.html").read_text())


def _is_json(value: bytes) -> bool:
    try:
        return isinstance(json.loads(value), dict)
    except ValueError:
        return False
