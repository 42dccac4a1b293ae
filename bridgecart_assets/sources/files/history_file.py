"""A file of orders that are older than the topic: what is in it, looked at as a whole before a row is taken.

Its identity is its content: the same file under another name is the same file, and a changed one is another.
"""

import hashlib
import stat
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bridgecart_assets.sources.files.csv_rows import CsvRows
from bridgecart_assets.sources.files.errors import FileChanged, refused
from bridgecart_assets.sources.files.json_lines import JsonLines
from bridgecart_assets.sources.files.parquet_rows import ParquetRows
from bridgecart_assets.sources.files.rows import Rows

FILE_ID = "file:"
"""The beginning of a file's identity in the ledger, where a topic has its own."""
_FORMATS: dict[str, type[CsvRows | JsonLines | ParquetRows]] = {
    ".csv": CsvRows,
    ".tsv": CsvRows,
    ".txt": CsvRows,
    ".ndjson": JsonLines,
    ".jsonl": JsonLines,
    ".json": JsonLines,
    ".parquet": ParquetRows,
    ".pq": ParquetRows,
}


def is_file(topic_id: str) -> bool:
    """True if a batch with this topic id holds rows of a file."""
    return topic_id.startswith(FILE_ID)


@dataclass(frozen=True)
class HistoryFile:
    """A file as it was looked at: its place, size and time of change, its SHA-256, and its rows."""

    path: Path
    size: int
    changed_at: int
    sha256: str
    rows: Rows

    @property
    def name(self) -> str:
        """Its name without the folder."""
        return self.path.name

    @property
    def topic_id(self) -> str:
        """Its identity in the ledger."""
        return f"{FILE_ID}{self.sha256}"

    def require_unchanged(self) -> None:
        """Raise FileChanged when it is not as it was looked at."""
        if (self.size, self.changed_at) != _stamp(self.path):
            raise FileChanged(f"{self.name} was changed while it was read: import it again when nobody writes to it")


def open_history(path: Path) -> HistoryFile:
    """The file, looked at as a whole; once in the life of a process, unless it changes. Raises FileRefused."""
    return _looked_at(path, *_stamp(path))


@cache
def _looked_at(path: Path, size: int, changed_at: int) -> HistoryFile:
    rows_of = _FORMATS.get(Path(path.name.lower().removesuffix(".gz")).suffix)
    if rows_of is None:
        raise refused(path.name, f"its name has to end in {', '.join(_FORMATS)}; all but Parquet also with .gz")
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    found = HistoryFile(path, size, changed_at, sha256, rows_of(path))
    if not found.rows.count:
        raise refused(path.name, "it has no rows")
    return found


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of the last change of a file that can be read."""
    try:
        state = path.stat()
        if stat.S_ISREG(state.st_mode):
            path.open("rb").close()
            return state.st_size, state.st_mtime_ns
    except OSError as error:
        raise refused(path.name, f"it cannot be read ({error.strerror})") from None
    if stat.S_ISDIR(state.st_mode):
        raise refused(path.name, "it is a folder: name its files, as in history/*.csv")
    raise refused(path.name, "it is no regular file, and has to be read more than once")
