"""Fixtures of every test: a clean environment, a data directory of its own, settings and warehouse in it; brokers."""

import atexit
import os
import signal
from pathlib import Path

import pytest

from bridgecart_assets.base.env_file import env_file
from bridgecart_assets.base.settings import Settings, load_settings
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.sources.kafka.fixtures import broker, broker_kind, secured, topic
from bridgecart_assets_tests.support.batching import AT_ONCE

__all__ = ["broker", "broker_kind", "secured", "topic"]


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


def pytest_configure() -> None:
    """Refuse settings of the developer in `.env`, which counts before the environment of a test.

    Hear Ctrl-C again: a shell that starts tests in the background has them and their children ignore it."""
    mine = [name for name in env_file(Path.cwd()) if name.startswith(("BRIDGECART_", "DAGSTER_HOME"))]
    if mine:
        pytest.exit(f"The tests would work with {', '.join(mine)} of .env: move that file away meanwhile.", 1)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure() -> None:
    """Close standard error once the interpreter ends, after the summary and everything that pytest says.

    DuckDB's binding lists its own objects as leaked there whenever hypothesis has run: sixty lines below the result.
    """
    atexit.register(lambda: os.dup2(os.open(os.devnull, os.O_WRONLY), 2))
