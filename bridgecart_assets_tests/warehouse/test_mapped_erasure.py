"""Erasing customers whose records a mapping reads: what is theirs, also where a record names nobody."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import RAW_ORDERS, SILVER_REJECTS
from bridgecart_assets.warehouse.duckdb_engine import DuckDBEngine
from bridgecart_assets.warehouse.erasure import Erasure, UnknownCustomer, erase_customers, forget_again
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.sql.silver import Placed, SilverWarehouse, broken_rules, place, run_customers
from bridgecart_assets_tests.support.examples import examples
from bridgecart_assets_tests.support.mapped import MAPPING, PERSON, change, row, run_mapped_silver, take_in_mapped
from bridgecart_assets_tests.support.records import Record, store_batch
from bridgecart_assets_tests.support.state import digests, rows
from bridgecart_assets_tests.warehouse.test_erasure import everything_said

FIRST, SECOND = "20300101T000000Z", "20300101T000100Z"
SETTINGS = Settings()
ZELDA = {**PERSON, "name": "Zelda Quux", "phone": "+91 11111 22222"}
LAST_DAY = datetime(2025, 3, 4, 23, 59, tzinfo=UTC)
GONE = {"id": 1, "customer": "C-gone", "person": ZELDA}


def shop(*given: Record | bytes | None) -> SilverWarehouse:
    """A warehouse with these records in a batch, up to silver."""
    warehouse = SilverWarehouse()
    take_in_mapped(warehouse, SETTINGS, FIRST, placed(*given))
    return warehouse


def placed(*given: Record | bytes | None, start: int = 0) -> list[Placed]:
    """Records at their places, the first at `start`."""
    every = place([one if isinstance(one, Record) else Record(one) for one in given])
    return [Placed(one.record, one.offset + start) for one in every]


def forget(warehouse: Warehouse, *customer_ids: str) -> Erasure:
    with warehouse.transaction() as connection:
        return erase_customers(connection, SETTINGS, customer_ids)


def erased(warehouse: Warehouse) -> list[int]:
    """The offsets of the records that say nothing any more."""
    found = rows(
        warehouse, """select "offset" from raw.orders where payload = '{"forgotten": true}'::blob order by 1"""
    )
    return [offset for (offset,) in found]


def standing(warehouse: Warehouse, table: str = "orders") -> list[tuple[str, int]]:
    """Id and offset of what stands in a table of events."""
    return [tuple(one) for one in rows(warehouse, f'select order_id, "offset" from silver.{table} order by all')]


def test_nothing_of_the_customer_is_left_in_any_table():
    warehouse = shop(
        Record(change("c", 1, row(**GONE)), key=b"C-gone", headers=(("customer", b"C-gone"),)),
        change("u", 2, row(**GONE, total="90.00"), row(**GONE)),
        change("u", 2, row(**GONE, total="90.00"), row(**GONE)),
        # The row is gone, and with it whose it was; the feed says what it was before.
        Record(change("d", 3, None, row(**GONE)), key=b'{"id": 1}'),
        change("c", 4, row(**{**GONE, "id": 2}, total="much")),
        # Of these the mapping reads nothing.
        json.dumps({"op": "m", "after": row(**GONE)}).encode(),
        change("c", 5, row(**GONE))[:-20],
        Record(None, key=b"C-gone"),
        change("c", 6, row(id=3, customer="C-here")),
    )
    run_customers(warehouse)
    assert standing(warehouse, "superseded_orders") == [("1", 0), ("1", 2), ("1", 3)]
    assert forget(warehouse, "C-gone").records == 8
    said = everything_said(warehouse)
    assert [word for word in ("C-gone", "Zelda", "11111") if word in said] == []
    assert "C-here" in said
    assert erased(warehouse) == list(range(8))
    assert standing(warehouse) == [("3", 8)]
    assert rows(warehouse, "from silver.skipped_records") == []
    assert broken_rules(warehouse, FIRST) == []


def test_read_again_or_by_a_new_reading_of_its_batch_it_stays_erased():
    given = placed(
        change("c", 1, row(**GONE)),
        change("d", 2, None, row(**GONE)),
        change("c", 3, row(id=2)),
        b"{",
        None,
        b'{"op":1}',
    )
    warehouse = SilverWarehouse()
    take_in_mapped(warehouse, SETTINGS, FIRST, given)
    forget(warehouse, "C-gone")
    before = digests(warehouse)
    run_mapped_silver(warehouse, SETTINGS, FIRST)
    assert digests(warehouse) == before
    take_in_mapped(warehouse, SETTINGS, FIRST, given)
    assert digests(warehouse) == before


# --- a record that names nobody


def test_of_an_order_that_names_its_customer_a_deletion_without_one_goes_with_it():
    theirs = [change("c", 1, row(id=1, customer="C1")), change("d", 2, None)]
    warehouse = shop(theirs[0], change("c", 1, row(id=2, customer="C2")), change("d", 3, None, {"id": 1}))
    assert forget(warehouse, "C1").records == 2
    assert erased(warehouse) == [0, 2]
    assert standing(warehouse) == [("2", 1)]


def test_the_deletion_of_anothers_order_stays_whatever_numbers_are_in_it():
    warehouse = shop(
        change("c", 1, row(id=7, customer="42")),
        change("c", 2, row(id=42, customer="7")),
        Record(change("d", 3, None, {"id": 42, "customer": "7"}), key=b'{"id": 42}'),
    )
    assert forget(warehouse, "42").records == 1
    assert erased(warehouse) == [0]
    assert standing(warehouse) == []
    assert standing(warehouse, "superseded_orders") == [("42", 1), ("42", 2)]


def test_a_deletion_of_an_order_that_nobody_knows_goes_when_it_bears_the_id():
    warehouse = shop(change("d", 3, None, row(**GONE)), change("d", 4, None, row(id=2, customer="C-gone2")))
    assert forget(warehouse, "C-gone").records == 1
    assert erased(warehouse) == [0]


# --- an order that changed hands


def test_of_an_order_that_changed_hands_what_the_other_customer_has_stays():
    warehouse = shop(
        change("c", 1, row(id=1, customer="C1")),
        change("u", 2, row(id=1, customer="C2", total="90.00")),
        change("c", 1, row(id=2, customer="C2")),
    )
    assert forget(warehouse, "C1").records == 1
    assert erased(warehouse) == [0]
    assert standing(warehouse) == [("1", 1), ("2", 2)]
    assert forget(warehouse, "C2").records == 2


def test_a_state_of_another_customer_goes_where_it_says_whose_the_order_was_before():
    warehouse = shop(
        change("c", 1, row(id=1, customer="C1")),
        change("u", 2, row(id=1, customer="C2"), row(id=1, customer="C1")),
        change("u", 3, row(id=1, customer="C2", total="90.00"), row(id=1, customer="C2")),
    )
    assert forget(warehouse, "C1").records == 2
    assert erased(warehouse) == [0, 1]
    assert standing(warehouse) == [("1", 2)]


def test_the_deletion_of_an_order_that_changed_hands_is_that_of_who_has_it():
    warehouse = shop(
        change("c", 1, row(id=1, customer="C1")),
        change("u", 2, row(id=1, customer="C2")),
        change("d", 3, None),
        change("d", 3, None, {"id": 1}),
    )
    forget(warehouse, "C1")
    assert (erased(warehouse), standing(warehouse)) == ([0], [])
    forget(warehouse, "C2")
    assert erased(warehouse) == [0, 1, 3]


# --- nobody comes back


def test_late_copies_of_the_customers_records_are_erased_on_arrival_by_what_the_mapping_says():
    warehouse = shop(change("c", 1, row(**GONE)), change("c", 1, row(id=2, customer="C-here")))
    forget(warehouse, "C-gone")
    late = [change("u", 2, row(**GONE)), change("c", 3, row(**{**GONE, "id": 9}, total="x")), b'{"op": "c"}']
    # The key of a row is no customer, whatever it reads.
    late.append(change("u", 2, row(id=2, customer="C-here")))
    take_in_mapped(warehouse, SETTINGS, SECOND, placed(*late[:3], Record(late[3], key=b"C-gone"), start=2))
    assert erased(warehouse) == [0, 2, 3]
    assert standing(warehouse) == [("2", 5)]
    assert broken_rules(warehouse, SECOND) == []


def test_late_records_that_the_mapping_leaves_out_are_erased_on_arrival_too():
    warehouse = shop(change("c", 1, row(**GONE)), change("c", 1, row(id=2, customer="C-here")))
    forget(warehouse, "C-gone")
    late = [json.dumps({"op": "m", "after": row(**{**GONE, "customer": who})}).encode() for who in ("C-gone", "C-here")]
    take_in_mapped(warehouse, SETTINGS, SECOND, placed(*late, start=2))
    assert erased(warehouse) == [0, 2]
    assert broken_rules(warehouse, SECOND) == []


def test_a_late_deletion_that_names_nobody_is_erased_on_arrival_if_any_value_in_it_is_their_id():
    warehouse = shop(change("c", 1, row(**GONE)), change("c", 1, row(id=2, customer="C-here")))
    forget(warehouse, "C-gone")
    late = placed(
        Record(change("d", 3, None, row(**GONE)), LAST_DAY),
        Record(change("d", 3, None, row(id=2, customer="C-here")), LAST_DAY),
        # Sent when who comes back is a new customer: it may be of a new order.
        Record(change("d", 4, None, row(**GONE)), LAST_DAY + timedelta(days=1)),
        start=2,
    )
    take_in_mapped(warehouse, SETTINGS, SECOND, late)
    assert erased(warehouse) == [0, 2]
    assert standing(warehouse) == []


def test_a_warehouse_put_back_from_an_older_copy_forgets_them_again(tmp_path: Path):
    path = tmp_path / "data" / "bridgecart.duckdb"
    warehouse = Warehouse(path, forget_again=partial(forget_again, settings=SETTINGS, engine_on=DuckDBEngine))
    given = placed(change("c", 1, row(**GONE)), change("d", 2, None, row(**GONE)), change("c", 3, row(id=2)), None)
    take_in_mapped(warehouse, SETTINGS, FIRST, given)
    older = path.read_bytes()
    forget(warehouse, "C-gone")
    with warehouse.transaction():
        pass
    would_be = digests(warehouse)
    path.write_bytes(older)
    assert digests(warehouse) == would_be
    assert erased(warehouse) == [0, 1]


def test_a_batch_that_silver_has_not_read_is_erased_by_the_mapping_of_the_settings(tmp_path: Path):
    (tmp_path / "mapping.toml").write_text(MAPPING)
    settings = Settings(mapping=tmp_path / "mapping.toml")
    warehouse = SilverWarehouse()
    given = [change("c", 1, row(**GONE)), change("d", 2, None), change("d", 2, None, {"id": 1}), change("c", 1, row())]
    store_batch(warehouse, FIRST, [Record(payload) for payload in given])
    with warehouse.transaction() as connection:
        assert erase_customers(connection, settings, ["C-gone"]).records == 2
    assert erased(warehouse) == [0, 2]


def test_a_customer_of_whom_no_mapped_record_is_is_unknown():
    warehouse = shop(change("c", 1, row(id=1, customer="C1")))
    with pytest.raises(UnknownCustomer):
        forget(warehouse, "C2")


# --- whatever happened before


CHANGES = st.builds(
    lambda op, lsn, order, total, says_before: (order, op, lsn, total, says_before),
    op=st.sampled_from(("c", "u", "u", "d", "m")),
    lsn=st.integers(1, 4),
    order=st.integers(1, 5),
    total=st.sampled_from(("10.00", "20.00", "many", None)),
    says_before=st.booleans(),
)


def _record(order: int, op: str, lsn: int, total: str | None, says_before: bool) -> Record:
    now = row(id=order, customer=f"C{order % 3}", total=total)
    return Record(change(op, lsn, None if op == "d" else now, now if says_before else {"id": order}))


@examples(4)
@given(st.lists(CHANGES, min_size=1, max_size=14), st.integers(0, 14), st.integers(0, 2))
def test_the_tables_are_those_of_a_history_in_which_the_forgotten_never_were(
    changes: Sequence[tuple[int, str, int, str | None, bool]], cut: int, customer: int
) -> None:
    everything = placed(*(_record(*one) for one in changes))
    is_theirs = [one[0] % 3 == customer for one in changes]
    named = {one[0] for one in changes if one[1] != "d"}
    # Nobody can know whose a deletion is that says nothing of its row, of an order of which nothing else is known.
    if any(mine and one[0] not in named for one, mine in zip(changes, is_theirs, strict=True)) or not any(is_theirs):
        return
    warehouse, never = SilverWarehouse(), SilverWarehouse()
    for key, part in ((FIRST, slice(0, cut)), (SECOND, slice(cut, None))):
        take_in_mapped(warehouse, SETTINGS, key, everything[part])
        others = [one for one, mine in zip(everything[part], is_theirs[part], strict=True) if not mine]
        take_in_mapped(never, SETTINGS, key, others)
    assert forget(warehouse, f"C{customer}").records == sum(is_theirs)
    for key in (SECOND, FIRST):
        assert broken_rules(warehouse, key) == []
        run_mapped_silver(warehouse, SETTINGS, key)
    for one in (warehouse, never):
        run_customers(one)
    different = {RAW_ORDERS.full_name, SILVER_REJECTS.full_name}
    found, expected = digests(warehouse), digests(never)
    alike = [name for name in expected if name not in different]
    assert {name: found[name] for name in alike} == {name: expected[name] for name in alike}
