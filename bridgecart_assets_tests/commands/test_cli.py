"""The command line in this process: options, output, and errors that need no broker. With one: `integration/`."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bridgecart_assets.cli import cli
from bridgecart_assets.processes.run_lock import serve_lock
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.support.command_line import (
    Bridgecart,
    Done,
    assert_one_line,
    content,
    held_by_another_process,
)

COMMANDS = sorted(cli.commands)


def test_help_lists_every_command_and_the_exit_codes(bridgecart: Bridgecart) -> None:
    done = bridgecart("--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Usage: bridgecart ")
    assert {"demo", "up", "run", "generate", "status", "kpis"} <= set(COMMANDS)
    assert all(f"\n  {command} " in done.out for command in COMMANDS)
    assert "3 a check of ERROR severity failed" in " ".join(done.out.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_explains_itself(bridgecart: Bridgecart, command: str) -> None:
    for flag in ("--help", "-h"):
        done = bridgecart(command, flag)
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith(f"Usage: bridgecart {command} ")
    assert cli.commands[command].help
    for parameter in cli.commands[command].params:
        assert getattr(parameter, "help", None), parameter.name


def test_the_version_is_that_of_pyproject(bridgecart: Bridgecart) -> None:
    pyproject = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    assert bridgecart("--version").out == f"bridgecart, version {pyproject['project']['version']}\n"


def test_without_a_command_the_help_is_shown_and_the_usage_is_wrong(bridgecart: Bridgecart) -> None:
    done = bridgecart()
    assert done.code == 2
    assert "Usage: bridgecart" in done.err


@pytest.mark.parametrize(
    ("arguments", "slow"),
    [
        (["--help"], {"dagster", "pandas", "duckdb", "rich", "pydantic"}),
        (["run", "--help"], {"dagster", "pandas", "duckdb"}),
        (["doctor", "--batches"], {"dagster", "pandas", "duckdb"}),
        (["kpis"], {"dagster", "pandas"}),
        (["kpis", "--json"], {"dagster", "pandas"}),
    ],
)
def test_help_wrong_usage_and_kpis_do_not_wait_for_what_is_slow_to_load(
    filled: Warehouse, arguments: list[str], slow: set[str]
) -> None:
    program = (
        "import atexit, sys; from bridgecart_assets.cli import main; "
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr)); main()"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60)
    loaded = set(done.stderr.split())
    assert "bridgecart_assets.commands.kpis" in loaded
    assert not slow & loaded


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sell"], "No such command 'sell'"),
        (["--loud", "run"], "--loud"),
        (["run", "--batches", "3"], "--batches"),
        (["run", "today"], "today"),
        (["forget"], "CUSTOMER_ID"),
        (["withdraw"], "ORDER_ID"),
        (["withdraw", "O1"], "give --reason TEXT, or --undo."),
        (["withdraw", "O1", "--reason", " "], "give --reason TEXT, or --undo."),
        (["withdraw", "O1", "--reason", "twice", "--undo"], "give --reason TEXT, or --undo."),
        (["run", "--remap", "--accept-model"], "--remap and --accept-model exclude each other"),
        (["run", "--refit", "--accept-model"], "exclude each other"),
        (["demo", "--orders", "many"], "'many' is not a valid integer"),
        (["demo", "--orders", "-1"], "orders must be a whole number from 0"),
        (["demo", "--seed", "-1"], "seed must be a whole number from 0"),
        (["generate", "--rate", "0"], "--rate must be positive"),
        (["generate", "--rate", "-2"], "--rate must be positive"),
        (["up", "--port", "0"], "1<=x<=65535"),
        (["up", "--port", "65536"], "1<=x<=65535"),
        (["up", "--rate", "-1"], "x>=0"),
    ],
)
def test_wrong_usage_is_one_line_that_names_the_help_and_exits_with_2(
    bridgecart: Bridgecart, data_dir: Path, arguments: list[str], words: str
) -> None:
    assert_one_line(bridgecart(*arguments), words, "--help`", code=2)
    assert not data_dir.exists()


@pytest.mark.parametrize("arguments", [["run"], ["run", "--json"], ["generate"], ["generate", "--live"]])
def test_without_a_broker_the_line_names_the_setting_and_the_command_that_brings_one(
    bridgecart: Bridgecart, warehouse: Warehouse, arguments: list[str]
) -> None:
    assert_one_line(bridgecart(*arguments), "BRIDGECART_KAFKA_BOOTSTRAP_SERVERS", "bridgecart up")
    assert not warehouse.exists


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("BRIDGECART_SEGMENTS", "1", "a number from 2 to 12"),
        ("BRIDGECART_MAX_BATCH_RECORDS", "0", "greater than or equal to 1"),
        ("BRIDGECART_KPI_PERIOD", "year", "'day', 'week' or 'month'"),
    ],
)
@pytest.mark.parametrize("command", ["run", "status", "demo"])
def test_a_bad_setting_is_named_with_what_is_accepted(
    bridgecart: Bridgecart,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    variable: str,
    value: str,
    words: str,
) -> None:
    monkeypatch.setenv(variable, value)
    assert_one_line(bridgecart(command), variable, words)
    assert not data_dir.exists()


def test_a_client_property_that_kafka_does_not_know_is_named_without_its_value(
    bridgecart: Bridgecart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    monkeypatch.setenv("BRIDGECART_KAFKA_SASL_PASWORD", "hunter2")
    done = bridgecart("run")
    assert_one_line(done, "sasl.pasword", "BRIDGECART_KAFKA_")
    assert "hunter2" not in done.err


def test_a_mistyped_setting_is_a_warning_and_the_command_goes_on(
    bridgecart: Bridgecart, filled: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = bridgecart("kpis", "--json")
    monkeypatch.setenv("BRIDGECART_KPI_PERID", "hunter2")
    done = bridgecart("kpis", "--json")
    said = "BRIDGECART_KPI_PERID is no setting of this version: did you mean BRIDGECART_KPI_PERIOD?"
    assert done == Done(0, plain.out, f"bridgecart: warning: {said}\n")
    note = f"note       settings: {said} Until then it has no effect."
    assert note in bridgecart("doctor").out.splitlines()


def test_a_history_that_begins_in_the_middle_of_the_topic_is_told_by_status_doctor_and_report(
    bridgecart: Bridgecart, filled: Warehouse, data_dir: Path
) -> None:
    assert "History" not in bridgecart("status").out
    with filled.transaction() as connection:
        connection.execute("update raw.batches set ranges = [{'partition': 0, 'start': 7, 'end': 57}]")
    says = "History begins at offset 7 in Kafka partition 0 of topic orders"
    assert f"\nHistory        {says}" in bridgecart("status").out
    assert json.loads(bridgecart("status", "--json").out)["history"].startswith(says)
    assert f"note       ledger: {says}" in bridgecart("doctor").out
    assert bridgecart("report").code == 0
    assert f'"{says}' in (data_dir / "reports" / "segments.html").read_text()


@pytest.mark.parametrize("arguments", [["up"], ["demo", "--orders", "10"], ["replay", "cdnow"]])
def test_up_demo_and_replay_do_not_start_beside_an_up(
    bridgecart: Bridgecart, filled: Warehouse, data_dir: Path, arguments: list[str]
) -> None:
    with serve_lock(data_dir):
        before = filled.path.read_bytes()
        assert_one_line(bridgecart(*arguments), "Another `bridgecart up` works on", str(data_dir))
        assert filled.path.read_bytes() == before


@pytest.mark.parametrize("command", ["run", "up", "demo", "replay cdnow"])
def test_a_file_in_the_place_of_the_data_directory_is_named_and_left_alone(
    bridgecart: Bridgecart, data_dir: Path, command: str
) -> None:
    data_dir.write_text("a file")
    assert_one_line(bridgecart(*command.split()), str(data_dir), "make it writable or set BRIDGECART_DATA_DIR")
    assert data_dir.read_text() == "a file"


def test_announcing_before_the_first_run_says_what_to_do(bridgecart: Bridgecart) -> None:
    assert_one_line(bridgecart("announce"), "bridgecart")


def test_the_shell_can_complete_commands() -> None:
    command = [sys.executable, "-m", "bridgecart_assets"]
    words = {"COMP_WORDS": "bridgecart st", "COMP_CWORD": "1", "_BRIDGECART_COMPLETE": "bash_complete"}
    done = subprocess.run(command, env={**os.environ, **words}, capture_output=True, text=True, check=True)
    assert done.stdout == "plain,status\n"


def test_a_warehouse_that_another_process_holds_is_named_with_the_holder_and_kpis_can_still_be_read(
    bridgecart: Bridgecart, filled: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_LOCK_TIMEOUT_SECONDS", "0.2")
    with held_by_another_process(filled) as pid:
        for command in ("status", "demo"):
            assert_one_line(bridgecart(command), str(filled.path), f"PID {pid}", "try again")
        assert bridgecart("kpis").code == 0
    assert bridgecart("status").code == 0


@pytest.mark.parametrize("command", ["status", "demo", "replay cdnow"])
def test_a_corrupt_warehouse_is_named_with_the_remedy_and_left_as_it_is(
    bridgecart: Bridgecart, filled: Warehouse, data_dir: Path, command: str
) -> None:
    filled.path.write_bytes(filled.path.read_bytes()[:100] + b"no longer a warehouse" * 1000)
    published = content(data_dir / "published")
    before = filled.path.read_bytes()
    assert_one_line(
        bridgecart(*command.split()),
        str(filled.path),
        "restore it from a backup (`bridgecart restore`), or move it away",
    )
    assert filled.path.read_bytes() == before
    assert content(data_dir / "published") == published


def test_debug_shows_where_an_error_comes_from(bridgecart: Bridgecart) -> None:
    done = bridgecart("--debug", "run")
    assert done.code == 1
    assert "Traceback" in done.err
    assert done.err.splitlines()[-1].startswith("bridgecart: No broker")


def test_a_bug_shows_itself_as_one(bridgecart: Bridgecart, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli.commands["kpis"], "callback", broken)
    with pytest.raises(ZeroDivisionError):
        bridgecart("kpis")
