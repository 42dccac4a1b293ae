"""The compose file with what it includes."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
FILE = ROOT / "docker-compose.yml"
SPARK = ROOT / "deploy" / "spark.yml"


def services() -> dict[str, Any]:
    """Every service of the stack by its name."""
    return {name: service for document in _documents() for name, service in document["services"].items()}


def with_spark() -> dict[str, Any]:
    """Every service of the stack with deploy/spark.yml on top, as compose puts it together."""
    own = services()
    for name, more in _read(SPARK)["services"].items():
        below = own.get(name, {})
        merged = {key: {**below.get(key, {}), **more.get(key, {})} for key in ("environment", "depends_on")}
        own[name] = {**below, **more, **merged, "volumes": [*below.get("volumes", []), *more.get("volumes", [])]}
    return own


def volumes() -> set[str]:
    """The named volumes."""
    return {name for document in (*_documents(), _read(SPARK)) for name in document["volumes"]}


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
    document = _read(FILE)
    return [FILE, *(ROOT / name for name in document["include"])]


def _documents() -> list[dict[str, Any]]:
    return [_read(file) for file in files()]


def _read(file: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return document
