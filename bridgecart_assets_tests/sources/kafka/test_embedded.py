import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.embedded import CLUSTER_ID, EmbeddedBroker
from bridgecart_assets.sources.kafka.errors import BrokerUnreachable, EmbeddedBrokerFailed
from bridgecart_assets.sources.kafka.positions import cluster_id, topic_state
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.sources.kafka.topics import create_topic

GONE_SECONDS = 5.0

PARENT = """
import os, sys, time
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.embedded import EmbeddedBroker
from bridgecart_assets.sources.kafka.positions import cluster_id
with EmbeddedBroker() as broker:
    if "fork" in sys.argv and os.fork() == 0:
        os.closerange(0, 3)
        time.sleep(60)
        os._exit(0)
    try:
        print("up", flush=True)
        time.sleep(0 if "leave" in sys.argv else 60)
    except KeyboardInterrupt:
        print(cluster_id(KafkaConnection(broker.bootstrap_servers, "any")), flush=True)
    if "raise" in sys.argv:
        raise LookupError("on purpose")
"""


def start_parent(*arguments: str) -> tuple["subprocess.Popen[str]", list[psutil.Process]]:
    command = [sys.executable, "-c", PARENT, *arguments]
    parent = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "up\n"
    return parent, psutil.Process(parent.pid).children(recursive=True) if parent.poll() is None else []


def is_gone(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def assert_gone(processes: list[psutil.Process]) -> None:
    deadline = time.monotonic() + GONE_SECONDS
    while left := [process for process in processes if not is_gone(process)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def brokers(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.name().startswith("tansu")]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_broker_outlives_a_killed_parent(how: signal.Signals) -> None:
    parent, children = start_parent()
    assert len(brokers(children)) == 1
    parent.send_signal(how)
    parent.communicate(timeout=GONE_SECONDS)
    assert_gone(children)


@pytest.mark.parametrize("how", ["leave", "raise"])
def test_no_broker_outlives_a_parent_that_ends_by_itself(how: str) -> None:
    parent, children = start_parent(how, "leave")
    parent.communicate(timeout=GONE_SECONDS)
    assert_gone(children)
    assert parent.returncode == (1 if how == "raise" else 0)


def test_a_ctrl_c_leaves_the_broker_to_its_parent_until_it_is_done() -> None:
    parent, children = start_parent()
    os.killpg(parent.pid, signal.SIGINT)
    out, _ = parent.communicate(timeout=GONE_SECONDS)
    assert out == f"{CLUSTER_ID}\n"
    assert_gone(children)


def test_a_forked_child_that_lives_on_does_not_keep_the_broker() -> None:
    parent, children = start_parent("fork")
    watched = [process for process in children if process.name().startswith("tansu")]
    forked = [process for process in children if PARENT in process.cmdline()]
    assert len(watched) == len(forked) == 1
    parent.kill()
    parent.communicate(timeout=GONE_SECONDS)
    try:
        assert_gone(watched)
        assert not is_gone(forked[0])
    finally:
        forked[0].kill()


@pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_PDEATHSIG")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_broker_outlives_its_watchdog(how: signal.Signals) -> None:
    with EmbeddedBroker() as broker:
        family = psutil.Process().children(recursive=True)
        (tansu,) = [p for p in brokers(family) if f"tcp://{broker.bootstrap_servers}" in p.cmdline()]
        watchdog = tansu.parent()
        assert watchdog is not None
        watchdog.send_signal(how)
        assert_gone([tansu, watchdog])
        deadline = time.monotonic() + GONE_SECONDS
        while broker.is_running():
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_two_brokers_live_side_by_side() -> None:
    with EmbeddedBroker() as first, EmbeddedBroker() as second:
        assert first.bootstrap_servers != second.bootstrap_servers
        connection = KafkaConnection(first.bootstrap_servers, "orders")
        create_topic(connection, 1)
        produce(connection, [(None, b"order", 1_000)])
        assert create_topic(KafkaConnection(second.bootstrap_servers, "orders"), 1) is True
        assert topic_state(connection).partitions[0].end == 1


def test_a_stopped_broker_is_gone_and_can_be_started_again() -> None:
    broker = EmbeddedBroker()
    broker.start()
    address = broker.bootstrap_servers
    broker.stop()
    broker.stop()
    assert not broker.is_running()
    with pytest.raises(BrokerUnreachable):
        cluster_id(KafkaConnection(address, "orders", timeout_seconds=0.5))
    with pytest.raises(EmbeddedBrokerFailed, match="not running"):
        _ = broker.bootstrap_servers
    with broker:
        assert cluster_id(KafkaConnection(broker.bootstrap_servers, "orders")) == CLUSTER_ID


def test_output_goes_to_the_log_file_and_not_to_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log_file = tmp_path / "logs" / "broker.log"
    with EmbeddedBroker(log_file):
        pass
    assert "tansu broker" in log_file.read_text()
    assert capfd.readouterr() == ("", "")


def test_a_settings_file_in_the_working_directory_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("SCHEMA_REGISTRY=file:///nowhere\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCHEMA_REGISTRY", "file:///nowhere")
    with EmbeddedBroker() as broker:
        assert broker.is_running()


@pytest.mark.parametrize(
    ("script", "said"),
    [("echo it will not do >&2; exit 3", "it will not do"), ("exec sleep 60", "wrote nothing")],
    ids=["ends", "never answers"],
)
def test_a_start_that_fails_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    binary = tmp_path / "tansu"
    binary.write_text(f"#!/bin/sh\n{script}\n")
    binary.chmod(0o755)
    monkeypatch.setenv("CALF_TANSU_BIN", str(binary))
    with pytest.raises(EmbeddedBrokerFailed) as raised:
        EmbeddedBroker(start_seconds=1).start()
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_taken_port_is_tried_again_a_bounded_number_of_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = tmp_path / "attempts"
    binary = tmp_path / "tansu"
    binary.write_text(f"#!/bin/sh\necho again >> {attempts}\necho kind: AddrInUse\n")
    binary.chmod(0o755)
    monkeypatch.setenv("CALF_TANSU_BIN", str(binary))
    with pytest.raises(EmbeddedBrokerFailed, match="AddrInUse"):
        EmbeddedBroker(start_seconds=5).start()
    assert attempts.read_text().split() == ["again"] * 5
