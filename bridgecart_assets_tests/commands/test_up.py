"""What `bridgecart up` says of itself and of what it watches; `up` as a whole: `integration/test_up.py`."""

import signal
import socket
from pathlib import Path

import psutil
import pytest
from dagster._core.scheduler.instigation import InstigatorStatus

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands import up_servers as serving
from bridgecart_assets.commands.up_servers import others_asked, sensor_says
from bridgecart_assets.orchestration import liveness
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.processes.listening import free_port
from bridgecart_assets.sources.kafka.embedded import EmbeddedBroker
from bridgecart_assets_tests.integration.processes import wait_until
from bridgecart_assets_tests.support.command_line import Bridgecart, assert_one_line
from bridgecart_assets_tests.support.sensors import switch


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds instead of minutes."""
    monkeypatch.setattr(liveness, "ANSWER_SECONDS", 0.5)
    for name in ("ASK_SECONDS", "PULSE_SECONDS"):
        monkeypatch.setattr(serving, name, 0.1)
    for name in ("WEB_PATIENCE", "PULSE_PATIENCE", "BROKER_PATIENCE"):
        monkeypatch.setattr(serving, name, 0.5)


def brokers() -> set[psutil.Process]:
    return {each for each in psutil.Process().children(recursive=True) if "broker" in each.cmdline()[1:2]}


def test_a_webserver_a_daemon_and_a_broker_that_are_there_and_do_not_answer_end_up_with_a_line_that_says_what_to_do(
    settings: Settings,
) -> None:
    # Others may have a broker, too.
    before = brokers()
    with EmbeddedBroker() as broker:
        (hung,) = brokers() - before
        web, daemon, kafka = others_asked(settings, broker, f"http://127.0.0.1:{free_port('127.0.0.1')}")
        assert not kafka[0].is_silent()
        hung.send_signal(signal.SIGSTOP)
        for silent, error in (web, daemon, kafka):
            wait_until(silent.is_silent, 30, str(error))
    said = [str(error) for _, error in (web, daemon, kafka)]
    log = settings.data_dir / "logs" / "dagster.log"
    assert said[0] == (
        f"Dagster's webserver has not answered for 0.5 s; see {log}; start `bridgecart up` again, nothing that was "
        "taken in is lost."
    )
    assert said[1].startswith("Dagster's daemon has given no sign of life for 0.5 s; see ")
    assert said[2].startswith(
        "The embedded broker has not answered for 0.5 s and is lost, and its records with it; see "
    )


def test_without_a_broker_of_its_own_only_dagster_is_asked(settings: Settings) -> None:
    assert len(others_asked(settings, None, "http://127.0.0.1:1")) == 2


def test_a_sensor_that_somebody_switched_off_is_not_said_to_be_on(settings: Settings) -> None:
    assert sensor_says(settings) == "the orders sensor is on"
    with dagster_instance(settings) as instance:
        switch(instance, InstigatorStatus.STOPPED)
    assert sensor_says(settings) == "the orders sensor is OFF: switch it on under Automation"
    with dagster_instance(settings) as instance:
        switch(instance, InstigatorStatus.RUNNING)
    assert sensor_says(settings) == "the orders sensor is on"


def test_a_taken_port_is_named_before_anything_is_started(bridgecart: Bridgecart, data_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert_one_line(bridgecart("up", "--port", str(port)), f"Port {port} is in use", "--port")
    assert not (data_dir / "logs" / "broker.log").exists()
