"""Lines of a text file, also of a compressed one: decoded, numbered, and found again without reading those before."""

import gzip
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Self, TypeVar

from bridgecart_assets.sources.files.errors import FileRefused, refused

T = TypeVar("T")

_GZIP = b"\x1f\x8b"
_UTF_8_MARK = b"\xef\xbb\xbf"
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_LONGEST_LINE = 16 * 1024 * 1024
_MARKED_ROWS = 50_000


@dataclass(frozen=True)
class Mark:
    """A place between two rows: how many rows, lines and bytes are before it."""

    row: int = 0
    line: int = 0
    position: int = 0


class Marks:
    """Places of a file from which its rows can be read, a few thousand rows apart."""

    def __init__(self) -> None:
        self._marks: list[Mark] = []
        self.rows = 0

    def note_row(self, line: int, position: int) -> None:
        """Count a row, which begins after so many lines and bytes."""
        if self.rows % _MARKED_ROWS == 0:
            self._marks.append(Mark(self.rows, line, position))
        self.rows += 1

    def before(self, row: int) -> Mark:
        """The last place that is not after the row; the file has a row."""
        return self._marks[max(0, bisect_right(self._marks, row, key=lambda mark: mark.row) - 1)]


class Lines:
    """The lines from a place on, to be iterated once; `number` and `position` are those at the end of the last one."""

    def __init__(self, file: BinaryIO | gzip.GzipFile, name: str, mark: Mark) -> None:
        self.number = mark.line
        self.position = mark.position
        self._file = file
        self._name = name
        file.seek(mark.position)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._file.readline(_LONGEST_LINE)
        if not line:
            raise StopIteration
        self.number += 1
        self.position += len(line)
        if len(line) == _LONGEST_LINE:
            raise self.refused(f"it is longer than {_LONGEST_LINE:,} bytes, which no row of orders is")
        try:
            return (line.removeprefix(_UTF_8_MARK) if self.number == 1 else line).decode()
        except UnicodeDecodeError:
            raise self._not_utf_8(line) from None

    def refused(self, why: str, *, line: int | None = None) -> FileRefused:
        """The error at a line, the last one unless another is named."""
        return refused(self._name, why, line=line or self.number)

    def _not_utf_8(self, line: bytes) -> FileRefused:
        is_utf_16 = self.number == 1 and line.startswith(_UTF_16_MARKS)
        encoding = "UTF-16" if is_utf_16 else "WINDOWS-1252"
        return self.refused(
            f"it is not UTF-8: convert the file first, as by `iconv -f {encoding} -t UTF-8 {self._name}` where it is "
            f"{encoding}"
        )


@contextmanager
def open_lines(path: Path, mark: Mark = Mark()) -> Iterator[Lines]:
    """The lines of the file from a place on. Raises FileRefused where it cannot be decompressed."""
    with path.open("rb") as stored:
        is_compressed = stored.read(len(_GZIP)) == _GZIP
        stored.seek(0)
        try:
            with gzip.GzipFile(fileobj=stored) if is_compressed else stored as file:
                yield Lines(file, path.name, mark)
        except (gzip.BadGzipFile, EOFError, zlib.error):
            raise refused(path.name, "its compression is damaged or cut off") from None


def rows_from(
    start: int, path: Path, marks: Marks, rows: Callable[[Lines], Iterator[tuple[int, int, T]]]
) -> Iterator[T]:
    """The rows of the file from one on; `rows` finds them in lines, each after the lines and bytes before it."""
    mark = marks.before(start)
    with open_lines(path, mark) as lines:
        for *_, row in islice(rows(lines), start - mark.row, None):
            yield row
