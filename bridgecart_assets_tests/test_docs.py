"""What the documents show works as it stands there, on a data directory with results."""

import re
import shlex
from pathlib import Path

import duckdb
import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import TABLES
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.publishing import published_path
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.processes import bridgecart

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
NAMED = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "bridgecart_assets_tests/README.md")
PAGES = [ROOT / name for name in NAMED]
TOOLS, OPERATIONS = ((DOCS / name).read_text(encoding="utf-8") for name in ("tools.md", "operations.md"))


@pytest.fixture
def folder(filled: Warehouse, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory whose `data` has everything published."""
    monkeypatch.chdir(data_dir.parent)
    return data_dir.parent


def blocks(language: str, text: str = TOOLS) -> list[str]:
    found = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert found, language
    return [str(block) for block in found]


def test_the_sql_gives_rows(folder: Path):
    with duckdb.connect() as connection:
        for block in blocks("sql"):
            assert connection.execute(block).fetchall(), block


def test_the_python_runs(folder: Path):
    for block in blocks("python"):
        names: dict[str, object] = {}
        exec(block, names)
        assert len(names) > 1


@pytest.mark.parametrize("text", [TOOLS, OPERATIONS], ids=["tools", "operations"])
def test_the_commands_work(folder: Path, text: str):
    with warehouse_from_settings(Settings(data_dir=folder / "data")).reading() as connection:
        ((key,),) = connection.execute("select min(segment_key) from gold.customer_segments").fetchall()
    for line in "".join(blocks("sh", text)).splitlines():
        name, *arguments = shlex.split(line.replace("S02", key))
        assert name == "bridgecart"
        done = bridgecart(*arguments, BRIDGECART_DATA_DIR=str(folder / "data"))
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("file", [*PAGES, *DOCS.glob("*.md")], ids=lambda file: file.relative_to(ROOT).as_posix())
def test_every_link_leads_to_something_that_is_there(file: Path):
    links = re.findall(r"\]\(([^)\s]+)\)", file.read_text(encoding="utf-8"))
    for link in links:
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (file.parent / name).resolve() if name else file
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, link


def test_contributing_stays_short():
    assert len((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) < 115


def test_the_files_are_those_that_are_published():
    named = set(re.findall(r"`((?:gold|kpi)/\w+)\.parquet`", TOOLS))
    published = {f"{table.schema}/{table.name}" for table in TABLES.values() if table.published}
    assert named <= published
    assert {name for name in published if name.startswith("kpi/")} <= named
    assert published_path(Path("data/published"), TABLES["kpi.clv_growth"]).as_posix() in {
        f"data/published/{name}.parquet" for name in named
    }
