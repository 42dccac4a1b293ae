import gc
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import psutil
import pytest

from bridgecart_assets.orchestration.run_processes import IMPORTED, run_processes
from bridgecart_assets_tests.integration.processes import wait_until

START_SECONDS = 60
GONE_SECONDS = 10

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are not safe elsewhere")


def tell_and_wait(told: Path) -> None:
    """In the process of a run: what it is like."""
    found = {
        "imported": [name for name in IMPORTED if name in sys.modules],
        "is_frozen": gc.get_freeze_count() > 0,
        "new_objects": gc.get_threshold()[0],
        "pid": os.getpid(),
        "parent": os.getppid(),
    }
    told.with_suffix(".part").write_text(json.dumps(found))
    told.with_suffix(".part").rename(told)
    time.sleep(START_SECONDS)


def start_a_run(folder: str) -> None:
    """In the place of a code server."""
    logging.basicConfig(level=logging.INFO)
    processes = run_processes(Path(folder), logging.getLogger())
    process = processes.Process(target=tell_and_wait, args=(Path(folder) / "told",))  # type: ignore[attr-defined]
    process.start()
    process.join()


@pytest.fixture
def folder() -> Iterator[Path]:
    """One whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="rp-") as name:
        yield Path(name)


def told_by_a_run(folder: Path, log: Path) -> dict[str, object]:
    """What the process of a run in this folder says of itself, once it does."""
    code = f"from {__name__} import start_a_run; start_a_run({str(folder)!r})"
    with log.open("wb") as output:
        server = subprocess.Popen([sys.executable, "-c", code], stderr=output)
    try:
        wait_until((folder / "told").exists, START_SECONDS, "the run tells")
        told: dict[str, object] = json.loads((folder / "told").read_text())
        run, parent = psutil.Process(int(str(told["pid"]))), psutil.Process(int(str(told["parent"])))
        told["is_forked"] = parent.pid != server.pid
        parent.kill()
        wait_until(lambda: not run.is_running() or not told["is_forked"], GONE_SECONDS, "the run is gone, too")
        if run.is_running():
            run.kill()
        return told
    finally:
        server.kill()
        server.wait()


def test_a_run_is_forked_from_a_process_that_has_imported_everything_and_does_not_outlive_it(
    folder: Path, tmp_path: Path
) -> None:
    told = told_by_a_run(folder, tmp_path / "log")
    assert told["is_forked"]
    assert told["imported"] == list(IMPORTED)
    assert told["is_frozen"]
    assert told["new_objects"] == 50_000
    assert (tmp_path / "log").read_text() == ""


def test_where_the_path_is_too_long_for_a_socket_a_run_imports_for_itself_and_the_log_says_so(tmp_path: Path) -> None:
    long = tmp_path / ("d" * 100)
    long.mkdir()
    assert not told_by_a_run(long, tmp_path / "log")["is_forked"]
    assert (
        "Runs import for themselves, which takes seconds: no fork server (AF_UNIX path too long)"
        in (tmp_path / "log").read_text()
    )


@pytest.mark.parametrize("module", IMPORTED)
def test_what_is_imported_for_runs_is_there(module: str) -> None:
    assert import_module(module)
