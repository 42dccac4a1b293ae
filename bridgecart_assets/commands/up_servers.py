"""`bridgecart up`: Dagster's UI with the sensor on, and the report.

Without a configured broker: an embedded one, with live orders.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from subprocess import Popen
from typing import NoReturn

from bridgecart_assets.base.env_file import require_own_home
from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import PREFIX, Settings, load_settings
from bridgecart_assets.commands.own_broker import own_broker
from bridgecart_assets.commands.report_server import beside, report_server
from bridgecart_assets.orchestration.code_server import CodeServer
from bridgecart_assets.orchestration.instance import dagster_instance, prepare_home
from bridgecart_assets.orchestration.liveness import Liveness, Pulse, answers_http, answers_kafka
from bridgecart_assets.orchestration.storage.sqlite_files import held_open, shared_databases
from bridgecart_assets.processes.listening import Listener
from bridgecart_assets.processes.logs import keep_small
from bridgecart_assets.processes.memory import OutOfMemory, bound
from bridgecart_assets.processes.run_lock import serve_lock
from bridgecart_assets.processes.supervisor import child
from bridgecart_assets.sources.kafka.address import announce_broker, withdraw_broker
from bridgecart_assets.sources.kafka.embedded import EmbeddedBroker

READY_SECONDS = 120.0
READY_POLL_SECONDS = 0.2
WATCH_SECONDS = 0.5
# How often each process is asked, and for how long it may be silent: on a busy machine answers take a while.
ASK_SECONDS = 5.0
PULSE_SECONDS = 90.0
CODE_SERVER_PATIENCE = 60.0
BROKER_PATIENCE = 60.0
WEB_PATIENCE = 180.0
PULSE_PATIENCE = 300.0
SERVER_INFO = "/server_info"
DAEMON_PROCESS = "bridgecart_assets.orchestration.daemon_process"
ADVICE = "Give it more, or set BRIDGECART_MEMORY_LIMIT to less than DuckDB has now."


Processes = Mapping[str, "Popen[bytes]"]


class ServerStopped(BridgeCartError):
    """A process that `up` cannot do without ended by itself, or does not answer any more."""


def serve(listener: Listener, *, orders_per_second: float, say: Callable[[str], None]) -> None:
    """Run until interrupted. The embedded broker listens on the loopback address only, whatever `listener` is.

    Raises EnvFileUnusable, CannotListen, AlreadyRunning, ServerStopped, EmbeddedBrokerFailed, DataDirectoryUnusable,
    CodeServerStopped.
    """
    settings = load_settings()
    require_own_home(settings.dagster_home, Path.cwd())
    prepare_home(settings)
    listener.require_free()
    logs = settings.data_dir / "logs"
    logs.mkdir(exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(serve_lock(settings.data_dir))
        broker = None
        if settings.kafka_bootstrap_servers is None:
            broker = stack.enter_context(_embedded_broker(settings, logs))
            say(f"Embedded broker at {broker.bootstrap_servers}; its records are gone when this command ends.")
            if orders_per_second > 0:
                stack.enter_context(child(_feed_command(orders_per_second), logs / "orders.log"))
                say(f"Made-up orders: {orders_per_second:g} a second.")
        report = stack.enter_context(report_server(settings.report_path, *beside(listener), settings=settings))
        variables = {} if settings.report_url else {f"{PREFIX}REPORT_URL": report.url}
        code_server = stack.enter_context(CodeServer(settings, logs / "code-server.log", variables))
        dagster = {
            name: stack.enter_context(child(command, logs / "dagster.log"))
            for name, command in _dagster_commands(listener, code_server.workspace).items()
        }
        _wait_until_ready(listener.url, dagster, logs / "dagster.log")
        stack.enter_context(held_open(shared_databases(settings.dagster_home)))
        if not listener.is_loopback:
            say(
                "Warning: the Dagster UI and the report have no login; who reaches ports "
                f"{listener.port} and {report.port} of this machine can use them."
            )
        say(f"Report: {report.url}")
        say(f"Dagster UI: {listener.url}  ({sensor_says(settings)}; Ctrl-C stops everything)")
        _supervise(settings, dagster, code_server, broker, listener.url, say)


def sensor_says(settings: Settings) -> str:
    """A phrase on the sensor: who switches it off in the UI finds it off after a restart."""
    from bridgecart_assets.orchestration.run_health import read_sensor

    with dagster_instance(settings) as instance:
        sensor = read_sensor(instance, datetime.now(UTC))
    return "the orders sensor is on" if sensor.is_on else "the orders sensor is OFF: switch it on under Automation"


def _supervise(
    settings: Settings,
    dagster: Processes,
    code_server: CodeServer,
    broker: EmbeddedBroker | None,
    url: str,
    say: Callable[[str], None],
) -> NoReturn:
    """Mend what Dagster does not mend by itself. Raises ServerStopped, CodeServerStopped."""
    memory = OutOfMemory()
    logs = settings.data_dir / "logs"
    server = Liveness(code_server.answers, every=ASK_SECONDS, patience=CODE_SERVER_PATIENCE)
    others = others_asked(settings, broker, url)
    while True:
        time.sleep(WATCH_SECONDS)
        _require_running(dagster, logs / "dagster.log")
        keep_small(logs)
        _keep_code_server(code_server, server, say)
        if memory.has_killed():
            say(f"The kernel killed a process for want of memory; {bound()}. {ADVICE}")
        if broker is not None and not broker.is_running():
            raise _broker_lost(settings, "died")
        for liveness, lost in others:
            if liveness.is_silent():
                raise lost


def others_asked(settings: Settings, broker: EmbeddedBroker | None, url: str) -> list[tuple[Liveness, ServerStopped]]:
    """Processes asked besides the code server, each with the error of no answer any more."""
    log = settings.data_dir / "logs" / "dagster.log"
    again = f"see {log}; start `bridgecart up` again, nothing that was taken in is lost."
    web = Liveness(lambda: answers_http(f"{url}{SERVER_INFO}"), every=ASK_SECONDS, patience=WEB_PATIENCE)
    pulse = Liveness(Pulse(settings).goes_on, every=PULSE_SECONDS, patience=PULSE_PATIENCE)
    asked = [
        (web, ServerStopped(f"Dagster's webserver has not answered for {WEB_PATIENCE:g} s; {again}")),
        (pulse, ServerStopped(f"Dagster's daemon has given no sign of life for {PULSE_PATIENCE:g} s; {again}")),
    ]
    if broker is not None:
        servers = broker.bootstrap_servers
        kafka = Liveness(lambda: answers_kafka(servers), every=ASK_SECONDS, patience=BROKER_PATIENCE)
        asked.append((kafka, _broker_lost(settings, f"has not answered for {BROKER_PATIENCE:g} s and is lost")))
    return asked


def _keep_code_server(code_server: CodeServer, liveness: Liveness, say: Callable[[str], None]) -> None:
    """Start the code server again where it is lost."""
    if code_server.has_ended():
        why = "died"
    elif code_server.is_unreachable():
        why = "lost its socket, which somebody removed"
    elif liveness.is_silent():
        why = f"did not answer for {CODE_SERVER_PATIENCE:g} s"
    else:
        return
    failed = code_server.start_again()
    liveness.start_over()
    runs = f", with it run {', '.join(failed)}: the sensor tries again" if failed else ""
    say(f"Dagster's code server {why}{runs}. It was started again; see {code_server.log}")


def _broker_lost(settings: Settings, why: str) -> ServerStopped:
    return ServerStopped(
        f"The embedded broker {why}, and its records with it; see {settings.data_dir / 'logs' / 'broker.log'}. "
        "What was taken in is in the warehouse: start `bridgecart up` again."
    )


def _dagster_commands(listener: Listener, workspace: Path) -> Mapping[str, list[str]]:
    served = ["-w", str(workspace), "-h", listener.host, "-p", str(listener.port)]
    return {
        "webserver": [sys.executable, "-m", "dagster_webserver", *served],
        "daemon": [sys.executable, "-m", DAEMON_PROCESS, str(workspace)],
    }


def _feed_command(orders_per_second: float) -> list[str]:
    return [sys.executable, "-m", "bridgecart_assets", "generate", "--live", "--rate", str(orders_per_second)]


@contextmanager
def _embedded_broker(settings: Settings, logs: Path) -> Iterator[EmbeddedBroker]:
    with own_broker(logs / "broker.log") as broker:
        announce_broker(settings.data_dir, broker.bootstrap_servers)
        try:
            yield broker
        finally:
            withdraw_broker(settings.data_dir)


def _wait_until_ready(url: str, dagster: Processes, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        _require_running(dagster, log)
        if answers_http(f"{url}{SERVER_INFO}"):
            return
        time.sleep(READY_POLL_SECONDS)
    raise ServerStopped(f"Dagster did not answer within {READY_SECONDS:g} s; see {log}")


def _require_running(dagster: Processes, log: Path) -> None:
    for name, process in dagster.items():
        if process.poll() is not None:
            raise ServerStopped(f"Dagster's {name} ended with code {process.returncode}; see {log}")
