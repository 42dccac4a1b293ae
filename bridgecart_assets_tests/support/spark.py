"""Spark for tests: installed by `make spark`, with Iceberg's jar from Maven; a cluster of a master and two workers."""

import functools
import importlib.util
import re
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bridgecart_assets.processes.supervisor import child
from bridgecart_assets.warehouse.lake.session import ICEBERG
from bridgecart_assets_tests.support.maven import LIBS, fetched, java
from bridgecart_assets_tests.support.requirements import missing

_POM = Path(__file__).with_name("iceberg.pom.xml")
_START_SECONDS = 120.0


@functools.cache
def spark_settings() -> Mapping[str, str]:
    """The settings of an engine in this process; without Spark the test is skipped or fails."""
    if importlib.util.find_spec("pyspark") is None:
        missing("Spark is not installed: run make spark")
    java()
    version = ICEBERG.rpartition(":")[2]
    (jar,) = (fetched(f"iceberg-{version}", _POM, {"iceberg.version": version}) / LIBS).glob("*.jar")
    return {
        "BRIDGECART_ENGINE": "spark",
        "BRIDGECART_SPARK_MASTER": "local[2]",
        "BRIDGECART_SPARK_JARS": str(jar),
    }


@contextmanager
def standalone_cluster(folder: Path) -> Iterator[str]:
    """The master of a standalone cluster on loopback, with two workers of a core each, as processes of their own."""
    import pyspark

    program = str(Path(pyspark.__file__).parent / "bin" / "spark-class")
    deploy = "org.apache.spark.deploy"
    master = f"spark://127.0.0.1:{_free_port()}"
    port = master.rpartition(":")[2]
    on_loopback = {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    master_command = [program, f"{deploy}.master.Master", "--host", "127.0.0.1", "--port", port, "--webui-port", "0"]
    worker_command = [program, f"{deploy}.worker.Worker", "--host", "127.0.0.1", "--cores", "1", "--memory", "1g"]
    with ExitStack() as stack:
        log = folder / "master.log"
        stack.enter_context(child(master_command, log, on_loopback))
        _wait_for(log, "New state: ALIVE")
        for number in (1, 2):
            work = ["--work-dir", str(folder / f"work-{number}"), "--webui-port", "0", master]
            stack.enter_context(child([*worker_command, *work], folder / f"worker-{number}.log", on_loopback))
        _wait_for(log, "Registering worker", times=2)
        yield master


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def _wait_for(log: Path, said: str, *, times: int = 1) -> None:
    end = time.monotonic() + _START_SECONDS
    while len(re.findall(said, log.read_text() if log.exists() else "")) < times:
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)
