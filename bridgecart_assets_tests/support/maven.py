"""Programs of Java for tests: Java from the machine, what it runs from Maven, once per machine and version."""

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock

from bridgecart_assets_tests.support.requirements import missing

_OLDEST_JAVA = 17
_RESOLVE_SECONDS = 240


@functools.cache
def java() -> str:
    """The path of a Java that is new enough; without one the test is skipped or fails."""
    found = shutil.which("java")
    if found is None:
        missing("there is no Java: install default-jre-headless")
    said = subprocess.run([found, "-version"], capture_output=True, text=True, timeout=30, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < _OLDEST_JAVA:
        missing(f"Java {_OLDEST_JAVA} is needed, {found} says: {' '.join(said.split())[:200]}")
    return found


def fetched(name: str, pom: Path, properties: Mapping[str, str]) -> Path:
    """The folder of what a pom depends on, fetched on first use; where that cannot be the test is skipped or fails.

    `properties` are the pom's; `name` is that of the folder, and says the version.
    """
    folder = _cache() / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            _fetch(folder, pom, properties)
    return folder


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bridgecart"


def _fetch(folder: Path, pom: Path, properties: Mapping[str, str]) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        missing(f"{folder} is not there and there is no Maven to fetch it: install maven")
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    # A copy: Maven writes beside the pom.
    copied = Path(shutil.copy(pom, partial / "pom.xml"))
    command = [maven, "--quiet", "--batch-mode", "--file", str(copied), "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={partial / LIBS}"]
    command += [f"-D{name}={value}" for name, value in properties.items()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_RESOLVE_SECONDS, check=False)
    if done.returncode != 0:
        missing(f"Maven could not fetch {folder.name}: {' '.join(done.stdout.split())[:300]}")
    partial.rename(folder)


LIBS = "libs"
"""Where in the folder the fetched files are."""
