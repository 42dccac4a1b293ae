"""A copy of the project to which a recipe of CONTRIBUTING is applied, as somebody would with an editor."""

import filecmp
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = "bridgecart_assets"
_COPIED = (PRODUCT, "bridgecart_assets_tests", "docs", "README.md", "CONTRIBUTING.md")
_END_OF_MIGRATIONS = ')\n"""SQL files and new fields of the event; '
_LEFT_OUT = shutil.ignore_patterns("__pycache__")


@dataclass(frozen=True)
class ProjectCopy:
    """A copy of the project in a folder of its own."""

    folder: Path

    @classmethod
    def into(cls, folder: Path) -> "ProjectCopy":
        """Copy what is written by hand: the package, its tests, the documents."""
        folder.mkdir()
        for name in _COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, folder / name, ignore=_LEFT_OUT)
            else:
                shutil.copy(ROOT / name, folder / name)
        return cls(folder)

    def write(self, file: str, text: str) -> None:
        """Write a file of the package."""
        (self.folder / PRODUCT / file).write_text(text, encoding="utf-8")

    def insert_before(self, file: str, mark: str, text: str) -> None:
        """Put lines before the only place with this text."""
        path = self.folder / PRODUCT / file
        before, after = path.read_text(encoding="utf-8").split(mark)
        path.write_text(f"{before}{text}{mark}{after}", encoding="utf-8")

    def add_migrations(self, lines: str) -> None:
        """Put lines at the end of the list of migrations."""
        self.insert_before("warehouse/storage/migrations.py", _END_OF_MIGRATIONS, lines)

    def touched(self) -> list[str]:
        """The files of the package that are not those of the original."""
        files = [path.relative_to(self.folder) for path in (self.folder / PRODUCT).rglob("*") if path.is_file()]
        sources = [file for file in files if "__pycache__" not in file.parts]
        return sorted(
            file.relative_to(PRODUCT).as_posix()
            for file in sources
            if not (ROOT / file).exists() or not filecmp.cmp(ROOT / file, self.folder / file, shallow=False)
        )

    def run(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """Run Python on the copy; what it printed."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder), **(env or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def text(self, document: str) -> str:
        """The text of a document."""
        return (self.folder / document).read_text(encoding="utf-8")
