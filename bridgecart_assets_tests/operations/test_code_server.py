import os
import signal
from pathlib import Path

import pytest
import yaml

from bridgecart_assets.operations.code_server import CodeServer, CodeServerStopped
from bridgecart_assets.operations.home import prepare_home
from bridgecart_assets.settings import Settings
from bridgecart_assets_tests.integration.processes import processes_of, wait_until


def test_a_code_server_that_dies_at_once_is_not_started_again_and_nothing_is_left(
    settings: Settings, tmp_path: Path
) -> None:
    prepare_home(settings)
    with CodeServer(settings, tmp_path / "log") as server:
        (place,) = yaml.safe_load(server.workspace.read_text())["load_from"]
        assert Path(place["grpc_server"]["socket"]).is_socket()
        assert not server.has_ended()
        family = processes_of(settings.data_dir)
        (dying,) = [process for process in family if "grpc" in process.cmdline()[2:5]]
        os.kill(dying.pid, signal.SIGKILL)
        wait_until(server.has_ended, 5, "the death is noticed")
        with pytest.raises(CodeServerStopped, match="ends as soon as it has started; see "):
            server.start_again()
    wait_until(lambda: not processes_of(settings.data_dir), 5, f"all are gone of {family}")
    assert not server.workspace.parent.exists()
