"""Publishing: the file changes at once, readers keep theirs, the same rows give the same bytes."""

import os
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import CUSTOMER_SEGMENTS, SEGMENT_MODEL
from bridgecart_assets.warehouse.publishing import LARGE_FILE_BYTES, is_recent, publish, published_path
from bridgecart_assets.warehouse.storage.database import Warehouse, WarehouseError, WarehouseMissing
from bridgecart_assets.warehouse.storage.tables import prepare

FULL_DEVICE = Path("/dev/full")
# More than two of Parquet's row groups, so that several threads would have something to mix up.
MANY = 250_000


def _store_customers(warehouse: Warehouse, count: int, *, order: str = "i") -> None:
    with warehouse.transaction() as connection:
        prepare(connection, replace(CUSTOMER_SEGMENTS, is_view=False))
        connection.execute("delete from gold.customer_segments")
        connection.execute(
            "insert into gold.customer_segments by name select 'C' || i as customer_id, i as customer_hash, "
            "date '2025-01-01' as as_of, 'S01' as segment_key, 'rare' as segment, 1 as model_version, "
            "random_is_not as confidence, i as net_sales "
            f"from (select i, i / {count} as random_is_not from range({count}) r(i) order by {order})"
        )


@pytest.fixture
def folder(settings: Settings) -> Path:
    return settings.published_dir


def test_a_table_is_published_with_its_columns_in_the_order_of_its_key(warehouse: Warehouse, folder: Path) -> None:
    _store_customers(warehouse, 20)
    target = publish(warehouse, CUSTOMER_SEGMENTS, folder)
    assert target == published_path(folder, CUSTOMER_SEGMENTS) == folder / "gold" / "customer_segments.parquet"
    table = pq.read_table(target)
    assert table.column_names == list(CUSTOMER_SEGMENTS.column_names)
    customers = table.column("customer_id").to_pylist()
    assert customers == sorted(f"C{n}" for n in range(20))
    assert [path.name for path in target.parent.iterdir()] == ["customer_segments.parquet"]


def test_an_empty_table_is_published_with_its_columns(warehouse: Warehouse, folder: Path) -> None:
    _store_customers(warehouse, 0)
    table = pq.read_table(publish(warehouse, CUSTOMER_SEGMENTS, folder))
    assert (table.num_rows, table.column_names) == (0, list(CUSTOMER_SEGMENTS.column_names))


def test_the_same_rows_give_the_same_bytes_however_they_were_stored(tmp_path: Path) -> None:
    contents = set()
    for name, order in (("one", "i"), ("other", "hash(i)"), ("third", "i desc")):
        warehouse = Warehouse(tmp_path / name / "bridgecart.duckdb")
        _store_customers(warehouse, MANY, order=order)
        contents.add(publish(warehouse, CUSTOMER_SEGMENTS, tmp_path / name).read_bytes())
    assert len(contents) == 1


def test_a_reader_keeps_the_file_it_has_open(warehouse: Warehouse, folder: Path) -> None:
    _store_customers(warehouse, 3)
    target = publish(warehouse, CUSTOMER_SEGMENTS, folder)
    with target.open("rb") as reader:
        reader.read(4)
        _store_customers(warehouse, 5)
        publish(warehouse, CUSTOMER_SEGMENTS, folder)
        reader.seek(0)
        assert pq.read_table(reader).num_rows == 3
    assert pq.read_table(target).num_rows == 5


def test_publishing_does_not_need_the_writers_lock(warehouse: Warehouse, folder: Path) -> None:
    _store_customers(warehouse, 3)
    with warehouse.reading() as connection:
        publish(warehouse, CUSTOMER_SEGMENTS, folder)
        assert connection.execute("select count(*) from gold.customer_segments").fetchall() == [(3,)]


def _assert_still_published(target: Path, rows: int) -> None:
    assert pq.read_table(target).num_rows == rows
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def _assert_one_line(error: WarehouseError, target: Path) -> None:
    assert "\n" not in str(error)
    assert f"Cannot publish {target}" in str(error)
    assert "the warehouse itself has the rows" in str(error)


@pytest.mark.skipif(not FULL_DEVICE.exists(), reason="no /dev/full on this system")
def test_on_a_full_disk_the_file_published_before_stays(warehouse: Warehouse, folder: Path) -> None:
    _store_customers(warehouse, 3)
    target = publish(warehouse, CUSTOMER_SEGMENTS, folder)
    _store_customers(warehouse, 5)
    target.with_suffix(".parquet.partial").symlink_to(FULL_DEVICE)
    with pytest.raises(WarehouseError) as raised:
        publish(warehouse, CUSTOMER_SEGMENTS, folder)
    _assert_one_line(raised.value, target)
    _assert_still_published(target, 3)
    publish(warehouse, CUSTOMER_SEGMENTS, folder)
    _assert_still_published(target, 5)


def test_what_a_killed_run_left_half_written_is_in_nobodys_way(warehouse: Warehouse, folder: Path) -> None:
    _store_customers(warehouse, 3)
    target = published_path(folder, CUSTOMER_SEGMENTS)
    target.parent.mkdir(parents=True)
    target.with_suffix(".parquet.partial").write_bytes(b"half of it" * 10_000)
    publish(warehouse, CUSTOMER_SEGMENTS, folder)
    _assert_still_published(target, 3)


def test_a_folder_that_cannot_be_made_is_one_line_with_the_remedy(warehouse: Warehouse, folder: Path) -> None:
    _store_customers(warehouse, 3)
    folder.parent.mkdir(exist_ok=True)
    folder.write_bytes(b"a file where the folder should be")
    with pytest.raises(WarehouseError) as raised:
        publish(warehouse, CUSTOMER_SEGMENTS, folder)
    _assert_one_line(raised.value, published_path(folder, CUSTOMER_SEGMENTS))


def test_a_folder_in_the_place_of_the_file_is_one_line_with_the_remedy(warehouse: Warehouse, folder: Path) -> None:
    _store_customers(warehouse, 3)
    target = published_path(folder, CUSTOMER_SEGMENTS)
    (target / "inside").mkdir(parents=True)
    with pytest.raises(WarehouseError) as raised:
        publish(warehouse, CUSTOMER_SEGMENTS, folder)
    _assert_one_line(raised.value, target)
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_a_table_that_is_not_there_publishes_nothing(warehouse: Warehouse, folder: Path) -> None:
    with pytest.raises(WarehouseMissing):
        publish(warehouse, CUSTOMER_SEGMENTS, folder)
    _store_customers(warehouse, 1)
    with pytest.raises(duckdb.CatalogException):
        publish(warehouse, SEGMENT_MODEL, folder)
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_only_a_large_file_of_customers_waits_until_it_is_old(folder: Path) -> None:
    for contract in (CUSTOMER_SEGMENTS, SEGMENT_MODEL):
        assert not is_recent(folder, contract, 60), "not there yet"
        target = published_path(folder, contract)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
        assert not is_recent(folder, contract, 60), "small"
        os.truncate(target, LARGE_FILE_BYTES + 1)
        assert is_recent(folder, contract, 60) == (contract == CUSTOMER_SEGMENTS)
        hour_ago = target.stat().st_mtime - 3_601
        os.utime(target, (hour_ago, hour_ago))
        assert not is_recent(folder, contract, 60), "old"
