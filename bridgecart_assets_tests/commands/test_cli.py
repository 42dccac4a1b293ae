"""The command line in this process: options, output, and errors that need no broker. With one: `integration/`."""

import fcntl
import json
import os
import pty
import signal
import socket
import struct
import subprocess
import sys
import termios
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.cli import cli, main
from bridgecart_assets.orchestration.checks import check_keys
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.processes.run_lock import serve_lock
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.support.webhooks import webhook

COMMANDS = sorted(cli.commands)
KPIS = {"clv_growth", "churn_rate", "average_order_value", "sales_contribution"}
KPI_FIELDS = {"segment_key", "segment", "period", "customers", *KPIS}
HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


@dataclass(frozen=True)
class Done:
    """What a command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


Bridgecart = Callable[..., Done]


@pytest.fixture
def bridgecart(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Bridgecart:
    """The `bridgecart` command in this process."""

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["bridgecart", *arguments])
        capfd.readouterr()
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        assert isinstance(code, int)
        return Done(code, *capfd.readouterr())

    return run


@contextmanager
def held_by_another_process(warehouse: Warehouse) -> Iterator[int]:
    command = [sys.executable, "-c", HOLD, str(warehouse.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            yield holder.pid
        finally:
            holder.kill()


def content(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def assert_one_line(done: Done, *words: str, code: int = 1) -> None:
    assert done.code == code, done
    assert done.out == ""
    assert done.err.startswith("bridgecart: ")
    assert done.err.count("\n") == 1, done.err
    for word in words:
        assert word in done.err


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
    pyproject = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
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
        "import atexit, sys; from bridgecart_assets.commands.cli import main; "
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


def test_a_deep_look_at_a_damaged_warehouse_names_it_and_compares_nothing(
    bridgecart: Bridgecart, filled: Warehouse, data_dir: Path
) -> None:
    whole = bridgecart("doctor", "--deep")
    assert whole == bridgecart("doctor")
    content = bytearray(filled.path.read_bytes())
    for position in range(3 * 4096 + 100, len(content), 4096):
        content[position] ^= 1
    filled.path.write_bytes(content)
    done = bridgecart("doctor", "--deep", "--repair")
    assert done.code == 1
    assert "move it away and run `bridgecart run`" in done.out + done.err
    assert "What the topic still has could not be asked (No broker" in done.out + done.err
    assert "mended" not in done.out
    done = bridgecart("status")
    assert_one_line(done, "cannot be used (", "move it away", "What the topic still has could not be asked (No broker")


def test_the_demo_does_not_replace_a_list_of_forgotten_customers_whose_warehouse_is_lost(
    bridgecart: Bridgecart, data_dir: Path
) -> None:
    data_dir.mkdir()
    listed = data_dir / "forgotten_customers.json"
    listed.write_text('{"customers": [], "value": []}')
    assert_one_line(bridgecart("demo", "--orders", "10"), "a list of forgotten customers", "BRIDGECART_DATA_DIR")
    assert listed.exists()


def test_a_taken_port_is_named_before_anything_is_started(bridgecart: Bridgecart, data_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert_one_line(bridgecart("up", "--port", str(port)), f"Port {port} is in use", "--port")
    assert not (data_dir / "logs" / "broker.log").exists()


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


@pytest.mark.parametrize("arguments", [["kpis"], ["kpis", "--json"], ["kpis", "--period", "2025-01-01"]])
def test_kpis_before_the_first_run_say_what_to_do(bridgecart: Bridgecart, arguments: list[str]) -> None:
    assert_one_line(bridgecart(*arguments), "bridgecart run", "bridgecart demo")


def test_kpis_are_a_table_of_the_latest_complete_period(bridgecart: Bridgecart, filled: Warehouse) -> None:
    done = bridgecart("kpis")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("KPIs by segment, period from 2025-02-01\n")
    assert all(heading in done.out for heading in ("Segment", "Customers", "CLV growth", "Churn", "Share of sales"))
    assert bridgecart("kpis", "--period", "2025-03-01").out.startswith("KPIs by segment, period from 2025-03-01, still")


def test_a_period_that_is_not_there_is_wrong_usage_that_names_those_there_are(
    bridgecart: Bridgecart, filled: Warehouse
) -> None:
    assert_one_line(bridgecart("kpis", "--period", "2031-01-01"), "2025-01-01 to 2025-03-01", code=2)


def test_the_report_is_written_and_its_place_is_said(
    bridgecart: Bridgecart, filled: Warehouse, settings: Settings
) -> None:
    done = bridgecart("report")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"Report: {settings.report_path}\n"
    assert "<h1>Customer segments</h1>" in settings.report_path.read_text(encoding="utf-8")


def test_announcing_before_the_first_run_says_what_to_do(bridgecart: Bridgecart) -> None:
    assert_one_line(bridgecart("announce"), "bridgecart")


def test_a_report_before_the_first_run_says_what_to_do(bridgecart: Bridgecart) -> None:
    assert_one_line(bridgecart("report"), "nothing to report yet", "bridgecart run", "bridgecart demo")


def test_kpis_as_json_are_objects_with_the_fields_others_rely_on(bridgecart: Bridgecart, filled: Warehouse) -> None:
    done = bridgecart("kpis", "--json")
    listed = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert all(set(row) >= KPI_FIELDS for row in listed)
    assert {row["period"] for row in listed} == {"2025-01-01", "2025-02-01", "2025-03-01"}
    for row in listed:
        assert isinstance(row["customers"], int)
        assert isinstance(row["segment"], str)
        assert all(row[kpi] is None or isinstance(row[kpi], float) for kpi in KPIS)
    one = json.loads(bridgecart("kpis", "--json", "--period", "2025-02-01").out)
    assert one == [row for row in listed if row["period"] == "2025-02-01"]


def test_status_before_anything_happened_says_what_is_missing(bridgecart: Bridgecart) -> None:
    done = bridgecart("status")
    assert (done.code, done.err) == (0, "")
    assert "No broker" in done.out
    assert "Lag            unknown" in done.out
    assert "not there yet" in done.out
    assert "none (0 in all)" in done.out


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


def test_the_shell_can_complete_commands() -> None:
    command = [sys.executable, "-m", "bridgecart_assets"]
    words = {"COMP_WORDS": "bridgecart st", "COMP_CWORD": "1", "_BRIDGECART_COMPLETE": "bash_complete"}
    done = subprocess.run(command, env={**os.environ, **words}, capture_output=True, text=True, check=True)
    assert done.stdout == "plain,status\n"


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
    assert status["data_clock"] == "2025-03-20T10:00:00Z"
    assert status["last_batch_age_seconds"] < status["data_age_seconds"]


def test_a_run_that_fails_under_cron_posts_once_and_ends_as_ever(
    bridgecart: Bridgecart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    monkeypatch.setenv("BRIDGECART_KAFKA_TIMEOUT_SECONDS", "0.5")
    with webhook() as hook:
        monkeypatch.setenv("BRIDGECART_ALERT_WEBHOOK", hook.url)
        for _ in range(2):
            assert_one_line(bridgecart("run"), "no answer from Kafka at 127.0.0.1:9")
        (message,) = hook.posted
    assert "`bridgecart run` failed: " in message
    assert "no answer from Kafka at 127.0.0.1:9" in message


def test_status_shows_lag_as_unknown_and_why_when_the_broker_does_not_answer(
    bridgecart: Bridgecart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    monkeypatch.setenv("BRIDGECART_KAFKA_TIMEOUT_SECONDS", "0.5")
    done = bridgecart("status")
    assert done.code == 0
    assert "no answer from Kafka at 127.0.0.1:9" in done.out
    assert "Lag            unknown" in done.out


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
    assert_one_line(bridgecart(*command.split()), str(filled.path), "restore it from a backup, or move it away")
    assert filled.path.read_bytes() == before
    assert content(data_dir / "published") == published


def test_the_demo_does_not_replace_orders_of_another_cluster(
    bridgecart: Bridgecart, filled: Warehouse, data_dir: Path
) -> None:
    before = filled.path.read_bytes(), content(data_dir / "published")
    assert_one_line(bridgecart("demo"), "another Kafka cluster", "set BRIDGECART_DATA_DIR to another folder")
    assert (filled.path.read_bytes(), content(data_dir / "published")) == before


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


def test_an_evaluation_prints_tables_of_80_columns_and_touches_nothing_of_the_users(
    bridgecart: Bridgecart, data_dir: Path
) -> None:
    done = bridgecart("evaluate", "--customers", "1500")
    assert (done.code, done.err) == (0, "")
    assert all(len(line) <= 80 for line in done.out.splitlines())
    assert done.out.startswith("World of seed 7: 21,000 orders of ")
    assert all(words in done.out for words in ("BridgeCart, k=4", "no purchase in 90 days", "Sales in 330 days"))
    assert not data_dir.exists()


def test_an_evaluation_as_json_is_the_same_each_time(bridgecart: Bridgecart) -> None:
    first, second = (bridgecart("evaluate", "--orders", "15000", "--seed", "3", "--json") for _ in range(2))
    assert first == second
    scores = json.loads(first.out)
    assert (scores["seed"], scores["orders"]) == (3, 15_000)
    assert {"recovery", "alive", "holdouts", "stability"} < set(scores)
    assert [holdout["days"] for holdout in scores["holdouts"]] == [30, 90, 330]


def test_an_evaluation_of_too_few_orders_says_what_to_do(bridgecart: Bridgecart) -> None:
    assert_one_line(bridgecart("evaluate", "--orders", "100"), "too few customers", "raise --customers")
    assert_one_line(bridgecart("evaluate", "--orders", "-1"), "orders must be a whole number", code=2)


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
