"""`bridgecart withdraw`: what it prints, what it leaves, and what it says where it cannot."""

import json

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.processes.run_lock import run_lock
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.support.command_line import Bridgecart, assert_one_line
from bridgecart_assets_tests.support.state import digests, rows

ORDER = "O7-3"
NEW_CUSTOMER_SALES = "select sum(net_sales) from gold.customer_features"


def test_an_order_is_taken_back_from_every_table_and_undone_all_is_as_before(
    bridgecart: Bridgecart, filled: Warehouse
) -> None:
    before = digests(filled)
    ((sales,),) = rows(filled, NEW_CUSTOMER_SALES)
    ((amount,),) = rows(filled, "select net_amount from silver.orders where order_id = ?", ORDER)

    done = bridgecart("withdraw", ORDER, "--reason", "typed twice by hand")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Order withdrawn: 1 record(s).\nSegment model: ")
    assert rows(filled, NEW_CUSTOMER_SALES) == [(sales - amount,)]
    assert rows(filled, "select reasons from silver.rejected_orders") == [(["withdrawn"],)]

    undone = json.loads(bridgecart("withdraw", ORDER, "--undo", "--json").out)
    assert (undone["records"], undone["is_good"]) == (1, True)
    assert digests(filled) == before


def test_it_says_in_one_line_why_it_cannot(bridgecart: Bridgecart, settings: Settings, filled: Warehouse) -> None:
    assert_one_line(bridgecart("withdraw", "O99", "--reason", "wrong"), "There is no order with this id")
    assert_one_line(bridgecart("withdraw", ORDER, "--undo"), "There is no order with this id")
    with run_lock(settings.data_dir):
        assert_one_line(bridgecart("withdraw", ORDER, "--reason", "wrong"), "Another bridgecart command works on")
    assert rows(filled, "select count(*) from silver.orders where order_id = ?", ORDER) == [(1,)]


def test_without_a_warehouse_there_is_no_order(bridgecart: Bridgecart) -> None:
    assert_one_line(bridgecart("withdraw", ORDER, "--reason", "wrong"), "There is no warehouse at")
