import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridgecart_assets.processes.run_lock import AlreadyRunning, is_run_lock_free, run_lock, serve_lock

HOLD = """
import sys, time
from pathlib import Path
from bridgecart_assets.processes import run_lock
with getattr(run_lock, sys.argv[1])(Path(sys.argv[2])):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def another_process_holding(lock: str, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", HOLD, lock, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            yield holder
        finally:
            holder.kill()


def test_a_second_command_is_refused_in_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    with another_process_holding("run_lock", tmp_path):
        assert not is_run_lock_free(tmp_path)
        with (
            pytest.raises(AlreadyRunning, match=r"Another bridgecart command works on .*: wait") as raised,
            run_lock(tmp_path),
        ):
            pass
    assert "\n" not in str(raised.value)
    assert str(tmp_path) in str(raised.value)


def test_the_lock_is_free_after_the_command_and_also_after_it_failed(tmp_path: Path) -> None:
    assert is_run_lock_free(tmp_path)
    with pytest.raises(LookupError), run_lock(tmp_path):
        raise LookupError
    assert is_run_lock_free(tmp_path)


def test_a_killed_holder_frees_the_lock(tmp_path: Path) -> None:
    with another_process_holding("run_lock", tmp_path) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
        with run_lock(tmp_path):
            pass


def test_the_holder_itself_sees_its_lock_as_taken(tmp_path: Path) -> None:
    with run_lock(tmp_path):
        assert not is_run_lock_free(tmp_path)
    assert is_run_lock_free(tmp_path)


def test_a_command_may_run_beside_up_but_no_second_up(tmp_path: Path) -> None:
    with another_process_holding("serve_lock", tmp_path):
        assert is_run_lock_free(tmp_path)
        with run_lock(tmp_path):
            pass
        with pytest.raises(AlreadyRunning, match="Another `bridgecart up` works on"), serve_lock(tmp_path):
            pass


def test_data_directories_do_not_disturb_each_other(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with run_lock(tmp_path / "a"), run_lock(tmp_path / "b"):
        pass
