"""The list of forgotten customers beside the warehouse: no other copy of the warehouse brings them back."""

import shutil
import stat
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path

import duckdb
import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import ERASURE_TABLES, TABLES
from bridgecart_assets.warehouse.duckdb_engine import DuckDBEngine
from bridgecart_assets.warehouse.erasure import erase_customers, forget_again, publish_customers
from bridgecart_assets.warehouse.storage.database import Warehouse, table_exists
from bridgecart_assets.warehouse.storage.forgotten_list import ForgottenList, ForgottenListUnusable
from bridgecart_assets_tests.sql.silver import Placed, broken_rules, place
from bridgecart_assets_tests.support.pipeline import run_silver
from bridgecart_assets_tests.support.records import Record, event
from bridgecart_assets_tests.support.rereading import read_batch
from bridgecart_assets_tests.support.state import digests, rows
from bridgecart_assets_tests.warehouse.test_erasure import (
    BY_BATCH,
    FIRST,
    SECOND,
    SETTINGS,
    compute_all,
    open_bridges,
)

GONE = "C-gone"
FORGET_AGAIN = partial(forget_again, settings=Settings(), engine_on=DuckDBEngine)
RECORDS = place(
    [
        Record(event(order_id="A1", customer_id=GONE, purchase_date="2025-01-10", purchase_amount=900)),
        Record(event(order_id="A2", customer_id="C-here", purchase_date="2025-01-11", purchase_amount=40)),
        # Theirs, with the order id of another: it counts once they are gone.
        Record(event(order_id="A3", customer_id="C-here", purchase_date="2025-02-01")),
        Record(event(order_id="A1", customer_id=GONE, purchase_date="2025-01-10", purchase_amount=900)),
        Record(None, key=GONE.encode()),
        Record(b'{"customer_id": "C-gone"', key=GONE.encode()),
        Record(event(order_id="A4", customer_id=GONE, purchase_date="soon")),
        Record(event(order_id="A5", customer_id="C-more", purchase_date="2025-03-05", purchase_amount=30)),
    ]
)
BATCHES = {FIRST: RECORDS[:5], SECOND: RECORDS[5:]}


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with two batches, everything after them computed, and published what names customers."""
    warehouse = Warehouse(
        tmp_path_factory.mktemp("computed") / "data" / "bridgecart.duckdb",
        forget_again=FORGET_AGAIN,
    )
    take_in(warehouse)
    publish_customers(warehouse, published(warehouse))
    return warehouse.path.parent


@pytest.fixture
def shop(computed: Path, tmp_path: Path) -> Warehouse:
    """The test's own copy of that."""
    shutil.copytree(computed, tmp_path / "data")
    return Warehouse(
        tmp_path / "data" / "bridgecart.duckdb",
        forget_again=FORGET_AGAIN,
    )


def take_in(warehouse: Warehouse) -> None:
    for batch_key, records in BATCHES.items():
        read(warehouse, batch_key, records)
    compute_all(warehouse)  # type: ignore[arg-type]


def read(warehouse: Warehouse, batch_key: str, records: Sequence[Placed]) -> None:
    read_batch(warehouse, batch_key, records)
    run_silver(warehouse, SETTINGS, batch_key)


def published(warehouse: Warehouse) -> Path:
    return warehouse.path.with_name("published")


def listed(warehouse: Warehouse) -> Path:
    return warehouse.path.with_name("forgotten_customers.json")


def forget(warehouse: Warehouse, *customer_ids: str) -> None:
    """As the command does, up to the commit."""
    with warehouse.transaction() as connection:
        erase_customers(connection, SETTINGS, customer_ids)
        ForgottenList.stored(connection).write(warehouse.path)


def everything(warehouse: Warehouse) -> dict[str, object]:
    """All rows of all tables, by their hashes, and of the tables of erasure as they are."""
    with warehouse.reading() as connection:
        kept = {
            table.full_name: sorted(connection.execute(f"from {table.full_name}").fetchall())
            for table in ERASURE_TABLES
            if table_exists(connection, table)
        }
    return {**digests(warehouse), **kept}


def says_gone(warehouse: Warehouse) -> list[str]:
    """Every table and file of the data directory that still says who it was."""
    found = []
    with warehouse.reading() as connection:
        for table in TABLES.values():
            if table_exists(connection, table):
                said = connection.execute(f"from {table.full_name}").fetchall()
                found += [table.full_name] if GONE in str(said) else []
    for file in warehouse.path.parent.rglob("*"):
        if file.is_file() and GONE.encode() in file.read_bytes():
            found.append(str(file))
        if file.suffix == ".parquet":
            with duckdb.connect() as reader:
                found += [str(file)] if GONE in str(reader.read_parquet(str(file)).fetchall()) else []
    return found


def test_whoever_is_forgotten_is_listed_beside_the_warehouse_without_a_name(shop: Warehouse):
    shop.path.chmod(0o640)
    forget(shop, GONE)
    assert GONE.encode() not in listed(shop).read_bytes()
    assert stat.S_IMODE(listed(shop).stat().st_mode) == 0o640
    with shop.reading() as connection:
        assert ForgottenList.beside(shop.path) == ForgottenList.stored(connection)


def test_an_older_copy_forgets_them_at_the_first_look_and_is_what_it_would_have_been(shop: Warehouse, tmp_path: Path):
    older = shop.path.read_bytes()
    files = {file: file.read_bytes() for file in published(shop).rglob("*.parquet")}
    assert len(files) > 1
    forget(shop, GONE)
    compute_all(shop)  # type: ignore[arg-type]
    would_be = everything(shop)
    assert would_be["gold.erased_value"]

    shop.path.write_bytes(older)
    for file, content in files.items():
        file.write_bytes(content)
    report = shop.path.parent / "reports" / "segments.html"
    report.parent.mkdir()
    report.write_text(GONE)
    assert rows(shop, "select count(*) from silver.orders") == [(3,)]
    assert says_gone(shop) == []
    by_batch = {table.full_name for table in BY_BATCH}
    assert {name: of for name, of in everything(shop).items() if name in by_batch} == {
        name: of for name, of in would_be.items() if name in by_batch
    }
    compute_all(shop)  # type: ignore[arg-type]
    assert everything(shop) == would_be
    assert open_bridges(shop) == []  # type: ignore[arg-type]
    for batch_key, records in BATCHES.items():
        read(shop, batch_key, records)
        assert broken_rules(shop, batch_key) == []  # type: ignore[arg-type]
    assert everything(shop) == would_be


def test_a_copy_that_is_written_to_first_forgets_them_before_anything_is_read(shop: Warehouse):
    older = shop.path.read_bytes()
    forget(shop, GONE)
    shop.path.write_bytes(older)
    read(shop, SECOND, BATCHES[SECOND])
    assert rows(shop, "select customer_id from silver.orders where customer_id = ?", GONE) == []
    assert says_gone(shop) == [str(file) for file in published(shop).rglob("*.parquet") if GONE in file.name]


def test_a_warehouse_built_anew_from_the_topic_never_has_them(shop: Warehouse):
    forget(shop, GONE)
    compute_all(shop)  # type: ignore[arg-type]
    would_be = everything(shop)
    shop.path.unlink()
    take_in(shop)
    assert says_gone(shop) == []
    assert everything(shop) == would_be


def test_killed_while_it_forgets_again_it_begins_again(shop: Warehouse, monkeypatch: pytest.MonkeyPatch):
    older = shop.path.read_bytes()
    forget(shop, GONE)
    shop.path.write_bytes(older)
    with monkeypatch.context() as patched:
        patched.setattr(Warehouse, "rewrite", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt), shop.reading():
            pass
    assert GONE.encode() in shop.path.read_bytes()
    assert says_gone(shop) == []


def test_who_came_back_after_the_copy_keeps_the_later_orders(shop: Warehouse):
    forget(shop, GONE)
    later = place([Record(event(order_id="A9", customer_id=GONE, purchase_date="2026-01-01"), partition=1)])
    read(shop, "20300101T000200Z", later)
    with shop.transaction() as connection:
        connection.execute("delete from raw.forgotten_customers")
    read_batch(shop, FIRST, BATCHES[FIRST])
    assert rows(shop, "select purchased_at::date::varchar from silver.orders where customer_id = ?", GONE) == [
        ("2026-01-01",)
    ]


def test_the_list_is_begun_for_a_warehouse_that_has_forgotten_without_one(shop: Warehouse):
    forget(shop, GONE)
    before = listed(shop).read_bytes()
    listed(shop).unlink()
    with shop.reading():
        assert not listed(shop).exists()
    with shop.transaction():
        assert listed(shop).read_bytes() == before


def test_a_list_that_is_behind_the_warehouse_is_caught_up_with(shop: Warehouse):
    forget(shop, GONE)
    older = listed(shop).read_bytes()
    forget(shop, "C-more")
    newer = listed(shop).read_bytes()
    listed(shop).write_bytes(older)
    with shop.reading():
        assert listed(shop).read_bytes() == newer


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"customers": [["a", "b", "c"]], "value": []}', b"\xff"])
def test_a_list_that_cannot_be_read_stops_everything_in_one_line(tmp_path: Path, content: bytes):
    shop = Warehouse(tmp_path / "bridgecart.duckdb", forget_again=FORGET_AGAIN)
    with shop.transaction():
        pass
    listed(shop).write_bytes(content)
    before = shop.path.read_bytes()
    with pytest.raises(ForgottenListUnusable, match=r"^The list of forgotten customers .* put it back from a copy\."):
        shop.reading().__enter__()
    with pytest.raises(ForgottenListUnusable):
        shop.transaction().__enter__()
    assert shop.path.read_bytes() == before


def test_the_list_of_another_shop_is_refused(shop: Warehouse):
    forget(shop, GONE)
    ForgottenList({"0" * 64: ("another salt", datetime(2025, 1, 1))}).write(shop.path)  # noqa: DTZ001
    with pytest.raises(ForgottenListUnusable, match="of two shops"), shop.reading():
        pass


def test_of_two_states_of_the_sums_the_later_one_counts():
    key = ("month", datetime(2025, 1, 1).date(), "S01")  # noqa: DTZ001
    earlier, later = ForgottenList({}, {key: (1, Decimal(10))}), ForgottenList({}, {key: (2, Decimal(7))})
    assert earlier.merged(later) == later.merged(earlier) == later
