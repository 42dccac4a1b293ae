"""The lines of `bridgecart status`: what needs a hand comes first and stays on a small terminal."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.commands.status_text import status_lines
from bridgecart_assets.contracts import TABLES
from bridgecart_assets.orchestration.run_health import DaemonState, SensorState, WaitingBatch
from bridgecart_assets.orchestration.status import Status

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
REMEDY = "3 row(s) break the rule. Materialize silver of this batch again; the keys shown stand more than once."
FAILED = {"severity": "ERROR", "asset": "silver/orders", "check": "silver_orders_are_unique", "says": REMEDY}
STATE = Status(
    looked_at=NOW,
    failed_checks=[],
    sensor=SensorState(last_tick_at=NOW - timedelta(seconds=4)),
    daemon=DaemonState(True, NOW - timedelta(seconds=20)),
    waiting_batch=None,
    kafka="topic bridgecart.orders at broker-1.shop.example:9092,broker-2.shop.example:9092",
    lag=1_234,
    warehouse="/srv/shops/of/the/north/data/bridgecart.duckdb",
    last_batch="20260301T115500Z",
    last_batch_at=NOW - timedelta(minutes=5),
    last_records_at=NOW - timedelta(minutes=5),
    data_clock=NOW - timedelta(hours=3),
    batches=812,
    rows=dict.fromkeys(TABLES, 123_456_789),
)
STUCK = WaitingBatch("20260301T115600Z", 5, True, NOW - timedelta(minutes=1), "no answer from Kafka within 10 s")
WORST = replace(
    STATE,
    failed_checks=[FAILED, {**FAILED, "severity": "WARN"}],
    sensor=SensorState(is_on=False, since=NOW - timedelta(hours=30)),
    daemon=DaemonState(False, NOW - timedelta(days=3)),
    waiting_batch=STUCK,
)


def test_all_of_a_sound_state_fits_on_80_by_24_with_every_table():
    lines = status_lines(STATE, width=80, height=23)
    assert len(lines) <= 23
    assert max(map(len, lines)) <= 80
    assert lines[0] == "No failed checks."
    assert all(any(name in line for line in lines) for name in TABLES)
    for words in (
        "Orders sensor  on, last tick 4 s ago",
        "Daemon         alive, heard 20 s ago",
        "Lag            1,234 records",
        "Last batch     20260301T115500Z, 5 min ago (812 in all)",
        "Data until     2026-03-01 09:00 UTC, 3 h ago",
    ):
        assert words in lines


def test_the_data_reach_until_a_time_of_the_shops_calendar():
    lines = status_lines(replace(STATE, calendar="Asia/Kolkata"))
    assert "Data until     2026-03-01 14:30 Asia/Kolkata, 3 h ago" in lines


def test_what_needs_a_hand_comes_first_and_stays_on_80_by_24():
    lines = status_lines(WORST, width=80, height=23)
    assert len(lines) <= 23
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("ERROR silver/orders silver_orders_are_unique: 3 row(s) break the rule.")
    said = " ".join(" ".join(lines).split())
    assert REMEDY in said
    assert "OFF, 30 h ago: no order is taken in. Switch it on under Automation in the Dagster UI." in said
    assert "SILENT, last heard 3 days ago: start `bridgecart up`" in said
    assert "STUCK BATCH 20260301T115600Z failed 5 times, 60 s ago: no answer from Kafka within 10 s" in said


def test_a_pipe_gets_everything_on_lines_of_its_own():
    lines = status_lines(WORST)
    assert lines[0] == f"ERROR silver/orders silver_orders_are_unique: {REMEDY}"
    assert {"raw.orders", "silver.orders", "kpi.churn_rate"} <= {line.split()[0] for line in lines if line}
    assert len(lines) == 2 + 8 + 2 + len(TABLES)


def test_what_no_batch_can_take_in_and_where_the_history_begins_is_said():
    note = "History begins at offset 1,200 in Kafka partition 1 of topic orders."
    said = status_lines(replace(STATE, waiting_for_transactions=120, history=note))
    assert "Lag            1,234 records; 120 more wait for an open transaction of a producer" in said
    assert f"History        {note}" in said


def test_more_failed_checks_than_there_is_room_for_are_counted():
    lines = status_lines(replace(WORST, failed_checks=[FAILED] * 40), width=80, height=23)
    assert len(lines) <= 23
    assert lines[0].startswith("ERROR silver/orders silver_orders_are_unique: 3 row(s)")
    (counted,) = [line for line in lines if "more failed checks" in line]
    assert int(counted.split()[0]) + sum(line.startswith("ERROR") for line in lines) == 40


@given(st.integers(0, 60), st.integers(60, 200), st.integers(20, 60), st.booleans())
def test_no_terminal_gets_more_than_fits_on_it(failed: int, width: int, height: int, sound: bool):
    state = replace(STATE if sound else WORST, failed_checks=[FAILED] * failed)
    lines = status_lines(state, width=width, height=height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s ago"), (119, "119 s ago"), (120, "2 min ago"), (7_200, "2 h ago"), (172_800, "2 days ago")],
)
def test_ages_are_in_the_largest_unit_that_says_something(seconds: int, words: str):
    state = replace(STATE, data_clock=NOW - timedelta(seconds=seconds))
    (line,) = [line for line in status_lines(state) if line.startswith("Data until")]
    assert line.endswith(f", {words}")


def test_as_json_instants_are_utc_and_ages_are_seconds():
    plain = WORST.to_json()
    assert plain["looked_at"] == "2026-03-01T12:00:00Z"
    assert plain["sensor"] == {"is_on": False, "since": "2026-02-28T06:00:00Z", "last_tick_at": None, "failing": None}
    assert plain["daemon"] == {"is_alive": False, "last_heard_at": "2026-02-26T12:00:00Z"}
    assert plain["waiting_batch"] == {
        "key": STUCK.key,
        "failures": 5,
        "is_stuck": True,
        "last_failed_at": "2026-03-01T11:59:00Z",
        "last_error": STUCK.last_error,
    }
    assert (plain["last_batch_age_seconds"], plain["data_age_seconds"]) == (300, 10_800)
    assert plain["failed_checks"] == WORST.failed_checks


def test_the_mapping_of_the_topic_is_said_where_there_is_one():
    assert "Mapping" not in "\n".join(status_lines(STATE))
    said = status_lines(replace(STATE, mapping="mapping.toml (7145ab458c5f)"))
    assert "Mapping        mapping.toml (7145ab458c5f)" in said
