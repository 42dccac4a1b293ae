import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bridgecart_assets.processes.supervisor import SupervisedProcess, child
from bridgecart_assets_tests.integration.processes import wait_until

GONE_SECONDS = 10.0

# A command with a child and a grandchild, of which only the first reacts to Ctrl-C, as Dagster's processes do.
FAMILY = """
import signal, subprocess, sys, time
depth = int(sys.argv[1])
signal.signal(signal.SIGINT, signal.SIG_IGN if depth < 2 else signal.default_int_handler)
if depth:
    subprocess.Popen([sys.executable, "-c", sys.argv[2], str(depth - 1), sys.argv[2]])
try:
    print("up", depth, flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("finished by itself", flush=True)
"""

PARENT = """
import sys, time
from pathlib import Path
from bridgecart_assets.processes.supervisor import child
with child([sys.executable, "-c", sys.argv[1], "2", sys.argv[1]], Path(sys.argv[2])):
    print("up", flush=True)
    time.sleep(60)
"""


def family_is_up(log: Path) -> bool:
    return log.exists() and log.read_text().count("up") == 3


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def test_at_the_end_the_command_may_finish_and_nothing_of_its_family_is_left(tmp_path: Path) -> None:
    log = tmp_path / "family.log"
    with child([sys.executable, "-c", FAMILY, "2", FAMILY], log) as leader:
        wait_until(lambda: family_is_up(log), 20, "the family is up")
        family = psutil.Process(leader.pid).children(recursive=True)
        assert len(family) == 3
    assert "finished by itself" in log.read_text()
    wait_until(lambda: not alive(family), GONE_SECONDS, f"all are gone, of {family}")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_when_the_parent_is_killed_nothing_of_the_family_is_left(tmp_path: Path, how: signal.Signals) -> None:
    log = tmp_path / "family.log"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, FAMILY, str(log)], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: family_is_up(log), 20, "the family is up")
        family = psutil.Process(parent.pid).children(recursive=True)
        assert len(family) == 4
    finally:
        parent.send_signal(how)
        parent.wait(10)
    wait_until(lambda: not alive(family), GONE_SECONDS, f"all are gone, of {family}")


def test_what_outlives_a_killed_leader_is_killed_too(tmp_path: Path) -> None:
    log = tmp_path / "family.log"
    with child([sys.executable, "-c", FAMILY, "2", FAMILY], log) as leader:
        wait_until(lambda: family_is_up(log), 20, "the family is up")
        family = psutil.Process(leader.pid).children(recursive=True)
        leader.kill()
        leader.wait(10)
        assert alive(family)
    wait_until(lambda: not alive(family), GONE_SECONDS, f"all are gone, of {family}")


def start_family(log: Path) -> SupervisedProcess:
    with log.open("ab") as output:
        return SupervisedProcess([sys.executable, "-c", FAMILY, "2", FAMILY], output=output, env=os.environ)


def test_a_stopped_command_is_gone_at_once_and_its_family_soon(tmp_path: Path) -> None:
    log = tmp_path / "family.log"
    process = start_family(log)
    try:
        wait_until(lambda: family_is_up(log), 20, "the family is up")
        family = psutil.Process(process.leader.pid).children(recursive=True)
        command = next(member for member in family if member.ppid() == process.leader.pid)
    finally:
        process.stop()
    assert not alive([command])
    assert not process.is_running()
    wait_until(lambda: not alive(family), GONE_SECONDS, f"all are gone, of {family}")
    process.stop()


def test_a_supervising_process_that_is_terminated_ends_the_whole_family(tmp_path: Path) -> None:
    log = tmp_path / "family.log"
    process = start_family(log)
    try:
        wait_until(lambda: family_is_up(log), 20, "the family is up")
        family = psutil.Process(process.leader.pid).children(recursive=True)
        process.leader.terminate()
        wait_until(lambda: not alive(family), GONE_SECONDS, f"all are gone, of {family}")
    finally:
        process.stop()


def test_the_exit_code_of_the_command_is_known(tmp_path: Path) -> None:
    with child([sys.executable, "-c", "raise SystemExit(7)"], tmp_path / "log") as leader:
        assert leader.wait(20) == 7


def test_a_command_is_interruptible_also_where_ctrl_c_is_ignored(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = (
        "import time\nprint('up', flush=True)\ntry:\n  time.sleep(60)\nexcept KeyboardInterrupt:\n  print('ctrl-c')"
    )
    started = time.monotonic()
    with child([sys.executable, "-c", program], log):
        wait_until(lambda: log.exists() and "up" in log.read_text(), 20, "it is up")
    assert "ctrl-c" in log.read_text()
    assert time.monotonic() - started < 15


def test_byte_code_is_written_also_where_the_environment_forbids_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    log = tmp_path / "log"
    with child([sys.executable, "-c", "import sys; print(sys.dont_write_bytecode)"], log) as leader:
        leader.wait(20)
    assert log.read_text() == "False\n"
    assert os.environ["PYTHONDONTWRITEBYTECODE"] == "1"
