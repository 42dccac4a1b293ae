"""A real Apache Kafka in KRaft mode for tests: one or three nodes on loopback, gone with this process.

A node is one JVM, broker and controller in one. Up in 2 s with one node, in 5 s with three, on two cores.
"""

import base64
import os
import random
import socket
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psutil

from bridgecart_assets.processes.supervisor import SupervisedProcess
from bridgecart_assets.sources.kafka.clients import answer, open_admin
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.errors import KafkaFailure
from bridgecart_assets_tests.sources.kafka.apache_jars import class_path
from bridgecart_assets_tests.support.maven import java

PLAIN = "PLAINTEXT"

_CONTROLLER = "CONTROLLER"
_HOST = "127.0.0.1"
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.02
_ATTEMPTS = 3
# Below the ports that systems give to outgoing connections: a node that is down keeps its port.
_PORTS = range(20_000, 32_000)
_PORT_TAKEN = "Address already in use"
# A short life on a small machine: the fast compiler only, the smallest collector.
_JVM = ["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]
_LOGGING = ["-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS"]
_PROPERTIES = {
    "process.roles": "broker,controller",
    "controller.listener.names": _CONTROLLER,
    "inter.broker.listener.name": PLAIN,
    "auto.create.topics.enable": "false",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    # Another node takes over 3 s after a kill, not 9.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # Made-up orders are months old when they are sent.
    "log.retention.ms": "-1",
    # Compaction, retention and deletion at once, in little memory.
    "log.initial.task.delay.ms": "500",
    "log.retention.check.interval.ms": "500",
    "log.cleaner.backoff.ms": "200",
    "log.cleaner.dedupe.buffer.size": str(4 * 1024 * 1024),
    "num.io.threads": "4",
    "num.network.threads": "2",
}


class ApacheKafkaFailed(Exception):
    """A node did not start or stop; the message ends with what it logged last."""


@dataclass
class _Node:
    """One JVM: its folder with configuration, data and log, and its port per listener."""

    number: int
    folder: Path
    ports: dict[str, int] = field(default_factory=dict)
    process: SupervisedProcess | None = None

    @property
    def config(self) -> Path:
        return self.folder / "server.properties"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def is_running(self) -> bool:
        return self.process is not None and self.process.is_running()

    def launch(self) -> None:
        command = [java(), *_JVM, *_LOGGING, "-cp", class_path(), "kafka.Kafka", str(self.config)]
        with self.log.open("ab") as log:
            self.process = SupervisedProcess(command, output=log, env=os.environ)

    def kill(self) -> None:
        if self.process is not None:
            self.process.stop()
            self.process = None


class ApacheKafka:
    """An Apache Kafka cluster while the `with` block lasts; it also ends when this process ends, even by kill -9.

    Nodes are numbered from 1. `properties` are added to every node's server.properties, or replace what is there.
    `listeners` are added to the plain one, name -> security protocol; their options belong into `properties`, their
    addresses are in `servers(name)`. Everything is kept in `folder`, the log of node 1 in node-1/server.log.
    """

    def __init__(
        self,
        folder: Path,
        *,
        nodes: int = 1,
        properties: Mapping[str, str] | None = None,
        listeners: Mapping[str, str] | None = None,
    ) -> None:
        self._nodes = {number: _Node(number, folder / f"node-{number}") for number in range(1, nodes + 1)}
        self._properties = dict(properties or {})
        self._listeners = {PLAIN: PLAIN, **(listeners or {})}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def bootstrap_servers(self) -> str:
        """`host:port` of every node, without encryption or passwords."""
        return self.servers(PLAIN)

    def servers(self, listener: str) -> str:
        """`host:port` of every node at one of the listeners."""
        return ",".join(self.address(number, listener) for number in self._nodes)

    def address(self, node: int, listener: str = PLAIN) -> str:
        """`host:port` of one node."""
        return f"{_HOST}:{self._nodes[node].ports[listener]}"

    def data_folder(self, node: int = 1) -> Path:
        """What a node keeps: records and the cluster's metadata."""
        return self._nodes[node].data

    def log_file(self, node: int = 1) -> Path:
        """What a node logs."""
        return self._nodes[node].log

    def start(self) -> None:
        """Format the storage, start all nodes, wait until they answer. Raises `ApacheKafkaFailed`."""
        for attempt in range(_ATTEMPTS):
            self._format()
            for node in self._nodes.values():
                node.launch()
            try:
                self._wait_for(set(self._nodes))
                return
            except BaseException as error:
                self.stop()
                # Between choosing a free port and binding it another process may have taken it.
                if _PORT_TAKEN not in str(error) or attempt == _ATTEMPTS - 1:
                    raise

    def stop(self) -> None:
        """Kill all nodes. Harmless when they are not running."""
        for node in self._nodes.values():
            node.kill()

    def kill_node(self, node: int) -> None:
        """`kill -9` a node; its data stays."""
        self._nodes[node].kill()

    def stop_node(self, node: int) -> None:
        """Shut a node down in good order: it hands its partitions over first."""
        stopping = self._nodes[node]
        for process in psutil.Process().children(recursive=True):
            if str(stopping.config) in process.cmdline() and process.name() == "java":
                process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        while stopping.is_running():
            if time.monotonic() > deadline:
                raise ApacheKafkaFailed(f"node {node} did not stop within {_STOP_SECONDS:g} s; {_tail(stopping.log)}")
            time.sleep(_POLL_SECONDS)
        stopping.kill()

    def start_node(self, node: int) -> None:
        """Start a stopped or killed node again, on its port and its data; wait until the cluster counts on it."""
        self._nodes[node].launch()
        self._wait_for({node})

    def _format(self) -> None:
        cluster = _kafka_uuid()
        ports = iter(_free_ports(len(self._nodes) * (len(self._listeners) + 1)))
        for node in self._nodes.values():
            node.ports = {listener: next(ports) for listener in (*self._listeners, _CONTROLLER)}
        for node in self._nodes.values():
            node.data.mkdir(parents=True, exist_ok=True)
            # What `kafka-storage format` writes, without a JVM for it: the newest metadata version is the default.
            identity = {"version": "1", "cluster.id": cluster, "node.id": str(node.number)}
            _write(node.data / "meta.properties", {**identity, "directory.id": _kafka_uuid()})
            _write(node.config, self._configuration(node))
            node.log.write_bytes(b"")

    def _configuration(self, node: _Node) -> dict[str, str]:
        nodes = self._nodes.values()
        copies = str(len(nodes))
        majority = str(len(nodes) // 2 + 1)
        protocols = {**self._listeners, _CONTROLLER: PLAIN}
        return {
            **_PROPERTIES,
            "node.id": str(node.number),
            "log.dirs": str(node.data),
            "listeners": ",".join(f"{name}://{_HOST}:{port}" for name, port in node.ports.items()),
            "listener.security.protocol.map": ",".join(f"{name}:{kind}" for name, kind in protocols.items()),
            "controller.quorum.voters": ",".join(f"{n.number}@{_HOST}:{n.ports[_CONTROLLER]}" for n in nodes),
            "default.replication.factor": copies,
            "min.insync.replicas": majority,
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": majority,
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": majority,
            **self._properties,
        }

    def _wait_for(self, numbers: set[int]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not all(_accepts(self._nodes[number].ports[PLAIN]) for number in numbers):
            self._check(numbers, deadline)
        # A node answers as soon as the controller has admitted it.
        while not all(numbers <= self._known_to(number) for number in numbers):
            self._check(numbers, deadline)

    def _known_to(self, number: int) -> set[int]:
        """The nodes of the cluster, as one of them sees it."""
        with open_admin(KafkaConnection(self.address(number), "", timeout_seconds=5)) as admin:
            try:
                found = answer(admin, admin.client.describe_cluster(request_timeout=5)).nodes
            except KafkaFailure:
                return set()
        return {node.id for node in found}

    def _check(self, numbers: set[int], deadline: float) -> None:
        for node in (self._nodes[number] for number in numbers):
            if not node.is_running():
                raise ApacheKafkaFailed(f"node {node.number} of Apache Kafka ended; {_tail(node.log)}")
            if time.monotonic() > deadline:
                raise ApacheKafkaFailed(f"Apache Kafka did not start within {_START_SECONDS:g} s; {_tail(node.log)}")
        time.sleep(_POLL_SECONDS)


def _free_ports(count: int) -> list[int]:
    free: list[int] = []
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe:
            if probe.connect_ex((_HOST, port)) != 0:
                free.append(port)
        if len(free) == count:
            break
    return free


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((_HOST, port)) == 0


def _kafka_uuid() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()


def _write(file: Path, properties: Mapping[str, str]) -> None:
    file.write_text("".join(f"{name}={value}\n" for name, value in properties.items()), encoding="utf-8")


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    telling = [line for line in lines if "ERROR" in line or "Exception" in line] or lines
    return f"it said: {' | '.join(telling[-5:])}" if telling else "it wrote nothing"
