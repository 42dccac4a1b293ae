"""A running `bridgecart up` whose code server is killed, idle and in mid-read, and whose run is cancelled.

One story, whose steps stand here in their order: two attempts at one batch are broken, the third one takes it in.
It is told in a rough place: the topic is in `.env` and another one in the environment, there is a proxy that nobody
answers at, and the path of the folder for temporary files is too long for a socket.
"""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bridgecart_assets.orchestration.code_server import PROCESS, SHORTEST_LIFE_SECONDS
from bridgecart_assets_tests.integration.faults import Faults, warehouse_in
from bridgecart_assets_tests.integration.killable import Killer
from bridgecart_assets_tests.integration.line import MID_READ_BYTES, ORDERS, Line, line_to
from bridgecart_assets_tests.integration.market import open_market, settings_for
from bridgecart_assets_tests.integration.processes import bridgecart, processes_of, wait_until
from bridgecart_assets_tests.integration.served import REPOSITORY, RUN_SECONDS, TICK_SECONDS, Served, free_port, up
from bridgecart_assets_tests.integration.shop import Shop, history
from bridgecart_assets_tests.sources.kafka.fixtures import any_broker
from bridgecart_assets_tests.support.steps import tell

NOTHING_NEW = "no new records: every record of the topic is in a batch"
READ_SECONDS = 30.0
STOP_SECONDS = 40.0
STORY_SECONDS = 600
SECRET = "of the file, and of nobody else"


@pytest.fixture(scope="module")
def folder(broker_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp(f"up-{broker_kind}") / "data"


@pytest.fixture(scope="module")
def line(broker_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    with line_to(broker_kind, tmp_path_factory.mktemp("line")) as line:
        yield line


@pytest.fixture(scope="module")
def shop(line: Line) -> Shop:
    return line.open_empty_shop()


@pytest.fixture(scope="module")
def served(folder: Path, shop: Shop) -> Iterator[Served]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings_for(shop.connection).items():
            patch.setenv(name, value)
        patch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
        patch.setenv("BRIDGECART_KAFKA_STALL_SECONDS", "120")
        # After the first, empty batch: all records in one.
        patch.setenv("BRIDGECART_MIN_BATCH_RECORDS", str(len(history(ORDERS))))
        patch.setenv("BRIDGECART_MAX_BATCH_DELAY", "3600")
        long = folder.parent / ("t" * 100)
        long.mkdir()
        (folder.parent / ".env").write_text(
            f"BRIDGECART_KAFKA_TOPIC={shop.connection.topic}\nBRIDGECART_DATA_DIR={folder}\nPASSWORD={SECRET}\n"
        )
        rough = {"BRIDGECART_KAFKA_TOPIC": "another", "http_proxy": f"http://127.0.0.1:{free_port()}"}
        with up(folder, settings={**rough, "TMPDIR": str(long)}, cwd=folder.parent) as running:
            yield running


def code_server(folder: Path) -> psutil.Process:
    (found,) = [process for process in processes_of(folder) if PROCESS in process.cmdline()[2:3]]
    return found


def kill_code_server(served: Served, folder: Path) -> None:
    said = served.output.read_text().count("code server died")
    dying = code_server(folder)
    # One that dies sooner is not started again: `up` would try for ever.
    long_enough = dying.create_time() + SHORTEST_LIFE_SECONDS + 1
    wait_until(lambda: time.time() > long_enough, SHORTEST_LIFE_SECONDS + 5, "it has lived long enough")
    family = dying.children(recursive=True)
    os.kill(dying.pid, signal.SIGKILL)
    wait_until(
        lambda: served.output.read_text().count("code server died") > said, TICK_SECONDS, "`up` says what happened"
    )
    wait_until(lambda: not any(process.is_running() for process in family), TICK_SECONDS, "its processes are gone")
    assert code_server(folder).pid != dying.pid
    webserver_is_well_again(served)


def webserver_is_well_again(served: Served) -> None:
    """It may have asked the code server while there was none, and looks again."""
    wait_until(lambda: served.ask(REPOSITORY)["repositoriesOrError"]["nodes"], TICK_SECONDS, "the webserver is well")


def held_in_mid_read(served: Served, line: Line) -> str:
    """The id of the run that is in the middle of reading."""
    wait_until(line.proxy.is_silent, TICK_SECONDS + READ_SECONDS, "a run is in mid-read")
    (run,) = served.runs(statuses=["STARTED"])
    return str(run["id"])


def an_idle_code_server_killed_is_started_again_and_the_sensor_goes_on(
    served: Served, shop: Shop, folder: Path
) -> None:
    empty = served.next_batch(after=0)
    served.skips(NOTHING_NEW)
    kill_code_server(served, folder)
    served.skips(NOTHING_NEW)
    assert served.partitions() == [empty]


def what_env_says_counts_before_the_environment_and_up_names_it(served: Served) -> None:
    (said,) = [line for line in served.output.read_text().splitlines() if ".env" in line]
    assert said == "bridgecart: BRIDGECART_KAFKA_TOPIC is set in .env and otherwise in the environment: .env counts."


def a_code_server_whose_socket_somebody_removed_is_started_again_and_the_sensor_goes_on(
    served: Served, folder: Path
) -> None:
    lost = code_server(folder)
    shutil.rmtree(folder / "run")
    said = "code server lost its socket, which somebody removed. It was started again; see "
    wait_until(lambda: said in served.output.read_text(), TICK_SECONDS, "`up` says what happened")
    assert not lost.is_running()
    webserver_is_well_again(served)
    served.skips(NOTHING_NEW)


def a_code_server_killed_in_mid_read_takes_its_run_with_it_which_is_reported(
    served: Served, shop: Shop, line: Line, folder: Path
) -> None:
    line.proxy.when_answered(MID_READ_BYTES, line.proxy.go_silent)
    line.sell_out(shop)
    run = held_in_mid_read(served, line)
    kill_code_server(served, folder)
    assert f"with it run {run}: the sensor tries again" in served.output.read_text()
    assert served.runs(runIds=[run])[0]["status"] == "FAILURE"
    line.proxy.reset()
    line.proxy.when_answered(MID_READ_BYTES, line.proxy.go_silent)
    line.proxy.heal()


def a_run_cancelled_in_mid_read_is_asked_for_again_and_nothing_is_lost(
    served: Served, shop: Shop, line: Line, folder: Path, killer: Killer, faults: Faults, tmp_path: Path
) -> None:
    run = held_in_mid_read(served, line)
    served.terminate(run)
    line.proxy.heal()
    key = served.partitions()[1]
    tag = {"key": "dagster/partition", "value": key}
    wait_until(lambda: served.runs(tags=[tag], statuses=["SUCCESS"]), RUN_SECONDS, "a later attempt succeeds")
    served.skips(NOTHING_NEW)
    # On a busy machine an attempt may run into its time-out as well.
    assert {run["status"] for run in served.runs(tags=[tag])} == {"CANCELED", "FAILURE", "SUCCESS"}
    undisturbed = open_market(shop, killer, tmp_path / "undisturbed")
    undisturbed.settle(
        faults, "kill -9 of the code server, idle and in mid-read, and a run cancelled", 3, warehouse_in(folder)
    )


def another_command_in_the_folder_has_the_same_settings(
    served: Served, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = folder.with_name("elsewhere")
    with monkeypatch.context() as patch:
        patch.chdir(folder.parent)
        done = bridgecart("status", "--json", BRIDGECART_KAFKA_TOPIC="another", BRIDGECART_DATA_DIR=str(elsewhere))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"]["raw.orders"] == len(history(ORDERS))
    assert not elsewhere.exists()


def sigterm_ends_up_with_a_word_and_its_logs_have_neither_lines_at_debug_nor_secrets(
    served: Served, folder: Path
) -> None:
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(STOP_SECONDS) == 143
    assert served.output.read_text().splitlines()[-1] == "Stopped."
    assert processes_of(folder) == []
    logs = {file.name: file.read_text() for file in [served.output, *(folder / "logs").iterdir()]}
    assert logs.keys() == {"up.txt", "code-server.log", "dagster.log"}
    assert "DEBUG" not in logs["code-server.log"]
    assert not any(SECRET in text for text in logs.values())


@any_broker
@pytest.mark.timeout(STORY_SECONDS)
def test_up_survives_the_death_of_its_code_server_and_ends_with_a_word(
    served: Served,
    shop: Shop,
    line: Line,
    folder: Path,
    killer: Killer,
    faults: Faults,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tell(
        an_idle_code_server_killed_is_started_again_and_the_sensor_goes_on,
        what_env_says_counts_before_the_environment_and_up_names_it,
        a_code_server_whose_socket_somebody_removed_is_started_again_and_the_sensor_goes_on,
        a_code_server_killed_in_mid_read_takes_its_run_with_it_which_is_reported,
        a_run_cancelled_in_mid_read_is_asked_for_again_and_nothing_is_lost,
        another_command_in_the_folder_has_the_same_settings,
        sigterm_ends_up_with_a_word_and_its_logs_have_neither_lines_at_debug_nor_secrets,
        served=served,
        shop=shop,
        line=line,
        folder=folder,
        killer=killer,
        faults=faults,
        tmp_path=tmp_path,
        monkeypatch=monkeypatch,
    )
