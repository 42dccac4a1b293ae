"""`bridgecart import`: files of orders through the whole pipeline, once each, whatever happens meanwhile."""

import csv
import json
from pathlib import Path

import pytest

from bridgecart_assets.base.settings import Settings, load_settings
from bridgecart_assets.orchestration.instance import instance_in
from bridgecart_assets.orchestration.partitions import BATCHES
from bridgecart_assets.orchestration.runs import unfinished_runs
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.killable import Killer
from bridgecart_assets_tests.support.state import digests, rows

ORDERS = 700
IN_BATCHES = {"BRIDGECART_MAX_BATCH_RECORDS": "300"}
# Each is of a run that goes on where the one before was killed.
KILLS = (
    "before add_dynamic_partitions",
    "before _insert_chunk",
    "before commit",
    "after commit",
    # Of the batch that stands in raw alone, the one of its silver.
    "before commit",
    400,
)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Orders of 2025 as another program exports them, by some customers, one of them a refund."""
    file = tmp_path / "history.csv"
    with file.open("w", encoding="utf-8-sig", newline="") as opened:
        writer = csv.writer(opened, delimiter=";")
        writer.writerow(["order_id", "customer_id", "purchase_date", "purchase_amount", "payment_method", "note"])
        for n in range(ORDERS):
            amount = "-12.30" if n == 5 else f"{n % 50 + 1}.50"
            date = f"2025-{n % 12 + 1:02}-{n % 28 + 1:02} 10:00:00"
            writer.writerow([f"O{n}", f"C{n % 40}", date, amount, "upi", 'said "no";\nthen yes' if n % 3 else ""])
    return file


@pytest.mark.story
def test_a_file_is_taken_in_once_without_any_broker_whatever_it_is_called_and_a_changed_one_is_another(
    killer: Killer, history: Path, warehouse: Warehouse
) -> None:
    done = killer.run("import", str(history), **IN_BATCHES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "history.csv: 700 rows imported.\n3 batch(es): 700 records = 700 orders + 0 dup" in done.stdout
    assert rows(warehouse, "select order_kind, count(*) from silver.orders group by 1 order by 1") == [
        ("purchase", 699),
        ("refund", 1),
    ]
    sql = 'select topic, ranges[1]."start", records, mapping from raw.batches order by 2'
    assert rows(warehouse, sql) == [("history.csv", start, min(300, 700 - start), None) for start in (0, 300, 600)]
    before = digests(warehouse, with_ledger=True)

    done = killer.run("import", "--json", str(history.rename(history.with_name("older.csv"))))
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert (said["files"][0]["rows"], said["files"][0]["before"], said["records"]) == (700, 700, 0)
    assert digests(warehouse, with_ledger=True) == before
    assert "no longer in the topic" not in killer.run("doctor").stdout

    history.write_text("order_id,customer_id,purchase_date,purchase_amount\nO1,C1,2025-03-01 10:00:00,99\n")
    done = killer.run("import", str(history))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "history.csv was imported before with other content (700 rows); its orders stay" in done.stderr
    assert rows(warehouse, "select count(*) from silver.orders") == [(700,)]


def test_a_file_with_a_wrong_line_gives_no_row_and_not_even_a_data_directory(
    killer: Killer, history: Path, settings: Settings
) -> None:
    with history.open("a") as opened:
        opened.write("O9;C9\n")
    done = killer.run("import", str(history))
    assert done.returncode == 1
    assert done.stderr.startswith("bridgecart: history.csv line ")
    assert done.stderr.endswith(": 2 columns where 6 are expected; nothing was imported\n")
    assert not settings.data_dir.exists()


def test_killed_at_any_step_and_run_again_it_goes_on_and_ends_with_the_bytes_of_an_undisturbed_import(
    killer: Killer, history: Path, warehouse: Warehouse, settings: Settings, tmp_path: Path
) -> None:
    elsewhere = {**IN_BATCHES, "BRIDGECART_DATA_DIR": str(tmp_path / "undisturbed")}
    assert killer.run("import", str(history), **elsewhere).returncode == 0
    for moment in KILLS:
        assert killer.run_until(moment, "import", str(history), settings=IN_BATCHES).was_killed
    done = killer.run("import", str(history), **IN_BATCHES)
    assert done.returncode == 0, done.stdout + done.stderr
    undisturbed = warehouse_from_settings(load_settings().model_copy(update={"data_dir": tmp_path / "undisturbed"}))
    assert digests(warehouse) == digests(undisturbed)
    with instance_in(settings.dagster_home) as instance:
        assert unfinished_runs(instance) == []
        keys = instance.get_dynamic_partitions(str(BATCHES.name))
    assert {key for (key,) in rows(warehouse, "select batch_key from raw.batches")} == set(keys)
