"""`bridgecart import`: files of orders through the whole pipeline, once each, whatever happens meanwhile."""

import csv
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
from bridgecart_assets_tests.support.steps import tell

IN_BATCHES = {"BRIDGECART_MAX_BATCH_RECORDS": "300"}
# Each is of an import that goes on where the one before was killed.
KILLS = (
    "before follow",
    "before commit",
    "after commit",
    # Of the batch that stands in raw alone, the one of its silver.
    "before commit",
    400,
)
MAPPING = """
format = 1

[order]
order_id = 'value."Order No"'
version = "0"
customer_id = "value.Customer"
purchase_date = "strptime(value.Date, '%d.%m.%Y')"
purchase_amount = "replace(value.Total, ',', '.')"
"""


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """700 orders of 2025 as another program exports them."""
    file = tmp_path / "history.csv"
    with file.open("w", encoding="utf-8-sig", newline="") as opened:
        writer = csv.writer(opened, delimiter=";")
        writer.writerow(["Order No", "Customer", "Date", "Total", "Note"])
        for n in range(700):
            date = f"{n % 28 + 1:02}.{n % 12 + 1:02}.2025"
            writer.writerow([f"O{n}", f"C{n % 40}", date, f"{n % 50 + 1},50", 'said "no";\nthen yes' if n % 3 else ""])
    return file


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    """The mapping of the file."""
    file = tmp_path / "history.toml"
    file.write_text(MAPPING)
    return file


@pytest.fixture
def undisturbed(tmp_path: Path) -> Warehouse:
    """A warehouse of its own."""
    return warehouse_from_settings(load_settings().model_copy(update={"data_dir": tmp_path / "undisturbed"}))


@pytest.mark.story
def test_a_file_is_taken_in_once_without_any_broker_whatever_kills_the_import(
    killer: Killer, history: Path, mapping: Path, warehouse: Warehouse, undisturbed: Warehouse, settings: Settings
) -> None:
    tell(
        its_rows_are_taken_in_by_the_mapping_in_batches,
        killed_at_any_step_and_run_again_it_goes_on_and_ends_with_the_same_bytes,
        killer=killer,
        history=history,
        mapping=mapping,
        warehouse=warehouse,
        undisturbed=undisturbed,
        settings=settings,
    )


def its_rows_are_taken_in_by_the_mapping_in_batches(
    killer: Killer, history: Path, mapping: Path, undisturbed: Warehouse
) -> None:
    elsewhere = {**IN_BATCHES, "BRIDGECART_DATA_DIR": str(undisturbed.path.parent)}
    done = killer.run("import", str(history), "--mapping", str(mapping), **elsewhere)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "history.csv: 700 rows imported.\n3 batch(es): 700 records = 700 orders + 0 dup" in done.stdout
    sql = 'select topic, ranges[1]."start", records, mapping from raw.batches order by 2'
    assert rows(undisturbed, sql) == [("history.csv", start, min(300, 700 - start), MAPPING) for start in (0, 300, 600)]


def killed_at_any_step_and_run_again_it_goes_on_and_ends_with_the_same_bytes(
    killer: Killer, history: Path, mapping: Path, warehouse: Warehouse, undisturbed: Warehouse, settings: Settings
) -> None:
    command = ("import", str(history), "--mapping", str(mapping))
    for moment in KILLS:
        assert killer.run_until(moment, *command, settings=IN_BATCHES).was_killed
    done = killer.run(*command, **IN_BATCHES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert digests(warehouse) == digests(undisturbed)
    with instance_in(settings.dagster_home) as instance:
        assert unfinished_runs(instance) == []
        keys = instance.get_dynamic_partitions(str(BATCHES.name))
    assert {key for (key,) in rows(warehouse, "select batch_key from raw.batches")} == set(keys)
