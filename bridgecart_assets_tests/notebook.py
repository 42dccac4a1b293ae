"""docs/notebook.ipynb on a made-up shop: `python -m bridgecart_assets_tests.notebook` writes what it shows into it."""

import os
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from traitlets.config import Config

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import TABLES
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.publishing import publish
from bridgecart_assets_tests.integration.processes import ROOT
from bridgecart_assets_tests.report.shops import grown_shop

NOTEBOOK = ROOT / "docs" / "notebook.ipynb"
CHART = "image/svg+xml"
# Its kernel listens on a file, not on a port.
_BY_FILE = Config({"KernelManager": {"transport": "ipc"}})


def published_shop(folder: Path) -> Settings:
    """Eighteen months of a made-up shop, with its tables published."""
    settings = grown_shop(folder)
    warehouse = warehouse_from_settings(settings)
    for contract in TABLES.values():
        if contract.published:
            publish(warehouse, contract, settings.published_dir)
    return settings


def read_notebook() -> NotebookNode:
    """The notebook as it stands in docs/."""
    notebook: NotebookNode = nbformat.read(NOTEBOOK, as_version=4)
    return notebook


def run(notebook: NotebookNode, data_dir: Path) -> NotebookNode:
    """The same notebook with everything that its cells show on these tables. Raises CellExecutionError."""
    done: NotebookNode = nbformat.from_dict(notebook)
    environment = {**os.environ, "BRIDGECART_DATA_DIR": str(data_dir), "IPYTHONDIR": str(data_dir.parent / "ipython")}
    NotebookClient(done, timeout=120, record_timing=False, config=_BY_FILE).execute(env=environment)
    # Else the version of the machine's Python stands there.
    done.metadata.language_info = {"name": "python"}
    return done


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        shop = published_shop(Path(folder))
        nbformat.write(run(read_notebook(), shop.data_dir), NOTEBOOK)
