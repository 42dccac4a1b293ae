"""`bridgecart doctor --deep`: damage is found wherever it is, and what is whole is left in peace."""

import random
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands import doctor_deep as deep
from bridgecart_assets.commands.doctor_deep import read_everything
from bridgecart_assets.commands.doctor_findings import Finding
from bridgecart_assets.contracts import TABLES
from bridgecart_assets.sources.kafka.offsets import OffsetRange, TopicState
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.publishing import publish, published_path
from bridgecart_assets.warehouse.storage.database import DuckDBFailed, Warehouse, WarehouseUnusable
from bridgecart_assets_tests.support.state import digests

FLIPS = 10
MANY_FLIPS = 200


@pytest.fixture
def settings(filled: Warehouse, data_dir: Path) -> Settings:
    """Of a small shop with everything published that is published."""
    return Settings(data_dir=data_dir)


def found(settings: Settings) -> list[Finding]:
    return read_everything(settings, progress=lambda *_: None)


def flip(file: Path, position: int, bit: int = 0) -> None:
    content = bytearray(file.read_bytes())
    content[position] ^= 1 << bit
    file.write_bytes(content)


def test_of_what_is_whole_nothing_is_said_and_every_table_and_file_is_read(settings: Settings) -> None:
    read: list[tuple[int, int, str]] = []
    assert read_everything(settings, progress=lambda *said: read.append(said)) == []
    names = [name for _, _, name in read]
    assert {"raw.orders", "silver.orders", "kpi.clv_growth", "main.layout_version", "clv_growth.parquet"} <= set(names)
    assert [done for done, _, _ in read] == list(range(len(names)))
    assert {total for _, total, _ in read} == {len(names)}


@pytest.mark.parametrize(
    "changed",
    [
        "log_spend_square_sum = log_spend_square_sum + 0.000000001",
        "first_purchased_on = first_purchased_on - 1",
        "categories = categories[1:0]",
        "last_spend = last_spend + 0.01",
    ],
)
def test_totals_that_no_sum_over_everybody_proves_are_held_to_the_orders(settings: Settings, changed: str) -> None:
    with warehouse_from_settings(settings).transaction() as connection:
        someone = "(select min(customer_id) from gold.customer_totals where frequency > 0 and len(categories) > 0)"
        connection.execute(f"update gold.customer_totals set {changed} where customer_id = {someone}")
    (finding,) = [finding for finding in found(settings) if not finding.is_note]
    assert finding.says == "The totals of 1 customers are not what their orders add up to."
    assert "--full" in finding.remedy


def test_before_the_first_run_there_is_nothing_to_read(tmp_path: Path) -> None:
    assert found(Settings(data_dir=tmp_path)) == []


@pytest.mark.parametrize(
    ("seed", "flips"), [(1, FLIPS), pytest.param(2, MANY_FLIPS, marks=pytest.mark.slow)], ids=["some", "many"]
)
def test_a_flipped_bit_anywhere_in_the_warehouse_is_found_or_changes_nothing(
    settings: Settings, seed: int, flips: int
) -> None:
    warehouse = warehouse_from_settings(settings)
    good, before = warehouse.path.read_bytes(), digests(warehouse, with_ledger=True)
    chance, damaged = random.Random(seed), 0
    for _ in range(flips):
        warehouse.path.write_bytes(good)
        flip(warehouse.path, chance.randrange(len(good)), chance.randrange(8))
        try:
            findings = found(settings)
        except (WarehouseUnusable, DuckDBFailed):
            damaged += 1
            continue
        damaged += bool(findings)
        if not findings:
            # Free space, or the older of the two headers.
            assert digests(warehouse, with_ledger=True) == before
    assert damaged > flips / 3


def test_a_published_file_that_differs_in_any_column_is_not_what_the_table_has(settings: Settings) -> None:
    # Of this table a single column, called r, was read for the whole row.
    table = "gold.purchase_model"
    file = published_path(settings.published_dir, TABLES[table])
    sums = {table: deep.sum_of_table(warehouse_from_settings(settings), table)}
    for one in TABLES[table].columns:
        column = one.name
        whole = file.read_bytes()
        with duckdb.connect() as connection:
            connection.execute(
                f"create table changed as select * replace (null::{one.type} as \"{column}\") from '{file}'"
            )
            ((differs,),) = connection.execute(f"select count(\"{column}\") > 0 from '{file}'").fetchall()
            connection.execute(f"copy changed to '{file}' (format parquet)")
        notes = [finding.says for finding in deep.published_findings(file, {file: table}, sums)]
        assert notes == ([f"{file} is not what {table} has: it is older, or damaged."] if differs else []), column
        file.write_bytes(whole)


def test_a_damaged_table_is_named_with_the_remedy_and_what_the_topic_still_has(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = TopicState("orders", "t1", None, {0: OffsetRange(800, 1_000), 1: OffsetRange(0, 70)})
    monkeypatch.setattr(deep, "topic_state", lambda _: state)
    monkeypatch.setattr(deep, "kafka_connection", lambda _: None)
    file = warehouse_from_settings(settings).path
    damage_a_table(settings, file)
    tables = [finding for finding in found(settings) if finding.where == "warehouse"]
    (topic,) = [finding for finding in found(settings) if finding.where == "topic"]
    assert tables
    for finding in tables:
        assert "cannot be read (Corrupt database file: computed checksum" in finding.says
        assert finding.remedy.startswith("Restore it from a backup (`bridgecart restore`), or move it away and run ")
        assert not finding.is_note
    assert topic.is_note
    assert topic.says == (
        "Topic orders still has 270 offsets; 800 cannot be read again and will be missing: partition 0 [0, 800). "
        "Files that were imported have to be imported again."
    )


def damage_a_table(settings: Settings, file: Path) -> None:
    """Flip a bit of a block that a table is in, and not of one without which the file cannot be opened."""
    whole = file.read_bytes()
    for position in range(len(whole) // 2, len(whole), 262_144):
        flip(file, position)
        with suppress(WarehouseUnusable, DuckDBFailed):
            if [finding for finding in found(settings) if finding.where == "warehouse"]:
                return
        file.write_bytes(whole)


def test_a_topic_that_has_everything_lets_nothing_be_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    state = TopicState("orders", "t1", None, {0: OffsetRange(0, 1_000)})
    monkeypatch.setattr(deep, "topic_state", lambda _: state)
    monkeypatch.setattr(deep, "kafka_connection", lambda _: None)
    said = deep.what_the_topic_has(Settings(data_dir=tmp_path))
    assert said == (
        "Topic orders still has every offset, so nothing of it will be missing. "
        "Files that were imported have to be imported again."
    )


def test_without_a_broker_it_says_that_the_topic_could_not_be_asked(tmp_path: Path) -> None:
    said = deep.what_the_topic_has(Settings(data_dir=tmp_path))
    assert said.startswith("What the topic still has could not be asked (No broker: ")


def test_a_damaged_published_file_is_named_and_so_is_one_that_says_something_else(settings: Settings) -> None:
    damaged, cut_off, other, *_ = sorted(settings.published_dir.rglob("*.parquet"))
    flip(damaged, damaged.stat().st_size // 3)
    cut_off.write_bytes(cut_off.read_bytes()[:-9])
    publish(warehouse_from_settings(settings), TABLES["kpi.sales_contribution"], other.parents[1] / "elsewhere")
    other.write_bytes((other.parents[1] / "elsewhere" / "kpi" / "sales_contribution.parquet").read_bytes())
    findings = [finding for finding in found(settings) if finding.where == "published"]
    assert [str(file) in finding.says for file, finding in zip((damaged, cut_off, other), findings, strict=True)] == [
        True,
        True,
        True,
    ]
    assert {finding.remedy for finding in findings} == {"`bridgecart run --full` writes it anew."}
    assert f"{cut_off} cannot be read" in findings[1].says
    assert findings[2].says.startswith(f"{other} is not what ")
    assert [finding.is_note for finding in findings[1:]] == [False, True]
