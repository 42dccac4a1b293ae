"""A real schema registry for tests: Apicurio Registry on loopback, gone with this process. Ready in 4 to 6 s."""

import functools
import os
import tarfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.request import urlopen

import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from filelock import FileLock

from bridgecart_assets.processes.listening import free_port
from bridgecart_assets.processes.supervisor import SupervisedProcess
from bridgecart_assets_tests.support.maven import LIBS, fetched, java

_VERSION = "2.6.13.Final"
_POM = Path(__file__).with_name("apicurio.pom.xml")
_HOST = "127.0.0.1"
_START_SECONDS = 60.0
_POLL_SECONDS = 0.1
# A short life on a small machine: the fast compiler only, the smallest collector.
_JVM = ["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]


class ApicurioFailed(Exception):
    """The registry did not start; the message ends with what it logged last."""


@functools.cache
def _program() -> Path:
    """The registry's jar, fetched and unpacked on first use."""
    folder = fetched(f"apicurio-{_VERSION}", _POM, {"apicurio.version": _VERSION})
    jar = folder / "app" / f"apicurio-registry-app-{_VERSION}-runner.jar"
    with FileLock(folder / "unpacking.lock"):
        if not jar.is_file():
            with tarfile.open(folder / LIBS / f"apicurio-registry-app-{_VERSION}-all.tar.gz") as archive:
                archive.extractall(folder / "partial", filter="data")
            (folder / "partial").rename(folder / "app")
    return jar


class Apicurio:
    """A registry while the `with` block lasts, empty at first; its log is `registry.log` in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "registry.log"
        self._port = free_port(_HOST)
        self._process: SupervisedProcess | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where it speaks Confluent's API."""
        return f"http://{_HOST}:{self._port}/apis/ccompat/v7"

    def start(self) -> None:
        """Start it and wait until it answers."""
        listen = [f"-Dquarkus.http.host={_HOST}", f"-Dquarkus.http.port={self._port}"]
        command = [java(), *_JVM, *listen, "-jar", str(_program())]
        with self._log.open("wb") as log:
            self._process = SupervisedProcess(command, output=log, env=os.environ)
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if not self._process.is_running() or time.monotonic() > deadline:
                self.stop()
                raise ApicurioFailed(f"it said: {self._log.read_text(errors='replace')[-1000:]}")
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """End it; what was registered is gone. Harmless when it does not run."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def register(self, subject: str, text: str, kind: str = "AVRO", references: Sequence[SchemaReference] = ()) -> int:
        """The id of a schema that is registered now."""
        with SchemaRegistryClient({"url": self.url}) as client:
            return int(client.register_schema(subject, Schema(text, kind, list(references))))

    def _answers(self) -> bool:
        with suppress(OSError), urlopen(f"{self.url}/subjects", timeout=5) as answer:
            return bool(answer.status == 200)
        return False


@pytest.fixture(scope="session")
def apicurio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apicurio]:
    """One registry for all tests of a session, started by the first that asks."""
    with Apicurio(tmp_path_factory.mktemp("apicurio")) as registry:
        yield registry
