"""A data directory with every table of a small shop in it and everything published: made once, copied for each test."""

import shutil
from pathlib import Path

import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import TABLES
from bridgecart_assets.warehouse.publishing import publish
from bridgecart_assets.warehouse.storage.database import Warehouse, table_exists
from bridgecart_assets_tests.support.pipeline import run_small_shop


@pytest.fixture(scope="session")
def filled_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty customers who buy in three months. Tests copy it and never change it."""
    folder = tmp_path_factory.mktemp("filled") / "data"
    settings = Settings(data_dir=folder)
    warehouse = run_small_shop(settings)
    with warehouse.reading() as connection:
        published = [c for c in TABLES.values() if c.published and table_exists(connection, c)]
    for contract in published:
        publish(warehouse, contract, settings.published_dir)
    return folder


@pytest.fixture
def filled(filled_folder: Path, data_dir: Path, warehouse: Warehouse) -> Warehouse:
    """The test's own copy, as its data directory."""
    shutil.copytree(filled_folder, data_dir)
    return warehouse
