"""`bridgecart withdraw`: an order that was taken back counts nowhere, whatever is read again or sent again."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import RAW_BATCHES, RAW_ORDERS, SILVER_REJECTS, TABLES, WITHDRAWN_ORDERS
from bridgecart_assets.warehouse.duckdb_engine import DuckDBEngine
from bridgecart_assets.warehouse.erasure import erase_customers
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.remap import remap
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.withdrawal import AmbiguousOrder, OrderName, UnknownOrder, restore, withdraw
from bridgecart_assets.warehouse.writing import write_query
from bridgecart_assets_tests.sql.silver import broken_rules
from bridgecart_assets_tests.support.pipeline import run_silver, run_whole_tables
from bridgecart_assets_tests.support.records import Record, event, store_batch
from bridgecart_assets_tests.support.state import rows

FIRST, SECOND, THIRD = "20300101T000000Z", "20300102T000000Z", "20300103T000000Z"
AT = datetime(2030, 1, 4, tzinfo=UTC)
WRONG = event(order_id="W1", customer_id="C1", purchase_date="2029-06-01T10:00:00Z", purchase_amount=70)


def shop(*more: bytes) -> list[Record]:
    """Three months of 48 customers, half of whom do not buy in the second; then these."""
    orders = [
        event(
            order_id=f"O{customer}-{month}",
            customer_id=f"C{customer}",
            purchase_date=f"2025-{month:02}-{customer % 28 + 1:02}T10:00:00Z",
            purchase_amount=100 * (customer % 20 + 1),
        )
        for month in (1, 2, 3)
        for customer in range(48)
        if month != 2 or customer % 2
    ]
    return [Record(payload) for payload in (*orders, *more)]


def taken_in(warehouse: Warehouse, settings: Settings, key: str, *records: Record, start: int = 0) -> None:
    """A batch in raw and silver."""
    store_batch(warehouse, key, list(records), start=start)
    run_silver(warehouse, settings, key)


def take_back(warehouse: Warehouse, settings: Settings, order_id: str = "W1", customer_id: str | None = None) -> int:
    """As the command does it."""
    return withdraw(DuckDBEngine(warehouse), settings, OrderName(order_id, customer_id), reason="a wrong date", at=AT)


def ends(warehouse: Warehouse, order_id: str = "W1") -> dict[str, int]:
    """How many events of the order are where."""
    counted = {
        name: rows(warehouse, f"select count(*) from silver.{name} where order_id = ?", order_id)[0][0]
        for name in ("orders", "duplicate_orders")
    }
    ((withdrawn,),) = rows(
        warehouse,
        "select count(*) from silver.rejected_orders where reasons = ['withdrawn'] and contains(decode(payload), ?)",
        f'"{order_id}"',
    )
    return {**counted, "withdrawn": withdrawn}


def test_every_table_is_as_if_the_order_had_never_been_sent_and_its_record_is_rejected(
    warehouse: Warehouse, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    without = settings.model_copy(update={"data_dir": tmp_path_factory.mktemp("without")})
    never_sent = warehouse_from_settings(without)
    taken_in(never_sent, without, FIRST, *shop())
    run_whole_tables(never_sent, without)
    taken_in(warehouse, settings, FIRST, *shop(WRONG))
    run_whole_tables(warehouse, settings)
    assert rows(warehouse, "select max(as_of)::varchar from gold.segment_model") == [("2029-06-02",)]

    assert take_back(warehouse, settings) == 1
    run_whole_tables(warehouse, settings)
    assert ends(warehouse) == {"orders": 0, "duplicate_orders": 0, "withdrawn": 1}
    assert broken_rules(warehouse, FIRST) == []  # type: ignore[arg-type]
    others = [t.full_name for t in TABLES.values() if t not in (RAW_ORDERS, RAW_BATCHES, SILVER_REJECTS)]
    for name in others:
        assert rows(warehouse, f"from {name} order by all") == rows(never_sent, f"from {name} order by all"), name
    assert rows(warehouse, f"from {WITHDRAWN_ORDERS.full_name}") == [
        ("W1", "C1", "a wrong date", AT.replace(tzinfo=None))
    ]


def test_it_stays_withdrawn_when_it_is_sent_again_when_its_batch_is_read_again_and_after_a_remap(
    warehouse: Warehouse, settings: Settings
) -> None:
    taken_in(warehouse, settings, FIRST, Record(WRONG), Record(event()))
    taken_in(warehouse, settings, SECOND, Record(WRONG), start=2)
    assert ends(warehouse) == {"orders": 1, "duplicate_orders": 1, "withdrawn": 0}
    assert take_back(warehouse, settings) == 2
    taken_in(warehouse, settings, THIRD, Record(WRONG), start=3)
    for key in (FIRST, SECOND, THIRD):
        run_silver(warehouse, settings, key)
    remap(DuckDBEngine(warehouse), settings, lambda _done, _of: None)
    assert ends(warehouse) == {"orders": 0, "duplicate_orders": 0, "withdrawn": 3}
    assert [broken_rules(warehouse, key) for key in (FIRST, SECOND, THIRD)] == [[], [], []]  # type: ignore[arg-type]


def test_of_an_id_that_two_customers_have_the_command_asks_whose_and_takes_back_that_one(
    warehouse: Warehouse, settings: Settings
) -> None:
    others = event(order_id="W1", customer_id="C2", purchase_date="2025-06-01T10:00:00Z")
    taken_in(warehouse, settings, FIRST, Record(WRONG), Record(others))
    with pytest.raises(AmbiguousOrder, match=r"2 customers have an order with this id.*--customer"):
        take_back(warehouse, settings)
    assert ends(warehouse) == {"orders": 2, "duplicate_orders": 0, "withdrawn": 0}
    assert take_back(warehouse, settings, customer_id="C1") == 1
    assert rows(warehouse, "select customer_id from silver.orders") == [("C2",)]


@pytest.mark.parametrize(("order_id", "customer_id"), [("W2", None), ("W1", "C2"), ("", None)])
def test_an_order_that_nobody_has_is_named_as_unknown_and_nothing_is_noted(
    warehouse: Warehouse, settings: Settings, order_id: str, customer_id: str | None
) -> None:
    taken_in(warehouse, settings, FIRST, Record(WRONG), Record(event(order_id=...)))
    with pytest.raises(UnknownOrder, match="There is no order with this id"):
        take_back(warehouse, settings, order_id, customer_id)
    assert rows(warehouse, f"from {WITHDRAWN_ORDERS.full_name}") == []


def test_killed_before_its_batches_are_read_again_it_is_finished_by_the_same_command(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_in(warehouse, settings, FIRST, Record(WRONG))
    taken_in(warehouse, settings, SECOND, Record(WRONG), start=1)
    written: list[object] = []

    def killed_at_the_second(*given: Any, **named: Any) -> None:
        if written:
            raise KeyboardInterrupt
        written.append(given)
        write_query(*given, **named)

    with monkeypatch.context() as patched:
        patched.setattr("bridgecart_assets.warehouse.duckdb_engine.write_query", killed_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            take_back(warehouse, settings)
    assert ends(warehouse)["orders"] == 1
    take_back(warehouse, settings)
    assert ends(warehouse) == {"orders": 0, "duplicate_orders": 0, "withdrawn": 2}
    assert take_back(warehouse, settings) == 0


def test_undone_the_order_counts_again_and_other_withdrawn_orders_do_not(
    warehouse: Warehouse, settings: Settings
) -> None:
    other = event(order_id="W2", customer_id="C2")
    taken_in(warehouse, settings, FIRST, Record(WRONG), Record(other), Record(WRONG))
    before = rows(warehouse, "from silver.orders order by all")
    for order_id in ("W1", "W2"):
        take_back(warehouse, settings, order_id)
    assert restore(DuckDBEngine(warehouse), settings, OrderName("W1")) == 2
    assert ends(warehouse) == {"orders": 1, "duplicate_orders": 1, "withdrawn": 0}
    assert ends(warehouse, "W2") == {"orders": 0, "duplicate_orders": 0, "withdrawn": 1}
    assert restore(DuckDBEngine(warehouse), settings, OrderName("W2")) == 1
    assert rows(warehouse, "from silver.orders order by all") == before
    with pytest.raises(UnknownOrder):
        restore(DuckDBEngine(warehouse), settings, OrderName("W1"))


def test_a_customer_who_is_erased_is_erased_from_the_list(warehouse: Warehouse, settings: Settings) -> None:
    taken_in(warehouse, settings, FIRST, *shop(WRONG, event(order_id="W2", customer_id="C2")))
    run_whole_tables(warehouse, settings)
    for order_id in ("W1", "W2"):
        take_back(warehouse, settings, order_id)
    with warehouse.transaction() as connection:
        erase_customers(connection, settings, ["C1"])
    assert rows(warehouse, f"select customer_id from {WITHDRAWN_ORDERS.full_name}") == [("C2",)]
