import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from bridgecart_assets.base.settings import Settings, load_settings
from bridgecart_assets.orchestration.code_server import PROCESS, CodeServer, CodeServerStopped
from bridgecart_assets.orchestration.instance import prepare_home
from bridgecart_assets.processes import supervisor
from bridgecart_assets.processes.listening import free_port
from bridgecart_assets_tests.integration.processes import processes_of, wait_until

NO_PROXY = "no_grpc_proxy"


def place(server: CodeServer) -> dict[str, object]:
    """Where Dagster's other processes look for the server."""
    (found,) = yaml.safe_load(server.workspace.read_text())["load_from"]
    said: dict[str, object] = found["grpc_server"]
    return said


def process_of(settings: Settings) -> psutil.Process:
    (found,) = [process for process in processes_of(settings.data_dir) if PROCESS in process.cmdline()[2:3]]
    return found


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings with a data directory whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="cs-") as folder:
        monkeypatch.setenv("BRIDGECART_DATA_DIR", folder)
        yield load_settings()


def test_a_server_that_is_hung_or_whose_folder_is_gone_is_started_again_at_the_same_place(
    short: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.5)
    monkeypatch.setattr("bridgecart_assets.orchestration.code_server.ANSWER_SECONDS", 1)
    # Where a cleaner of temporary files goes, and too long for a socket: neither is of any importance.
    long = tmp_path / ("t" * 100)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    prepare_home(short)
    left_behind = short.data_dir / "run" / "up-of-the-dead"
    left_behind.mkdir(parents=True)
    with CodeServer(short, tmp_path / "log") as server:
        before = place(server)
        assert Path(str(before["socket"])).is_socket()
        assert Path(str(before["socket"])).is_relative_to(short.data_dir)
        assert not left_behind.exists()
        assert server.answers()
        assert not server.has_ended()
        assert not server.is_unreachable()

        shutil.rmtree(short.data_dir / "run")
        assert server.is_unreachable()
        assert server.start_again() == []
        assert not server.is_unreachable()
        assert server.answers()
        assert place(server) == before

        process_of(short).send_signal(signal.SIGSTOP)
        assert not server.answers()
        assert server.start_again() == []
        assert server.answers()
    assert list((short.data_dir / "run").iterdir()) == []


def test_where_the_path_is_too_long_for_a_socket_it_is_a_port_which_needs_no_proxy_and_one_that_dies_at_once_stays_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port('127.0.0.1')}")
    monkeypatch.setenv(NO_PROXY, "somewhere.example")
    monkeypatch.setenv("BRIDGECART_DATA_DIR", str(tmp_path / ("d" * 100)))
    settings = load_settings()
    prepare_home(settings)
    with CodeServer(settings, tmp_path / "log") as server:
        assert place(server)["host"] == "127.0.0.1"
        assert isinstance(place(server)["port"], int)
        assert server.answers()
        assert not server.is_unreachable()
        family = processes_of(settings.data_dir)
        os.kill(process_of(settings).pid, signal.SIGKILL)
        wait_until(server.has_ended, 5, "the death is noticed")
        with pytest.raises(CodeServerStopped, match="ends as soon as it has started; see "):
            server.start_again()
    assert os.environ[NO_PROXY] == "somewhere.example,127.0.0.1"
    wait_until(lambda: not processes_of(settings.data_dir), 5, f"all are gone of {family}")
    assert not server.workspace.parent.exists()
