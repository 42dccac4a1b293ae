"""The compose file with what it includes."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
FILE = ROOT / "docker-compose.yml"


def services() -> dict[str, Any]:
    """Every service of the stack by its name."""
    return {name: service for document in _documents() for name, service in document["services"].items()}


def volumes() -> set[str]:
    """The named volumes."""
    return {name for document in _documents() for name in document["volumes"]}


def text() -> str:
    """All of it as it stands."""
    return "\n".join(file.read_text(encoding="utf-8") for file in files())


def size(said: str) -> int:
    """A size as the file says it, bytes; that of a variable is its default."""
    found = re.fullmatch(r"(?:\$\{\w+:-)?(\d+)([mg])\}?", said)
    assert found is not None, said
    return int(found[1]) * {"m": 2**20, "g": 2**30}[found[2]]


def files() -> list[Path]:
    """The file itself, and those that it includes."""
    document = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return [FILE, *(ROOT / name for name in document["include"])]


def _documents() -> list[dict[str, Any]]:
    return [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files()]
