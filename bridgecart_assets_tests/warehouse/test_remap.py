"""`bridgecart run --remap`: a warehouse that stands becomes what a new one would be with the settings of now."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import ERASURE_TABLES, TABLES
from bridgecart_assets.models.due import RefitMode
from bridgecart_assets.warehouse.duckdb_engine import DuckDBEngine
from bridgecart_assets.warehouse.erasure import erase_customers
from bridgecart_assets.warehouse.from_settings import engine_from_settings, warehouse_from_settings
from bridgecart_assets.warehouse.remap import remap
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.support.pipeline import run_silver, run_whole_tables
from bridgecart_assets_tests.support.records import Record, event, store_batch
from bridgecart_assets_tests.support.state import rows

KEYS = ("20260101T000000Z", "20260102T000000Z", "20260103T000000Z")
CHANGED = {"amount_is_net": True, "naive_timezone": "Asia/Kolkata"}


def batches() -> list[list[Record]]:
    """Three batches of a shop with discounts, times without a zone, refunds, and orders that come again later."""
    orders = [
        event(
            order_id=f"O{customer}-{month}",
            customer_id=f"C{customer}",
            # Read as Indian time, this is the day before.
            purchase_date=f"2025-{month:02}-{customer % 27 + 1:02}T03:00:00",
            purchase_amount=100 * (customer % 5 + 1),
            discount_amount=10 * (customer % 3),
        )
        for month in (1, 2, 3)
        for customer in range(48)
        if month != 2 or customer % 2
    ]
    refund = event(order_id="R1", customer_id="C3", purchase_date="2025-03-28T03:00:00", purchase_amount=-50)
    third = len(orders) // 3
    parts = [
        orders[:third],
        [*orders[third : 2 * third], orders[0], b"broken"],
        [*orders[2 * third :], orders[1], refund],
    ]
    return [[Record(payload) for payload in part] for part in parts]


def store(warehouse: Warehouse, parts: Sequence[Sequence[Record]], settings: Settings, *, refreshed: bool) -> None:
    """All batches to silver; everything after it too, after each of them or once at the end."""
    start = 0
    for key, records in zip(KEYS, parts, strict=True):
        store_batch(warehouse, key, records, start=start)
        start += len(records)
        run_silver(warehouse, settings, key)
        if refreshed or key == KEYS[-1]:
            run_whole_tables(warehouse, settings)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop that was refreshed after each batch, and whose models were fitted twice."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("built"))
    warehouse = warehouse_from_settings(settings)
    store(warehouse, batches(), settings, refreshed=True)
    run_whole_tables(warehouse, settings, refit_mode=RefitMode.NOW)
    return warehouse.path


@pytest.fixture
def standing(built: Path, warehouse: Warehouse) -> Warehouse:
    """A copy of it."""
    warehouse.path.parent.mkdir()
    shutil.copy(built, warehouse.path)
    return warehouse


@pytest.fixture
def changed(settings: Settings) -> Settings:
    """The settings of now."""
    return settings.model_copy(update=CHANGED)


def read_again(warehouse: Warehouse, settings: Settings) -> Warehouse:
    """As the command does it."""
    again = warehouse_from_settings(settings)
    assert again.path == warehouse.path
    remap(DuckDBEngine(again), settings, lambda _done, _of: None)
    run_whole_tables(again, settings)
    return again


def differing(one: Warehouse, other: Warehouse) -> list[str]:
    """Tables whose rows are not the same, batches and all."""
    return [
        name
        for name in TABLES
        if sorted(map(repr, rows(one, f"from {name}"))) != sorted(map(repr, rows(other, f"from {name}")))
    ]


def test_it_becomes_row_by_row_a_new_warehouse_with_the_settings_of_now(
    standing: Warehouse, changed: Settings, tmp_path: Path
) -> None:
    new = changed.model_copy(update={"data_dir": tmp_path / "new"})
    fresh = warehouse_from_settings(new)
    store(fresh, batches(), new, refreshed=False)
    assert {"silver.orders", "gold.segment_model"} <= set(differing(standing, fresh))

    again = read_again(standing, changed)
    assert differing(again, fresh) == []
    assert len(rows(again, "from silver.duplicate_orders")) == 2
    assert {settings["amount_is_net"] for (settings,) in rows(again, "select settings from silver.readings")} == {
        "True"
    }


def test_the_ledger_and_the_raw_records_stay_as_they_are(standing: Warehouse, changed: Settings) -> None:
    kept = {name: rows(standing, f"from {name} order by all") for name in ("raw.orders", "raw.batches")}
    again = read_again(standing, changed)
    assert {name: rows(again, f"from {name} order by all") for name in kept} == kept


def test_who_was_forgotten_stays_so(standing: Warehouse, settings: Settings, changed: Settings) -> None:
    with standing.transaction() as connection:
        erase_customers(connection, settings, ["C3"])
    kept = {table.full_name: rows(standing, f"from {table.full_name}") for table in ERASURE_TABLES}
    again = read_again(standing, changed)
    assert rows(again, "select count(*) from silver.orders where customer_id = 'C3'") == [(0,)]
    assert {table.full_name: rows(again, f"from {table.full_name}") for table in ERASURE_TABLES} == kept


def test_killed_in_the_middle_nothing_has_changed_and_the_next_time_it_is_done(
    standing: Warehouse, changed: Settings
) -> None:
    before = {name: rows(standing, f"from {name} order by all") for name in TABLES}

    def killed(done: int, of: int) -> None:
        assert of == len(KEYS)
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        remap(engine_from_settings(changed), changed, killed)
    assert {name: rows(standing, f"from {name} order by all") for name in TABLES} == before
    left = {file.name for file in standing.path.parent.iterdir() if file.name.startswith(standing.path.stem)}
    assert left == {standing.path.name, f"{standing.path.name}.lock"}
    read_again(standing, changed)


def test_what_a_kill_has_left_of_the_copy_is_in_nobodys_way(standing: Warehouse, changed: Settings) -> None:
    standing.path.with_suffix(".rewritten").write_bytes(b"half a copy")
    standing.path.with_suffix(".rewritten.wal").write_bytes(b"half a log")
    read_again(standing, changed)


def test_others_read_the_old_tables_meanwhile(standing: Warehouse, settings: Settings, changed: Settings) -> None:
    seen: list[object] = []
    net = "select sum(net_amount) from silver.orders"
    before = rows(standing, net)
    remap(
        engine_from_settings(changed),
        changed,
        lambda _done, _of: seen.append(rows(warehouse_from_settings(settings), net)),
    )
    assert seen == [before] * len(KEYS)
    assert rows(standing, net) != before
