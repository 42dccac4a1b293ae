"""What the records of a file say, read from any of its rows on."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bridgecart_assets.sources.files.history_file import open_history


def payloads(path: Path, start: int = 0) -> list[bytes]:
    """Payloads from a row on."""
    return list(_payloads(path, start))


def documents(path: Path, start: int = 0) -> list[dict[str, Any]]:
    """Payloads as JSON."""
    return [json.loads(payload) for payload in _payloads(path, start)]


def _payloads(path: Path, start: int) -> Iterator[bytes]:
    for piece in open_history(path).rows.pieces(start):
        yield from piece.to_pylist()
