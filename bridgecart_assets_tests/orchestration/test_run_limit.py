import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dagster._core.storage.tags import MAX_RUNTIME_SECONDS_TAG

from bridgecart_assets.orchestration.run_limit import GRACE_SECONDS, MAX_RUNTIME_TAG, max_runtime
from bridgecart_assets.processes.run_lock import CLI_LAUNCHER, LAUNCHER_TAG

# A run that hangs where no signal and no exception reaches it, with the real resource in it.
HANGING = """
import json, signal, sys, threading
import dagster as dg
from bridgecart_assets.orchestration import run_limit as runlimit
from bridgecart_assets.orchestration.resources import Platform
runlimit.GRACE_SECONDS = 0.5

@dg.op(required_resource_keys={"platform"})
def hang():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
    print("hanging", flush=True)
    threading.Event().wait(float(sys.argv[2]))

@dg.job(resource_defs={"platform": Platform()})
def hanging():
    hang()

result = hanging.execute_in_process(tags=json.loads(sys.argv[1]), raise_on_error=False)
print("success" if result.success else "failure", flush=True)
"""


def hang(seconds: float, limit_seconds: float, tags: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HANGING, json.dumps(tags), str(seconds)],
        env={**os.environ, "BRIDGECART_MAX_RUN_MINUTES": str(limit_seconds / 60)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("tags", "shows_where"),
    [({LAUNCHER_TAG: CLI_LAUNCHER}, False), ({}, True)],
    ids=["of a command", "of a sensor, whose log says where"],
)
def test_a_run_that_hangs_beyond_reach_ends_with_its_process_and_one_line(
    tags: dict[str, str], shows_where: bool, data_dir: Path
) -> None:
    begun = time.monotonic()
    done = hang(300, 1.0, tags)
    assert time.monotonic() - begun < 50
    assert (done.returncode, done.stdout) == (1, "hanging\n")
    assert done.stderr.splitlines()[-1].startswith(
        "bridgecart: The run has taken longer than BRIDGECART_MAX_RUN_MINUTES (0.0166667) and was ended; nothing is "
    )
    assert ("in hang" in done.stderr) == shows_where


def test_a_run_that_ends_in_time_is_left_alone(data_dir: Path) -> None:
    done = hang(0.01, 20.0, {})
    assert (done.returncode, done.stdout) == (0, "hanging\nsuccess\n")
    assert "BRIDGECART_MAX_RUN_MINUTES" not in done.stderr


def test_dagster_goes_by_the_tag_and_comes_first() -> None:
    assert MAX_RUNTIME_TAG == MAX_RUNTIME_SECONDS_TAG
    assert max_runtime(240) == {MAX_RUNTIME_TAG: "14400"}
    assert max_runtime(0.0001) == {MAX_RUNTIME_TAG: "1"}
    # Its monitor looks every ten seconds.
    assert GRACE_SECONDS > 20
