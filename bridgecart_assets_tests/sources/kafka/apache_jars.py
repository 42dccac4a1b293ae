"""The programs of the real Apache Kafka: Java from the machine, jars from Maven, once per machine and version."""

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path

from filelock import FileLock

from bridgecart_assets_tests.support.requirements import missing

KAFKA_VERSION = "4.1.0"

_OLDEST_JAVA = 17
_POM = Path(__file__).with_name("apache_kafka.pom.xml")
_RESOLVE_SECONDS = 240
_LIBS = "libs"


@functools.cache
def java() -> str:
    """The path of a Java that runs Kafka; without one the test is skipped or fails."""
    found = shutil.which("java")
    if found is None:
        missing("there is no Java: install default-jre-headless")
    said = subprocess.run([found, "-version"], capture_output=True, text=True, timeout=30, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < _OLDEST_JAVA:
        missing(f"Java {_OLDEST_JAVA} is needed, {found} says: {' '.join(said.split())[:200]}")
    return found


@functools.cache
def class_path() -> str:
    """Kafka's jars, fetched on first use; where that is not possible the test is skipped or fails."""
    folder = _cache() / f"kafka-{KAFKA_VERSION}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            _fetch(folder)
    return str(folder / _LIBS / "*")


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bridgecart"


def _fetch(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        missing(f"Apache Kafka is not in {folder} and there is no Maven to fetch it: install maven")
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    # A copy: Maven writes beside the pom.
    pom = Path(shutil.copy(_POM, partial / "pom.xml"))
    command = [maven, "--quiet", "--batch-mode", "--file", str(pom), "dependency:copy-dependencies"]
    command += [f"-Dkafka.version={KAFKA_VERSION}", "-DincludeScope=runtime", f"-DoutputDirectory={partial / _LIBS}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_RESOLVE_SECONDS, check=False)
    if done.returncode != 0:
        missing(f"Maven could not fetch Apache Kafka {KAFKA_VERSION}: {' '.join(done.stdout.split())[:300]}")
    partial.rename(folder)
