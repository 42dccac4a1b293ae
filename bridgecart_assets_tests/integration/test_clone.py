"""A clone, started as Dagster's own commands start it: what was done by hand before is there, and nothing is red."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType

import psutil
import pytest

from bridgecart_assets.orchestration.location import LOCATION
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.embedded import EmbeddedBroker
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets_tests.integration.processes import (
    ROOT,
    bridgecart,
    environment,
    processes_of,
    wait_until,
)
from bridgecart_assets_tests.integration.served import TICK_SECONDS, UP_SECONDS, Served, free_port
from bridgecart_assets_tests.integration.shop import Shop

NO_BROKER = "nothing was read: No broker: set BRIDGECART_KAFKA_BOOTSTRAP_SERVERS"
JOBS = """query { repositoriesOrError { ... on RepositoryConnection { nodes { location { name } jobs {
  name runs(limit: 9) { status repositoryOrigin { repositoryLocationName } } } } } } }"""
LOGS = """query ($selector: SensorSelector!) { sensorOrError(sensorSelector: $selector) { ... on Sensor {
  sensorState { ticks(limit: 9) { skipReason logEvents { events { level message } } } } } } }"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of somebody who ran `bridgecart run`; their broker is gone."""
    data_dir = tmp_path_factory.mktemp("clone") / "data"
    with EmbeddedBroker() as broker:
        kafka = KafkaConnection(broker.bootstrap_servers, "bridgecart.orders")
        create_topic(kafka, 3)
        settings = {
            "BRIDGECART_DATA_DIR": str(data_dir),
            "BRIDGECART_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        }
        Shop(kafka).sell(100)
        assert bridgecart("run", **settings).returncode == 0
    return data_dir


@contextmanager
def started(program: list[str], data_dir: Path, **variables: str) -> Iterator[Served]:
    """A command of Dagster in the clone, once its UI answers; nothing is left of it."""
    port = free_port()
    output = data_dir.parent / "dev.txt"
    with output.open("wb") as out:
        process = subprocess.Popen(
            [*program, "--port", str(port)],
            cwd=ROOT,
            env=environment({**variables, "BRIDGECART_DATA_DIR": str(data_dir), "DAGSTER_DISABLE_TELEMETRY": "1"}),
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    served = Served(process, data_dir, f"http://127.0.0.1:{port}", 0.0, output, MappingProxyType({}))
    try:
        wait_until(lambda: process.poll() is not None or answers(served), UP_SECONDS, "the UI answers")
        assert process.poll() is None, output.read_text()
        yield served
        os.killpg(process.pid, signal.SIGINT)
        process.wait(UP_SECONDS)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for left in processes_of(data_dir):
            with suppress(psutil.NoSuchProcess):
                left.kill()


def answers(served: Served) -> bool:
    with suppress(OSError):
        return served.repository()["repositoryLocationName"] == LOCATION
    return False


def says_that_there_is_no_broker(served: Served) -> bool:
    ticks = [tick for tick in served.ticks() if tick["status"] != "STARTED"]
    assert {tick["status"] for tick in ticks} <= {"SKIPPED"}, ticks
    return any((tick["skipReason"] or "").startswith(NO_BROKER) for tick in ticks)


def test_dagster_dev_shows_earlier_runs_in_their_jobs_and_without_a_broker_the_sensor_says_so_and_in_its_log(
    folder: Path,
) -> None:
    program = [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml"]
    with started(program, folder, DAGSTER_HOME=str(folder / "dagster_home")) as served:
        (place,) = served.ask(JOBS)["repositoriesOrError"]["nodes"]
        runs = {job["name"]: job["runs"] for job in place["jobs"]}
        run = {"status": "SUCCESS", "repositoryOrigin": {"repositoryLocationName": LOCATION}}
        assert (runs["ingest_batch"], runs["refresh"]) == ([run], [run])
        wait_until(lambda: says_that_there_is_no_broker(served), TICK_SECONDS, "a tick says that there is no broker")
        selector = {**served.repository(), "sensorName": "orders_sensor"}
        state = served.ask(LOGS, selector=selector)["sensorOrError"]["sensorState"]
        skipped = [tick for tick in state["ticks"] if tick["skipReason"]]
        for tick in skipped:
            (line,) = tick["logEvents"]["events"]
            assert (line["level"], line["message"]) == ("ERROR", tick["skipReason"].removeprefix("nothing was read: "))
    assert "Traceback" not in served.output.read_text()
    assert bridgecart("status", BRIDGECART_DATA_DIR=str(folder)).stdout.count("No broker") == 1


@pytest.mark.slow
def test_dg_dev_without_a_home_works_and_forgets_its_history_but_not_the_warehouse(folder: Path) -> None:
    program = [str(Path(sys.executable).with_name("dg")), "dev"]
    with started(program, folder) as served:
        assert served.runs() == []
        wait_until(lambda: says_that_there_is_no_broker(served), TICK_SECONDS, "a tick says that there is no broker")
    assert "DAGSTER_HOME" in served.output.read_text()
    assert not list(ROOT.glob(".tmp_dagster_home_*"))
    assert '"batches": 1' in bridgecart("status", "--json", BRIDGECART_DATA_DIR=str(folder)).stdout
