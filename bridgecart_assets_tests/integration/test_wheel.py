"""The wheel alone, as `uvx` or `pipx` start it: in a folder of the user's, with no checkout in reach."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from bridgecart_assets.orchestration.location import LOCATION
from bridgecart_assets_tests.integration.processes import ROOT
from bridgecart_assets_tests.integration.served import ASSETS, up
from bridgecart_assets_tests.integration.wheel import build_wheel, clean_environment, install

DEMO_SECONDS = 120


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(wheel, tmp_path_factory.mktemp("environment"))


def test_the_wheel_has_every_file_of_the_package_and_nothing_of_tests_and_benchmarks(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = {file.relative_to(ROOT) for file in (ROOT / "bridgecart_assets").rglob("*") if file.is_file()}
    assert names == {file.as_posix() for file in package if "__pycache__" not in file.parts}
    assert "bridgecart_assets/py.typed" in names


def test_the_demo_runs_to_its_end(python: Path, tmp_path: Path) -> None:
    place = subprocess.run(
        [python, "-c", "import bridgecart_assets; print(bridgecart_assets.__file__)"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert place.startswith(str(python.parent.parent))
    done = subprocess.run(
        [python.with_name("bridgecart"), "demo", "--orders", "2000"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=DEMO_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "checks passed" in done.stdout
    assert "KPIs by segment, period from" in done.stdout
    assert (tmp_path / "data" / "reports" / "segments.html").exists()


def test_up_finds_its_definitions_in_a_folder_without_a_workspace_file(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PYTHONPATH", "PYTHONHOME"):
        monkeypatch.delenv(name, raising=False)
    with up(tmp_path / "data", cwd=tmp_path, python=str(python)) as served:
        assert served.repository()["repositoryLocationName"] == LOCATION
        assert ["kpi", "churn_rate"] in [node["assetKey"]["path"] for node in served.ask(ASSETS)["assetNodes"]]
        served.skips("has no topic")
