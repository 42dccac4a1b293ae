"""A running `bridgecart up`, and its webserver asked as the UI asks it."""

import json
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil

from bridgecart_assets.sources.kafka.address import announced_broker
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets_tests.integration.processes import command, environment, processes_of, wait_until

UP_SECONDS = 120.0
RUN_SECONDS = 60.0
NONE: Mapping[str, str] = MappingProxyType({})
TICK_SECONDS = 30.0
# An answer takes 10 to 40 ms of a core that the run which is waited for could use.
ASK_SECONDS = 0.25

RUNS = """query ($filter: RunsFilter) { runsOrError(filter: $filter) { ... on Runs { results {
  id status jobName tags { key value } assetSelection { path } } } } }"""
TICKS = """query ($selector: SensorSelector!) { sensorOrError(sensorSelector: $selector) { ... on Sensor {
  sensorState { status ticks(limit: 20) { timestamp status skipReason runIds
    error { message causes { message } } } } } } }"""
ASSETS = """query { assetNodes { assetKey { path } isPartitioned partitionKeys
  assetChecksOrError { ... on AssetChecks { checks { name canExecuteIndividually jobNames } } } } }"""
REPOSITORY = """query { repositoriesOrError { ... on RepositoryConnection { nodes {
  name location { name } } } } }"""
LAUNCH = """mutation ($params: ExecutionParams!) { launchPipelineExecution(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { id } } ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } } } }"""
TERMINATE = """mutation ($runId: String!) { terminateRun(runId: $runId) { __typename
  ... on TerminateRunFailure { message } ... on PythonError { message } } }"""
MATERIALIZATIONS = """query ($key: AssetKeyInput!) { assetOrError(assetKey: $key) { ... on Asset {
  assetMaterializations(limit: 20) { runId partition metadataEntries { label
    ... on JsonMetadataEntry { jsonString } ... on IntMetadataEntry { intValue } } } } } }"""


@dataclass(frozen=True)
class Served:
    """A `bridgecart up` whose UI answers."""

    process: "subprocess.Popen[bytes]"
    data_dir: Path
    url: str
    start_seconds: float
    output: Path
    settings: Mapping[str, str]

    @property
    def kafka(self) -> KafkaConnection:
        """The broker it was given, or its embedded one, found as other commands find it."""
        servers = self.settings.get("BRIDGECART_KAFKA_BOOTSTRAP_SERVERS") or announced_broker(self.data_dir)
        assert servers is not None
        return KafkaConnection(servers, self.settings.get("BRIDGECART_KAFKA_TOPIC", "bridgecart.orders"))

    def ask(self, query: str, **variables: Any) -> Any:
        """The data of a GraphQL answer."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def repository(self) -> dict[str, str]:
        """The selector of the one code location."""
        ((node),) = self.ask(REPOSITORY)["repositoriesOrError"]["nodes"]
        return {"repositoryName": node["name"], "repositoryLocationName": node["location"]["name"]}

    def runs(self, **filters: Any) -> list[dict[str, Any]]:
        """Runs, newest first."""
        found: list[dict[str, Any]] = self.ask(RUNS, filter=filters)["runsOrError"]["results"]
        return found

    def ticks(self) -> list[dict[str, Any]]:
        """The orders sensor's latest ticks, newest first."""
        selector = {**self.repository(), "sensorName": "orders_sensor"}
        state = self.ask(TICKS, selector=selector)["sensorOrError"]["sensorState"]
        assert state["status"] == "RUNNING"
        found: list[dict[str, Any]] = state["ticks"]
        return found

    def partitions(self) -> list[str]:
        """The batch keys as the UI lists them for raw/orders."""
        nodes = self.ask(ASSETS)["assetNodes"]
        (keys,) = [node["partitionKeys"] for node in nodes if node["assetKey"]["path"] == ["raw", "orders"]]
        return list(keys)

    def next_batch(self, after: int) -> str:
        """Wait until the sensor's batch number `after` + 1 has been run successfully; its key."""
        keys = wait_until(
            lambda: (found := self.partitions())[after:] and found,
            RUN_SECONDS,
            "the sensor registers a partition",
            every=ASK_SECONDS,
        )
        tag = {"key": "dagster/partition", "value": keys[after]}
        wait_until(
            lambda: self.runs(tags=[tag], statuses=["SUCCESS"]),
            RUN_SECONDS,
            f"a run of {keys[after]} succeeds",
            every=ASK_SECONDS,
        )
        return keys[after]

    def terminate(self, run_id: str) -> None:
        """Cancel a run as the UI does, and wait until it is."""
        ended = self.ask(TERMINATE, runId=run_id)["terminateRun"]
        assert ended["__typename"] == "TerminateRunSuccess", ended
        wait_until(lambda: self.runs(runIds=[run_id], statuses=["CANCELED"]), RUN_SECONDS, "the run is cancelled")

    def skips(self, words: str) -> None:
        """Wait until a tick from now on is skipped for this reason."""
        now = time.time()
        wait_until(
            lambda: any(tick["timestamp"] > now and words in (tick["skipReason"] or "") for tick in self.ticks()),
            TICK_SECONDS,
            f"a tick is skipped because of: {words}",
            every=ASK_SECONDS,
        )

    def materialize(self, key: str) -> str:
        """Launch one partition of raw/orders and everything downstream as the UI does; wait; the run's id."""
        nodes = [
            node for node in self.ask(ASSETS)["assetNodes"] if node["assetKey"]["path"][0] not in ("kafka", "announced")
        ]
        checks = [
            {"assetKey": node["assetKey"], "name": check["name"]}
            for node in nodes
            for check in node["assetChecksOrError"]["checks"]
            if check["canExecuteIndividually"] == "CAN_EXECUTE" and "__ASSET_JOB" in check["jobNames"]
        ]
        params = {
            "mode": "default",
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": key}]},
            "runConfigData": "{}",
            "selector": {
                **self.repository(),
                "pipelineName": "__ASSET_JOB",
                "assetSelection": [node["assetKey"] for node in nodes],
                "assetCheckSelection": checks,
            },
        }
        launched = self.ask(LAUNCH, params=params)["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run_id = str(launched["run"]["id"])
        wait_until(
            lambda: self.runs(runIds=[run_id], statuses=["SUCCESS", "FAILURE", "CANCELED"]),
            RUN_SECONDS,
            "the run ends",
            every=ASK_SECONDS,
        )
        return run_id


@contextmanager
def up(
    data_dir: Path,
    *arguments: str,
    rate: float = 0,
    settings: Mapping[str, str] = NONE,
    cwd: Path | None = None,
    python: str = sys.executable,
) -> Iterator[Served]:
    """Start `bridgecart up`, wait until it says that the UI is there, and leave nothing behind.

    Without a broker in `settings` it brings its own, and live orders at this `rate`. In `cwd`, or here; with the
    BridgeCart of `python`.
    """
    port = free_port()
    output = data_dir.parent / "up.txt"
    started = time.monotonic()
    with output.open("wb") as out:
        process = subprocess.Popen(
            command("up", "--port", str(port), "--rate", str(rate), *arguments, python=python),
            env=environment({**settings, "BRIDGECART_DATA_DIR": str(data_dir)}),
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            cwd=cwd,
        )
    try:
        wait_until(
            lambda: "Dagster UI" in output.read_text() or process.poll() is not None,
            UP_SECONDS,
            "`up` says the UI is there",
        )
        assert process.poll() is None, output.read_text()
        yield Served(process, data_dir, f"http://127.0.0.1:{port}", time.monotonic() - started, output, settings)
    finally:
        process.kill()
        process.wait()
        for left in processes_of(data_dir):
            with suppress(psutil.NoSuchProcess):
                left.kill()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listening(data_dir: Path) -> set[tuple[str, int]]:
    """Where the processes of this data directory wait for connections."""
    found = set()
    for process in processes_of(data_dir):
        with suppress(psutil.NoSuchProcess):
            waiting = [place for place in process.net_connections("inet") if place.status == psutil.CONN_LISTEN]
            found |= {(place.laddr.ip, place.laddr.port) for place in waiting}
    return found


def is_open_to_others(address: str) -> bool:
    """Whether a server's port answers at an address of this machine that is not 127.0.0.1, as other machines use it."""
    of_machine = [entry.address for entries in psutil.net_if_addrs().values() for entry in entries]
    other = next((ip for ip in of_machine if re.fullmatch(r"[\d.]+", ip) and not ip.startswith("127.")), "127.0.0.2")
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((other, int(address.rpartition(":")[2]))) == 0
