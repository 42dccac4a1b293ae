"""Customers of a shop whose records a mapping reads: what each event states of them, as of BridgeCart's own events."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import SILVER_CUSTOMERS
from bridgecart_assets.warehouse.mapped_records import readers_on_record
from bridgecart_assets.warehouse.queries import customers_query
from bridgecart_assets.warehouse.writing import write_query
from bridgecart_assets_tests.sql.silver import Placed, SilverWarehouse, place, run_customers
from bridgecart_assets_tests.support.mapped import PERSON, change, row, take_in_mapped
from bridgecart_assets_tests.support.pipeline import run_silver
from bridgecart_assets_tests.support.records import Record, event
from bridgecart_assets_tests.support.rereading import read_batch
from bridgecart_assets_tests.support.state import digests

FIRST, SECOND = "20300101T000000Z", "20300102T000000Z"
ATTRIBUTES = ("name", "mobile", "age", "income", "gender")


def shop(*payloads: bytes) -> SilverWarehouse:
    warehouse = SilverWarehouse()
    take_in_mapped(warehouse, Settings(), FIRST, place([Record(payload) for payload in payloads]))
    return warehouse


def after(payloads: Sequence[bytes], batch: Sequence[Placed]) -> list[Placed]:
    """The records at the places after those of a batch before."""
    return [Placed(Record(payload), len(batch) + number) for number, payload in enumerate(payloads)]


def test_a_customer_has_what_the_latest_event_says_of_them_in_the_shops_own_shape():
    (customer,) = run_customers(shop(change("c", 1, row())))
    assert customer == {
        "customer_id": "C1",
        "customer_hash": 6959798596398639755,
        "name": "Asha Rao",
        "mobile": "+91 98450 00000",
        "age": 41,
        "income": Decimal("900000.50"),
        "gender": "female",
        "first_seen_at": datetime(2025, 3, 4, 10),  # noqa: DTZ001 - as stored: UTC without zone
        "last_seen_at": datetime(2025, 3, 4, 10),  # noqa: DTZ001
    }


@pytest.mark.parametrize(
    "person",
    [
        pytest.param(None, id="nothing"),
        pytest.param({"name": " ", "phone": "", "sex": "\t"}, id="blanks"),
        pytest.param({"name": "x" * 1001, "age": 999, "income": "-1", "sex": {}}, id="nonsense"),
    ],
)
def test_what_a_later_event_does_not_say_stays(person: Any):
    (customer,) = run_customers(
        shop(
            change("c", 1, row()),
            change("c", 2, row(id=8, ordered_at="2025-04-01T00:00:00Z", person=person)),
        )
    )
    assert [customer[name] for name in ATTRIBUTES] == [
        *("Asha Rao", "+91 98450 00000", 41, Decimal("900000.50")),
        "female" if person is None or "age" not in person else customer["gender"],
    ]


def test_of_an_order_the_state_that_holds_speaks_and_a_refund_inside_it_is_the_same_event():
    given_back = {"at": "2025-06-01T00:00:00Z", "amount": "10.00"}
    (customer,) = run_customers(
        shop(
            change("u", 2, row(person={**PERSON, "name": "Asha Iyer"}, refunds=[given_back, given_back])),
            change("c", 1, row()),
        )
    )
    assert customer["name"] == "Asha Iyer"
    assert customer["last_seen_at"] == datetime(2025, 6, 1)  # noqa: DTZ001 - as stored


def test_each_event_is_read_by_the_mapping_of_its_own_batch_or_as_bridgecarts_own():
    warehouse = shop(change("c", 1, row(person={**PERSON, "name": "By the mapping"})))
    own = event(customer_id="C1", order_id="own", purchase_date="2025-05-01", name=..., mobile="+1 555 0100", age=50)
    read_batch(warehouse, SECOND, [Placed(Record(own), 1)])
    run_silver(warehouse, Settings(), SECOND)
    (customer,) = run_customers(warehouse)
    assert [customer[name] for name in ATTRIBUTES] == [
        *("By the mapping", "+1 555 0100", 50, Decimal("900000.00"), "female")
    ]


def test_an_update_makes_the_customers_of_a_full_rebuild():
    first = place([Record(change("c", 1, row())), Record(change("c", 2, row(id=8, customer="C2")))])
    warehouse = SilverWarehouse()
    take_in_mapped(warehouse, Settings(), FIRST, first)
    run_customers(warehouse)
    moved = [
        change("u", 3, row(customer="C2", person={**PERSON, "name": "Now theirs"})),
        change("d", 4, None, row(id=8)),
    ]
    take_in_mapped(warehouse, Settings(), SECOND, after(moved, first))
    with warehouse.transaction() as connection:
        query = customers_query(readers=readers_on_record(connection))
        write_query(connection, SILVER_CUSTOMERS, query, None, only_changes=True)
    updated = digests(warehouse)
    (customer,) = run_customers(warehouse)
    assert digests(warehouse) == updated
    assert (customer["customer_id"], customer["name"]) == ("C2", "Now theirs")
