import os
import subprocess
import sys
from pathlib import Path

import pytest

from bridgecart_assets.processes import logs
from bridgecart_assets.processes.logs import OLDER_ONES, keep_small
from bridgecart_assets.processes.supervisor import child
from bridgecart_assets_tests.integration.processes import wait_until

# Prints numbered lines until it is told by a file to come to its end; it never learns that its own was put away.
WRITER = """
import itertools, os, pathlib, sys
told = pathlib.Path(sys.argv[1])
for number in itertools.takewhile(lambda number: not told.exists(), itertools.count()):
    os.write(1, f"line {number:09}\\n".encode())
os.write(1, b"the last line")
"""


@pytest.fixture(autouse=True)
def most(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(logs, "MOST_BYTES", 1_000)
    return 1_000


def test_a_small_log_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"x" * 1_000)
    keep_small(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["a.log"]


def test_the_newest_lines_of_a_log_are_kept_in_a_bounded_number_of_files_of_bounded_size(tmp_path: Path) -> None:
    for turn in range(6):
        (tmp_path / "a.log").write_bytes(b"old" * 3_000 + bytes([65 + turn]) * 1_000)
        keep_small(tmp_path)
    assert (tmp_path / "a.log").read_bytes() == b""
    kept = [(tmp_path / f"a.log.{number}").read_bytes() for number in range(1, OLDER_ONES + 1)]
    assert kept == [b"F" * 1_000, b"E" * 1_000, b"D" * 1_000]
    assert len(list(tmp_path.iterdir())) == OLDER_ONES + 1


def test_a_process_that_goes_on_writing_writes_at_the_new_end_and_nothing_grows_without_bound(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    log, told = tmp_path / "writer.log", tmp_path_factory.mktemp("told") / "to-end"
    with child([sys.executable, "-c", WRITER, str(told)], log) as leader:
        for _ in range(2 * OLDER_ONES):
            wait_until(lambda: log.stat().st_size > 1_000, 60, "a log to put away")
            keep_small(tmp_path)
        told.touch()
        leader.wait(60)
    *numbered, last = log.read_text().splitlines()
    assert last == "the last line"
    assert numbered == sorted(set(numbered))
    assert all(line.startswith("line ") for line in numbered)
    keep_small(tmp_path)
    assert log.stat().st_size <= 1_000
    assert len(list(tmp_path.iterdir())) == OLDER_ONES + 1


def test_a_full_disk_costs_the_old_lines_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"x" * 5_000)
    limited = (
        "import resource, signal, sys; from pathlib import Path; from bridgecart_assets.processes import logs;"
        "logs.MOST_BYTES = 1000; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); logs.keep_small(Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", limited, str(tmp_path)], check=True, env={**os.environ})
    assert [(file.name, file.stat().st_size) for file in tmp_path.iterdir()] == [("a.log", 0)]
