"""Fixtures of every test: a clean environment, a data directory of its own, settings and warehouse in it; brokers."""

import atexit
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from bridgecart_assets.base.env_file import env_file
from bridgecart_assets.base.settings import Settings, load_settings
from bridgecart_assets.orchestration.instance import dagster_instance, prepare_home
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.faults import OF_SESSION
from bridgecart_assets_tests.sources.kafka.fixtures import broker, broker_kind, brokers, secured, topic
from bridgecart_assets_tests.sources.registry.apicurio import apicurio
from bridgecart_assets_tests.support.batching import AT_ONCE
from bridgecart_assets_tests.support.examples import register_profiles
from bridgecart_assets_tests.support.filled import filled, filled_folder

__all__ = ["apicurio", "broker", "broker_kind", "brokers", "filled", "filled_folder", "secured", "topic"]

register_profiles()


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No BRIDGECART_* or DAGSTER_* variable of the developer's shell reaches a test."""
    for name in list(os.environ):
        if name.startswith(("BRIDGECART_", "DAGSTER_")) and name != "BRIDGECART_REQUIRE_ALL":
            monkeypatch.delenv(name)
    folder = tmp_path / "data"
    monkeypatch.setenv("BRIDGECART_DATA_DIR", str(folder))
    for name, value in AT_ONCE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
    return folder


@pytest.fixture
def settings(data_dir: Path) -> Settings:
    """Default settings on the test's data directory."""
    return load_settings()


@pytest.fixture
def warehouse(settings: Settings) -> Warehouse:
    """A warehouse that does not exist yet."""
    return warehouse_from_settings(settings)


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dagster's storage with nothing in it. To make one takes a third of a second, to copy it next to nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        return prepare_home(Settings(data_dir=tmp_path_factory.mktemp("home")))


@pytest.fixture
def instance(settings: Settings, empty_home: Path) -> Iterator[dg.DagsterInstance]:
    """Dagster's records in the test's data directory."""
    if not settings.dagster_home.exists():
        shutil.copytree(empty_home, settings.dagster_home)
    with dagster_instance(settings) as instance:
        yield instance


def pytest_configure() -> None:
    """Refuse settings of the developer in `.env`, which counts before the environment of a test.

    Hear Ctrl-C again: a shell that starts tests in the background has them and their children ignore it."""
    mine = [name for name in env_file(Path.cwd()) if name.startswith(("BRIDGECART_", "DAGSTER_HOME"))]
    if mine:
        pytest.exit(f"The tests would work with {', '.join(mine)} of .env: move that file away meanwhile.", 1)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands over what only the main process prints."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["faults"] = OF_SESSION.packed()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """The main process takes it; a worker that crashed has handed over nothing."""
    OF_SESSION.add_packed(getattr(node, "workeroutput", {}).get("faults", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was broken, and what became of the records."""
    if OF_SESSION.accounts:
        terminalreporter.section("faults injected")
        for line in OF_SESSION.lines():
            terminalreporter.write_line(line)


def pytest_unconfigure() -> None:
    """Close standard error once the interpreter ends, after the summary and everything that pytest says.

    DuckDB's binding lists its own objects as leaked there whenever hypothesis has run: sixty lines below the result.
    """
    atexit.register(lambda: os.dup2(os.open(os.devnull, os.O_WRONLY), 2))
