"""BridgeCart as its wheel alone: built from a copy of the package, and installed where no checkout is in reach.

What it depends on comes from this test's environment, so that nothing is downloaded.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from bridgecart_assets_tests.integration.processes import ROOT

BUILD_SECONDS = 120
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "bridgecart_assets", "bridgecart_assets_tests", "benchmarks")


def build_wheel(folder: Path) -> Path:
    """The wheel of this checkout, made in the folder; the checkout stays as it is."""
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source)
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source))
    shutil.rmtree(source)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    """A new environment in the folder in which BridgeCart is the wheel's; its Python."""
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    _pip("--python", str(python), "install", "--no-deps", "--no-index", str(wheel))
    # Packages of this environment, but not what its own .pth files say: one of them leads to the checkout.
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return python


def clean_environment() -> dict[str, str]:
    """This environment without anything that leads Python elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}


def _pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
