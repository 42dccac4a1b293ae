"""A replay in this process, of logs of a few orders: what it refuses, and what it does not pass over."""

import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from bridgecart_assets.commands.own_broker import BOOTSTRAP_VARIABLE
from bridgecart_assets.commands.replay_log import ReplayAmongOthers, ReplayMismatch, run_replay
from bridgecart_assets.sources.files.purchase_log import LoggedOrder, PurchaseLog
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.support.command_line import Bridgecart, assert_one_line, content
from bridgecart_assets_tests.support.state import digests, rows

FIRST = LoggedOrder(datetime(1997, 1, 1, 12, tzinfo=UTC), "X-1", Decimal("29.33"))
SECOND = LoggedOrder(datetime(1997, 1, 2, 12, tzinfo=UTC), "X-2", Decimal("0.00"))


def test_without_a_configured_broker_it_has_one_of_its_own_and_leaves_no_trace_of_it(warehouse: Warehouse) -> None:
    steps: list[str] = []
    summary = run_replay(PurchaseLog("X", (FIRST, SECOND)), progress=steps.append)
    assert (summary.orders, summary.is_good) == (2, True)
    assert steps[0] == "X orders to the topic"
    assert BOOTSTRAP_VARIABLE not in os.environ


def test_a_warehouse_with_orders_of_another_log_is_refused_and_left_as_it_is(warehouse: Warehouse) -> None:
    run_replay(PurchaseLog("X", (FIRST,)), progress=lambda _: None)
    before = digests(warehouse, with_ledger=True)
    with pytest.raises(ReplayAmongOthers, match="set BRIDGECART_DATA_DIR to another folder"):
        run_replay(PurchaseLog("Y", (replace(FIRST, amount=Decimal("29.34")),)), progress=lambda _: None)
    assert digests(warehouse, with_ledger=True) == before


def test_orders_that_do_not_come_through_one_by_one_are_an_error(warehouse: Warehouse) -> None:
    with pytest.raises(ReplayMismatch, match=r"2 orders and sales 58\.66, silver has 1 and 29\.33"):
        run_replay(PurchaseLog("X", (FIRST, FIRST)), progress=lambda _: None)
    assert rows(warehouse, "select count(*) from silver.duplicate_orders") == [(1,)]


def test_a_replay_does_not_mix_with_other_orders_in_the_warehouse(
    bridgecart: Bridgecart, filled: Warehouse, data_dir: Path
) -> None:
    before = filled.path.read_bytes(), content(data_dir / "published")
    assert_one_line(bridgecart("replay", "cdnow"), "must not be mixed", "set BRIDGECART_DATA_DIR to another folder")
    assert (filled.path.read_bytes(), content(data_dir / "published")) == before


def test_a_replay_whose_log_is_not_installed_says_how_to_get_it_and_touches_nothing(
    bridgecart: Bridgecart, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if "site-packages" not in entry])
    assert_one_line(bridgecart("replay", "cdnow"), "`pip install --no-deps lifetimes==")
    assert not data_dir.exists()
