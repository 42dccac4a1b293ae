"""`bridgecart status` in this process and on a terminal; its lines: `test_status_text.py`."""

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from contextlib import suppress

import dagster as dg
import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.orchestration.checks import check_keys
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.support.command_line import (
    Bridgecart,
    assert_one_line,
)


def on_a_terminal(
    *arguments: str, until: bytes = b"", how: signal.Signals = signal.SIGINT, lines: int = 24, columns: int = 80
) -> tuple[bytes, int, str]:
    """The output of a command on a terminal of this size until it has shown `until` twice, or ended; then `how`."""
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    command = [sys.executable, "-m", "bridgecart_assets", *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    seen = b""
    with subprocess.Popen(command, stdout=writer, stderr=subprocess.PIPE, env={**environment, "TERM": "xterm"}) as done:
        os.close(writer)
        # Once nobody writes any more, reading is an error.
        with suppress(OSError):
            while not until or seen.count(until) < 2:
                seen += os.read(reader, 65_536)
            done.send_signal(how)
        _, said = done.communicate(timeout=60)
    os.close(reader)
    return seen, done.returncode, said.decode().strip()


def test_status_before_anything_happened_says_what_is_missing(bridgecart: Bridgecart) -> None:
    done = bridgecart("status")
    assert (done.code, done.err) == (0, "")
    assert "No broker" in done.out
    assert "Lag            unknown" in done.out
    assert "not there yet" in done.out
    assert "none (0 in all)" in done.out


def test_status_counts_the_rows_of_every_table(
    bridgecart: Bridgecart, filled: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = json.loads(bridgecart("status", "--json").out)
    assert status["rows"]["raw.orders"] == status["rows"]["silver.orders"] == 50
    assert status["rows"]["silver.rejected_orders"] == 0
    assert (status["last_batch"], status["batches"], status["lag"]) == ("20260101T000000Z", 1, None)
    lines = bridgecart("status").out.splitlines()
    assert any(line.split() == ["silver.customers", "20"] for line in lines)
    (last,) = [line for line in lines if line.startswith("Last batch")]
    assert last.split()[2] == "20260101T000000Z,"
    assert last.endswith(" ago (1 in all)")
    assert status["last_batch_at"] == "2026-01-01T00:00:00Z"
    assert (status["data_clock"], status["calendar"]) == ("2025-03-20T10:00:00Z", "UTC")
    assert status["last_batch_age_seconds"] < status["data_age_seconds"]


def test_status_shows_lag_as_unknown_and_why_when_the_broker_does_not_answer(
    bridgecart: Bridgecart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    monkeypatch.setenv("BRIDGECART_KAFKA_TIMEOUT_SECONDS", "0.5")
    done = bridgecart("status")
    assert done.code == 0
    assert "no answer from Kafka at 127.0.0.1:9" in done.out
    assert "Lag            unknown" in done.out


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_status_watch_looks_again_on_a_terminal_until_it_is_stopped(
    filled: Warehouse, how: signal.Signals, code: int
) -> None:
    seen, ended, said = on_a_terminal("status", "--watch", until=b"No failed checks.", how=how, lines=60, columns=120)
    assert b"silver.customers" in seen
    assert (ended, said) == (code, "Stopped.")


def test_on_a_terminal_of_80_by_24_failed_checks_come_first_and_nothing_scrolls_away(
    filled: Warehouse, settings: Settings
) -> None:
    with dagster_instance(settings) as instance:
        for key in check_keys()[:6]:
            remedy = "3 row(s) break the rule. Materialize silver of this batch again; then look at it once more."
            failed = dg.AssetCheckEvaluation(
                asset_key=key.asset_key, check_name=key.name, passed=False, metadata={}, description=remedy
            )
            instance.report_runless_asset_event(failed)
    seen, code, said = on_a_terminal("status")
    lines = seen.decode().splitlines()
    assert (code, said) == (0, "")
    assert len(lines) <= 23
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("ERROR ")
    assert sum(line.startswith("ERROR ") for line in lines) == 6
    assert any(line.startswith("Orders sensor") for line in lines)


def test_status_watch_needs_a_terminal(bridgecart: Bridgecart) -> None:
    assert_one_line(bridgecart("status", "--watch"), "terminal", "--json", code=2)
    assert_one_line(bridgecart("status", "--watch", "--json"), "exclude each other", code=2)
