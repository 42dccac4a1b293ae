"""Two warehouses that take the same steps in this process, one with DuckDB as its engine and one with Spark."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.support.command_line import Bridgecart, Done
from bridgecart_assets_tests.support.state import digests

# Of keys of batches, which say when they were planned.
_PLANNED = re.compile(r"\d{8}T\d{6}Z")


class Twins:
    """Data directories of two engines; a command that both are given has to end alike and say the same."""

    def __init__(
        self, bridgecart: Bridgecart, patch: pytest.MonkeyPatch, folder: Path, spark: Mapping[str, str]
    ) -> None:
        self._bridgecart, self._patch = bridgecart, patch
        for name, value in spark.items():
            patch.setenv(name, value)
        self._folders = {engine: folder / engine for engine in ("duckdb", "spark")}

    @property
    def warehouses(self) -> tuple[Warehouse, Warehouse]:
        """That of DuckDB, then that of Spark."""
        first, second = (
            warehouse_from_settings(load_settings().model_copy(update={"data_dir": folder}))
            for folder in self._folders.values()
        )
        return first, second

    def move(self) -> None:
        """Let the second be a copy of the first, moved into the lake."""
        shutil.copytree(self._folders["duckdb"], self._folders["spark"])
        moved = self.by("spark", "move", "--to", "spark")
        assert moved.code == 0, moved.err
        self.assert_same()

    def do(self, *command: str) -> Mapping[str, Any]:
        """Give both the same command; what it said as JSON, but for the keys of batches."""
        first, second = (self.by(engine, *command, "--json") for engine in self._folders)
        assert first.code == second.code, first.err + second.err
        assert first.code in (0, 3), first.err
        said: Mapping[str, Any] = json.loads(timeless(first.out))
        assert json.loads(timeless(second.out)) == said
        return said

    def assert_same(self) -> None:
        """Every table has the same rows to the last bit, and the report is the same page."""
        first, second = map(digests, self.warehouses)
        assert [name for name in first if second.get(name) != first[name]] == []
        assert second.keys() == first.keys()
        pages = [timeless((folder / "reports" / "segments.html").read_text()) for folder in self._folders.values()]
        assert pages[0] == pages[1]

    def by(self, engine: str, *command: str) -> Done:
        """Give one of the two a command."""
        self._patch.setenv("BRIDGECART_DATA_DIR", str(self._folders[engine]))
        self._patch.setenv("BRIDGECART_ENGINE", engine)
        return self._bridgecart(*command)


def timeless(text: str) -> str:
    """The text without the moments in the keys of batches."""
    return _PLANNED.sub("", text)
