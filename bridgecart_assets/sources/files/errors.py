"""Failures of files that are imported; one line each, which names the file and no folder."""

from bridgecart_assets.base.errors import BridgeCartError


class FileRefused(BridgeCartError):
    """The file cannot be imported as it is."""


class FileChanged(BridgeCartError):
    """The file is not the one whose rows were read."""


class FileNeeded(BridgeCartError):
    """A batch holds rows of a file, and nobody says where that is."""


def refused(name: str, why: str, *, line: int | None = None) -> FileRefused:
    """The error of a file at a line; nothing of a file is written before all of it was looked at."""
    where = name if line is None else f"{name} line {line}"
    return FileRefused(f"{where}: {why}; nothing was imported")
