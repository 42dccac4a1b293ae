"""Records that the topic lost before any batch had read them: loud, or a hole in the ledger, never silence."""

import dagster as dg
import pytest

from bridgecart_assets.sources.kafka.errors import DataLoss
from bridgecart_assets.sources.kafka.offsets import OffsetRange
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.warehouse.ingest.ledger import load_ledger
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.daemon import Daemon, asked_for, said
from bridgecart_assets_tests.integration.killable import Killer
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.sources.kafka.contents import delete_records
from bridgecart_assets_tests.sources.kafka.fixtures import only_apache
from bridgecart_assets_tests.support.state import rows

pytestmark = only_apache

RAW = 'select count(*), count(distinct ("partition", "offset")) from raw.orders'


def lose_unread(shop: Shop, warehouse: Warehouse, *, records: int) -> dict[int, OffsetRange]:
    """Delete the next unread records of partitions 0 and 1, as retention would; the holes."""
    committed = load_ledger(warehouse).committed(topic_state(shop.connection).topic_id)
    holes = {p: OffsetRange(committed[p], committed[p] + records) for p in (0, 1)}
    delete_records(shop.connection, before={p: hole.end for p, hole in holes.items()})
    return holes


def test_a_loss_stops_sensor_and_command_and_names_how_many_records_and_which_offsets(
    daemon: Daemon, killer: Killer, shop: Shop, warehouse: Warehouse
) -> None:
    shop.sell(200)
    daemon.tick()
    shop.sell(200)
    holes = lose_unread(shop, warehouse, records=3)
    named = ", ".join(f"partition {p} [{hole.start}, {hole.end})" for p, hole in holes.items())
    says = f"retention removed 6 records of topic {shop.connection.topic!r} that no batch had read: {named}; "
    with pytest.raises(DataLoss) as raised:
        daemon.tick()
    assert str(raised.value).startswith(says)
    ended = killer.run("run")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"bridgecart: {says}")
    assert "set BRIDGECART_FAIL_ON_DATA_LOSS=false" in ended.stderr
    assert "\nlook here  topic: retention removed 6 records" in killer.run("doctor").stdout
    assert rows(warehouse, RAW) == [(200, 200)]


def test_where_losses_are_allowed_the_hole_is_in_the_ledger_and_everything_else_is_read(
    daemon: Daemon, shop: Shop, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_FAIL_ON_DATA_LOSS", "false")
    shop.sell(200)
    daemon.tick()
    shop.sell(200)
    holes = lose_unread(shop, warehouse, records=3)
    key = asked_for(daemon.tick())
    assert daemon.launched[-1] == (key, True)
    assert load_ledger(warehouse).plans[key].lost == holes
    assert rows(warehouse, RAW) == [(394, 394)]
    failed = [
        record.event.asset_check_evaluation.check_name
        for record in daemon.instance.event_log_storage.get_latest_asset_check_execution_by_key(
            [dg.AssetCheckKey(dg.AssetKey(["raw", "batches"]), name) for name in CHECKS]
        ).values()
        if record.event is not None
        and record.event.asset_check_evaluation is not None
        and not record.event.asset_check_evaluation.passed
    ]
    assert failed == ["raw_lost_nothing"]
    shop.sell(50)
    again = asked_for(daemon.tick())
    assert load_ledger(warehouse).plans[again].lost == {}
    assert rows(warehouse, RAW) == [(444, 444)]
    assert said(daemon.tick()).startswith("no new records")


CHECKS = ("raw_lost_nothing", "raw_offsets_are_contiguous", "raw_has_no_gaps")


def test_a_topic_of_which_everything_unread_was_lost_still_gets_its_hole(
    daemon: Daemon, shop: Shop, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_FAIL_ON_DATA_LOSS", "false")
    shop.sell(100)
    daemon.tick()
    shop.sell(60)
    state = topic_state(shop.connection)
    committed = load_ledger(warehouse).committed(state.topic_id)
    delete_records(shop.connection, before={p: span.end for p, span in state.partitions.items()})
    key = asked_for(daemon.tick())
    plan = load_ledger(warehouse).plans[key]
    assert plan.records == 0
    assert plan.lost == {p: OffsetRange(committed[p], span.end) for p, span in state.partitions.items()}
    assert said(daemon.tick()).startswith("no new records")
