"""The line to the broker cut, and the broker killed, while a batch is read: the tables of an undisturbed run.

The last test kills the broker for good where its records are in memory: it has to stay the last.
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.daemon import Daemon, asked_for, said
from bridgecart_assets_tests.integration.faults import Faults
from bridgecart_assets_tests.integration.killable import Killer
from bridgecart_assets_tests.integration.line import MID_READ_BYTES, Line, line_to
from bridgecart_assets_tests.integration.market import Market, open_market
from bridgecart_assets_tests.sources.kafka.fixtures import only_apache
from bridgecart_assets_tests.support.state import rows

# Consumers that join a group lose their partitions after a session time-out; ours has this instead.
STALL_SECONDS = "3"
MOMENT_SECONDS = 1.0


@pytest.fixture(scope="module")
def line(broker_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    with line_to(broker_kind, tmp_path_factory.mktemp("line")) as line:
        yield line


@pytest.fixture(scope="module")
def sold(line: Line, killer: Killer, tmp_path_factory: pytest.TempPathFactory) -> Market:
    return open_market(line.open_shop(), killer, tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture(autouse=True)
def settings_of_the_market(sold: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    sold.configure(monkeypatch)
    monkeypatch.setenv("BRIDGECART_KAFKA_STALL_SECONDS", STALL_SECONDS)


def cut(line: Line, how: str) -> Callable[[], None]:
    return {"silence": line.proxy.go_silent, "refusal": line.proxy.refuse}[how]


@only_apache
@pytest.mark.parametrize("how", ["silence", "refusal"])
def test_a_line_cut_in_mid_read_for_long_fails_the_run_with_a_reason_and_the_next_run_makes_it_good(
    killer: Killer, line: Line, sold: Market, faults: Faults, warehouse: Warehouse, how: str
) -> None:
    line.proxy.when_answered(MID_READ_BYTES, cut(line, how))
    ended = killer.run("run")
    line.proxy.heal()
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1), ended.stderr
    assert f"served nothing for {STALL_SECONDS} s at offset" in ended.stderr
    assert "try again when the broker is healthy" in ended.stderr
    assert rows(warehouse, "select count(*) from duckdb_tables() where schema_name <> 'main'") == [(0,)]
    assert killer.run("run").returncode == 0
    sold.settle(faults, f"line to the broker cut in mid-read for long ({how})", 1, warehouse)


@only_apache
@pytest.mark.parametrize("how", ["silence", "refusal"])
def test_a_line_cut_in_mid_read_for_a_moment_is_waited_for(
    killer: Killer, line: Line, sold: Market, faults: Faults, warehouse: Warehouse, how: str
) -> None:
    healing = threading.Timer(MOMENT_SECONDS, line.proxy.heal)

    def cut_for_a_moment() -> None:
        cut(line, how)()
        healing.start()

    line.proxy.when_answered(MID_READ_BYTES, cut_for_a_moment)
    ended = killer.run("run")
    assert ended.returncode == 0, ended.stderr
    assert healing.finished.is_set()
    sold.settle(faults, f"line to the broker cut in mid-read for a moment ({how})", 1, warehouse)


@only_apache
def test_a_broker_out_of_reach_at_tick_time_is_a_skip_that_says_so_and_the_next_tick_goes_on(
    line: Line, sold: Market, faults: Faults, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        daemon = Daemon(instance)
        for how in ("silence", "refusal"):
            cut(line, how)()
            monkeypatch.setenv("BRIDGECART_KAFKA_TIMEOUT_SECONDS", "0.5")
            assert "no answer from" in said(daemon.tick())
            assert daemon.keys() == []
            line.proxy.heal()
        monkeypatch.setenv("BRIDGECART_KAFKA_TIMEOUT_SECONDS", "5")
        asked_for(daemon.tick())
        assert [success for _, success in daemon.launched] == [True]
    sold.settle(faults, "broker out of reach at tick time", 2, warehouse)


def test_a_broker_killed_in_mid_read_that_returns_is_read_to_its_end(
    killer: Killer, line: Line, sold: Market, faults: Faults, warehouse: Warehouse, tmp_path: Path
) -> None:
    line.proxy.when_answered(MID_READ_BYTES, line.kill)
    ended = killer.run("run")
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1), ended.stderr
    assert f"served nothing for {STALL_SECONDS} s at offset" in ended.stderr
    line.come_back()
    market = sold
    if not line.keeps_records:
        # What the broker held in memory is gone with it, whether a batch had read it or not: another topic.
        market = open_market(line.open_shop(sold.shop.connection.topic), killer, tmp_path / "again")
        assert market.topic_id != sold.topic_id
    done = killer.run("run")
    assert done.returncode == 0, done.stderr
    market.settle(faults, "kill -9 of the broker in mid-read", 1, warehouse)
    line.kill()
    line.come_back()
    if not line.keeps_records:
        market = open_market(line.open_shop(sold.shop.connection.topic), killer, tmp_path / "and again")
    assert killer.run("run").returncode == 0
    # Rows of a topic that is gone stay beside those of the one that came after it.
    ((topics,),) = rows(warehouse, "select count(distinct topic_id) from raw.orders")
    assert topics == (1 if line.keeps_records else 2)
    faults.settle(
        "kill -9 of the broker between two runs",
        1,
        warehouse=warehouse,
        topic_id=market.topic_id,
        produced=market.shop.sent,
    )
