"""Spark for tests: installed by `make spark`, with Iceberg's jar from Maven; in this process, or as a cluster."""

import functools
import gc
import importlib.util
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import psutil
import pytest

from bridgecart_assets.processes.supervisor import child
from bridgecart_assets.warehouse.lake import session
from bridgecart_assets.warehouse.lake.session import ICEBERG
from bridgecart_assets_tests.support import compose
from bridgecart_assets_tests.support.maven import LIBS, fetched, java
from bridgecart_assets_tests.support.requirements import missing

# What talks to Java leaves its sockets to the garbage collector, which comes in whatever test is running.
leaves_sockets = pytest.mark.filterwarnings("ignore:unclosed.*socket:ResourceWarning")

_CONF = Path(__file__).with_name("spark_conf")
_POM = compose.SPARK.parent / "spark" / "iceberg.pom.xml"
_START_SECONDS = 120.0
_LOOK_SECONDS = 0.2
_SHORT_LIFE = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
_EXECUTOR = "CoarseGrainedExecutorBackend"


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
        "SPARK_CONF_DIR": str(_CONF),
    }


@contextmanager
def spark_in_this_process() -> Iterator[Mapping[str, str]]:
    """The settings with which commands in this process use one Spark, which the first of them starts."""
    settings, paths = spark_settings(), list(sys.path)
    from pyspark import SparkContext

    try:
        yield settings
    finally:
        context, gateway = SparkContext._active_spark_context, SparkContext._gateway
        if context is not None:
            context.stop()
        if gateway is not None:
            gateway.shutdown()
            # The program of Java ends with its input.
            gateway.proc.communicate()
        SparkContext._gateway = SparkContext._jvm = None
        session._session.cache_clear()
        sys.path[:] = paths
        # What it left to the collector is gone before another test is blamed for it.
        gc.collect()


@contextmanager
def killed_at_work(part: Literal["executor", "worker"]) -> Iterator[None]:
    """Meanwhile `kill -9` hits the first executor of a cluster of this process that makes a share, or its worker.

    One has to make one.
    """
    killed: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not killed and not over.wait(_LOOK_SECONDS):
            with suppress(psutil.NoSuchProcess):
                for executor in _executors_at_work()[:1]:
                    victim = executor.parent() if part == "worker" else executor
                    if victim is not None:
                        killed.append(_killed(victim))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()
    assert killed, "no executor has made a share"


def _executors_at_work() -> list[psutil.Process]:
    """Those whose Python, a daemon that forks for each task, has forked."""
    family = psutil.Process().children(recursive=True)
    return [one for one in family if _EXECUTOR in _command(one) and any(map(_children, _children(one)))]


def _command(process: psutil.Process) -> str:
    # Of a family some are gone while one looks.
    with suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())
    return ""


def _children(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return process.children()
    return []


def _killed(process: psutil.Process) -> int:
    process.kill()
    return process.pid


@contextmanager
def standalone_cluster(folder: Path) -> Iterator[str]:
    """The master and the workers of deploy/spark.yml, as processes of their own."""
    services = compose.with_spark()
    port = _free_port()
    master = f"spark://127.0.0.1:{port}"
    with ExitStack() as stack:
        log = folder / "master.log"
        stack.enter_context(_started(services["spark-master"], log, port))
        _wait_for(log, "New state: ALIVE")
        for number in range(services["spark-worker"]["deploy"]["replicas"]):
            stack.enter_context(_started(services["spark-worker"], folder / f"worker-{number}.log", port))
        _wait_for(log, "Registering worker", times=services["spark-worker"]["deploy"]["replicas"])
        yield master


def _started(service: Mapping[str, Any], log: Path, port: int) -> AbstractContextManager[object]:
    """A service of deploy/spark.yml as a process on loopback."""
    words = " ".join(service["command"])
    for there, here in (
        ("/scratch", str(log.with_suffix(""))),
        ("spark-master", "127.0.0.1"),
        ("7077", str(port)),
        ("8080", "0"),
        ("8081", "0"),
    ):
        words = words.replace(there, here)
    program, *arguments = words.split()
    variables = {
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_DAEMON_JAVA_OPTS": _SHORT_LIFE,
    }
    return child([str(Path(sys.executable).with_name(program)), *arguments], log, variables)


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def _wait_for(log: Path, said: str, *, times: int = 1) -> None:
    end = time.monotonic() + _START_SECONDS
    while len(re.findall(said, log.read_text() if log.exists() else "")) < times:
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)
