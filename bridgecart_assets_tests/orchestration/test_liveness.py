import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import dagster as dg
import pytest
from dagster._daemon.types import DaemonHeartbeat
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.orchestration.liveness import Liveness, Pulse, answers_http, answers_kafka
from bridgecart_assets.processes.listening import free_port
from bridgecart_assets.sources.kafka.embedded import EmbeddedBroker


class Clock:
    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@given(st.lists(st.tuples(st.booleans(), st.floats(0.1, 30)), max_size=60))
def test_silent_is_what_answered_nothing_for_as_long_as_patience_lasts(story: list[tuple[bool, float]]) -> None:
    clock, asked = Clock(), list[float]()
    liveness = Liveness(lambda: answers, every=5, patience=60, now=clock)
    refused_since = None
    for answers, passes in story:
        due = not asked or clock.seconds - asked[-1] >= 5
        if due:
            asked.append(clock.seconds)
            refused_since = None if answers else refused_since or clock.seconds
        assert liveness.is_silent() == (refused_since is not None and clock.seconds - refused_since >= 60)
        clock.seconds += passes


def test_a_machine_that_slept_for_hours_gives_everybody_time_to_wake_up() -> None:
    clock = Clock()
    answers = True
    liveness = Liveness(lambda: answers, every=5, patience=60, now=clock)
    assert not liveness.is_silent()
    clock.seconds += 36_000
    answers = False
    assert not liveness.is_silent()


def test_another_process_has_patience_of_its_own() -> None:
    clock = Clock()
    liveness = Liveness(lambda: False, every=5, patience=60, now=clock)
    assert not liveness.is_silent()
    clock.seconds += 60
    assert liveness.is_silent()
    liveness.start_over()
    assert not liveness.is_silent()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/server_info" else 500)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_web_server_is_asked_without_the_proxy(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port('127.0.0.1')}")
    assert answers_http(f"{url}/server_info")
    assert not answers_http(f"{url}/broken")
    assert not answers_http(f"http://127.0.0.1:{free_port('127.0.0.1')}/server_info")


def test_a_broker_that_is_there_answers_and_a_port_that_only_accepts_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bridgecart_assets.orchestration.liveness.ANSWER_SECONDS", 1.0)
    with EmbeddedBroker() as broker:
        assert answers_kafka(broker.bootstrap_servers)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        assert not answers_kafka(f"127.0.0.1:{mute.getsockname()[1]}")


def beat(instance: dg.DagsterInstance, second: float) -> None:
    for daemon in instance.get_required_daemon_types():
        instance.add_daemon_heartbeat(DaemonHeartbeat(second, daemon, "one", []))


def test_the_pulse_goes_on_while_every_daemon_gives_new_signs_whatever_the_clock_says(settings: Settings) -> None:
    pulse = Pulse(settings)
    assert not pulse.goes_on()
    for second in (1_000.0, 2_000.0, 500.0):
        with dagster_instance(settings) as instance:
            beat(instance, second)
        assert pulse.goes_on()
        assert not pulse.goes_on()
    with dagster_instance(settings) as instance:
        instance.add_daemon_heartbeat(DaemonHeartbeat(9_000.0, "SENSOR", "one", []))
    assert not pulse.goes_on()


def test_a_storage_that_does_not_say_is_no_dead_daemon(settings: Settings) -> None:
    with dagster_instance(settings):
        pass
    settings.dagster_home.joinpath("dagster.yaml").write_text("nonsense: 7\n")
    assert Pulse(settings).goes_on()
