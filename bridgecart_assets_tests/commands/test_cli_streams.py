"""Where commands print and write is full, closed, read-only, narrow: one line and no traceback."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bridgecart_assets.cli import cli, main
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.sources.mapping.records import SAMPLES
from bridgecart_assets_tests.support.command_line import Done, assert_one_line

FULL = Path("/dev/full")
PRINTING = [
    *(["--help"], ["--version"], ["run", "--help"]),
    *(["kpis"], ["kpis", "--json"], ["status"], ["status", "--json"], ["doctor"], ["doctor", "--json"], ["report"]),
    ["graph", "gold.customer_segments"],
    ["inspect", "--from", str(SAMPLES / "history.csv")],
]
# Root obeys permissions, too, once it has given up its privilege not to.
AS_ANYBODY = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] if os.geteuid() == 0 else []


class Command:
    """The `bridgecart` command in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def __call__(self, arguments: list[str], descriptor: int, **how: str) -> Done:
        """Run with standard output at this descriptor, which is closed in the end."""
        self._capfd.readouterr()
        code: object = 0
        with os.fdopen(descriptor, "w", **how) as stdout, self._monkeypatch.context() as patched:  # type: ignore[call-overload]
            patched.setattr(sys, "argv", ["bridgecart", *arguments])
            patched.setattr(sys, "stdout", stdout)
            try:
                main()
            except SystemExit as end:
                code = end.code
        assert isinstance(code, int)
        return Done(code, *self._capfd.readouterr())


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capfd)


def full() -> int:
    return os.open(FULL, os.O_WRONLY)


def closed_pipe() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.skipif(not FULL.exists(), reason="macOS has no such device")
@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_a_full_standard_output_is_one_line(command: Command, filled: Warehouse, arguments: list[str]) -> None:
    assert_one_line(command(arguments, full()), "Cannot write to standard output (No space left on device)")


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_whoever_reads_no_further_is_left_in_peace(command: Command, filled: Warehouse, arguments: list[str]) -> None:
    assert command(arguments, closed_pipe()) == Done(141, "", "")


def test_all_commands_that_print_are_tried_or_print_the_same_way() -> None:
    tried = {word for arguments in PRINTING for word in arguments}
    # They need a broker or a folder of their own, or run for long; what prints their lines is the same.
    others = {"evaluate", "demo", "up", "forget", "export", "announce", "generate", "import", "replay", "withdraw"}
    others |= {"backup", "restore", "move", "tidy"}
    assert set(cli.commands) - tried - others == set()


def test_a_full_standard_error_changes_no_exit_code(filled: Warehouse) -> None:
    program = [sys.executable, "-m", "bridgecart_assets", "kpis", "--colour"]
    with FULL.open("w") if FULL.exists() else os.fdopen(closed_pipe(), "w") as stderr:
        done = subprocess.run(program, stdout=subprocess.PIPE, stderr=stderr, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (2, b"")


def test_a_closed_standard_output_gives_its_number_to_no_other_file(filled: Warehouse, data_dir: Path) -> None:
    before = {file: file.read_bytes() for file in data_dir.rglob("*") if file.suffix in {".duckdb", ".parquet"}}
    shell = 'exec "$0" -m bridgecart_assets "$@" >&- 2>&-'
    done = subprocess.run(["/bin/sh", "-c", shell, sys.executable, "kpis"], timeout=120, check=False)
    assert done.returncode == 0
    assert {file: file.read_bytes() for file in before} == before


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("arguments", [["kpis"], ["kpis", "--json"], ["status"]], ids=" ".join)
def test_a_terminal_of_another_character_set_gets_escapes(
    command: Command,
    filled: Warehouse,
    data_dir: Path,
    encoding: str,
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BRIDGECART_DATA_DIR", str(data_dir.rename(data_dir.with_name("läden-店"))))
    reading, writing = os.pipe()
    done = command(arguments, writing, encoding=encoding)
    assert (done.code, done.err) == (0, "")
    with os.fdopen(reading, "rb") as said:
        assert said.read().decode(encoding)


@pytest.mark.parametrize("columns", ["1", "7", "30"])
def test_a_narrow_terminal_breaks_no_command(
    command: Command, filled: Warehouse, columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("FORCE_COLOR", "1")
    for arguments in (["kpis"], ["status"]):
        reading, writing = os.pipe()
        assert command(arguments, writing) == Done(0, "", "")
        os.close(reading)


def test_an_argument_that_is_no_text_is_wrong_usage(command: Command, filled: Warehouse) -> None:
    for arguments in (["forget", "\udcff"], ["export", "--output", "a\udcfe.csv"], ["kpis", "--period", "\udc80"]):
        assert_one_line(command(arguments, os.open(os.devnull, os.O_WRONLY)), "not valid UTF-8", code=2)


# --- the data directory


@pytest.fixture
def read_only(filled: Warehouse, data_dir: Path) -> Iterator[Path]:
    """A data directory in which nothing can be written."""
    everything = [data_dir, *data_dir.rglob("*")]
    for path in everything:
        path.chmod(path.stat().st_mode & ~0o222)
    yield data_dir
    for path in everything:
        if path.exists():
            path.chmod(path.stat().st_mode | 0o200)


NEEDS_DATA_DIR = [
    *(["run"], ["up"], ["demo", "--orders", "10"], ["status"], ["status", "--json"], ["doctor"]),
    *(["doctor", "--repair"], ["forget", "C1"], ["report"], ["export"], ["replay", "cdnow"]),
    ["generate", "--live", "--orders", "10"],
]


def test_a_read_only_data_directory_is_one_line_with_the_remedy(read_only: Path, tmp_path: Path) -> None:
    before = {file: file.read_bytes() for file in read_only.rglob("*") if file.is_file()}
    for arguments, (code, out, err) in zip(NEEDS_DATA_DIR, as_anybody(NEEDS_DATA_DIR, tmp_path), strict=True):
        assert (code, out) == (1, ""), arguments
        assert err.count("\n") == 1, (arguments, err)
        assert "make it writable or set BRIDGECART_DATA_DIR" in err, (arguments, err)
    assert [code for code, _, _ in as_anybody([["kpis"]], tmp_path)] == [0]
    assert {file: file.read_bytes() for file in read_only.rglob("*") if file.is_file()} == before


# Commands one after the other in one process.
IN_TURN = """
import contextlib, io, json, sys
from bridgecart_assets.cli import main

done = []
for arguments in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["bridgecart", *arguments]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code
    done.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(done))
"""


def as_anybody(commands: list[list[str]], folder: Path) -> list[tuple[int, str, str]]:
    """Exit code, standard output and standard error of each command."""
    variables: Mapping[str, str] = {
        **os.environ,
        # Nothing answers there, and nothing should be asked.
        "BRIDGECART_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "BRIDGECART_KAFKA_TIMEOUT_SECONDS": "1",
    }
    program = [*AS_ANYBODY, sys.executable, "-c", IN_TURN, json.dumps(commands)]
    done = subprocess.run(program, cwd=folder, env=variables, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return [(code, out, err) for code, out, err in json.loads(done.stdout)]


# --- files that commands write elsewhere


@pytest.mark.skipif(not FULL.exists(), reason="macOS has no such device")
def test_a_device_is_written_and_not_replaced_by_a_file(command: Command, filled: Warehouse) -> None:
    done = command(["export", "--output", str(FULL)], os.open(os.devnull, os.O_WRONLY))
    assert_one_line(done, f"Cannot write {FULL} (No space left on device): name another file.")
    assert FULL.is_char_device()


def test_customers_go_into_a_pipe_and_nothing_else_does(filled: Warehouse) -> None:
    program = [sys.executable, "-m", "bridgecart_assets", "export", "--output", "/dev/stdout"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "20 customers written to /dev/stdout.\n")
    heading, *customers = done.stdout.splitlines()
    assert heading.startswith(("customer_id", "\ufeffcustomer_id"))
    assert len(customers) == 20


def test_published_kpis_that_cannot_be_read_are_one_line(command: Command, filled: Warehouse, data_dir: Path) -> None:
    (data_dir / "published" / "kpi" / "clv_growth.parquet").write_bytes(b"PAR1")
    assert_one_line(command(["kpis"], os.open(os.devnull, os.O_WRONLY)), "cannot be read", "`bridgecart run`")
