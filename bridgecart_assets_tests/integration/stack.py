"""The services of docker-compose.yml as processes on this machine: the same commands, variables and health checks.

No Docker engine is needed. What the image would bring is made as the Dockerfile makes it; names of services become
addresses on loopback, the folder /data one of the test's.
"""

import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bridgecart_assets_tests.integration.postgres import Postgres
from bridgecart_assets_tests.integration.processes import ROOT, processes_of, wait_until
from bridgecart_assets_tests.integration.served import Served, free_port
from bridgecart_assets_tests.support.batching import AT_ONCE
from bridgecart_assets_tests.support.compose import services

READY_SECONDS = 90.0
CHECK_SECONDS = 2.0
# Not checked: the tests' server trusts everybody.
PASSWORD = "pa55word-of-the-server"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def instructions(name: str) -> list[str]:
    """The arguments of all instructions of this name in the Dockerfile."""
    text = DOCKERFILE.read_text(encoding="utf-8").replace("\\\n", " ")
    return [line.split(maxsplit=1)[1] for line in text.splitlines() if line.startswith(f"{name} ")]


def interpolated(text: str, variables: Mapping[str, str]) -> str:
    """A value as compose would hand it over. Raises KeyError for a variable that has to be set and is not."""

    def value(found: re.Match[str]) -> str:
        name, kind, words = found.groups()
        if variables.get(name):
            return variables[name]
        if kind == "-":
            return str(words)
        raise KeyError(f"{name}: {words}")

    return _VARIABLE.sub(value, text)


@dataclass
class Stack:
    """The services that are running, and where."""

    data_dir: Path
    kafka: str
    topic: str
    postgres: Postgres
    ports: dict[str, int] = field(default_factory=lambda: {port: free_port() for port in ("3000", "3001", "4000")})
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.database = self.postgres.new_database().rpartition("/")[2]
        self._make_home()
        self.password_file = self.data_dir.parent / "postgres_password"
        self.password_file.write_text(f"{PASSWORD}\n", encoding="utf-8")
        workspace = (ROOT / "deploy" / "workspace.yaml").read_text(encoding="utf-8")
        self.workspace = self.data_dir.parent / "workspace.yaml"
        place = workspace.replace("host: code", "host: 127.0.0.1").replace("4000", self.ports["4000"].__str__())
        self.workspace.write_text(place, encoding="utf-8")

    def _make_home(self) -> None:
        (step,) = [step for step in instructions("RUN") if "dagster_home" in step]
        script = step.replace("/data", shlex.quote(str(self.data_dir)))
        subprocess.run(["sh", "-ec", script], cwd=ROOT, check=True)

    @property
    def served(self) -> Served:
        """The webserver, asked as the UI asks it."""
        url, output = f"http://127.0.0.1:{self.ports['3000']}", self.log("webserver")
        return Served(self.processes["webserver"], self.data_dir, url, 0.0, output, self.variables("webserver"))

    def log(self, service: str) -> Path:
        """What a service prints."""
        return self.data_dir.parent / f"{service}.log"

    def variables(self, service: str) -> dict[str, str]:
        """The environment of a service: that of the image and that of the compose file."""
        of_image = dict(re.findall(r"(BRIDGECART_DATA_DIR|DAGSTER_HOME)=(\S+)", " ".join(instructions("ENV"))))
        given = {"BRIDGECART_KAFKA_TOPIC": self.topic}
        of_file = {n: interpolated(v, given) for n, v in services()[service]["environment"].items()}
        here = {
            "BRIDGECART_KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "DAGSTER_POSTGRES_HOST": "127.0.0.1",
            "DAGSTER_POSTGRES_PORT": str(self.postgres.port),
            "DAGSTER_POSTGRES_USER": "postgres",
            "DAGSTER_POSTGRES_PASSWORD_FILE": str(self.password_file),
            "DAGSTER_POSTGRES_DB": self.database,
        }
        here = {name: value for name, value in here.items() if name in of_file}
        # Not of the stack: the tests' broker has topics of many.
        own = {
            **AT_ONCE,
            "BRIDGECART_SEGMENT_CHANGES_TOPIC": f"{self.topic}-changes",
            "BRIDGECART_KAFKA_GROUP": self.topic,
        }
        return {name: self._moved(value) for name, value in {**of_image, **of_file, **here, **own}.items()}

    def memory(self, service: str) -> int:
        """What a service and all that it started hold, bytes; what they share counts once each."""
        family = [psutil.Process(self.processes[service].pid)]
        family += family[0].children(recursive=True)
        held = 0
        for one in family:
            with suppress(psutil.NoSuchProcess):
                held += one.memory_full_info().pss
        return held

    def command(self, words: list[str]) -> list[str]:
        """A command of the stack, on this machine."""
        program, *arguments = (self._moved(word) for word in words)
        return [str(Path(sys.executable).with_name(program)), *arguments]

    def start(self, service: str) -> None:
        """Start a service and wait until its health check passes."""
        with self.log(service).open("ab") as output:
            self.processes[service] = subprocess.Popen(
                self.command(services()[service]["command"]),
                env={**os.environ, **self.variables(service)},
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self.data_dir.parent,
                start_new_session=True,
            )
        # A health check takes seconds of the machine, which the service is in need of: first a cheap question.
        wait_until(lambda: self._listens(service), READY_SECONDS, f"{service} listens; see {self.log(service)}")
        wait_until(
            lambda: self.is_healthy(service),
            READY_SECONDS,
            f"{service} is healthy; see {self.log(service)}",
            every=CHECK_SECONDS,
        )

    def _listens(self, service: str) -> bool:
        """True if somebody listens at the service's port, or if it has none."""
        self._require_alive(service)
        command = self.command(services()[service]["command"])
        if "--port" not in command:
            return True
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", int(command[command.index("--port") + 1]))) == 0

    def _require_alive(self, service: str) -> None:
        assert self.processes[service].poll() is None, self.log(service).read_text(encoding="utf-8")

    def is_healthy(self, service: str) -> bool:
        """What the service's health check says."""
        self._require_alive(service)
        kind, *words = services()[service]["healthcheck"]["test"]
        assert kind == "CMD"
        asked = subprocess.run(
            self.command(words),
            env={**os.environ, **self.variables(service)},
            capture_output=True,
            timeout=60,
            check=False,
        )
        return asked.returncode == 0

    def kill(self, service: str) -> None:
        """Kill a service with everything that it started, as the end of its container does."""
        process = self.processes.pop(service)
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()

    def _moved(self, text: str) -> str:
        text = text.replace("/opt/bridgecart/deploy/workspace.yaml", str(self.workspace)).replace(
            "0.0.0.0", "127.0.0.1"
        )
        text = re.sub(r"^/data\b", str(self.data_dir), text)
        for port, here in self.ports.items():
            text = re.sub(rf"(?<!\d){port}(?!\d)", str(here), text)
        return text


@contextmanager
def running(stack: Stack) -> Iterator[Stack]:
    """All services that always run, in the order in which they wait for each other; nothing is left behind."""
    try:
        for service in ("code", "webserver", "daemon", "report"):
            stack.start(service)
        yield stack
    finally:
        for process in processes_of(stack.data_dir):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for one in stack.processes.values():
            one.wait()
